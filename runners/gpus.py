"""Which GPUs a run by hand gets, and whether a container was given any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runners.contract.paths import ENV_CONTAINER_GPUS
from runners.errors import BadRequestError, MeterError

if TYPE_CHECKING:
    from runners.contract.request import Gpu

_NONE = ("", "void", "none")


def asked_for(variables: Mapping[str, str]) -> bool:
    """Whether the variables of a container say that it gets GPUs."""
    return variables.get(ENV_CONTAINER_GPUS, "") not in _NONE


def first(variables: Mapping[str, str], count: int | None = 1) -> list[Gpu]:
    """The first GPUs that are ours; none where there is none, or where the variables say so.

    Args:
        variables: of the environment.
        count: how many at most; None: all of them.

    Raises:
        MeterError: GPUs were asked for, and there are none; or the driver does not answer.
        BadRequestError: the variables leave a slice of a GPU.
    """
    if variables.get(ENV_CONTAINER_GPUS) in _NONE:
        return []
    from runners.contract.allocation import AllocationError, allocated, visible_gpus

    try:
        from runners.meters.nvml_info import present
        from runners.meters.nvml_session import NoDriverError
    except ImportError as error:
        if asked_for(variables):
            raise without_nvml() from error
        return []
    try:
        found = present()
    except NoDriverError:
        if asked_for(variables):
            raise
        return []
    if asked_for(variables):
        require_some(len(found), variables)
    try:
        return allocated(found, visible_gpus(variables, len(found)))[:count]
    except AllocationError as error:
        raise BadRequestError(str(error), error.hint) from None


def require_some(count: int, variables: Mapping[str, str]) -> None:
    """Holds what NVML shows against what was asked for.

    Raises:
        MeterError: there is no GPU.
    """
    if not count:
        raise MeterError(
            f"{ENV_CONTAINER_GPUS} is {variables[ENV_CONTAINER_GPUS]}, and no GPU is visible here",
            "see that nvidia-smi shows one here; to stay on the CPU, leave compose.gpu.yaml out of COMPOSE_FILE",
        )


def without_nvml() -> MeterError:
    """The library that asks NVML is missing."""
    return MeterError("GPUs were asked for, and nvidia-ml-py is not installed here", "pip install nvidia-ml-py")
