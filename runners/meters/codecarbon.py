"""Energy as CodeCarbon adds it up: of NVIDIA GPUs, of the CPU, and its model of the memory."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

import pynvml

from runners.errors import MeterError
from runners.meters.nvml_session import call, session
from runners.meters.reading import Edge, ReadError, Reading, Sampled, Source

_J_PER_KWH = 3.6e6
_MILLIJOULE = 1e-3
_SELF_MEASURING_S = 86_400.0
_STILL_S = 2.0
_WAIT_S = 0.06
_HINT = "CodeCarbon looks for nvidia-smi: see that it runs here; with measurement.meter: nvml it is not needed"
_SIMULATED = "a simulated NVML plays this GPU, read through CodeCarbon; nothing was measured"
_CPU_MODEL = "CodeCarbon: RAPL where it can read it, else the CPU's load x a rated power"
_MEMORY_MODEL = "CodeCarbon: a power per memory module, their number guessed from the size"


class CodeCarbonMeter:
    """CodeCarbon's tracker, made to measure whenever it is sampled.

    It yields one figure for all GPUs together. After a fault CodeCarbon goes on with 0 W, or without the GPU,
    and warns. So a warning about a GPU ends the run, as does a GPU whose energy stands still; any other warning
    becomes a read error.

    Args:
        uuids: the GPUs, as in ``GPU-8c3a...``; none: the CPU alone.
    """

    def __init__(self, uuids: Sequence[str]) -> None:
        self._uuids = uuids
        self._tracker: Any = None
        self._totals = _Totals()
        self._warnings = _Warnings()
        self._sources: list[Source] = []
        self._seen: dict[str, float] = {}
        self._polled_s = 0.0
        self._rose_s = 0.0

    def open(self) -> list[Source]:
        """Starts the tracker.

        Raises:
            MeterError: CodeCarbon is not installed, or does not measure the GPUs.
        """
        try:
            # Standard output belongs to the sampler; what CodeCarbon imports prints to it.
            with redirect_stdout(sys.stderr):
                from codecarbon import OfflineEmissionsTracker
        except ImportError as error:
            raise MeterError(
                f"measurement.meter is codecarbon, and CodeCarbon cannot be loaded here: {error}",
                "pip install 'llm-orchestrate[codecarbon]', for a container in its image; or set meter: auto",
            ) from error
        indices, simulated = _found(self._uuids)
        # All that its own configuration file could change is set, so that a run means the same on every machine.
        self._tracker = OfflineEmissionsTracker(
            country_iso_code="USA",
            force_carbon_intensity_g_co2e_kwh=0.0,
            measure_power_secs=_SELF_MEASURING_S,
            tracking_mode="machine",
            gpu_ids=indices,
            pue=1.0,
            wue=0.0,
            output_methods=[],
            output_handlers=[self._totals],
            allow_multiple_runs=True,
            log_level="warning",
        )
        self._tracker.start()
        logging.getLogger("codecarbon").addHandler(self._warnings)
        self._sources = list(_sources(self._uuids, simulated))
        self._begin()
        return self._sources

    def sample(self) -> Sampled:
        """Lets CodeCarbon measure, and tells which of its sums rose.

        Raises:
            MeterError: it did not measure, warned of a GPU, or no longer counts energy.
        """
        before_s = time.monotonic()
        joules = self._measured()
        now_s = time.monotonic()
        edges = [
            Edge(name, self._polled_s, now_s, energy_j)
            for name, energy_j in joules.items()
            if energy_j != self._seen[name]
        ]
        errors = [ReadError(self._sources[0].name, t_s, message) for t_s, message in self._warnings.taken()]
        self._require_trust(joules, now_s, [error.message for error in errors])
        if joules != self._seen:
            # Some sum rises with every measurement; where none did, CodeCarbon found it too early for one.
            self._polled_s = before_s
        self._seen = joules
        readings = [Reading(now_s, source.name) for source in self._sources]
        return Sampled(readings, edges, [], errors)

    def close(self) -> None:
        """Stops the tracker."""
        logging.getLogger("codecarbon").removeHandler(self._warnings)
        if self._tracker is not None:
            self._tracker.stop()

    def _begin(self) -> None:
        """Waits until the first energy is counted, which is as much as can be seen of whether it works."""
        self._polled_s = self._rose_s = time.monotonic()
        self._seen = dict.fromkeys((source.name for source in self._sources), 0.0)
        while not self.sample().edges or not self._seen[self._sources[0].name]:
            # CodeCarbon does not measure twice within 50 ms.
            time.sleep(_WAIT_S)

    def _require_trust(self, joules: dict[str, float], now_s: float, warnings: Sequence[str]) -> None:
        """Makes sure that the energy of the GPUs, or else of the CPU, is still counted."""
        for warning in warnings:
            if self._uuids and "gpu" in warning.lower():
                raise MeterError(warning, _HINT)
        primary = self._sources[0].name
        if joules[primary] != self._seen[primary]:
            self._rose_s = now_s
        elif now_s - self._rose_s > _STILL_S:
            raise MeterError(f"CodeCarbon has counted no energy of {primary} for {_STILL_S:g} s", _HINT)

    def _measured(self) -> dict[str, float]:
        """CodeCarbon's sums in joules, by name of the source."""
        self._totals.latest = None
        self._tracker.flush()
        latest = self._totals.latest
        if latest is None:
            raise MeterError(f"CodeCarbon did not measure: {self._warnings.last}", _HINT)
        sums = {"gpu": latest.gpu_energy, "cpu": latest.cpu_energy, "dram": latest.ram_energy}
        return {source.name: sums[source.kind] * _J_PER_KWH for source in self._sources}


class _Totals:
    """Takes CodeCarbon's sums; the methods are those of its ``BaseOutput``."""

    def __init__(self) -> None:
        self.latest: Any = None

    def out(self, total: Any, delta: Any) -> None:
        self.latest = total

    def live_out(self, total: Any, delta: Any) -> None:
        pass

    def task_out(self, data: Any, experiment_name: str) -> None:
        pass

    def exit(self) -> None:
        pass


class _Warnings(logging.Handler):
    """Keeps what CodeCarbon warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = "it says nothing of why"
        self._kept: list[tuple[float, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.last = f"CodeCarbon: {' '.join(record.getMessage().split())}"
        self._kept.append((time.monotonic(), self.last))

    def taken(self) -> list[tuple[float, str]]:
        """What came since the last call, with the moments at which it did."""
        kept, self._kept = self._kept, []
        return kept


def _found(uuids: Sequence[str]) -> tuple[list[int], bool]:
    """Indices of the GPUs, by which CodeCarbon goes, and whether they are simulated."""
    if not uuids:
        return [], False
    with session():
        handles = [call(pynvml.nvmlDeviceGetHandleByUUID, uuid) for uuid in uuids]
        names = [str(call(pynvml.nvmlDeviceGetName, handle)) for handle in handles]
        indices = [int(call(pynvml.nvmlDeviceGetIndex, handle)) for handle in handles]
    return indices, any(name.startswith("Simulated ") for name in names)


def _sources(uuids: Sequence[str], simulated: bool) -> list[Source]:
    sources = [
        Source("cpu:codecarbon", "cpu", "codecarbon", "package", _CPU_MODEL),
        Source("dram:codecarbon", "dram", "codecarbon", "dram", _MEMORY_MODEL),
    ]
    if not uuids:
        return sources
    gpu = Source(
        "gpu:codecarbon",
        "gpu",
        "simulated" if simulated else "codecarbon",
        "gpu",
        _SIMULATED if simulated else None,
        uuid=uuids[0] if len(uuids) == 1 else None,
        resolution_j=_MILLIJOULE * len(uuids),
    )
    return [gpu, *sources]
