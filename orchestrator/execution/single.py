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
from orchestrator.execution.campaigns import dispatcher_for, ready
from orchestrator.execution.events import Observer, RunCompleted, RunProgress, RunStarted
from orchestrator.execution.supervise import in_charge_of
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
    dispatcher_of: Callable[[Campaign, Project], Dispatcher] = dispatcher_for,
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
        dispatcher_of: chooses how the run is started.
        on_event: called with each event.
        should_stop: asked a few times a second.
        options: the backend's own, such as ``batch_size=4``.

    Raises:
        InputError: a value is wrong.
        MachineError: something the machine should have is missing.
        RunFailedError: the run failed; the message says why.
    """
    project = project or find_project()
    declared: dict[str, Any] = {
        "name": "single-run",
        "model": model,
        "workload": workload or {},
        "experiments": [{"backend": backend, **options}],
        "measurement": measurement or {},
        "gpus": gpus,
        "seed": seed,
        "timeout_s": float(timeout_s),
        "silence_timeout_s": float(silence_timeout_s),
    }
    try:
        campaign = campaign_from_mapping(declared)
    except FileError as error:
        own = [replace(issue, field=issue.field.removeprefix("experiments[0]").lstrip(".")) for issue in error.issues]
        raise FileError(own) from None
    (planned,) = expand(campaign, Funnel())
    folder = CampaignFolder(project.results / ADHOC)
    adhoc = campaign.model_copy(update={"file": campaign.file.model_copy(update={"name": ADHOC})})
    bench = ready(adhoc, project, dispatcher_of(adhoc, project))
    folder.make()
    bench.dispatcher.open()
    name = first_free(folder.path, planned.experiment_id)
    try:
        live = bench.dispatcher.start(prepare(bench, name, planned.experiment, order_index=0))
        with in_charge_of(live):
            on_event(RunStarted(name.experiment_id, name.cycle, name.attempt, 1, 1, adopted=False))
            outcome = follow(bench, live, lambda event: on_event(RunProgress(name.experiment_id, event)), should_stop)
    finally:
        bench.dispatcher.close()
    if isinstance(outcome, Published):
        on_event(RunCompleted(name.experiment_id, name.cycle, outcome.folder, outcome.result))
        return outcome
    if outcome.kind is FailureKind.INTERRUPTED and should_stop():
        raise InterruptedCampaignError("the run was stopped")
    kind = MachineError if outcome.kind is FailureKind.DISK_FULL else RunFailedError
    hint = f"{outcome.hint}; the log is {folder.attempt_folder(name) / LOG}"
    raise kind(f"{outcome.kind.value}: {outcome.message}", hint=hint)
