"""Zeus, as its guide says: one monitor, ``begin_window`` and ``end_window`` around the work.

Without a CUDA build of torch, JAX or CuPy there is nothing to synchronise, and it is told so (``sync_execution``).
"""

from collections.abc import Callable

from zeus.monitor import ZeusMonitor

from tests.bench.meter.peers.driver import drive


class Zeus:
    def __init__(self) -> None:
        self._monitor = ZeusMonitor(gpu_indices=[0], cpu_indices=[])

    def begin(self) -> None:
        self._monitor.begin_window("work", sync_execution=False, restart=True)

    def end(self) -> Callable[[], float | None]:
        joules = self._monitor.end_window("work", sync_execution=False).gpu_energy.get(0)
        return lambda: joules

    def close(self) -> None:
        pass


if __name__ == "__main__":
    drive("zeus", Zeus)
