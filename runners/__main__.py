"""``python -m runners BACKEND --request PATH/request.json``: one attempt, in the folder of its request.

Standard output carries events as JSON lines and nothing else; the log goes to standard error. What was
measured, or ``failure.json``, is left in the folder, and the exit code is that of the kind of failure.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from pydantic import ValidationError

from runners.contract import paths
from runners.contract.request import OPTIONS, RunRequest
from runners.contract.rules import broken_rule
from runners.errors import BadRequestError, Interrupted
from runners.events import EventWriter, claim_stdout
from runners.failures import failure_of, write_failure
from runners.logs import LOGGER, WarningCollector, campaign_line, configure


def main(arguments: list[str]) -> int:
    """Carries one attempt out; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m runners", description="Carries one run out, as its request says.")
    parser.add_argument("backend", choices=sorted(OPTIONS))
    parser.add_argument("--request", type=Path, required=True, help="its folder is where everything is written")
    chosen = parser.parse_args(arguments)
    events = claim_stdout()
    warnings = configure()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    if line := campaign_line(os.environ):
        LOGGER.info("%s", line)
    return _attempt(chosen.backend, chosen.request, events, warnings)


def _attempt(backend: str, path: Path, events: EventWriter, warnings: WarningCollector) -> int:
    """The one place where an exception becomes a failure on file."""
    request: RunRequest | None = None
    try:
        for stale in (paths.RESULT, paths.FAILURE):
            (path.parent / stale).unlink(missing_ok=True)
        request = _read(path, backend)
        # Imported late, so that a request that cannot be carried out is refused before anything slow.
        from runners.harness.run import run

        run(request, path.parent, events, warnings)
    except BaseException as error:  # noqa: BLE001 - classified, recorded, and told by the exit code
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        failure = failure_of(error, backend, request, os.environ)
        LOGGER.error("%s: %s\n%s", failure.kind.value, failure.message, failure.traceback)
        LOGGER.error("what to do: %s", failure.hint)
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
        request = RunRequest.model_validate_json(path.read_bytes())
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


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted(f"interrupted by {signal.Signals(number).name}")


if __name__ == "__main__":
    code = main(sys.argv[1:])
    logging.shutdown()
    # At once: an engine's threads may outlive the interpreter's end, or crash in it and change the exit code.
    os._exit(code)
