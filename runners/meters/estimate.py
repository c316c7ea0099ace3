"""An estimate of CPU energy where nothing measures it: busy CPU time x an assumed power per core."""

from __future__ import annotations

import os
import time
from pathlib import Path

from runners.errors import MeterError
from runners.meters.reading import Edge, Reading, Sampled, Source

PROC_STAT = Path("/proc/stat")
DEFAULT_CORE_W = 10.0

_HINT = "run on Linux, or on a machine whose energy can be measured"
_BUSY_FIELDS = (0, 1, 2, 5, 6)  # user, nice, system, irq, softirq; neither idle, iowait nor steal


class EstimateMeter:
    """The machine's busy CPU time, told as an energy counter.

    It knows nothing of frequency, voltage or idle power, and it counts every process of the machine. All
    it yields is labelled as estimated.

    Args:
        cpu_tdp_w: power of the whole CPU at full load; None: 10 W a logical core.
        proc_stat: the kernel's accounting of CPU time.
    """

    def __init__(self, cpu_tdp_w: float | None = None, proc_stat: Path = PROC_STAT) -> None:
        self._cpu_tdp_w = cpu_tdp_w
        self._proc_stat = proc_stat
        self._core_w = DEFAULT_CORE_W
        self._tick_s = 1 / os.sysconf("SC_CLK_TCK")

    def open(self) -> list[Source]:
        """Reads the accounting once, to count the logical cores.

        Raises:
            MeterError: there is no such accounting here.
        """
        cores = sum(line.startswith("cpu") for line in self._lines()) - 1
        if cores < 1:
            raise MeterError(f"{self._proc_stat} lists no CPU", _HINT)
        assumption = f"CPU busy time x {DEFAULT_CORE_W:g} W per core (default; set measurement.cpu_tdp_w)"
        if self._cpu_tdp_w is not None:
            self._core_w = self._cpu_tdp_w / cores
            assumption = (
                f"CPU busy time x {self._core_w:g} W per core "
                f"(measurement.cpu_tdp_w, {self._cpu_tdp_w:g} W, over {cores} logical cores)"
            )
        return [Source("machine", "machine", "estimated", "machine", assumption)]

    def sample(self) -> Sampled:
        """The estimated energy since the machine started."""
        before_s = time.monotonic()
        fields = self._lines()[0].split()[1:]
        busy_s = sum(int(fields[position]) for position in _BUSY_FIELDS) * self._tick_s
        now_s = time.monotonic()
        edge = Edge("machine", before_s - self._tick_s, now_s, busy_s * self._core_w)
        return Sampled([Reading(now_s, "machine")], [edge], [], [])

    def close(self) -> None:
        """Nothing stays open between readings."""

    def _lines(self) -> list[str]:
        try:
            with self._proc_stat.open(encoding="ascii") as file:
                return file.read().splitlines()
        except OSError as error:
            raise MeterError(f"cannot read {self._proc_stat}: {error.strerror}", _HINT) from error
