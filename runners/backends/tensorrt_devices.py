"""Which GPUs the pinned TensorRT-LLM runs on, and what each of its quantisations asks of them. Pure but for CUDA.

The architectures and the table are those of its documentation (features/quantization, supported hardware).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import torch

from runners.contract.options.tensorrt import TensorrtOptions
from runners.errors import UnsupportedError

ARCHITECTURES: Final[Mapping[int, str]] = {
    80: "Ampere",
    86: "Ampere",
    89: "Ada Lovelace",
    90: "Hopper",
    100: "Blackwell",
    103: "Blackwell",
    120: "Blackwell",
    121: "Blackwell",
}
"""By compute capability, times ten."""

_ADA_OR_NEWER = frozenset({89, 90, 100, 103, 120, 121})
_NEEDS: Final[Mapping[str, frozenset[int]]] = {
    "FP8": _ADA_OR_NEWER,
    "FP8_PER_CHANNEL_PER_TOKEN": frozenset({90}),
    "NVFP4": frozenset({100, 103, 120, 121}),
    "W4A8_AWQ": frozenset({89, 90}),
    "W4A16_AWQ": frozenset({80, 86, 89, 90}),
}
"""Where a quantisation runs; one that is not named has no such limit in the documentation."""


def capabilities(count: int) -> list[int]:
    """Compute capability of each GPU, times ten: 90 is 9.0."""
    found = (torch.cuda.get_device_capability(index) for index in range(count))
    return [10 * major + minor for major, minor in found]


def require_architecture(names: Sequence[str], found: Sequence[int], options: TensorrtOptions) -> None:
    """Refuses GPUs that the engine, or what was asked of it, does not run on; before a model is loaded.

    Args:
        names: what each GPU is called.
        found: its compute capability, times ten.
        options: what was asked for.

    Raises:
        UnsupportedError: one does not fit, or they are not alike.
    """
    for name, capability in zip(names, found, strict=True):
        if capability not in ARCHITECTURES:
            raise UnsupportedError(
                f"{name} has compute capability {_text(capability)}, and TensorRT-LLM runs on {_listed(ARCHITECTURES)}",
                "use one of those GPUs, or another backend: pytorch or vllm",
            )
        for quantisation in filter(None, (options.quant_algo, options.gemm_plugin)):
            needed = _NEEDS.get(quantisation.upper())
            if needed is not None and capability not in needed:
                raise UnsupportedError(
                    f"{quantisation} needs compute capability {_listed(needed)}, and {name} has {_text(capability)}",
                    "choose another quant_algo or gemm_plugin, or such a GPU",
                )
    if len(set(found)) > 1:
        raise UnsupportedError(
            f"the GPUs have compute capabilities {_listed(found)}, and a model is split over GPUs that are alike",
            "name GPUs of one kind in the campaign's gpus",
        )


def _text(capability: int) -> str:
    return f"{capability // 10}.{capability % 10}"


def _listed(capabilities: Mapping[int, str] | frozenset[int] | Sequence[int]) -> str:
    return ", ".join(_text(capability) for capability in sorted(set(capabilities)))
