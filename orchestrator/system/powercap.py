"""The energy counters of the CPU (RAPL), which Linux shows below one folder and containers do not see."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runners.contract.paths import ENV_POWERCAP

POWERCAP = Path("/sys/class/powercap")


def powercap_root(environ: Mapping[str, str]) -> Path:
    """Where the counters are: ORCHESTRATE_POWERCAP, else where Linux has them."""
    return Path(environ.get(ENV_POWERCAP) or POWERCAP)


def counters(root: Path) -> list[Path]:
    """The files that count energy; none on most virtual machines."""
    return sorted(root.glob("intel-rapl:*/energy_uj"))


def unreadable(root: Path) -> OSError | None:
    """Why a counter cannot be read; None if all can."""
    for counter in counters(root):
        try:
            counter.read_bytes()
        except OSError as error:
            return error
    return None
