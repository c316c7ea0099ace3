"""``orchestrate status [NAME]``."""

from __future__ import annotations

from typing import Any

import click

from orchestrator.cli.options import json_option, project_option
from orchestrator.errors import EXIT_DONE, OrchestratorError

_MOST_EXPERIMENTS = 100


@click.command("status")
@click.argument("name", required=False)
@json_option
@project_option
def command(name: str | None, as_json: bool, project_dir: str | None) -> int:
    """Show where the campaign NAME stands, run by run; without NAME, all campaigns."""
    from orchestrator.cli.console import print_json, print_table
    from orchestrator.execution.campaigns import (
        CampaignStatus,
        campaign_experiments,
        campaign_runs,
        campaign_status,
        campaigns,
    )
    from orchestrator.execution.precision import precision_of
    from orchestrator.manifest.store import Status
    from orchestrator.report.counting import counted
    from orchestrator.report.failed import hints
    from orchestrator.report.precision import precision_table, progress_of
    from orchestrator.report.tables import Column, Table, shortened
    from orchestrator.results.folders import CampaignFolder
    from orchestrator.system.project import find_project
    from runners.contract.paths import run_id

    project = find_project(project_dir)

    def as_mapping(status: CampaignStatus) -> dict[str, Any]:
        return {
            "campaign": status.name,
            "in_use": status.in_use,
            "experiments": status.experiments,
            "cycles": status.cycles,
            "runs": status.runs,
            "until": status.until and status.until.model_dump(),
            **{state.value: count for state, count in status.counts.items()},
            "retired": [run_id(*run) for run in status.retired],
            "least_left": status.least_left,
            "remaining_s": status.remaining_s,
            "last_at": status.last_at and status.last_at.isoformat(),
            "results": str(status.results),
        }

    if name is None:
        found, unreadable = [], {}
        for each in campaigns(project):
            try:
                found.append(campaign_status(each, project=project))
            except OrchestratorError as error:
                unreadable[each] = f"{error} ({error.hint})"
        if as_json:
            broken = [{"campaign": each, "error": why} for each, why in unreadable.items()]
            print_json([*(as_mapping(status) for status in found), *broken])
            return EXIT_DONE
        if not found and not unreadable:
            click.echo(f"no campaign in {project.results}; start one with `orchestrate campaign FILE`")
            return EXIT_DONE
        columns = [Column("campaign"), *(Column(state.value, True) for state in Status), Column("")]
        rows = [[s.name, *(str(s.counts[state]) for state in Status), "in use" if s.in_use else ""] for s in found]
        print_table(Table("Campaigns", columns, rows, [f"{each}: {why}" for each, why in unreadable.items()]))
        return EXIT_DONE
    status = campaign_status(name, project=project)
    runs = campaign_runs(name, project=project)
    precision = precision_of(CampaignFolder(status.results), project.results_index(name))
    progress = progress_of(precision, runs) if precision else []
    if as_json:
        listed = [
            {
                "run_id": run_id(run.experiment_id, run.cycle),
                "backend": run.backend,
                "source": run.source,
                "cycle": run.cycle,
                "status": run.status,
                "attempts": run.attempts,
                "failure_kind": run.failure_kind,
                "message": run.message,
                "result_path": run.result_path,
            }
            for run in runs
        ]
        known = [
            {
                "experiment_id": each.experiment_id,
                "state": each.state,
                "why_given_up": each.known.hopeless or None,
                "runs": each.known.runs,
                "complete": each.complete,
                "relative_half_width": each.known.relative_half_width,
                "energy_method": each.known.method,
                "unneeded": each.spared,
            }
            for each in progress
        ]
        print_json({**as_mapping(status), "precision": known, "run_list": listed})
        return EXIT_DONE
    at_most = "at most " * (status.until is not None)
    counts = ", ".join(f"{count} {state}" for state, count in status.counts.items() if count)
    click.echo(
        f"campaign {name}: {at_most}{counted(status.runs, 'run')}"
        f" ({counted(status.experiments, 'experiment')} × {at_most}{counted(status.cycles, 'cycle')})"
    )
    click.echo(f"{counts}{' · in use by an orchestrator' if status.in_use else ''}")
    if status.retired:
        click.echo(f"besides, {len(status.retired):,} retired: complete, and no longer in the campaign's file")
    if status.remaining_s:
        click.echo(f"{at_most or 'about '}{status.remaining_s / 60:.1f} min left")
    if precision:
        table = precision_table(precision.until, progress, campaign_experiments(name, project=project))
        print_table(shortened(table, _MOST_EXPERIMENTS, "experiments: --json"))
    unfinished = [run for run in runs if run.status not in (Status.COMPLETED, Status.UNNEEDED)]
    shown = [
        [
            run.status,
            run_id(run.experiment_id, run.cycle),
            str(run.attempts),
            run.failure_kind or "",
            " ".join((run.message or "").split()),
        ]
        for run in unfinished[:100]
    ]
    if shown:
        columns = [Column("status"), Column("run"), Column("attempts", True), Column("kind")]
        more = len(unfinished) - len(shown)
        notes = hints(run.failure_kind for run in unfinished if run.status is Status.FAILED)
        notes += [f"{more} more: --json"] if more else []
        print_table(Table("Not complete", [*columns, Column("message", prose=True)], shown, notes))
    return EXIT_DONE
