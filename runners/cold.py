"""Cold starts: engines find their caches empty, and read the model from the disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from runners.contract import paths
from runners.contract.request import RunRequest
from runners.contract.result import ColdStart
from runners.errors import UnsupportedError
from runners.logs import LOGGER
from runners.page_cache import drop

_CUDA: Final = ("CUDA_CACHE_PATH",)
_TORCH: Final = (
    *_CUDA,
    "TORCHINDUCTOR_CACHE_DIR",
    "TRITON_CACHE_DIR",
    "TORCH_EXTENSIONS_DIR",
    "PYTORCH_KERNEL_CACHE_PATH",
)
_KERNELS: Final = (
    "FLASHINFER_WORKSPACE_BASE",
    "DG_JIT_CACHE_DIR",
    "TRTLLM_DG_CACHE_DIR",
    "CUTE_DSL_CACHE_DIR",
    "TVM_FFI_CACHE_DIR",
    "TILELANG_CACHE_DIR",
)
"""Of libraries of kernels that are compiled just in time: FlashInfer, DeepGEMM (also in TensorRT-LLM), and others."""

CACHE_VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "pytorch": (*_TORCH, *_KERNELS),
    "vllm": (*_TORCH, *_KERNELS, "VLLM_CACHE_ROOT", "VLLM_FLASHINFER_AUTOTUNE_CACHE_DIR"),
    "tensorrt": (*_TORCH, *_KERNELS, "TRTLLM_CACHE_DIR", "ORCHESTRATE_TRT_ENGINES"),
}
"""By backend, where it and the libraries below it keep on the disk what they compiled or tuned. A backend that is not
here keeps nothing: llama.cpp compiles nothing for a CPU."""

_FORGOTTEN: Final = ("TLLM_AUTOTUNER_CACHE_PATH",)
"""Variables that name a file of such a cache; without them none is kept."""


class ColdStarter:
    """Makes sure, as far as that can be, that a run finds no warm cache; and keeps what was done of it.

    Args:
        caches: the variables that lead to empty caches.
    """

    def __init__(self, caches: list[str]) -> None:
        self._caches = caches
        self.steps: ColdStart | None = None

    def drop(self, files: Iterable[Path]) -> None:
        """Has the kernel forget the model's files; called last before they are read.

        Args:
            files: what loading reads.
        """
        why_not = drop(files)
        LOGGER.info("cold start: %d private caches; page cache: %s", len(self._caches), why_not or "dropped")
        # A runner is a process of its own in every way of starting one.
        self.steps = ColdStart(
            fresh_process=True, private_caches=self._caches, page_cache_dropped=why_not is None, why_not=why_not
        )


@contextmanager
def cold_start(request: RunRequest, folder: Path) -> Iterator[ColdStarter | None]:
    """Leads the engine's caches to empty folders of this attempt's own, if a cold start was asked for.

    To be entered before the engine is imported.

    The variables stay set: the process ends with the run. The folders are removed; those of a runner that is killed
    lie in its attempt's folder, where the host removes them.

    Args:
        request: what to run.
        folder: the attempt folder.

    Yields:
        What does the rest; None where no cold start was asked for.

    Raises:
        UnsupportedError: nothing that is compiled there could be loaded.
        OSError: the folders cannot be made.
    """
    if not request.force_cold_start:
        yield None
        return
    root = (folder / paths.CACHES).resolve()
    variables = CACHE_VARIABLES.get(request.experiment.backend, ())
    shutil.rmtree(root, ignore_errors=True)
    if variables and os.statvfs(folder).f_flag & os.ST_NOEXEC:
        raise UnsupportedError(
            f"force_cold_start needs to load what engines compile from {folder}, and its disk is mounted noexec",
            "put results on a disk that is not, or leave force_cold_start out",
        )
    try:
        for name in _FORGOTTEN:
            os.environ.pop(name, None)
        for name in variables:
            cache = root / name.lower()
            cache.mkdir(parents=True, mode=0o700)
            os.environ[name] = str(cache)
        yield ColdStarter(list(variables))
    finally:
        shutil.rmtree(root, ignore_errors=True)
        if root.exists():
            LOGGER.debug("%s could not be removed", root)
