"""What each kind of failure means, what to do about it, and what engines say of it in words of their own.

Pure: by it the runner judges its exceptions, and the host the last words of a runner that died.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from runners.contract.paths import FailureKind


class Explained(NamedTuple):
    """A kind of failure in words."""

    meaning: str
    hint: str
    """What to do where nothing more is known of the case at hand."""
    passing: bool = False
    """Whether it may pass by itself, so that a campaign tries the run again; what follows from the request does not."""
    ailing: bool = False
    """Whether it tells of an ailing machine rather than of this run, so that many in a row open the circuit breaker."""


FAILURES: Final[dict[FailureKind, Explained]] = {
    FailureKind.BAD_REQUEST: Explained(
        "the run cannot be carried out as it was asked for: a combination, a dataset, a device",
        "change what the message names",
    ),
    FailureKind.MODEL_NOT_FOUND: Explained(
        "the model is not there, or the hub does not answer",
        "see its name and revision, and that the hub is reached",
        passing=True,
    ),
    FailureKind.MODEL_GATED: Explained(
        "the hub has the model and refuses it: it is gated or private, and no token with access was given",
        "accept the licence on the model's page, and set HF_TOKEN to a token of that account",
    ),
    FailureKind.ENGINE_MISSING: Explained("the backend's engine is not installed", "install the engine"),
    FailureKind.ENGINE_BROKEN: Explained(
        "the engine is installed and cannot be imported",
        "import it by hand to see why; a driver or library of another version is the usual cause; install it anew,"
        " or run it in its container: --dispatch compose",
    ),
    FailureKind.ENGINE_FAILED: Explained(
        "the engine failed, or did something else than what was asked",
        "see the traceback and runner.log; try without the unusual options to find the one",
        passing=True,
    ),
    FailureKind.UNSUPPORTED: Explained(
        "the engine cannot do this on this device, such as a dtype that its hardware lacks",
        "choose another dtype, attention or quantization, or another device",
    ),
    FailureKind.OUT_OF_MEMORY: Explained(
        "the machine's memory ran out, or the container's",
        "use a smaller batch_size, dtype or model, shorter prompts, or a machine with more memory",
    ),
    FailureKind.GPU_OUT_OF_MEMORY: Explained(
        "the GPU's memory ran out, or was too small from the start",
        "use a smaller batch_size, dtype or model, shorter prompts, or more or larger GPUs;"
        " an engine that takes a share of the memory needs that share to be free",
    ),
    FailureKind.METER_FAILED: Explained(
        "a meter could not be opened, vanished, or gave a reading that cannot be used",
        "`orchestrate doctor` shows the meters",
        passing=True,
        ailing=True,
    ),
    FailureKind.DISK_FULL: Explained(
        "the disk is full, or too small for the model; a campaign stops where its results cannot be written",
        "free space where results and models lie, then run it again",
    ),
    FailureKind.INTERRUPTED: Explained(
        "it was told to stop",
        "run it again; nothing of this attempt is used",
        passing=True,
    ),
    FailureKind.TIMEOUT: Explained(
        "it was not done after timeout_s",
        "raise timeout_s, or see the log for where it hung",
        ailing=True,
    ),
    FailureKind.SILENT: Explained(
        "it gave no sign of life for silence_timeout_s",
        "raise silence_timeout_s, or see the log for where it hung",
        passing=True,
        ailing=True,
    ),
    FailureKind.CRASHED: Explained(
        "the runner's process ended without a word, by a signal or an exit of the engine's own",
        "see its log; try without the unusual options to find the one",
        passing=True,
        ailing=True,
    ),
    FailureKind.INVALID_RESULT: Explained(
        "it left a result that is not what its files say",
        "look at the attempt's folder; resume tries again",
        passing=True,
        ailing=True,
    ),
}

_SYMPTOMS: Final[tuple[tuple[FailureKind, re.Pattern[str]], ...]] = (
    (
        FailureKind.GPU_OUT_OF_MEMORY,
        re.compile(
            r"(CUDA|HIP) out of memory|CUDA (runtime )?error\b.*out of memory|cudaErrorMemoryAllocation"
            r"|CUBLAS_STATUS_ALLOC_FAILED|insufficient GPU memory|less than desired GPU memory utilization"
        ),
    ),
    (
        FailureKind.OUT_OF_MEMORY,
        re.compile(
            r"can't allocate memory|Cannot allocate memory|std::bad_alloc|less than desired CPU memory utilization"
        ),
    ),
    (FailureKind.DISK_FULL, re.compile(r"No space left on device|Disk quota exceeded")),
    (
        FailureKind.UNSUPPORTED,
        re.compile(
            r"is only supported on GPUs with compute capability"
            r"|no kernel image is available for execution on the device"
            r"|not implemented for '(Half|BFloat16|Float8_\w+)'|only supports Ampere GPUs or newer"
        ),
    ),
)
_NO_ROOM_FOR_A_CACHE: Final = re.compile(
    r"No available memory for the cache blocks|larger than the available KV cache memory"
)


def kind_of_words(text: str, *, on_gpu: bool) -> FailureKind | None:
    """The kind of failure that words of an engine tell of; None: they tell of none.

    Args:
        text: a message, or a line of a log.
        on_gpu: whether the engine works on a GPU, where its caches lie then.
    """
    if _NO_ROOM_FOR_A_CACHE.search(text):
        return FailureKind.GPU_OUT_OF_MEMORY if on_gpu else FailureKind.OUT_OF_MEMORY
    return next((kind for kind, pattern in _SYMPTOMS if pattern.search(text)), None)
