from __future__ import annotations

from types import SimpleNamespace

import pytest

from orchestrator.errors import MachineError
from orchestrator.system.gpu import Driver, _driver, choose_gpus
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


def test_a_slice_of_a_gpu_is_refused_and_not_replaced_by_the_cpu() -> None:
    with pytest.raises(MachineError, match="MIG-9f2, a slice of a GPU, which is not supported yet") as caught:
        choose_gpus(None, GPUS, "MIG-9f2")
    assert "CUDA_VISIBLE_DEVICES=" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("wanted", "visible", "chosen"),
    [
        (None, "2,1", [2]),
        (None, "GPU-1", [1]),
        (None, "", []),
        ([1], "2,1", [1]),
        ([1, 2], "2,1", [1, 2]),
    ],
)
def test_choose_within_an_allocation(wanted: list[int] | None, visible: str, chosen: list[int]) -> None:
    assert [gpu.index for gpu in choose_gpus(wanted, GPUS, visible)] == chosen


@pytest.mark.parametrize(
    ("wanted", "visible", "message"),
    [
        ([0, 1], "1,2", "gpus: 0 not allocated: CUDA_VISIBLE_DEVICES=1,2 leaves GPUs 1, 2"),
        ([0, 1], "-1", "gpus: 0, 1 not allocated: CUDA_VISIBLE_DEVICES=-1 leaves no GPU"),
        ([7], "1", "gpus: 7 not found: this machine has GPUs 0, 1, 2"),
    ],
)
def test_a_gpu_outside_of_the_allocation_is_an_error(wanted: list[int], visible: str, message: str) -> None:
    with pytest.raises(MachineError, match=message) as caught:
        choose_gpus(wanted, GPUS, visible)
    assert caught.value.exit_code == 3
    assert caught.value.hint


@pytest.mark.parametrize(("number", "cuda"), [(12040, "12.4"), (13000, "13.0"), (11080, "11.8")])
def test_the_driver_names_its_cuda(number: int, cuda: str) -> None:
    nvml = SimpleNamespace(
        nvmlSystemGetCudaDriverVersion_v2=lambda: number, nvmlSystemGetDriverVersion=lambda: "550.54.15"
    )
    assert _driver(nvml) == Driver("550.54.15", cuda)
