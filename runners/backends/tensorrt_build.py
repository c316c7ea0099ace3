"""``python -m runners.backends.tensorrt_build MODEL FOLDER``: an engine of TensorRT, from arguments on standard input.

A process of its own, since what a build leaves in memory, of the GPU as well, would count as the first run's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runners.backends.tensorrt_config import Arguments
from runners.backends.tensorrt_objects import engine_objects
from runners.contract.paths import EXIT_CODES, FailureKind
from runners.errors import BadRequestError, EngineError

_HINT = "runner.log says why; see that there is room on the GPU, in memory and where engines are kept"


def build(model: Path, arguments: Arguments, folder: Path) -> None:
    """Builds an engine in a process of its own; its words go to the log.

    Raises:
        BadRequestError: TensorRT-LLM does not take an argument.
        EngineError: the build failed.
    """
    argv = [sys.executable, "-m", "runners.backends.tensorrt_build", str(model), str(folder)]
    code = subprocess.run(argv, input=json.dumps(arguments), text=True, check=False).returncode
    if code == EXIT_CODES[FailureKind.BAD_REQUEST]:
        raise BadRequestError("TensorRT-LLM does not take an argument of the build", "runner.log names it")
    if code:
        raise EngineError(f"TensorRT cannot build the engine (exit code {code})", _HINT)


def build_here(model: Path, arguments: Arguments, folder: Path) -> None:
    """Builds an engine in this process.

    Raises:
        ValidationError: TensorRT-LLM does not take an argument.
        TypeError: likewise.
    """
    from tensorrt_llm._tensorrt_engine import LLM

    llm: Any = LLM(model=str(model), **engine_objects(arguments))
    llm.save(str(folder))
    llm.shutdown()


def _main(model: str, folder: str) -> int:
    try:
        build_here(Path(model), json.load(sys.stdin), Path(folder))
    except (ValidationError, TypeError, BadRequestError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CODES[FailureKind.BAD_REQUEST]
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
