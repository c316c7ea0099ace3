"""Faults on demand: ``TENSORRT_LLM_STANDIN_FAULT=PLACE:KIND``, PLACE ``load``, ``build`` or ``generate``."""

import os
import signal
import time

VARIABLE = "TENSORRT_LLM_STANDIN_FAULT"
OUT_OF_MEMORY = "[TensorRT-LLM][ERROR] CUDA runtime error in ::cudaMallocAsync(ptr, n, mStream.get()): out of memory"


def at(place: str) -> None:
    """Fails as it was asked to, if this is the place."""
    where, _, kind = os.environ.get(VARIABLE, "").partition(":")
    if where != place:
        return
    if kind == "out_of_memory":
        raise RuntimeError(OUT_OF_MEMORY)
    if kind == "unsupported":
        raise NotImplementedError("gemm_swiglu_plugin=fp8 is not supported on SM 100.")
    if kind == "error":
        raise RuntimeError("Executor worker returned error")
    if kind == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "hang":
        time.sleep(3600)


def wants(fault: str) -> bool:
    """Whether a fault that a place plays in a way of its own was asked for."""
    return os.environ.get(VARIABLE, "") == fault
