"""CPU and DRAM energy from RAPL, through Linux's powercap tree."""

from __future__ import annotations

import time
from pathlib import Path

from runners.errors import MeterError
from runners.meters.reading import Reading, Source, SourceKind

POWERCAP = Path("/sys/class/powercap")

_HINT = "let the runner read energy_uj (root, or chmod a+r), or go without"
_MICRO = 1e-6


class RaplMeter:
    """The energy counters of each CPU package and of its DRAM, where the CPU has one.

    The counters hold what the whole package spent, whichever process caused it.

    Args:
        root: the powercap folder.
    """

    def __init__(self, root: Path = POWERCAP) -> None:
        self._root = root
        self._zones: list[_Zone] = []

    def open(self) -> list[Source]:
        """Finds the zones and reads each once.

        Raises:
            MeterError: there is no RAPL, or its counters may not be read.
        """
        sources = []
        self._zones = []
        for folder in sorted(self._root.glob("intel-rapl:*")):
            zone_name = _text(folder / "name")
            kind = _kind(zone_name)
            if kind is None:
                continue
            zone = _Zone(f"{kind}:{folder.name.removeprefix('intel-rapl:')}", folder)
            zone.energy_j()
            self._zones.append(zone)
            sources.append(Source(zone.name, kind, "rapl", "package" if kind == "cpu" else "dram"))
        if not any(source.kind == "cpu" for source in sources):
            raise MeterError(f"there is no RAPL package under {self._root}", _HINT)
        return sources

    def sample(self) -> list[Reading]:
        """The counters of all zones."""
        readings = []
        for zone in self._zones:
            energy_j = zone.energy_j()
            readings.append(Reading(time.monotonic(), zone.name, energy_j=energy_j))
        return readings

    def close(self) -> None:
        """Nothing stays open between readings."""
        self._zones = []


class _Zone:
    """One counter, made to run on where the hardware's wraps around."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._file = folder / "energy_uj"
        self._range_uj = _number(folder / "max_energy_range_uj")
        self._last_uj = _number(self._file)
        self._total_uj = 0

    def energy_j(self) -> float:
        """Joules since the zone was opened. Read it at least once in every turn of the counter."""
        now_uj = _number(self._file)
        step_uj = now_uj - self._last_uj
        if step_uj < 0:
            step_uj += self._range_uj
        self._last_uj = now_uj
        self._total_uj += step_uj
        return self._total_uj * _MICRO


def _kind(zone_name: str) -> SourceKind | None:
    if zone_name.startswith("package"):
        return "cpu"
    return "dram" if zone_name == "dram" else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise MeterError(f"cannot read {file}: {error.strerror}", _HINT) from error


def _number(file: Path) -> int:
    text = _text(file)
    try:
        return int(text)
    except ValueError as error:
        raise MeterError(f"{file} holds {text!r}, which is no number", _HINT) from error
