"""What complete runs of a project took, kept so that they need not all be read again: ``.state/known-runs.json``.

It is a cache: whatever goes wrong with it costs reading results anew, and no more.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from orchestrator.files import write_durably
from orchestrator.results.folders import CampaignFolder
from runners.contract.paths import REQUEST, RESULT

KNOWN_RUNS: Final = "known-runs.json"
_VERSION = 1
_READ_AT_ONCE = 1000
"""So many results are read at most; further ones the next time."""
_KEPT = 20_000
_STARTS_WITHIN_S = 300.0
_MOST = 1e18
"""No figure of a run is larger."""


class KnownRun(NamedTuple):
    """What one complete run took."""

    experiment_id: str
    backend: str
    model: str
    device: str
    """The name of its first GPU, or ``CPU``."""
    wall_s: float
    """From its start to its end, loading and warm-up included."""
    window_s: float
    window_j: float | None
    other_j: float
    """Beside the window, taken at idle power: a rough figure; 0 where nothing is known."""
    method: str | None
    requests: int
    input_tokens: int
    output_tokens: int
    size_bytes: int

    @property
    def energy_j(self) -> float | None:
        """Of the whole run; None where its window was not measured."""
        return None if self.window_j is None else self.window_j + self.other_j


def known_runs(results: Path, state: Path, *, keep: bool) -> list[KnownRun]:
    """The complete runs of a project's campaigns, as far as they are known.

    Args:
        results: where campaigns lie.
        state: where the index is kept, if it is there.
        keep: whether what is read is kept for the next time.
    """
    index = state / KNOWN_RUNS
    before = _read(index)
    now: dict[str, KnownRun | None] = {}
    unread: list[str] = []
    for name in _published(results):
        if name in before:
            now[name] = before[name]
        else:
            unread.append(name)
    for name in unread[:_READ_AT_ONCE]:
        now[name] = _known(results / name / RESULT)
    if keep and now != before and state.is_dir():
        newest = dict(list(now.items())[-_KEPT:])
        with contextlib.suppress(OSError):
            write_durably(index, json.dumps({"version": _VERSION, "runs": newest}, separators=(",", ":")) + "\n")
    return [run for run in now.values() if run]


def _published(results: Path) -> Iterator[str]:
    """The folder of each complete run below the results, the campaigns in the order of their last change."""
    campaigns: list[tuple[float, str]] = []
    with contextlib.suppress(OSError), os.scandir(results) as found:
        for entry in found:
            with contextlib.suppress(OSError):
                campaigns.append((entry.stat().st_mtime, entry.name))
    for _, campaign in sorted(campaigns):
        with contextlib.suppress(OSError):
            folder = CampaignFolder(results / campaign)
            for experiment_id, cycle in sorted(folder.published()):
                yield str(folder.run_folder(experiment_id, cycle).relative_to(results))


def _read(index: Path) -> dict[str, KnownRun | None]:
    """The index; empty where it is broken, or of another version."""
    try:
        told = json.loads(index.read_bytes())
        if told["version"] != _VERSION:
            return {}
        return {name: None if run is None else _checked(run) for name, run in told["runs"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return {}


def _checked(told: list[Any]) -> KnownRun:
    run = KnownRun(*told)
    texts = (run.experiment_id, run.backend, run.model, run.device, run.method or "")
    numbers = (*run[4:6], run.window_j or 0, run.other_j, *run[9:])
    if not all(isinstance(text, str) for text in texts) or not all(
        isinstance(number, int | float) and 0 <= number < _MOST for number in numbers
    ):
        raise ValueError("no figures of a run")
    return run


def _known(file: Path) -> KnownRun | None:
    """What a result says, of whichever version; None where it cannot be read as one."""
    try:
        run = known_run(json.loads(file.read_bytes()))
        return _checked(list(run._replace(wall_s=_wall_s(file, run.wall_s))))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def _wall_s(result: Path, told_s: float) -> float:
    """How long a run took as the host saw it, the start of its process included, if its files still tell."""
    try:
        seen_s = result.stat().st_mtime - (result.parent / REQUEST).stat().st_mtime
    except OSError:
        return told_s
    return seen_s if told_s <= seen_s <= told_s + _STARTS_WITHIN_S else told_s


def known_run(result: dict[str, Any]) -> KnownRun:
    """What a result says its run took.

    Args:
        result: as it stands in ``result.json``.
    """
    begun, ended = (datetime.fromisoformat(result[name]) for name in ("started_at", "ended_at"))
    wall_s, window_s = (ended - begun).total_seconds(), float(result["duration_s"])
    window_j = result["energy_j"]
    if window_j is not None and result.get("energy_scope") == "gpu":
        window_j += result.get("cpu_energy_j") or 0.0
    idle_w = result.get("loaded_idle_power_w") or result.get("baseline_power_w") or result.get("power_mean_w") or 0.0
    gpus = result.get("gpus") or []
    return KnownRun(
        result["experiment_id"],
        result["backend"],
        result["model"],
        gpus[0]["name"] if gpus else "CPU",
        wall_s,
        window_s,
        window_j,
        max(wall_s - window_s, 0.0) * idle_w,
        result.get("energy_method"),
        result["requests"],
        result["input_tokens"],
        result["output_tokens"],
        sum(file["size_bytes"] for file in (result.get("files") or {}).values()),
    )
