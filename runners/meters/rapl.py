"""CPU, DRAM and platform energy from RAPL, through Linux's powercap tree."""

from __future__ import annotations

import time
from pathlib import Path
from typing import cast

from runners.errors import MeterError
from runners.meters.reading import Edge, Reading, Sampled, Source, SourceKind

POWERCAP = Path("/sys/class/powercap")

_HINT = "let the runner read energy_uj (root, or chmod a+r), or go without"
_MICRO = 1e-6
_PERIOD_S = 0.001
_RESOLUTION_J = 61e-6
_SCOPES = {"cpu": "package", "dram": "dram", "psys": "platform"}


class RaplMeter:
    """The energy counters of each CPU package, of its DRAM and of the platform, where there are such.

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
        sources: list[Source] = []
        self._zones = []
        for folder in sorted(self._root.glob("intel-rapl:*")):
            zone_name = _text(folder / "name")
            kind = _kind(zone_name)
            if kind is None:
                continue
            zone = _Zone(f"{kind}:{folder.name.removeprefix('intel-rapl:')}", folder)
            zone.energy_j()
            self._zones.append(zone)
            sources.append(Source(zone.name, kind, "rapl", _SCOPES[kind], resolution_j=_RESOLUTION_J))
        if not any(source.kind == "cpu" for source in sources):
            raise MeterError(f"there is no RAPL package under {self._root}", _HINT)
        return sources

    def sample(self) -> Sampled:
        """The counters of all zones; the hardware updates them about every millisecond."""
        sampled = Sampled([], [], [], [])
        for zone in self._zones:
            before_s = time.monotonic()
            energy_j = zone.energy_j()
            now_s = time.monotonic()
            sampled.readings.append(Reading(now_s, zone.name))
            sampled.edges.append(Edge(zone.name, before_s - _PERIOD_S, now_s, energy_j))
        return sampled

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
    if zone_name in ("dram", "psys"):
        return cast("SourceKind", zone_name)
    return None


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
