"""From an exception to ``failure.json``: of which kind it is, what to do next, and no secret in it."""

from __future__ import annotations

import errno
import importlib.util
import traceback
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path

from runners.contract import paths
from runners.contract.failures import FAILURES, kind_of_words
from runners.contract.messages import redact
from runners.contract.options import OPTIONS
from runners.contract.paths import FailureKind
from runners.contract.request import RunRequest
from runners.contract.result import RunFailure
from runners.errors import OUT_OF_SPACE, EngineBrokenError, EngineMissingError, Interrupted, RunnerError
from runners.files import write_atomically

_ROOT_CAUSE_ELSEWHERE = ("Engine core initialization failed", "EngineCore", "Executor worker returned error")
"""What engines raise whose workers, in processes of their own, logged what went wrong."""
_TAIL_BYTES = 64 * 1024


def classify(error: BaseException, *, on_gpu: bool = False) -> FailureKind:
    """The kind of failure that an exception stands for.

    Its causes are searched too, because engines wrap what the allocator or the disk says.

    Args:
        error: what was raised.
        on_gpu: whether the run works on a GPU.
    """
    for link in _chain(error):
        if isinstance(link, RunnerError):
            return link.kind
        if isinstance(link, (Interrupted, KeyboardInterrupt)):
            return FailureKind.INTERRUPTED
        if kind := _kind_of_link(link, on_gpu):
            return kind
    return _kind_of_import(error) if isinstance(error, ImportError) else FailureKind.ENGINE_FAILED


def hint_for(error: BaseException, kind: FailureKind, backend: str) -> str:
    """What to do next about a failure."""
    for link in _chain(error):
        if isinstance(link, RunnerError):
            return link.hint
    if kind is FailureKind.ENGINE_MISSING:
        options = OPTIONS.get(backend)
        installed = options is not None and not missing_modules(options.MODULES)
        if installed:
            return "install what the message names beside the engine, or leave out the option that needs it"
        return f"install the engine: {options.INSTALL_HINT}" if options else "install the engine"
    return FAILURES[kind].hint


def import_failure(error: Exception, backend: str) -> Exception:
    """What an exception means that was raised while a backend's engine was imported.

    Returns:
        An EngineMissingError or EngineBrokenError; the exception itself where it tells of something else, such as
        a full disk.
    """
    if isinstance(error, RunnerError) or classify(error) not in _OF_AN_IMPORT:
        return error
    options = OPTIONS[backend]
    if missing := missing_modules(options.MODULES):
        return EngineMissingError(
            f"the backend {backend} needs {' and '.join(missing)}, not installed here",
            f"install the engine: {options.INSTALL_HINT}",
        )
    return EngineBrokenError(
        f"{' and '.join(options.MODULES) or backend} cannot be imported: {_in_words(error)}",
        FAILURES[FailureKind.ENGINE_BROKEN].hint,
    )


def missing_modules(modules: Iterable[str]) -> list[str]:
    """Which of these modules are not installed."""
    return [module for module in modules if importlib.util.find_spec(module) is None]


def failure_of(
    error: BaseException,
    backend: str,
    request: RunRequest | None,
    environment: Mapping[str, str],
    log: Path | None = None,
) -> RunFailure:
    """The failure that an exception becomes.

    Args:
        error: what was raised.
        backend: name of the backend that was asked for.
        request: the request, or None if it could not be read.
        environment: the variables whose secret ones must not show.
        log: where the engine's workers wrote what they have to say.
    """
    on_gpu = request is not None and bool(request.experiment.gpus_of(request.gpus))
    kind = classify(error, on_gpu=on_gpu)
    message = str(error) if isinstance(error, (RunnerError, Interrupted)) else _in_words(error)
    if kind is FailureKind.ENGINE_FAILED and any(words in message for words in _ROOT_CAUSE_ELSEWHERE):
        for line, told in _told_by(log, on_gpu):
            kind, message = told, f"{message}; its log says: {line}"
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


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _kind_of_link(error: BaseException, on_gpu: bool) -> FailureKind | None:
    if isinstance(error, MemoryError):
        return FailureKind.OUT_OF_MEMORY
    if type(error).__name__ == "OutOfMemoryError":  # torch's, of accelerators only
        return FailureKind.GPU_OUT_OF_MEMORY
    if isinstance(error, OSError):
        if error.errno == errno.ENOMEM:
            return FailureKind.OUT_OF_MEMORY
        if error.errno in OUT_OF_SPACE:
            return FailureKind.DISK_FULL
    # Engines report it in exceptions of their own; the words are the allocator's or the operating system's.
    return kind_of_words(str(error), on_gpu=on_gpu)


def _kind_of_import(error: ImportError) -> FailureKind:
    """Of an import that failed later than the engine's own: something is not there, or there and broken."""
    module = (error.name or "").partition(".")[0]
    broken = bool(module) and not missing_modules([module])
    return FailureKind.ENGINE_BROKEN if broken else FailureKind.ENGINE_MISSING


def _told_by(log: Path | None, on_gpu: bool) -> Iterator[tuple[str, FailureKind]]:
    """The first line at the end of a log that tells of a kind of failure, with that kind."""
    try:
        content = log.read_bytes()[-_TAIL_BYTES:] if log else b""
    except OSError:
        return
    for line in content.decode(errors="replace").splitlines():
        if kind := kind_of_words(line, on_gpu=on_gpu):
            yield line.strip(), kind
            return


_OF_AN_IMPORT = (FailureKind.ENGINE_MISSING, FailureKind.ENGINE_BROKEN, FailureKind.ENGINE_FAILED)
