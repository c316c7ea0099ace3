"""NVML asked directly and often, beside the meter: what it answers, how fast, and every change of its sensors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, NamedTuple

import pynvml

from runners.meters.nvml_session import NotSupportedError, call, optional, session

FIELDS = {
    "energy": pynvml.NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION,
    "average": pynvml.NVML_FI_DEV_POWER_AVERAGE,
    "instant": pynvml.NVML_FI_DEV_POWER_INSTANT,
}
HZ = 1000.0
_MILLI = 1e-3
_CALLS = 200
_CALLS_S = 2.0
_BETWEEN_CALLS_S = 0.001


class Answer(NamedTuple):
    """What NVML said at a moment of CLOCK_MONOTONIC; None where it has no answer."""

    t_s: float
    energy_mj: int | None
    usage_w: float | None
    """nvmlDeviceGetPowerUsage."""
    average_w: float | None
    """Field 185."""
    instant_w: float | None
    """Field 186."""


class Known(NamedTuple):
    """What a GPU answers, and how long one call takes."""

    answered: Mapping[str, bool]
    call_s: Mapping[str, list[float]]


def look(uuid: str) -> Known:
    """What the GPU answers at all, and how fast.

    Raises:
        MeterError: NVML does not answer.
    """
    with session():
        handle = call(pynvml.nvmlDeviceGetHandleByUUID, uuid)
        questions = _questions(handle)
        answered = {name: _answers(question) for name, question in questions.items()}
        durations = {name: _time(question) for name, question in questions.items() if answered[name]}
    return Known(answered, durations)


class Watcher:
    """Asks energy and every kind of power a thousand times a second; use it in a ``with`` statement.

    Args:
        uuid: the GPU.
    """

    def __init__(self, uuid: str) -> None:
        self._uuid = uuid
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.answers: list[Answer] = []
        self.error: Exception | None = None

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        try:
            with session():
                handle = call(pynvml.nvmlDeviceGetHandleByUUID, self._uuid)
                due_s = time.monotonic()
                while not self._stopped.is_set():
                    self.answers.append(_ask(handle))
                    due_s = max(due_s + 1 / HZ, time.monotonic())
                    time.sleep(max(0.0, due_s - time.monotonic()))
        except Exception as error:  # noqa: BLE001 - told by the parent, on the page
            self.error = error


def _ask(handle: Any) -> Answer:
    before_s = time.monotonic()
    fields = dict(zip(FIELDS, _fields(handle), strict=True))
    usage_mw = optional(pynvml.nvmlDeviceGetPowerUsage, handle)
    energy_mj = fields["energy"]
    if energy_mj is None:
        energy_mj = optional(pynvml.nvmlDeviceGetTotalEnergyConsumption, handle)
    after_s = time.monotonic()
    return Answer((before_s + after_s) / 2, energy_mj, *map(_watts, (usage_mw, fields["average"], fields["instant"])))


def _fields(handle: Any) -> list[int | None]:
    try:
        found = call(pynvml.nvmlDeviceGetFieldValues, handle, list(FIELDS.values()))
    except NotSupportedError:
        return [None] * len(FIELDS)
    return [None if field.nvmlReturn else _number(field) for field in found]


def _number(field: Any) -> int:
    if field.valueType in (pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG, pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG):
        return int(field.value.ullVal)
    return int(field.value.uiVal)


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts * _MILLI


def _questions(handle: Any) -> dict[str, Callable[[], object]]:
    def fields(*numbers: int) -> Callable[[], object]:
        def ask() -> object:
            found = call(pynvml.nvmlDeviceGetFieldValues, handle, list(numbers))
            return None if any(field.nvmlReturn for field in found) else [_number(field) for field in found]

        return ask

    def state() -> object:
        return [
            optional(pynvml.nvmlDeviceGetMemoryInfo, handle),
            optional(pynvml.nvmlDeviceGetUtilizationRates, handle),
            optional(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU),
            optional(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM),
            optional(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_MEM),
            optional(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle),
        ]

    return {
        "energy (nvmlDeviceGetTotalEnergyConsumption)": lambda: optional(
            pynvml.nvmlDeviceGetTotalEnergyConsumption, handle
        ),
        "power (nvmlDeviceGetPowerUsage)": lambda: optional(pynvml.nvmlDeviceGetPowerUsage, handle),
        **{f"{name} (field {number})": fields(number) for name, number in FIELDS.items()},
        "energy and instant power (fields 83 and 186)": fields(FIELDS["energy"], FIELDS["instant"]),
        "state (memory, utilisation, temperature, two clocks, throttle reasons)": state,
    }


def _answers(question: Callable[[], object]) -> bool:
    try:
        return question() is not None
    except NotSupportedError:
        return False


def _time(question: Callable[[], object]) -> list[float]:
    """Seconds of each of a number of calls, not at one stroke."""
    durations: list[float] = []
    end_s = time.monotonic() + _CALLS_S
    while len(durations) < _CALLS and time.monotonic() < end_s:
        before_s = time.perf_counter()
        question()
        durations.append(time.perf_counter() - before_s)
        time.sleep(_BETWEEN_CALLS_S)
    return durations
