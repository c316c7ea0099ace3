"""LLenergyMeasure, as its harness does it: a sampler chosen by itself, tracking around the work, then its warnings."""

import logging
from collections.abc import Callable

from llenergymeasure.energy import select_energy_sampler
from llenergymeasure.harness.measurement_warnings import collect_warnings

from tests.bench.meter.peers.driver import drive


class LLenergyMeasure:
    def __init__(self) -> None:
        self._sampler = select_energy_sampler("auto", gpu_indices=[0])

    def begin(self) -> None:
        self._tracker = self._sampler.start_tracking()

    def end(self) -> Callable[[], float | None]:
        said = self._sampler.stop_tracking(self._tracker)
        for warning in collect_warnings(said.duration_sec, said.samples, [0], said):
            logging.getLogger("llenergymeasure").warning(warning)
        return lambda: said.total_j

    def close(self) -> None:
        pass


if __name__ == "__main__":
    drive("llenergymeasure", LLenergyMeasure)
