"""The recorded series of a run, read back from its files, ready to be asked for the energy of any stretch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.errors import InputError
from orchestrator.results.reading import load_result
from runners.contract.energy import CounterEdge, PowerReading
from runners.contract.paths import COUNTERS, TIMESERIES
from runners.contract.result import RunResult
from runners.contract.series import Series


def load_series(folder: str | Path) -> dict[str, Series]:
    """What was recorded of each metered thing in a run, by name.

    >>> for name, series in load_series("results/sim/runs/…/c001").items():      # doctest: +SKIP
    ...     print(name, series.energy(start_s, end_s).energy)                    # moments: see result.marks

    Args:
        folder: a run folder.

    Raises:
        InputError: a file is missing or broken, or an earlier version wrote it.
    """
    return series_of(Path(folder), load_result(folder))


def series_of(folder: Path, result: RunResult) -> dict[str, Series]:
    """The same, where the result is at hand.

    Raises:
        InputError: as :func:`load_series`.
    """
    if not result.sources:
        raise InputError(
            f"{folder} holds no record of its meters: an earlier version wrote it, and computed otherwise",
            hint="recompute it with the version that wrote it, or measure again",
        )
    edges = read_columns(folder / COUNTERS, ["source", "earliest_s", "latest_s", "energy_j"])
    powers = read_columns(folder / TIMESERIES, ["source", "t_s", "power_w"])
    return {
        source.name: Series(
            source,
            [CounterEdge(*edge) for name, *edge in edges if name == source.name],
            [
                PowerReading(t_s, power_w)
                for name, t_s, power_w in powers
                if name == source.name and power_w is not None
            ],
        )
        for source in result.sources
    }


def read_columns(path: Path, names: list[str]) -> list[tuple[Any, ...]]:
    """Rows of the columns of a parquet file in a run folder.

    Raises:
        InputError: it is missing or broken.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=names)
    except FileNotFoundError:
        raise InputError(f"{path} is missing", hint="copy the whole run folder, not only its result") from None
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="compare it with `files` in result.json") from None
    return list(zip(*(table.column(name).to_pylist() for name in names), strict=True))
