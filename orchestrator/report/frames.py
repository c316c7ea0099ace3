"""Results as a pandas frame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.report.loading import load_results
from orchestrator.report.tables import value_of
from orchestrator.results.parameters import parameters
from orchestrator.system.project import Project
from runners.contract.quantities import QUANTITIES

if TYPE_CHECKING:
    import pandas as pd

_IDENTITY = ("run_id", "campaign", "experiment_id", "cycle", "attempt", "order_index", "backend", "verdict")


def load_frame(campaign: str | Path, *, project: Project | None = None) -> pd.DataFrame:
    """Read a campaign's results as a table: a row a run.

    Columns: who the run is, each parameter under its dotted name (``pytorch.batch_size``,
    ``workload.input_tokens``, ``vllm.engine_args.NAME`` for each argument that is passed on), ``energy_method``,
    and each quantity in its SI unit.

    Args and errors are those of :func:`load_results`.
    """
    import pandas as pd

    rows = [
        {name: getattr(result, name) for name in _IDENTITY}
        | parameters(result)
        | {"energy_method": result.energy_method}
        | {name: value_of(result, name) for name in QUANTITIES}
        for result in load_results(campaign, project=project)
    ]
    return pd.DataFrame(rows)
