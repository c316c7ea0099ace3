"""What this machine draws when idle, as runs measured it, kept for the runs to come: ``.state/baselines.json``.

It is a cache: whatever goes wrong with it costs the time of measuring anew, and no more.
"""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from filelock import FileLock, Timeout
from pydantic import ValidationError

from orchestrator.files import write_durably
from runners.contract.baseline import newest_fitting
from runners.contract.model import ContractModel
from runners.contract.request import Baseline
from runners.contract.result import BaselineReport

BASELINES: Final = "baselines.json"
_KEPT = 64
_PATIENCE_S = 5.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class _File(ContractModel):
    schema_version: Literal[1] = 1
    baselines: list[Baseline]
    """One of each machine, the newest first."""


class Baselines:
    """The cache of a project.

    Args:
        state: the project's folder for such.
    """

    def __init__(self, state: Path) -> None:
        self._file = state / BASELINES

    def find(self, gpu_uuids: Collection[str], max_age_s: float, now: datetime | None = None) -> Baseline | None:
        """The newest one that may be of this machine with these GPUs, if it is no older than this.

        Args:
            gpu_uuids: those of the run; empty: it is on the CPU.
            max_age_s: ``measurement.baseline_max_age_s``.
            now: the present, unless it is another moment.
        """
        found = newest_fitting(self._read(), platform.node(), _boot_id(), gpu_uuids)
        if found is None:
            return None
        age = (now or datetime.now(UTC)) - found.measured_at
        return found if timedelta(0) <= age <= timedelta(seconds=max_age_s) else None

    def keep(self, report: BaselineReport | None) -> None:
        """Remember what a run measured; nothing, where it measured none or took over an earlier one."""
        if report is None or report.age_s:
            return
        new = Baseline(
            machine=report.machine,
            power_w=report.power_w,
            measured_at=report.measured_at,
            duration_s=report.duration_s,
        )
        with contextlib.suppress(OSError, Timeout), FileLock(f"{self._file}.lock", timeout=_PATIENCE_S):
            newest = {one.machine: one for one in sorted([*self._read(), new], key=lambda one: one.measured_at)}
            kept = sorted(newest.values(), key=lambda one: one.measured_at, reverse=True)[:_KEPT]
            write_durably(self._file, _File(baselines=kept).model_dump_json(indent=2) + "\n")

    def _read(self) -> list[Baseline]:
        """What is kept; nothing where the file is broken, or from another version."""
        try:
            return _File.model_validate_json(self._file.read_bytes()).baselines
        except (OSError, ValidationError):
            return []


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
