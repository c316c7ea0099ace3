"""What simulated GPUs are like, and the file that says so to the library in NVML's place (``gpus.conf``)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Literal, NamedTuple

from orchestrator.errors import InputError
from orchestrator.system.simulated_gpu.curves import Curve, square
from runners.contract.request import SIMULATED_NAME

GPUS_CONF = "gpus.conf"
_MOST_DISTANT_S = 1e9
_ALWAYS = (-math.inf, math.inf)

FaultKind = Literal["lost", "error", "stuck", "reset", "missing", "permission", "power_missing", "settings_missing"]


class Fault(NamedTuple):
    """Something that goes wrong from one moment to another, in seconds since the origin.

    ``lost``: every call says that the GPU is lost. ``error``, ``permission``: reading energy or power fails so.
    ``missing``, ``power_missing``: the GPU has no energy counter, or no power reading. ``stuck``: the counter keeps its
    value, and jumps at its first update after. ``reset``: the counter begins at 0 again at ``from_s``.
    ``settings_missing``: the GPU does not tell how it is set (limits, modes, application clocks).
    """

    kind: FaultKind
    from_s: float = _ALWAYS[0]
    to_s: float = _ALWAYS[1]


class Throttle(NamedTuple):
    """Reasons that hold the clocks back, as a mask of NVML's, in seconds since the origin."""

    reasons: int
    from_s: float = _ALWAYS[0]
    to_s: float = _ALWAYS[1]


class Process(NamedTuple):
    """A process that computes on the GPU; its memory comes on top of what is used otherwise."""

    pid: int
    memory_bytes: int
    from_s: float = _ALWAYS[0]
    to_s: float = _ALWAYS[1]


class Change(NamedTuple):
    """Another value of a setting, in seconds since the origin."""

    setting: Literal[
        "memory_total_bytes",
        "memory_used_bytes",
        "temperature_c",
        "sm_clock_mhz",
        "memory_clock_mhz",
        "utilisation",
        "power_limit_w",
    ]
    value: float
    from_s: float
    to_s: float = _ALWAYS[1]


def uuid_of(index: int) -> str:
    """The UUID that the simulated GPU with this index has unless told otherwise."""
    return f"GPU-51000000-0000-0000-0000-{index:012d}"


@dataclass(frozen=True, kw_only=True)
class SimulatedGpu:
    """One GPU: what it draws, how its sensors tell that, and what goes wrong..

    Raises:
        InputError: the settings contradict each other, or no GPU could be so.
    """

    uuid: str = uuid_of(0)
    name: str = f"{SIMULATED_NAME}H100"
    """Begins with "Simulated ", by which everything knows the GPU for what it is."""
    curve: Curve = field(default_factory=square)
    counter_period_s: float = 0.1
    """The energy counter is updated at origin + phase + k × period, each time displaced by up to the jitter."""
    counter_phase_s: float = 0.013
    counter_jitter_s: float = 0.0
    counter_delay_s: float = 0.0
    """An update shows the energy up to so long before it."""
    power_period_s: float = 0.1
    """The power reading is refreshed so often, and is the mean over the window before."""
    power_window_s: float = 0.025
    instant_period_s: float = 0.001
    """Likewise the reading of instant power."""
    instant_window_s: float = 0.001
    power_limit_w: float = 700.0
    memory_total_bytes: int = 80 * 2**30
    memory_used_bytes: int = 512 * 2**20
    temperature_c: float = 45.0
    sm_clock_mhz: float = 1755.0
    memory_clock_mhz: float = 2619.0
    utilisation: float = 0.0
    """0 to 100."""
    mig: bool = False
    ecc: bool = True
    ecc_pending: bool | None = None
    """Whether ECC is on after the next reboot; None: as it is now."""
    persistence: bool = True
    enforced_limit_w: float | None = None
    """What the GPU is held to; None: power_limit_w."""
    application_clock_mhz: float | None = None
    """The SM clock that is set for applications; None: the highest."""
    throttles: tuple[Throttle, ...] = ()
    processes: tuple[Process, ...] = ()
    changes: tuple[Change, ...] = ()
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        if not self.uuid.startswith("GPU-") or not self.uuid.isascii() or set(self.uuid) & set(" #"):
            raise InputError(f"uuid {self.uuid!r}: a GPU's begins with GPU-, and holds neither space nor #")
        if not self.name.startswith(SIMULATED_NAME) or not self.name.isprintable() or "#" in self.name:
            raise InputError(f'name {self.name!r}: the name of a simulated GPU begins with "{SIMULATED_NAME}"')
        for name in ("counter_period_s", "power_period_s", "power_window_s", "instant_period_s", "instant_window_s"):
            self._require(name, 1e-6, 1e6)
        for name in ("counter_phase_s", "counter_jitter_s", "counter_delay_s"):
            self._require(name, 0, 1e6)
        for name, highest in _HIGHEST.items():
            self._require(name, 0, highest)
            for change in self.changes:
                if change.setting == name:
                    _require(f"a change of {name}", change.value, 0, highest)
        if self.counter_jitter_s >= self.counter_period_s / 2:
            raise InputError(
                f"counter_jitter_s {self.counter_jitter_s:g} must be less than half of"
                f" counter_period_s {self.counter_period_s:g}"
            )
        if self.curve.highest_w > self.power_limit_w:
            raise InputError(
                f"the curve draws up to {self.curve.highest_w:g} W, above the limit of {self.power_limit_w:g} W",
                hint="raise power_limit_w, or lower the curve",
            )
        for name in ("enforced_limit_w", "application_clock_mhz"):
            if getattr(self, name) is not None:
                self._require(name, 0, 1e5)
        if self.memory_used_bytes > self.memory_total_bytes:
            raise InputError("memory_used_bytes is more than memory_total_bytes")
        spans: list[Throttle | Process | Change | Fault] = [
            *self.throttles,
            *self.processes,
            *self.changes,
            *self.faults,
        ]
        for span in spans:
            if not span.from_s <= span.to_s:
                raise InputError(f"{span}: it ends before it begins")
            if any(_MOST_DISTANT_S < abs(moment_s) < math.inf for moment_s in (span.from_s, span.to_s)):
                raise InputError(f"{span}: a moment is at most {_MOST_DISTANT_S:g} s away, or infinite")
        if any(fault.kind == "reset" and math.isinf(fault.from_s) for fault in self.faults):
            raise InputError("a reset happens at a moment: give it from_s")

    def _require(self, name: str, lowest: float, highest: float) -> None:
        _require(name, getattr(self, name), lowest, highest)


_HIGHEST = {
    "power_limit_w": 1e6,
    "memory_total_bytes": 1e15,
    "memory_used_bytes": 1e15,
    "temperature_c": 200,
    "sm_clock_mhz": 1e5,
    "memory_clock_mhz": 1e5,
    "utilisation": 100,
}
_SWITCHES = ("mig", "ecc", "ecc_pending", "persistence")
_NOT_PLAIN = {"curve", *_SWITCHES, "throttles", "processes", "changes", "faults"}


@dataclass(frozen=True)
class Simulation:
    """The simulated GPUs of a machine.

    Args:
        gpus: at least one, each with a UUID of its own.
        call_s: how long each call that asks a device takes, computing all the while.

    Raises:
        InputError: that is no machine.
    """

    gpus: tuple[SimulatedGpu, ...] = field(default_factory=lambda: (SimulatedGpu(),))
    call_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.gpus:
            raise InputError("a simulation without GPUs")
        if len({gpu.uuid for gpu in self.gpus}) < len(self.gpus):
            raise InputError("two simulated GPUs have the same uuid")
        _require("call_s", self.call_s, 0, 1)


def render(simulation: Simulation, origin_s: float) -> str:
    """The ``gpus.conf`` of a simulation.

    Args:
        simulation: the GPUs.
        origin_s: the moment of CLOCK_MONOTONIC from which all its times count.
    """
    lines = [f"origin_s {origin_s!r}", f"call_s {simulation.call_s!r}"]
    for gpu in simulation.gpus:
        lines += ["[gpu]", *_gpu_lines(gpu)]
    return "\n".join(lines) + "\n"


def _gpu_lines(gpu: SimulatedGpu) -> Iterator[str]:
    for setting in fields(gpu):
        value = getattr(gpu, setting.name)
        if value is not None and setting.name not in _NOT_PLAIN:
            yield f"{setting.name} {value}"
    yield "curve " + " ".join(f"{step.duration_s!r}:{step.power_w!r}" for step in gpu.curve.steps)
    yield f"before {gpu.curve.power_before_w!r}"
    for name in _SWITCHES:
        if getattr(gpu, name) is not None:
            yield f"{name} {int(getattr(gpu, name))}"
    for key, spans in (("throttle", gpu.throttles), ("process", gpu.processes), ("fault", gpu.faults)):
        for span in spans:
            yield f"{key} {' '.join(map(str, span))}"
    for change in gpu.changes:
        yield " ".join(map(str, change))


def _require(name: str, value: float, lowest: float, highest: float) -> None:
    if not lowest <= value <= highest:
        raise InputError(f"{name} {value:g} is not from {lowest:g} to {highest:g}")
