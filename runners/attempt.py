"""One attempt, from its request to what it leaves in its folder: a result, or why there is none."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from types import FrameType

from pydantic import ValidationError

from runners.contract import paths
from runners.contract.request import RunRequest
from runners.contract.rules import broken_rule
from runners.contract.upgrade import upgraded_request
from runners.errors import BadRequestError, Interrupted
from runners.events import EventWriter
from runners.failures import failure_of, write_failure
from runners.logs import LOGGER, configure

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def carry_out(backend: str, path: Path, events: int, first_line: str | None, echo: int | None = None) -> int:
    """Carries out what a request says; the one place where an exception becomes a failure on file.

    Args:
        backend: the one that was started.
        path: the request; all files are left in its folder.
        events: descriptor to which progress is told.
        first_line: what the log begins with.
        echo: descriptor to which the log goes as well, for a person to read.

    Returns:
        The exit code. From here on the process is deaf to what would interrupt it.
    """
    warnings = configure(echo)
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    if first_line:
        LOGGER.info("%s", first_line)
    request: RunRequest | None = None
    try:
        for stale in (paths.RESULT, paths.FAILURE):
            (path.parent / stale).unlink(missing_ok=True)
        request = _read(path, backend)
        # Imported late, so that a request that cannot be carried out is refused before anything slow.
        from runners.harness.run import run

        run(request, path.parent, EventWriter(events), warnings)
        _turn_deaf()
    except BaseException as error:  # noqa: BLE001 - classified, recorded, and told by the exit code
        _turn_deaf()
        failure = failure_of(error, backend, request, os.environ, path.parent / paths.LOG)
        LOGGER.debug("%s", failure.traceback)
        LOGGER.error("%s: %s", failure.kind.value, failure.message)
        LOGGER.info("hint: %s", failure.hint)
        try:
            write_failure(path.parent, failure)
        except OSError as unwritten:
            LOGGER.error("%s could not be written: %s", paths.FAILURE, unwritten)
        return paths.EXIT_CODES[failure.kind]
    LOGGER.info("done")
    return 0


def _read(path: Path, backend: str) -> RunRequest:
    hint = "write the request as runners/contract/request.py describes it"
    try:
        request = _parsed(path.read_bytes())
    except OSError as error:
        raise BadRequestError(f"cannot read {path}: {error.strerror}", hint) from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'request'}: {e['msg']}" for e in error.errors())
        raise BadRequestError(f"{path.name} is malformed: {wrong}", hint) from error
    experiment = request.experiment
    if experiment.backend != backend:
        raise BadRequestError(
            f"the request is for the backend {experiment.backend}, and {backend} was started",
            f"start it with: python -m runners {experiment.backend}",
        )
    if rule := broken_rule(experiment):
        raise BadRequestError(f"{rule.name}: {rule.reason}", "change the parameters that the rule names")
    return request


def _parsed(content: bytes) -> RunRequest:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        content = json.dumps(upgraded_request(document)).encode()
    return RunRequest.model_validate_json(content)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted(f"interrupted by {signal.Signals(number).name}")


def _turn_deaf() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
