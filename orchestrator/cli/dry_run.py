"""``orchestrate campaign FILE… --dry-run``: the funnel and the runs, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from orchestrator.campaign.expand import Funnel, expand
from orchestrator.campaign.order import order_runs
from orchestrator.campaign.schema import Campaign
from orchestrator.cli.consent import chosen
from orchestrator.cli.console import print_lines
from orchestrator.cli.options import Running
from orchestrator.errors import InputError, Issue, MachineError
from orchestrator.execution.changes import changes_of, require_comparable
from orchestrator.execution.preflight.look import Preflight, preflight
from orchestrator.execution.readiness import argument_issues
from orchestrator.report.counting import counted
from orchestrator.results.folders import CampaignFolder
from orchestrator.system.project import Project
from runners.contract.paths import run_id

_SHOWN = 50


def show_all(found: Sequence[tuple[Campaign, list[Issue]]], project: Project, running: Running) -> bool:
    """Print what each of these campaigns would run; as JSON, one document for one, and a list for several.

    Returns:
        Whether one of them would be refused.
    """
    listed = running.as_json and len(found) > 1
    refused = False
    for number, (campaign, issues) in enumerate(found):
        if listed:
            click.echo("," if number else "[")
        elif number:
            click.echo()
        in_containers = False
        try:
            dispatcher = chosen(campaign, project, running)
            how = f"{dispatcher.dispatching.dispatcher} ({dispatcher.how})"
            in_containers = dispatcher.dispatching.dispatcher == "compose"
            issues += argument_issues(campaign, dispatcher, ask=False)
        except MachineError as error:
            how = f"not here: {error}"
        issues += _changed(campaign, project)
        ahead = preflight(campaign, project, in_containers=in_containers, flags=running.flags, keep=False)
        issues += ahead.issues
        show(campaign, ahead, how, issues, excess=ahead.excess(project.config), as_json=running.as_json)
        refused |= not running.force and any(issue.severity == "error" for issue in issues)
    if listed:
        click.echo("]")
    return refused


def _changed(campaign: Campaign, project: Project) -> list[Issue]:
    """What taking over the file of a campaign that was begun would mean."""
    changed = changes_of(campaign, CampaignFolder(project.results / campaign.name))
    if changed is None:
        return []
    try:
        require_comparable(campaign.name, changed)
    except InputError as error:
        return [Issue(str(error), hint=error.hint)]
    if not changed.touches_runs:
        return []
    return [Issue("; ".join(["its file changed since it was begun", *changed.lines()]), severity="warning")]


def show(
    campaign: Campaign,
    ahead: Preflight,
    dispatch: str,
    issues: Sequence[Issue],
    *,
    excess: Sequence[str],
    as_json: bool,
) -> None:
    """Print what a campaign would run.

    Args:
        campaign: that is not started.
        ahead: what is known of it before it starts.
        dispatch: how its runs would be started.
        issues: what is odd about it.
        excess: what of it would be asked about.
        as_json: all runs, for machines.
    """
    funnel = Funnel()
    if as_json:
        _print_json(campaign, ahead, funnel, dispatch, issues, excess)
        return
    file = campaign.file
    head: list[str] = []
    for planned in expand(campaign, funnel):
        if len(head) < _SHOWN:
            head.append(planned.experiment_id)
    runs = funnel.experiments * file.most_cycles
    click.echo(f"campaign {campaign.name}")
    click.echo(f"{funnel.declared:>9,} declared")
    for rule, count in funnel.dropped.most_common():
        click.echo(f"{-count:>9,} dropped by {rule}")
    if funnel.duplicates:
        click.echo(f"{-funnel.duplicates:>9,} declared twice")
    click.echo(f"{funnel.experiments:>9,} experiment{'s' * (funnel.experiments != 1)}")
    until = file.until
    cycles = f"{until.min_cycles} to {until.max_cycles} cycles" if until else counted(file.cycles, "cycle")
    click.echo(f"{runs:>9,} run{'s' * (runs != 1)}{' at most' * bool(until)} ({cycles}, {file.order})")
    remarks = [
        *([f"each experiment is repeated until {until}"] if until else []),
        *(f"ahead: {line}" for line in ahead.lines()),
        *(f"to be asked: {line}" for line in excess),
        f"dispatch: {dispatch}",
        *(f"{issue.severity}: {issue.describe(None)}" for issue in (*issues, *ahead.unfit())),
    ]
    print_lines(f"{'':>9} {remark}" for remark in remarks)
    click.echo()
    if funnel.experiments > _SHOWN:
        for identity in head:
            click.echo(identity)
        click.echo(f"… and {funnel.experiments - _SHOWN:,} more experiments (all runs: --json)")
        return
    for index, (position, cycle) in enumerate(order_runs(funnel.experiments, file.most_cycles, file.order, file.seed)):
        if index == 4 * _SHOWN:
            click.echo(f"… and {runs - index:,} more runs (all of them: --json)")
            break
        click.echo(f"{index + 1:>9,}  {run_id(head[position], cycle)}")


def _print_json(
    campaign: Campaign,
    ahead: Preflight,
    funnel: Funnel,
    dispatch: str,
    issues: Sequence[Issue],
    excess: Sequence[str],
) -> None:
    """One document, written as it is made: a campaign can have a million runs."""
    file = campaign.file
    identities = [planned.experiment_id for planned in expand(campaign, funnel)]
    runs = funnel.experiments * file.most_cycles
    head: dict[str, Any] = {
        "campaign": campaign.name,
        "funnel": {
            "declared": funnel.declared,
            "dropped": dict(funnel.dropped),
            "duplicates": funnel.duplicates,
            "experiments": funnel.experiments,
            "cycles": file.most_cycles,
            "runs": runs,
            "estimated_s": ahead.estimate.seconds.mean if ahead.estimate.seconds else None,
        },
        "until": file.until and file.until.model_dump(),
        "order": file.order,
        "dispatch": dispatch,
        "ahead": {**ahead.as_mapping(), "to_be_asked": list(excess)},
        "issues": [asdict(issue) for issue in issues],
    }
    click.echo(json.dumps(head, indent=2)[:-2] + ',\n  "runs": [')
    for index, (position, cycle) in enumerate(order_runs(len(identities), file.most_cycles, file.order, file.seed)):
        run = {"run_id": run_id(identities[position], cycle), "experiment_id": identities[position], "cycle": cycle}
        click.echo(f"    {json.dumps(run)}{',' if index + 1 < runs else ''}")
    click.echo("  ]\n}")
