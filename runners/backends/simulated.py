"""A backend without an engine: it plays tokens at a known rate, and fails on demand. All it yields says so."""

from __future__ import annotations

import os
import random
import signal
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from runners.backends.base import Batch, DeviceMemory, TokenIds
from runners.contract.description import Engine
from runners.contract.flops import Architecture
from runners.contract.options.simulated import SimulatedOptions
from runners.contract.request import RunRequest
from runners.errors import UnsupportedError

_VOCABULARY = 32_000
_LOAD_STEP_S = 0.5


class SimulatedBackend:
    """Plays answers: every step of a batch takes 1/tokens_per_s, normally spread, the first one included.

    Args:
        request: what to run.
        options: its options for this backend.
        alive: called at every token, and while the load goes on.
    """

    version = "simulated"
    device = "simulated"
    prefix: list[int] = []  # noqa: RUF012 - never changed

    def __init__(self, request: RunRequest, options: SimulatedOptions, alive: Callable[[], None]) -> None:
        workload = request.experiment.workload
        self._options = options
        self._alive = alive
        self._output_tokens = workload.output_tokens
        self._seed = request.seed
        self._times = random.Random(request.seed)
        self._fails = options.fail_attempts is None or request.attempt <= options.fail_attempts
        self._fails_after_tokens = workload.prompts * workload.output_tokens / 2
        self._tokens_in_window: int | None = None

    def prepare(self) -> None:
        """Nothing is needed."""

    def model_files(self) -> list[Path]:
        """None."""
        return []

    def load(self) -> None:
        """Takes as long as loading is said to take. It sleeps, but stands for work, so it gives signs of life."""
        if self._fails and self._options.fail == "hang_at_start":
            _hang()
        end_s = time.monotonic() + self._options.load_s
        while (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _LOAD_STEP_S))
            self._alive()

    def encode(self, text: str) -> list[int]:
        """A token for each word."""
        return [zlib.crc32(word.encode()) % _VOCABULARY for word in text.split()]

    def synchronize(self) -> None:
        """There is no device to wait for."""

    def open_window(self) -> None:
        """From here on, tokens count towards the failure that was asked for."""
        self._tokens_in_window = 0

    def generate(self, prompts: Sequence[TokenIds]) -> Batch:
        """Plays one batch; the answers follow from seed and prompt alone."""
        step_s = 1 / self._options.tokens_per_s
        start_s = due_s = time.monotonic()
        times = []
        for _ in range(self._output_tokens):
            due_s += max(0.0, self._times.gauss(step_s, self._options.spread * step_s))
            wait_s = due_s - time.monotonic()
            if wait_s > 0:
                time.sleep(wait_s)
            times.append(time.monotonic())
            self._alive()
            self._count(len(prompts))
        outputs = [self._answer(prompt) for prompt in prompts]
        return Batch(start_s, time.monotonic(), times, outputs)

    def device_memory(self) -> DeviceMemory | None:
        """None: there is no accelerator."""
        return None

    def architecture(self) -> Architecture | None:
        """None: there is no model."""
        return None

    def effective_config(self) -> dict[str, Any]:
        """The options, marked as those of a simulation."""
        return {"simulated": True, **self._options.model_dump(exclude={"backend"})}

    def overridden(self) -> list[str]:
        """Nothing."""
        return []

    def close(self) -> None:
        """Nothing is held."""

    def _answer(self, prompt: TokenIds) -> list[int]:
        draw = random.Random(f"{self._seed}:{list(prompt)}")
        return [draw.randrange(_VOCABULARY) for _ in range(self._output_tokens)]

    def _count(self, tokens: int) -> None:
        if self._tokens_in_window is None:
            return
        self._tokens_in_window += tokens
        if self._fails and self._tokens_in_window >= self._fails_after_tokens:
            self._fail()

    def _fail(self) -> None:
        match self._options.fail:
            case "crash":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                _hang()
            case "out_of_memory":
                raise MemoryError("the simulated backend was asked to run out of memory")
            case "gpu_out_of_memory":
                raise RuntimeError("CUDA out of memory, as the simulated backend was asked to say")
            case "unsupported":
                raise UnsupportedError(
                    "the simulated backend was asked to find its dtype unsupported", "leave fail out"
                )


def _hang() -> None:
    while True:
        time.sleep(3600)


def describe() -> Engine:
    """There is no engine to ask."""
    return Engine(version=SimulatedBackend.version)


BACKEND = SimulatedBackend
