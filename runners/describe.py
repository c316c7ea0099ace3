"""``python -m runners BACKEND --describe``: what this environment is, as one line of JSON on standard output.

The host asks it of an image before the first run. Engines print while they are imported, and start threads and
processes: all of that goes to standard error.
"""

from __future__ import annotations

import argparse
import os

from runners.contract.description import Description, Engine
from runners.contract.options import OPTIONS, OPTIONS_RULES
from runners.contract.options.fingerprint import options_sha256
from runners.contract.paths import CONTRACT_VERSION, ENV_GIT_COMMIT

_ERROR_CHARACTERS = 1000


def main(arguments: list[str]) -> int:
    """Prints the description of a backend here; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m runners", allow_abbrev=False)
    parser.add_argument("backend", metavar="BACKEND", choices=OPTIONS, help=", ".join(OPTIONS))
    parser.add_argument("--describe", action="store_true", required=True, help="say what would carry a run out here")
    backend: str = parser.parse_args(arguments).backend
    answer = os.dup(1)
    os.dup2(2, 1)
    os.write(answer, description(backend).model_dump_json().encode() + b"\n")
    return 0


def description(backend: str) -> Description:
    """What the host needs to know of a runner of this backend; its engine is imported for it."""
    engine, error = _engine(backend)
    return Description(
        contract_version=CONTRACT_VERSION,
        backend=backend,
        options_sha256=options_sha256(OPTIONS[backend], OPTIONS_RULES[backend]),
        engine=engine,
        engine_error=error,
        git_commit=os.environ.get(ENV_GIT_COMMIT) or None,
    )


def _engine(backend: str) -> tuple[Engine | None, str | None]:
    """The engine as it describes itself, or why it cannot: a broken one fails in whatever way it likes."""
    try:
        from runners.backends.create import describe_engine

        return describe_engine(backend), None
    except (Exception, SystemExit) as error:  # noqa: BLE001
        said = " ".join(str(error).split())
        return None, f"{type(error).__name__}: {said}"[:_ERROR_CHARACTERS]
