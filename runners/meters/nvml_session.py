"""NVML's calls and errors, in the words of this package. The only place that knows pynvml's codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pynvml

from runners.errors import MeterError

_UNSUPPORTED = {
    pynvml.NVML_ERROR_NOT_SUPPORTED,
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
    pynvml.NVML_ERROR_NO_DATA,
}
_HINTS = {
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: "install the NVIDIA driver, or give the container its utility capability",
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "load the NVIDIA driver (nvidia-smi must work)",
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "the driver was updated while loaded: restart the machine",
    pynvml.NVML_ERROR_NO_PERMISSION: "let this user read the GPU (/dev/nvidia*)",
    pynvml.NVML_ERROR_GPU_IS_LOST: "the GPU fell off the bus: look at dmesg for Xid, then restart the machine",
    pynvml.NVML_ERROR_RESET_REQUIRED: "the GPU has to be reset (nvidia-smi --gpu-reset) before it is used again",
    pynvml.NVML_ERROR_NOT_FOUND: "the GPU is not visible here: compare nvidia-smi -L with the campaign's gpus",
}
_OTHER_HINT = "look at nvidia-smi and dmesg"


_TRANSIENT = {pynvml.NVML_ERROR_UNKNOWN, pynvml.NVML_ERROR_TIMEOUT}
_NO_DRIVER = {pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED}


class NotSupportedError(MeterError):
    """The device or driver does not know this quantity."""


class TransientError(MeterError):
    """The driver did not answer this time, and may the next."""


class NoDriverError(MeterError):
    """There is no NVIDIA driver here."""


_KINDS: tuple[tuple[set[int], type[MeterError]], ...] = (
    (_UNSUPPORTED, NotSupportedError),
    (_NO_DRIVER, NoDriverError),
    (_TRANSIENT, TransientError),
)


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function of pynvml.

    Raises:
        NotSupportedError: the device does not know the quantity.
        NoDriverError: there is nothing to ask.
        TransientError: it may answer if it is asked again.
        MeterError: anything else that NVML complains about.
    """
    try:
        return function(*arguments)
    except pynvml.NVMLError as error:
        code = error.value
        kind = next((kind for codes, kind in _KINDS if code in codes), MeterError)
        raise kind(f"NVML: {error} ({function.__name__})", _HINTS.get(code, _OTHER_HINT)) from error


def optional(function: Callable[..., Any], *arguments: Any) -> Any | None:
    """Like :func:`call`, but None where the device does not know the quantity."""
    try:
        return call(function, *arguments)
    except NotSupportedError:
        return None


@contextmanager
def session() -> Iterator[None]:
    """NVML, initialised and shut down.

    Raises:
        MeterError: there is no NVIDIA driver, or it cannot be used.
    """
    call(pynvml.nvmlInit)
    try:
        yield
    finally:
        call(pynvml.nvmlShutdown)
