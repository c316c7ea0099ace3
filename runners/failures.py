"""From an exception to ``failure.json``: of which kind it is, what to do next, and no secret in it."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path

from runners.contract import paths
from runners.contract.options import OPTIONS
from runners.contract.paths import FailureKind
from runners.contract.request import RunRequest
from runners.contract.result import RunFailure
from runners.errors import OUT_OF_SPACE, Interrupted, RunnerError
from runners.files import write_atomically

_OUT_OF_MEMORY_TEXTS = ("can't allocate memory", "CUDA out of memory", "Cannot allocate memory")
_HINTS = {
    FailureKind.OUT_OF_MEMORY: "use a smaller batch_size, dtype or model, shorter prompts, or a larger device",
    FailureKind.DISK_FULL: "free space where the results folder lies, then run it again",
    FailureKind.INTERRUPTED: "run it again; nothing of this attempt is used",
    FailureKind.ENGINE_FAILED: "see the traceback and runner.log; try without the unusual options to find the one",
}


def classify(error: BaseException) -> FailureKind:
    """The kind of failure that an exception stands for.

    Its causes are searched too, because engines wrap what the allocator or the disk says.
    """
    for link in _chain(error):
        if isinstance(link, RunnerError):
            return link.kind
        if isinstance(link, (Interrupted, KeyboardInterrupt)):
            return FailureKind.INTERRUPTED
        if _is_out_of_memory(link):
            return FailureKind.OUT_OF_MEMORY
        if _is_disk_full(link):
            return FailureKind.DISK_FULL
    return FailureKind.ENGINE_MISSING if isinstance(error, ImportError) else FailureKind.ENGINE_FAILED


def hint_for(error: BaseException, kind: FailureKind, backend: str) -> str:
    """What to do next about a failure."""
    for link in _chain(error):
        if isinstance(link, RunnerError):
            return link.hint
    if kind is FailureKind.ENGINE_MISSING:
        options = OPTIONS.get(backend)
        return f"install the engine: {options.INSTALL_HINT}" if options else "install the engine"
    return _HINTS[kind]


def redact(text: str, environment: Mapping[str, str]) -> str:
    """The text with the value of every secret variable replaced by the variable's name."""
    for name in paths.SECRET_VARIABLES:
        secret = environment.get(name, "").strip()
        if secret:
            text = text.replace(secret, f"[{name}]")
    return text


def failure_of(
    error: BaseException, backend: str, request: RunRequest | None, environment: Mapping[str, str]
) -> RunFailure:
    """The failure that an exception becomes.

    Args:
        error: what was raised.
        backend: name of the backend that was asked for.
        request: the request, or None if it could not be read.
        environment: the variables whose secret ones must not show.
    """
    kind = classify(error)
    message = str(error) or type(error).__name__
    if not isinstance(error, (RunnerError, Interrupted)):
        message = f"{type(error).__name__}: {message}"
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return RunFailure(
        run_id=paths.run_id(request.experiment_id, request.cycle) if request else None,
        kind=kind,
        message=redact(message, environment),
        hint=redact(hint_for(error, kind, backend), environment),
        traceback=redact(trace, environment),
        at=datetime.now(timezone.utc),
    )


def write_failure(folder: Path, failure: RunFailure) -> None:
    """Writes ``failure.json``.

    Raises:
        OSError: it could not be written, for instance on a full disk.
    """
    write_atomically(folder / paths.FAILURE, failure.model_dump_json(indent=2).encode() + b"\n")


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _OUT_OF_MEMORY_TEXTS)


def _is_disk_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in OUT_OF_SPACE:
        return True
    # Engines report it in words of their own type; the words are the operating system's.
    return "No space left on device" in str(error)
