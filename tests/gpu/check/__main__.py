"""``python -m tests.gpu.check``: checks this machine's GPU and the meter, and writes docs/validation/<gpu>.md.

Beside a simulated GPU everything is computed on the CPU, by a small model; the page then says that nothing was
measured, and goes where ``--output`` says. Exit codes: 0 all is as expected, 1 something is not, 2 the arguments
are wrong, 3 there is no GPU, or a package is missing.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.gpu.check.plan import Plan

_REPOSITORY = Path(__file__).resolve().parents[3]
_VALIDATION = _REPOSITORY / "docs" / "validation"
_PARAMETERS = 1_200_000_000
_PARAMETERS_ON_A_CPU = 200_000
_NEEDED = "torch, transformers, pydantic, pyarrow and nvidia-ml-py"


def main(arguments: list[str]) -> int:
    """Checks; returns the exit code."""
    asked = _parser().parse_args(arguments)
    # What is started below works in folders of its own, and finds these packages without an installation.
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(_REPOSITORY), *([inherited] if inherited else [])])
    try:
        from tests.gpu.check import machine as machines
        from tests.gpu.check.parts import Checked, tell
        from tests.gpu.check.report import all_met, page
    except ImportError as error:
        return _refuse(f"{error}; it takes a Python with {_NEEDED}", 3)
    try:
        machine = machines.find(asked.gpu, os.environ)
    except (machines.PartError, machines.MeterError) as error:
        return _refuse(str(error), 3)

    simulated = machine.gpu.simulated
    output: Path = asked.output or _VALIDATION / f"{machines.slug_of(machine.gpu)}.md"
    if simulated and (asked.output is None or _VALIDATION in output.resolve().parents):
        return _refuse(
            f"{machine.gpu.name} is simulated, and docs/validation is for real GPUs: name another place with --output",
            2,
        )
    plan = Plan(
        parameters=int(asked.parameters or (_PARAMETERS_ON_A_CPU if simulated else _PARAMETERS)),
        seconds=asked.seconds,
        pairs=asked.pairs,
        runs=asked.runs,
        minutes=asked.minutes,
        cap_power=asked.cap_power,
    )
    # So that whoever ends this finds nothing running, and no setting changed.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    start_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as folder:
        checked = Checked(machine, plan, Path(folder))
        checked.everything()
    head = machines.described(machine, _command(arguments), time.monotonic() - start_s, checked.torch_cuda)
    text = page(f"{machine.gpu.name}: the GPU and its meter", head, checked.parts, simulated)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text.replace(folder, "…"), encoding="utf-8")
    met = all_met(checked.parts)
    tell(f"{'all is as expected' if met else 'not all is as expected'}: {output}")
    return 0 if met else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu.check", description="Checks the GPU and its meter.")
    number = _positive
    parser.add_argument("--gpu", type=int, default=0, metavar="INDEX", help="as nvidia-smi counts; default 0")
    parser.add_argument(
        "--parameters", type=number, metavar="N", help="of the random-weight model; default 1.2e9, 2e5 on a CPU"
    )
    parser.add_argument(
        "--seconds",
        type=number,
        default=20.0,
        metavar="S",
        help="of the steady load; all else in proportion; default 20",
    )
    parser.add_argument(
        "--pairs", type=_count, default=8, metavar="N", help="generations, metering off and on; default 8"
    )
    parser.add_argument("--runs", type=_count, default=10, metavar="N", help="of one experiment; default 10")
    parser.add_argument(
        "--minutes", type=number, default=8.0, metavar="M", help="what it may take; runs are left out beyond; default 8"
    )
    parser.add_argument(
        "--cap-power", action="store_true", help="also lower the power limit for a moment, and set it back; needs root"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: docs/validation/<gpu>.md")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _count(text: str) -> int:
    if re.fullmatch(r"[1-9][0-9]{0,3}", text) is None:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 9999")
    return int(text)


def _command(arguments: list[str]) -> str:
    """The command line, without where the page goes."""
    shown = []
    skip = False
    for argument in arguments:
        if not skip and not argument.startswith("--output"):
            shown.append(argument)
        skip = argument == "--output"
    return shlex.join(["python", "-m", "tests.gpu.check", *shown])


def _refuse(message: str, code: int) -> int:
    sys.stderr.write(f"error: {message}\n")
    return code


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
