"""CodeCarbon, by tasks: ``start_task`` and ``stop_task`` around the work, of which the GPU's energy is taken."""

from collections.abc import Callable

from codecarbon import OfflineEmissionsTracker

from tests.bench.meter.peers.driver import drive

KWH_J = 3.6e6


class CodeCarbon:
    def __init__(self) -> None:
        self._tracker = OfflineEmissionsTracker(
            country_iso_code="USA",
            gpu_ids=[0],
            measure_power_secs=1,
            output_methods=[],
            allow_multiple_runs=True,
            log_level="warning",
        )

    def begin(self) -> None:
        self._tracker.start_task()

    def end(self) -> Callable[[], float | None]:
        said = self._tracker.stop_task()
        return lambda: None if said is None else said.gpu_energy * KWH_J

    def close(self) -> None:
        self._tracker.stop()


if __name__ == "__main__":
    drive("codecarbon", CodeCarbon, logger="codecarbon")
