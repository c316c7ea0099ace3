"""Processes that compute on the GPU, one at a time: started, read along, ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[3]
_STEP_S = 0.05
_TAIL = 400


class PartError(Exception):
    """A part of the check cannot go on; the message says why."""


class Child:
    """A Python module in a process of its own that says JSON lines; use it in a ``with`` statement.

    Args:
        module: as after ``python -m``.
        arguments: after it.
        folder: where its output is kept.
        variables: what is added to the environment.
    """

    def __init__(self, module: str, arguments: Sequence[str], folder: Path, variables: Mapping[str, str]) -> None:
        self._module = module
        self._out = folder / f"{module}.out"
        self._err = folder / f"{module}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **variables},
            )

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()

    def said(self) -> list[dict[str, Any]]:
        """What it has said so far."""
        lines = self._out.read_bytes().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"\n")]

    def first(self, limit_s: float) -> dict[str, Any]:
        """The first thing it says.

        Raises:
            PartError: it ended before, or says nothing for too long.
        """
        end_s = time.monotonic() + limit_s
        while not (said := self.said()):
            if self.process.poll() is not None:
                raise self._ended()
            if time.monotonic() > end_s:
                raise PartError(f"{self._module} said nothing for {limit_s:.0f} s")
            time.sleep(_STEP_S)
        return said[0]

    def finish(self, limit_s: float) -> list[dict[str, Any]]:
        """Waits for its end; everything that it said.

        Raises:
            PartError: it failed, or takes too long.
        """
        try:
            code = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise PartError(f"{self._module} did not end within {limit_s:.0f} s") from None
        if code:
            raise self._ended()
        return self.said()

    def _ended(self) -> PartError:
        last = self._err.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        return PartError(f"{self._module} ended with exit code {self.process.returncode}: {''.join(last)[-_TAIL:]}")


def say(message: Mapping[str, object]) -> None:
    """In a child: one line for the parent."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def require_device(torch: Any, device: str, uuid: str) -> None:
    """In a child: makes sure that torch computes on the GPU that is metered.

    Raises:
        SystemExit: it does not.
    """
    if device == "cpu":
        torch.set_num_threads(1)
        return
    if not torch.cuda.is_available():
        raise SystemExit(f"torch {torch.__version__} sees no GPU: install a CUDA build of it")
    seen = str(torch.cuda.get_device_properties(0).uuid)
    if seen not in uuid:
        raise SystemExit(f"torch computes on the GPU {seen}, and {uuid} is metered")
