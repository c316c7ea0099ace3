"""The manifest held against the folders, which are the truth, before anything is started.

A finished attempt that was not published is. A published run is completed, whatever its row says; a row
that says so without a folder is pending again. A running row with no live attempt is pending again; one
that is alive is handed back, to be watched to its end. What is left of an experiment that is known well
enough, or of which no run tells anything, is not needed; what is needed after all is pending again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from orchestrator.dispatch.base import Dispatcher, LiveAttempt
from orchestrator.manifest.store import Manifest, Status
from orchestrator.results.folders import CampaignFolder, UnverifiedError
from runners.contract.paths import AttemptName


@dataclass(slots=True)
class Standing:
    """What is left to do, and what had to be mended to know it."""

    pending: list[int] = field(default_factory=list)
    """Order indexes of the runs to start, those that failed before included, in their order."""
    alive: list[tuple[int, LiveAttempt]] = field(default_factory=list)
    """Runs under way, by order index."""
    runs: int = 0
    completed: int = 0
    unneeded: int = 0
    """Runs of experiments that are known well enough without them, or given up."""
    changes: list[tuple[int, Status, str | None]] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)


def survey(
    manifest: Manifest, folder: CampaignFolder, live: Sequence[LiveAttempt] = (), over: Collection[str] = ()
) -> Standing:
    """Compare rows and folders; changes nothing.

    Args:
        manifest: of the campaign.
        folder: its results.
        live: attempts that are alive.
        over: experiments that are run no more: known well enough, or given up.
    """
    published = folder.published()
    alive = {(attempt.name.experiment_id, attempt.name.cycle): attempt for attempt in live}
    standing = Standing()
    regained = lost = cut_short = spared = needed = 0
    for order_index, experiment_id, cycle, status in manifest.standing():
        standing.runs += 1
        key = (experiment_id, cycle)
        if key in published:
            standing.completed += 1
            if status != Status.COMPLETED:
                regained += 1
                path = folder.relative(folder.run_folder(experiment_id, cycle))
                standing.changes.append((order_index, Status.COMPLETED, path))
            continue
        if key in alive:
            standing.alive.append((order_index, alive[key]))
            if status != Status.RUNNING:
                standing.changes.append((order_index, Status.RUNNING, None))
            continue
        if experiment_id in over:
            standing.unneeded += 1
            if status != Status.UNNEEDED:
                spared += 1
                standing.changes.append((order_index, Status.UNNEEDED, None))
            continue
        standing.pending.append(order_index)
        if status in (Status.RUNNING, Status.COMPLETED, Status.UNNEEDED):
            cut_short += status == Status.RUNNING
            lost += status == Status.COMPLETED
            needed += status == Status.UNNEEDED
            standing.changes.append((order_index, Status.PENDING, None))
    for count, what in (
        (regained, "complete in results/ but not in the manifest: recorded"),
        (lost, "complete in the manifest but not in results/: to be run again"),
        (cut_short, "cut short: to be run again"),
        (spared, "not needed: the experiment is known well enough, or given up"),
        (needed, "needed after all: the experiment is neither known well enough nor given up"),
    ):
        if count:
            standing.mended.append(f"{count} {'run' if count == 1 else 'runs'} {what}")
    return standing


def reconcile(
    manifest: Manifest,
    folder: CampaignFolder,
    dispatcher: Dispatcher,
    fits: Callable[[AttemptName], bool] = lambda name: True,
    over: Callable[[], Collection[str]] = tuple[str, ...],
) -> Standing:
    """Make rows and folders agree. Only the holder of the campaign's lock may.

    Args:
        manifest: of the campaign.
        folder: its results.
        dispatcher: which finds what is alive.
        fits: whether an attempt measures as the campaign does now; one that does not is stopped, or not published.
        over: tells which experiments are run no more, once all is published that can be.
    """
    live = _one_a_run(dispatcher.find_live(folder.attempts), folder.published(), fits)
    for name in {*folder.attempt_names()} - {attempt.name for attempt in live}:
        folder.clear_caches(name)
    finished = _publish_finished(folder, live, fits)
    standing = survey(manifest, folder, live, over())
    watched = [attempt for _, attempt in standing.alive]
    for stranger in live:
        if stranger not in watched:
            stranger.stop()
    if standing.changes:
        manifest.reset(standing.changes)
    if finished:
        standing.mended.insert(0, f"{finished} finished but not published: published")
    return standing


def _one_a_run(
    found: Sequence[LiveAttempt], published: set[tuple[str, int]], fits: Callable[[AttemptName], bool]
) -> list[LiveAttempt]:
    """Stop attempts that do not fit, or whose run is complete or has an earlier one alive; the others."""
    taken = set(published)
    live = []
    for attempt in sorted(found, key=lambda attempt: attempt.name):
        run = (attempt.name.experiment_id, attempt.name.cycle)
        if run in taken or not fits(attempt.name):
            attempt.stop()
        else:
            taken.add(run)
            live.append(attempt)
    return live


def _publish_finished(folder: CampaignFolder, live: Sequence[LiveAttempt], fits: Callable[[AttemptName], bool]) -> int:
    """Publish attempts that wrote their result before a crash kept them from being published."""
    busy = {attempt.name for attempt in live}
    finished = 0
    for name in sorted(folder.attempt_names()):
        if name in busy or not folder.has_result(name):
            continue
        if folder.run_folder(name.experiment_id, name.cycle).exists() or not fits(name):
            continue
        try:
            folder.verify(name)
        except UnverifiedError:
            continue
        finished += folder.publish(name) is not None
    return finished
