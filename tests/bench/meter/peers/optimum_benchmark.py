"""optimum-benchmark's energy tracker, as its scenarios use it: ``with tracker.track():`` around the work.

It synchronises CUDA for its PyTorch backend only; another backend is named, since torch here has no CUDA.
"""

from collections.abc import Callable
from contextlib import ExitStack

from optimum_benchmark.trackers.energy import EnergyTracker

from tests.bench.meter.peers.driver import drive

KWH_J = 3.6e6


class OptimumBenchmark:
    def __init__(self) -> None:
        self._tracker = EnergyTracker(device="cuda", backend="vllm", device_ids=[0])
        self._stack = ExitStack()

    def begin(self) -> None:
        self._tracker.reset()
        self._stack.enter_context(self._tracker.track())

    def end(self) -> Callable[[], float | None]:
        self._stack.close()
        joules = self._tracker.get_energy().gpu * KWH_J
        return lambda: joules

    def close(self) -> None:
        pass


if __name__ == "__main__":
    drive("optimum-benchmark", OptimumBenchmark, logger="codecarbon")
