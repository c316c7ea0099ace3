"""One attempt: prepared, started, watched, and what became of it settled."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from orchestrator.campaign.inputs import model_folder, prompt_file
from orchestrator.campaign.schema import Campaign
from orchestrator.campaign.settings import Settings
from orchestrator.dispatch.base import Attempt, Dispatcher, LiveAttempt
from orchestrator.execution.assignment import assigned
from orchestrator.execution.death import died
from orchestrator.execution.supervise import Limits, Verdict, supervise
from orchestrator.execution.watch import GpuWatch
from orchestrator.files import write_durably
from orchestrator.results.baselines import Baselines
from orchestrator.results.folders import CampaignFolder, UnverifiedError
from runners.contract.events import RunnerEvent
from runners.contract.failures import FAILURES
from runners.contract.host import NO_OTHER_PROCESS, Neighbour
from runners.contract.names import is_prompt_file
from runners.contract.options.simulated import SimulatedOptions
from runners.contract.paths import FAILURE, LOG, REQUEST, AttemptName, FailureKind, run_id
from runners.contract.request import Experiment, Gap, Gpu, Measurement, RunRequest
from runners.contract.result import RunFailure, RunResult


@dataclass(frozen=True, slots=True)
class Published:
    """A run whose folder is there."""

    folder: Path
    result: RunResult


@dataclass(frozen=True, slots=True)
class Bench:
    """What all attempts of a campaign share: where they work, how they are started and measured."""

    campaign: Campaign
    folder: CampaignFolder
    dispatcher: Dispatcher
    gpus: tuple[Gpu, ...]
    """All that the campaign names."""
    measurement: Measurement
    baselines: Baselines
    settings: Settings
    slots: int = 1
    """How many of its runs go on at once, at most."""

    @property
    def limits(self) -> Limits:
        """The time limits of each attempt."""
        return Limits(self.campaign.file.timeout_s, self.campaign.file.silence_timeout_s)

    def measures_as(self, name: AttemptName) -> bool:
        """Whether an attempt that was begun earlier measures as the campaign does now, whose file may have changed."""
        try:
            begun = RunRequest.model_validate_json((self.folder.attempt_folder(name) / REQUEST).read_bytes())
        except (OSError, ValidationError):
            return True
        file, measurement = self.campaign.file, begun.measurement
        now = self.measurement.model_copy(update={"cpu_tdp_w": measurement.cpu_tdp_w})  # the user config may tell it
        return (measurement, begun.seed, begun.force_cold_start) == (now, file.seed, file.force_cold_start)

    def gpus_of(self, experiment: Experiment, position: int = 0, cycle: int = 1) -> tuple[Gpu, ...]:
        """The GPUs that a run gets and is measured on; none for one that stays on the CPU.

        One at a time, an experiment gets the first of those that are named, in each cycle the same. Several at once
        take turns; there the simulated backend plays on one.

        Args:
            experiment: of the run.
            position: the experiment's place in the campaign.
            cycle: of the run.
        """
        gpus = tuple(experiment.gpus_of(self.gpus))
        if not (gpus and self.campaign.file.parallel):
            return gpus
        if isinstance(experiment.options, SimulatedOptions):
            return assigned(gpus, 1, position, cycle)
        return assigned(self.gpus, len(gpus), position, cycle)


def prepare(
    bench: Bench,
    name: AttemptName,
    experiment: Experiment,
    order_index: int,
    gpus: tuple[Gpu, ...] | None = None,
    gap: Gap | None = None,
) -> Attempt:
    """Write the request into the attempt's folder.

    Args:
        bench: of the campaign.
        name: of the attempt.
        experiment: of the run.
        order_index: the run's place in the campaign's order.
        gpus: that it gets; None: those that it gets where runs go one at a time.
        gap: the pause made before it.

    Raises:
        InputError: a model or prompt file that the campaign names is gone.
    """
    campaign, folder = bench.campaign, bench.folder.attempt_folder(name)
    dataset = experiment.workload.dataset
    file = experiment.options.MODEL_FILE
    local_model = model_folder(experiment.model, campaign.folder, (file,)) if file else None
    prompts = prompt_file(dataset, campaign.folder) if is_prompt_file(dataset) else None
    gpus = bench.gpus_of(experiment) if gpus is None else gpus
    at_once = bench.slots if gpus else 1
    samples_cpu = at_once == 1 and bench.dispatcher.samples_cpu and measures_cpu(experiment, bench.measurement)
    request = RunRequest(
        campaign=campaign.name,
        experiment_id=name.experiment_id,
        cycle=name.cycle,
        cycles=campaign.file.most_cycles,
        attempt=name.attempt,
        order_index=order_index,
        order=campaign.file.order,
        gap=gap,
        force_cold_start=campaign.file.force_cold_start,
        concurrency_on_host=at_once,
        experiment=experiment,
        measurement=bench.measurement,
        seed=campaign.file.seed,
        gpus=list(gpus),
        host_samples=samples_cpu,
        baseline=bench.baselines.find([gpu.uuid for gpu in gpus], bench.measurement.baseline_max_age_s),
        container_strategy=bench.dispatcher.dispatching.container_strategy,
        image_digest=bench.dispatcher.image_digest(experiment.backend),
        model_path=bench.dispatcher.seen_as(local_model) if local_model else None,
        option_paths={
            option: bench.dispatcher.seen_as(path)
            for option in experiment.input_sha256
            if (path := model_folder(getattr(experiment.options, option), campaign.folder))
        },
        dataset_path=bench.dispatcher.seen_as(prompts) if prompts else None,
    )
    write_durably(folder / REQUEST, request.model_dump_json(indent=2) + "\n")
    return Attempt(
        name,
        folder,
        experiment.backend,
        campaign.name,
        campaign.file.most_cycles,
        gpus,
        bench.measurement.sample_hz if samples_cpu else None,
    )


def measures_cpu(experiment: Experiment, measurement: Measurement) -> bool:
    """Whether a run would read the CPU's energy counters, if it could; a simulated one does so only when told to."""
    if isinstance(experiment.options, SimulatedOptions):
        return measurement.meter == "rapl"
    return measurement.meter in ("auto", "nvml", "rapl")


def follow(
    bench: Bench,
    live: LiveAttempt,
    experiment: Experiment,
    on_event: Callable[[RunnerEvent], None],
    should_stop: Callable[[], bool],
    gpus: tuple[Gpu, ...] | None = None,
    neighbours: Callable[[], Sequence[Neighbour]] = lambda: (),
) -> Published | RunFailure:
    """Watch a live attempt to its end and settle it: published as its run, or a failure on record.

    Args:
        bench: of the campaign.
        live: the attempt.
        experiment: of the run.
        on_event: called with each event of the runner, in this thread.
        should_stop: asked a few times a second, in this thread.
        gpus: that it got; None: those that it gets where runs go one at a time.
        neighbours: tells which other runs were at work meanwhile, so far; asked in another thread.
    """
    folder = bench.folder.attempt_folder(live.name)
    gpus = bench.gpus_of(experiment) if gpus is None else gpus
    with GpuWatch(folder, gpus, live.owned, neighbours) if gpus else nullcontext() as watch:
        fault = watch.fault if watch else lambda: None
        verdict = supervise(live, folder, bench.limits, on_event, should_stop, fault)
    bench.folder.clear_caches(live.name)
    if bench.folder.has_result(live.name):
        try:
            return _publish(bench, live.name)
        except UnverifiedError as error:
            verdict = verdict or Verdict(
                FailureKind.INVALID_RESULT, str(error), FAILURES[FailureKind.INVALID_RESULT].hint
            )
    failure = None if verdict else bench.folder.failure(live.name)
    if failure is None:
        verdict = verdict or died(live.ending(), folder / LOG, on_gpu=bool(gpus))
        failure = RunFailure(
            run_id=run_id(live.name.experiment_id, live.name.cycle),
            kind=verdict.kind,
            message=verdict.message,
            hint=verdict.hint,
            at=datetime.now(UTC),
        )
        with contextlib.suppress(OSError):  # on a full disk the manifest, or at worst the folder, still tells
            write_durably(folder / FAILURE, failure.model_dump_json(indent=2) + "\n")
    return failure


def _publish(bench: Bench, name: AttemptName) -> Published:
    folder = bench.folder
    result = folder.verify(name)
    target = folder.publish(name) or folder.run_folder(name.experiment_id, name.cycle)
    if not any(check.name == NO_OTHER_PROCESS and not check.passed for check in result.checks):
        bench.baselines.keep(result.baseline)
    return Published(target, result)
