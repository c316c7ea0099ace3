from __future__ import annotations

import pytest

from orchestrator.errors import MachineError
from orchestrator.system.gpu import choose_gpus
from runners.contract.request import Gpu

GPUS = [Gpu(index=index, uuid=f"GPU-{index}", name="H200") for index in range(3)]


@pytest.mark.parametrize(
    ("wanted", "present", "chosen"),
    [
        (None, [], []),
        (None, GPUS, GPUS[:1]),
        ([2], GPUS, [GPUS[2]]),
        ([2, 0], GPUS, [GPUS[2], GPUS[0]]),
    ],
)
def test_choose(wanted: list[int] | None, present: list[Gpu], chosen: list[Gpu]) -> None:
    assert choose_gpus(wanted, present) == chosen


@pytest.mark.parametrize(
    ("wanted", "present", "message"),
    [
        ([0], [], r"gpus: 0 not found: this machine has no GPU"),
        ([1, 3, 7], GPUS, r"gpus: 3, 7 not found: this machine has GPUs 0, 1, 2"),
    ],
)
def test_a_gpu_that_is_named_and_absent_is_an_error(wanted: list[int], present: list[Gpu], message: str) -> None:
    with pytest.raises(MachineError, match=message):
        choose_gpus(wanted, present)
