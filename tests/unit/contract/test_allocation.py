from __future__ import annotations

import pytest

from runners.contract.allocation import AllocationError, allocated, visible_gpus
from runners.contract.request import Gpu

ALIKE = [Gpu(index=index, uuid=f"GPU-{uuid}", name="H200") for index, uuid in enumerate(["aa11", "aa22", "bb33"])]


@pytest.mark.parametrize(
    ("visible", "indices"),
    [
        (None, [0, 1, 2]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("0", [0]),
        ("2,0", [2, 0]),
        (" 2 , 1 ", [2, 1]),
        ("1,7,0", [1]),
        ("0,-1,1", [0]),
        ("1,", [1]),
        ("1,,2", [1]),
        ("1,1", []),
        ("GPU-aa22", [1]),
        ("GPU-bb", [2]),
        ("GPU-aa", []),
        ("GPU-bb,GPU-aa11", [2, 0]),
        ("GPU-cc,GPU-bb", []),
        ("bb33", []),
        ("GPU-bb,0", [2, 0]),
        ("2,GPU-bb33", []),
    ],
)
def test_the_gpus_that_cuda_visible_devices_leaves(visible: str | None, indices: list[int]) -> None:
    assert [gpu.index for gpu in allocated(ALIKE, visible)] == indices
    assert allocated([], visible) == []


@pytest.mark.parametrize("visible", ["MIG-9f2", "0,MIG-9f2"])
def test_a_slice_of_a_gpu_is_refused(visible: str) -> None:
    with pytest.raises(AllocationError, match="CUDA_VISIBLE_DEVICES names MIG-9f2, a slice of a GPU") as caught:
        allocated(ALIKE, visible)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("variables", "visible"),
    [
        ({}, None),
        ({"CUDA_VISIBLE_DEVICES": "1"}, "1"),
        ({"CUDA_VISIBLE_DEVICES": "", "SLURM_JOB_GPUS": "2"}, ""),
        ({"CUDA_VISIBLE_DEVICES": "0", "SLURM_JOB_GPUS": "2"}, "0"),
        ({"SLURM_JOB_GPUS": "2"}, "2"),
        ({"SLURM_JOB_GPUS": "1,2", "SLURM_STEP_GPUS": "2"}, "2"),
        ({"SLURM_JOB_GPUS": "1", "SLURM_STEP_GPUS": ""}, "1"),
        ({"SLURM_JOB_GPUS": ""}, None),
    ],
)
def test_what_says_which_gpus_are_ours(variables: dict[str, str], visible: str | None) -> None:
    assert visible_gpus(variables, present=3) == visible


def test_where_slurm_shuts_the_other_gpus_out_all_that_are_seen_are_ours() -> None:
    """A node's GPUs 4 to 6 are then seen as 0 to 2."""
    assert visible_gpus({"SLURM_JOB_GPUS": "4,5,6"}, present=3) is None
