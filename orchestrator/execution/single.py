"""One experiment run by hand: no campaign, no manifest; it lands in ``results/adhoc/``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from orchestrator.campaign.expand import Funnel, expand
from orchestrator.campaign.load import campaign_from_mapping
from orchestrator.campaign.schema import Campaign
from orchestrator.dispatch.base import Dispatcher
from orchestrator.errors import FileError, InterruptedCampaignError, MachineError, OrchestratorError
from orchestrator.execution.attempts import Published, follow, prepare
from orchestrator.execution.campaigns import dispatcher_for
from orchestrator.execution.events import Observer, RunCompleted, RunProgress, RunStarted
from orchestrator.execution.readiness import ready
from orchestrator.execution.supervise import in_charge_of
from orchestrator.execution.vacant import await_vacant
from orchestrator.manifest.lock import campaign_lock
from orchestrator.results.folders import CampaignFolder
from orchestrator.system.project import Project, find_project
from runners.contract.folders import first_free
from runners.contract.paths import ADHOC, LOG, FailureKind


class RunFailedError(OrchestratorError):
    """The experiment gave no result."""

    exit_code = 1


def run_experiment(
    backend: str,
    model: str,
    *,
    workload: dict[str, Any] | None = None,
    measurement: dict[str, Any] | None = None,
    gpus: list[int] | None = None,
    seed: int = 0,
    timeout_s: float = 3600.0,
    silence_timeout_s: float = 900.0,
    project: Project | None = None,
    force: bool = False,
    on_event: Observer = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
    **options: Any,
) -> Published:
    """Run one experiment once.

    Args:
        backend: which engine.
        model: ``demo:NAME``, a Hugging Face id, or a folder.
        workload: keys of a campaign file's ``workload``.
        measurement: keys of a campaign file's ``measurement``.
        gpus: indexes of the GPUs to use; the first, or the CPU, if not given.
        seed: for sampling.
        timeout_s: after which the run is stopped.
        silence_timeout_s: after which it is stopped if it gives no sign of life.
        project: whose results/ to use; found from the current folder if not given.
        force: run it even if it needs more GPUs than it is given, or passes on what its engine does not know.
        on_event: called with each event.
        should_stop: asked a few times a second.
        options: the backend's own, such as ``batch_size=4``.

    Raises:
        InputError: a value is wrong.
        MachineError: something the machine should have is missing.
        InUseError: another single run is under way.
        RunFailedError: the run failed; the message says why.
    """
    campaign = single_run(
        backend,
        model,
        options,
        workload=workload or {},
        measurement=measurement or {},
        gpus=gpus,
        seed=seed,
        timeout_s=float(timeout_s),
        silence_timeout_s=float(silence_timeout_s),
    )
    project = project or find_project()
    return carry_out(campaign, project, dispatcher_for(campaign, project), on_event, should_stop, force=force)


def single_run(backend: str, model: str, options: dict[str, Any], **declared: Any) -> Campaign:
    """One experiment as a campaign of its own.

    Args:
        backend: which engine.
        model: as a campaign file names it.
        options: the backend's own.
        declared: other keys of a campaign file.

    Raises:
        InputError: a value is wrong.
    """
    experiment = {"backend": backend, **options}
    try:
        campaign = campaign_from_mapping(
            {"name": "single-run", "model": model, "experiments": [experiment], **declared}
        )
    except FileError as error:
        own = [replace(issue, field=issue.field.removeprefix("experiments[0]").lstrip(".")) for issue in error.issues]
        raise FileError(own) from None
    return campaign.model_copy(update={"file": campaign.file.model_copy(update={"name": ADHOC})})


def carry_out(
    campaign: Campaign,
    project: Project,
    dispatcher: Dispatcher,
    on_event: Observer,
    should_stop: Callable[[], bool],
    *,
    force: bool = False,
) -> Published:
    """Run the one experiment of :func:`single_run`; one at a time, since two would measure each other.

    What an earlier one left at work, because its orchestrator died, is stopped.

    Raises:
        InputError: it has an error, and is not to be forced.
        MachineError: something the machine should have is missing.
        InUseError: another single run is under way.
        RunFailedError: the run failed; the message says why.
    """
    (planned,) = expand(campaign, Funnel())
    folder = CampaignFolder(project.results / ADHOC)
    bench = ready(campaign, project, dispatcher, force=force)
    folder.make()
    with campaign_lock(folder.path, ADHOC):
        for left in dispatcher.find_live(folder.attempts):
            left.stop()
        dispatcher.open()
        try:
            await_vacant(bench.gpus_of(planned.experiment), on_event, should_stop)
            if should_stop():
                raise InterruptedCampaignError("stopped before the run was started")
            name = first_free(folder.path, planned.experiment_id)
            live = dispatcher.start(prepare(bench, name, planned.experiment, order_index=0))
            with in_charge_of(live):
                on_event(RunStarted(name.experiment_id, name.cycle, name.attempt, 1, 1, adopted=False))
                outcome = follow(
                    bench,
                    live,
                    planned.experiment,
                    lambda event: on_event(RunProgress(name.experiment_id, name.cycle, event)),
                    should_stop,
                )
        finally:
            dispatcher.close()
    if isinstance(outcome, Published):
        on_event(RunCompleted(name.experiment_id, name.cycle, outcome.folder, outcome.result))
        return outcome
    if outcome.kind is FailureKind.INTERRUPTED and should_stop():
        raise InterruptedCampaignError("the run was stopped")
    kind = MachineError if outcome.kind is FailureKind.DISK_FULL else RunFailedError
    hint = f"{outcome.hint}; the log is {folder.attempt_folder(name) / LOG}"
    raise kind(f"{outcome.kind.value}: {outcome.message}", hint=hint)
