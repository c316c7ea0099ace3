"""Which GPUs an engine works on. CUDA is replaced where torch asks the driver: there is no GPU here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from runners.backends.devices import gpus_to_use, require_same_gpus
from runners.contract.request import Gpu, RunRequest
from runners.errors import BadRequestError

pytestmark = pytest.mark.engine

GPUS = [Gpu(index=number, uuid=f"GPU-{number}{number}", name="NVIDIA H200") for number in range(3)]
PLAYED = Gpu(index=0, uuid="GPU-99", name="Simulated H100")


def request_of(gpus: list[Gpu], **options: Any) -> RunRequest:
    return RunRequest.model_validate(
        {
            "campaign": "c",
            "experiment_id": "e-1",
            **dict.fromkeys(("cycle", "cycles", "attempt"), 1),
            "order_index": 0,
            "gpus": [gpu.model_dump() for gpu in gpus],
            "experiment": {"model": "any/model", "options": {"backend": "vllm", **options}},
        }
    )


def test_an_engine_works_on_as_many_of_the_named_gpus_as_it_is_split_over() -> None:
    assert gpus_to_use(request_of(GPUS)) == GPUS[:1]
    assert gpus_to_use(request_of(GPUS, tensor_parallel_size=3)) == GPUS
    assert gpus_to_use(request_of([])) == []


def test_beside_a_simulated_gpu_it_works_on_the_cpu() -> None:
    assert gpus_to_use(request_of([PLAYED])) == []
    assert gpus_to_use(request_of([GPUS[0], PLAYED])) == []


def test_fewer_gpus_than_parts_are_a_bad_request() -> None:
    with pytest.raises(BadRequestError, match="need 4 GPUs, and the run was given 3"):
        gpus_to_use(request_of(GPUS, tensor_parallel_size=2, pipeline_parallel_size=2))


@pytest.fixture
def cuda_shows(monkeypatch: pytest.MonkeyPatch) -> Any:
    def show(*uuids: str) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(uuids))
        monkeypatch.setattr(
            torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid=uuids[index].removeprefix("GPU-"))
        )

    return show


def test_the_gpus_that_are_metered_are_those_that_cuda_shows_in_their_order(cuda_shows: Any) -> None:
    cuda_shows("GPU-00", "GPU-11")
    require_same_gpus(GPUS[:2])
    with pytest.raises(BadRequestError, match="sees the GPU 00, but GPU-11 is metered") as caught:
        require_same_gpus(GPUS[1::-1])
    assert caught.value.hint == "set CUDA_VISIBLE_DEVICES=GPU-11,GPU-00"
    with pytest.raises(BadRequestError, match=r"given 3 GPUs.*sees 2"):
        require_same_gpus(GPUS)


def test_a_slice_is_taken_as_it_is_named(cuda_shows: Any) -> None:
    cuda_shows("GPU-77")
    require_same_gpus([Gpu(index=0, uuid="MIG-1", name="NVIDIA H200 MIG 1g.18gb")])
