"""energy-bench's meter, as its ``measure`` uses it: ``with meter.session():`` around the work."""

from collections.abc import Callable
from contextlib import ExitStack

from energy_bench import EnergyMeter

from tests.bench.meter.peers.driver import drive


class EnergyBench:
    def __init__(self) -> None:
        self._meter = EnergyMeter(device_uuid=None)
        self._stack = ExitStack()

    def begin(self) -> None:
        self._session = self._stack.enter_context(self._meter.session())

    def end(self) -> Callable[[], float | None]:
        self._stack.close()
        reading = self._session.reading
        return lambda: None if reading is None else reading.energy_j

    def close(self) -> None:
        self._meter.close()


if __name__ == "__main__":
    drive("energy-bench", EnergyBench)
