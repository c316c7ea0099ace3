"""Whether an engine works on GPUs or on the CPU, and whether its GPUs are those that are metered."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from runners.contract.request import Gpu, RunRequest
from runners.errors import BadRequestError


def gpus_to_use(request: RunRequest) -> list[Gpu]:
    """The GPUs that an engine works on; none where it works on the CPU, as beside simulated GPUs.

    Raises:
        BadRequestError: there are fewer than the options need.
    """
    if any(gpu.simulated for gpu in request.gpus):
        return []
    gpus = request.experiment.gpus_of(request.gpus)
    needed = request.experiment.options.gpus_needed or len(gpus)
    if gpus and len(gpus) < needed:
        raise BadRequestError(
            f"the options need {needed} GPUs, and the run was given {len(gpus)}",
            "name as many in the campaign's gpus, or lower the sizes that say over how many it is spread",
        )
    return gpus


def require_same_gpus(gpus: Sequence[Gpu]) -> None:
    """Holds the GPUs that CUDA shows against those that are metered, in their order.

    Raises:
        BadRequestError: CUDA shows fewer, or others.
    """
    if torch.cuda.device_count() < len(gpus):
        raise BadRequestError(
            f"the run was given {len(gpus)} GPUs, and torch {torch.__version__} sees {torch.cuda.device_count()}",
            "see that torch is a CUDA build, that nvidia-smi works here, and what CUDA_VISIBLE_DEVICES says",
        )
    for index, gpu in enumerate(gpus):
        seen = str(torch.cuda.get_device_properties(index).uuid)
        if not gpu.uuid.startswith("MIG-") and seen not in gpu.uuid:
            raise BadRequestError(
                f"the engine sees the GPU {seen}, but {gpu.uuid} is metered",
                f"set CUDA_VISIBLE_DEVICES={','.join(gpu.uuid for gpu in gpus)}",
            )
