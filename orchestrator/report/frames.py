"""Results as a pandas frame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import InputError
from orchestrator.report.loading import load_table
from orchestrator.system.project import Project

if TYPE_CHECKING:
    import pandas as pd


def load_frame(campaign: str | Path, *, project: Project | None = None) -> pd.DataFrame:
    """Read a campaign's results as a table: a row a run, in the order they ran.

    Columns: who the run is and how it came about, each parameter under its dotted name (``pytorch.batch_size``,
    ``workload.input_tokens``, ``vllm.engine_args.NAME`` for each argument that is passed on), and each quantity in its
    SI unit.

    Args and errors are those of :func:`load_results`.
    """
    table = load_table(campaign, project=project)
    for fault in table.faults:
        raise InputError(fault)
    return table.frame
