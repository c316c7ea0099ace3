"""Which GPUs a runner in a container is told to use, whoever else its container serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.dispatch.base import Attempt
from orchestrator.dispatch.containerised import variables_of
from runners.contract.paths import AttemptName
from runners.contract.request import Gpu

GPUS = [Gpu(index=index, uuid=f"GPU-{index}", name="H200") for index in range(8)]


def told(own: list[int], shown: list[int]) -> dict[str, str]:
    attempt = Attempt(
        AttemptName("e", 1, 1), Path("/attempts/e"), "vllm", "base", 1, tuple(GPUS[index] for index in own)
    )
    variables = variables_of(attempt, [GPUS[index] for index in shown])
    return {name: value for name, value in variables.items() if name.startswith("CUDA")}


@pytest.mark.parametrize(
    ("own", "shown", "visible"),
    [
        ([0], [0], "0"),
        ([5], [5], "0"),
        ([2, 5], [2, 5], "0,1"),
        ([5, 2], [5, 2], "1,0"),
        ([5], [2, 5], "1"),
        ([7, 1], [7, 3, 1], "2,0"),
        ([], [2, 5], ""),
    ],
)
def test_its_own_are_named_as_they_count_inside(own: list[int], shown: list[int], visible: str) -> None:
    assert told(own, shown) == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": visible}


def test_on_the_cpu_nothing_is_named() -> None:
    assert told([], []) == {}
