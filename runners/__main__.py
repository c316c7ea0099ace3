"""``python -m runners BACKEND``: one run, from flags, or from a request with ``--request PATH/request.json``.

A request is a dispatcher's way: its folder is where everything is written, events and log included. With
flags the run folder lands in ``results/adhoc/``, as that of ``orchestrate run`` does. With ``--describe`` nothing is
run: it says what would carry a run out here.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from runners.contract.paths import EXIT_CODES, FailureKind
from runners.output import claim
from runners.writable import unwritable


def main(arguments: list[str]) -> int:
    """Carries one run out; returns the exit code."""
    if any(argument.partition("=")[0] == "--request" for argument in arguments):
        return _requested(arguments)
    if "--describe" in arguments:
        from runners.describe import main as describe

        return describe(arguments)
    from runners.standalone import main as by_hand

    return by_hand(arguments)


def _requested(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m runners", allow_abbrev=False)
    parser.add_argument("backend", metavar="BACKEND")
    parser.add_argument("--request", metavar="PATH/request.json", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    try:
        streams = claim(chosen.request.parent)
    except OSError as error:
        reason = unwritable(chosen.request.parent, error)
        sys.stderr.write(f"error: {reason}\nhint: {reason.hint}\n")
        return EXIT_CODES[reason.kind]
    # Only now what takes long to import, and may fail: there is a log to tell of it.
    from runners.attempt import carry_out
    from runners.logs import campaign_line

    return carry_out(chosen.backend, chosen.request, streams.events, campaign_line(os.environ))


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        code = EXIT_CODES[FailureKind.INTERRUPTED]
    logging.shutdown()
    # At once: an engine's threads may outlive the interpreter's end, or crash in it and change the exit code.
    os._exit(code)
