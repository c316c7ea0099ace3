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
    """Say what of all that a run may need is here, what is not, and whether this machine is fit for measuring.

    Whatever is amiss comes with what to do about it. It only looks: it makes no file, and pulls and builds nothing.

    Exits with 0 when an engine can run here, as a process or in a container, and nothing is broken; else with 3.
    The simulated backend is no engine. What is missing for one way of running does no harm if the other is whole.
    What a machine lacks to be fit for measuring is told, and no fault.
    """
    from orchestrator.cli.console import print_json, print_table
    from orchestrator.system.doctor.examine import examine, is_ready
    from orchestrator.system.project import find_folder

    findings = examine(find_folder(project_dir))
    if as_json:
        print_json(
            [
                {
                    "name": finding.name,
                    "status": finding.status,
                    "seen": finding.seen,
                    "advice": finding.advice,
                    "section": finding.section,
                }
                for finding in findings
            ]
        )
    else:
        for table in tables_of(findings):
            print_table(table)
    return EXIT_DONE if is_ready(findings) else EXIT_MACHINE


def tables_of(findings: Sequence[Finding]) -> list[Table]:
    """Findings as tables: what speaks against measuring here, and what runs here."""
    from orchestrator.report.tables import Column, Table

    columns = [Column(""), Column("status"), Column("seen", prose=True), Column("what to do", prose=True)]
    tables = []
    for title, section in (("Fit for measuring", "measuring"), ("This machine", "running")):
        rows = [[found.name, found.status, found.seen, found.advice] for found in findings if found.section == section]
        tables.append(Table(title, columns, rows))
    return tables
