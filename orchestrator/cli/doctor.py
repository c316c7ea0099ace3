"""``orchestrate doctor``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from orchestrator.cli.options import json_option, project_option
from orchestrator.errors import EXIT_DONE, EXIT_MACHINE

if TYPE_CHECKING:
    from orchestrator.report.tables import Table
    from orchestrator.system.doctor.finding import Finding


@click.command("doctor")
@json_option
@project_option
def command(as_json: bool, project_dir: str | None) -> int:
    """Say what of all that a run may need is here, what is not, and what to do about it.

    It only looks: it makes no file, and pulls and builds nothing.

    Exits with 0 when an engine can run here, as a process or in a container, and nothing is broken; else with 3.
    The simulated backend is no engine. What is missing for one way of running does no harm if the other is whole.
    """
    from orchestrator.cli.console import print_json, print_table
    from orchestrator.system.doctor.examine import examine, is_ready
    from orchestrator.system.project import find_folder

    findings = examine(find_folder(project_dir))
    if as_json:
        print_json(
            [
                {"name": finding.name, "status": finding.status, "seen": finding.seen, "advice": finding.advice}
                for finding in findings
            ]
        )
    else:
        print_table(table_of(findings))
    return EXIT_DONE if is_ready(findings) else EXIT_MACHINE


def table_of(findings: Sequence[Finding]) -> Table:
    """Findings as a table."""
    from orchestrator.report.tables import Column, Table

    columns = [Column(""), Column("status"), Column("seen", prose=True), Column("what to do", prose=True)]
    rows = [[finding.name, finding.status, finding.seen, finding.advice] for finding in findings]
    return Table("This machine", columns, rows)
