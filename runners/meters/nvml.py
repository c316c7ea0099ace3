"""Energy, power and state of NVIDIA GPUs, found by UUID."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import pynvml

from runners.errors import MeterError
from runners.meters.edges import EdgeTracker
from runners.meters.nvml_session import NotSupportedError, TransientError, call, optional, session
from runners.meters.reading import Edge, Power, ReadError, Reading, Sampled, Source

POWER_HEADROOM = 1.25
"""A GPU may draw more than its power limit for moments; the bounds allow for this factor."""

_MILLI = 1e-3
_PERCENT = 1e-2
_GIVE_UP_S = 2.0
_RETRY_S = 0.05
_SLOW_S = 0.45
_FIELDS = (pynvml.NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION, pynvml.NVML_FI_DEV_POWER_INSTANT)
_SIMULATED = "a simulated NVML plays this GPU; nothing was measured"


class NvmlMeter:
    """What NVML says of each GPU.

    Args:
        uuids: the GPUs, as in ``GPU-8c3a...``.
    """

    def __init__(self, uuids: Sequence[str]) -> None:
        self._uuids = uuids
        self._gpus: list[_Gpu] = []
        self._opened = ExitStack()

    def open(self) -> list[Source]:
        """Finds the GPUs.

        Raises:
            MeterError: there is no driver, a GPU is not visible, or a MIG slice has no meter of its own.
        """
        self._opened.enter_context(session())
        self._gpus = [_Gpu(uuid) for uuid in self._uuids]
        return [gpu.source for gpu in self._gpus]

    @property
    def due_s(self) -> float:
        """When the first of the counters is to be polled."""
        return min(gpu.due_s for gpu in self._gpus)

    def poll(self) -> None:
        """Polls the counters that are due."""
        for gpu in self._gpus:
            if gpu.due_s <= time.monotonic():
                gpu.poll()

    def sample(self) -> Sampled:
        """The state of all GPUs, and the updates of their counters."""
        sampled = [gpu.sample() for gpu in self._gpus]
        return Sampled(
            [reading for one in sampled for reading in one.readings],
            [edge for one in sampled for edge in one.edges],
            [power for one in sampled for power in one.powers],
            [error for one in sampled for error in one.errors],
        )

    def close(self) -> None:
        """Shuts NVML down."""
        self._opened.close()


class _Gpu:
    def __init__(self, uuid: str) -> None:
        self._name = f"gpu:{uuid}"
        self._handle = _patiently(lambda: call(pynvml.nvmlDeviceGetHandleByUUID, uuid))
        self._failing_since_s: float | None = None
        self._asked_slow_s = float("-inf")
        self._seen = Sampled([], [], [], [])
        has_counter = _patiently(lambda: self._ask(pynvml.nvmlDeviceGetTotalEnergyConsumption)) is not None
        if uuid.startswith("MIG-") and not has_counter:
            raise MeterError(
                f"{uuid} is a MIG slice, and this driver counts the energy of whole GPUs only",
                "measure on a whole GPU with MIG switched off: a slice's share of the GPU cannot be told apart",
            )
        if not has_counter and _patiently(lambda: self._ask(pynvml.nvmlDeviceGetPowerUsage)) is None:
            raise MeterError(
                f"{uuid} reports neither energy nor power through NVML",
                "use a GPU that does (data-centre GPUs, and GeForce from Maxwell on), or the CPU",
            )
        self._fields = _patiently(self._known_fields)
        self._tracker = EdgeTracker(time.monotonic()) if has_counter else None
        limit_mw = self._ask(pynvml.nvmlDeviceGetEnforcedPowerLimit)
        simulated = str(call(pynvml.nvmlDeviceGetName, self._handle)).startswith("Simulated ")
        self.source = Source(
            self._name,
            "gpu",
            "simulated" if simulated else "nvml",
            "gpu",
            assumption=_SIMULATED if simulated else None,
            uuid=uuid,
            has_counter=has_counter,
            resolution_j=_MILLI,
            power_limit_w=None if limit_mw is None else limit_mw * _MILLI * POWER_HEADROOM,
        )

    @property
    def due_s(self) -> float:
        """When the counter is to be polled next."""
        return self._tracker.due_s if self._tracker else float("inf")

    def poll(self) -> None:
        """Reads the counter, and with it the power of this moment where the GPU tells it."""
        assert self._tracker
        before_s = time.monotonic()
        try:
            energy_j, power_w = self._energy()
        except (TransientError, NotSupportedError) as error:
            self._failed(error)
            self._tracker.failed(time.monotonic())
            return
        after_s = time.monotonic()
        self._failing_since_s = None
        edge = self._tracker.saw(before_s, after_s, energy_j)
        if edge:
            self._seen.edges.append(Edge(self._name, *edge))
        if power_w is not None:
            self._seen.powers.append(Power(self._name, (before_s + after_s) / 2, power_w))

    def sample(self) -> Sampled:
        """Everything that the GPU says of itself, and what the polls saw since the last call."""
        try:
            reading = self._read()
            self._seen.readings.append(reading)
            if self._tracker is None:
                self._failing_since_s = None
        except TransientError as error:
            self._failed(error)
        seen, self._seen = self._seen, Sampled([], [], [], [])
        return seen

    def _energy(self) -> tuple[float, float | None]:
        """Joules of the counter, and watts where both can be had in one call."""
        if self._fields:
            try:
                energy, power = _values(call(pynvml.nvmlDeviceGetFieldValues, self._handle, list(_FIELDS)))
            except NotSupportedError:
                self._fields = False  # one of the two is gone; asked for apart, the other may not be
            else:
                return energy * _MILLI, power * _MILLI
        return call(pynvml.nvmlDeviceGetTotalEnergyConsumption, self._handle) * _MILLI, None

    def _read(self) -> Reading:
        """The state; what drivers refresh slowly is asked for twice a second at most, since each call costs."""
        now_s = time.monotonic()
        slow = now_s - self._asked_slow_s >= _SLOW_S
        if slow:
            self._asked_slow_s = now_s
        memory = self._ask(pynvml.nvmlDeviceGetMemoryInfo)
        utilisation = self._ask(pynvml.nvmlDeviceGetUtilizationRates) if slow else None
        # Where polls bring the power of the moment, a mean over some time beside it would mix two things.
        power_mw = None if self._fields and self._tracker else self._ask(pynvml.nvmlDeviceGetPowerUsage)
        return Reading(
            t_s=time.monotonic(),
            source=self._name,
            power_w=None if power_mw is None else power_mw * _MILLI,
            memory_bytes=None if memory is None else int(memory.used),
            utilisation=None if utilisation is None else utilisation.gpu * _PERCENT,
            temperature_c=self._ask(pynvml.nvmlDeviceGetTemperature, pynvml.NVML_TEMPERATURE_GPU) if slow else None,
            sm_clock_mhz=self._ask(pynvml.nvmlDeviceGetClockInfo, pynvml.NVML_CLOCK_SM),
            memory_clock_mhz=self._ask(pynvml.nvmlDeviceGetClockInfo, pynvml.NVML_CLOCK_MEM) if slow else None,
            throttle_reasons=self._ask(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons),
        )

    def _known_fields(self) -> bool:
        """Whether energy and power of the moment come in one call."""
        try:
            _values(call(pynvml.nvmlDeviceGetFieldValues, self._handle, list(_FIELDS)))
        except NotSupportedError:
            return False
        return True

    def _failed(self, error: MeterError) -> None:
        """Notes that the GPU did not answer; it may for a moment, and not for long.

        Raises:
            MeterError: it has not answered for too long.
        """
        now_s = time.monotonic()
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        if isinstance(error, TransientError) and now_s - self._failing_since_s > _GIVE_UP_S:
            raise MeterError(f"{self._name} has not answered for {_GIVE_UP_S:g} s: {error}", error.hint) from error
        self._seen.errors.append(ReadError(self._name, now_s, str(error)))

    def _ask(self, function: Any, *arguments: Any) -> Any | None:
        return optional(function, self._handle, *arguments)


def _values(fields: Any) -> tuple[int, int]:
    """Millijoules and milliwatts from the answer of a field query.

    Raises:
        MeterError: a field has no value; of the same kind as if it had been asked for by itself.
    """
    energy, power = fields
    for field in (energy, power):
        if field.nvmlReturn:
            call(_raise, field.nvmlReturn)
    return energy.value.ullVal, _integer(power)


def _integer(field: Any) -> int:
    """The value of a field, which says itself of what type it is."""
    if field.valueType in (pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG, pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG):
        return int(field.value.ullVal)
    return int(field.value.uiVal)


def _raise(code: int) -> None:
    raise pynvml.NVMLError(code)


def _patiently(question: Callable[[], Any]) -> Any:
    """Asks again for a while where the GPU does not answer at once.

    Raises:
        MeterError: it does not answer.
    """
    until_s = time.monotonic() + _GIVE_UP_S
    while True:
        try:
            return question()
        except TransientError:
            if time.monotonic() > until_s:
                raise
            time.sleep(_RETRY_S)
