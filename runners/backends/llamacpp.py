"""llama.cpp's server engine in this process, through the package xllamacpp: continuous batching on the CPU."""

from __future__ import annotations

import fnmatch
import gc
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import xllamacpp

from runners.backends.base import Batch, DeviceMemory, Timing, TokenIds
from runners.backends.demo import DEMO_PREFIX, demo_gguf_folder
from runners.backends.llamacpp_config import asked_params, overridden, read_back
from runners.backends.llamacpp_server import Server
from runners.backends.models import LocatedModel, locate
from runners.contract.description import Engine
from runners.contract.flops import Architecture
from runners.contract.options.llamacpp import LlamacppOptions
from runners.contract.request import RunRequest
from runners.errors import BadRequestError, EngineError, ModelNotFoundError


class LlamacppBackend:
    """A GGUF model in llama.cpp.

    Args:
        request: what to run.
        options: its options for this backend.
        alive: called at every token.
    """

    version = f"xllamacpp {xllamacpp.__version__}"
    device = "cpu"

    def __init__(self, request: RunRequest, options: LlamacppOptions, alive: Callable[[], None]) -> None:
        self._request = request
        self._options = options
        self._alive = alive
        self._output_tokens = request.experiment.workload.output_tokens
        self._located: LocatedModel
        self._file: Path
        self._server: Server | None = None
        self._generation: dict[str, Any] = {}

    @property
    def prefix(self) -> list[int]:
        """What the model puts before a text by itself."""
        return self._running.tokens("", special=True)

    def prepare(self) -> None:
        """Finds the model, and downloads it if it is not here yet."""
        pattern = self._options.gguf_file or "*.gguf"
        self._located = locate(self._request, demo=demo_gguf_folder, hub_files=(pattern,))
        self._file = _only_file(self._located.folder, pattern)

    def model_files(self) -> list[Path]:
        """The GGUF file."""
        return [self._file]

    def load(self) -> None:
        """Loads the model into a server that listens to this process alone."""
        self._server = Server(asked_params(self._options, self._file, self._output_tokens, self._request.seed))

    def encode(self, text: str) -> list[int]:
        """Token ids of a text without special tokens."""
        return self._running.tokens(text, special=False)

    def synchronize(self) -> None:
        """The CPU is always done."""

    def open_window(self) -> None:
        """Every answer is sampled from the request's seed; there is nothing to set back."""

    def generate(self, prompts: Sequence[TokenIds]) -> Batch:
        """Answers all prompts; the engine works on ``n_parallel`` of them at a time.

        Raises:
            BadRequestError: prompt and answer do not fit into a sequence's part of the cache.
            EngineError: an answer is shorter than asked for.
        """
        self._require_fit(max(map(len, prompts)))
        start_s = time.monotonic()
        answers = self._running.complete(prompts, self._alive)
        end_s = time.monotonic()
        self._generation = answers[0].settings
        if any(len(answer.tokens) != self._output_tokens for answer in answers):
            lengths = sorted({len(answer.tokens) for answer in answers})
            raise EngineError(
                f"asked for {self._output_tokens} tokens an answer, the engine gave {lengths}", "see runner.log"
            )
        timings = [
            Timing(
                begun_s=max(start_s, answer.times_s[0] - answer.prompt_s),
                first_token_s=answer.times_s[0],
                last_token_s=answer.times_s[-1],
                token_times_s=answer.times_s,
            )
            for answer in answers
        ]
        return Batch(start_s, end_s, None, [answer.tokens for answer in answers], timings)

    def device_memory(self) -> DeviceMemory | None:
        """None: there is no accelerator."""
        return None

    def architecture(self) -> Architecture | None:
        """None: the engine does not tell what a model is made of."""
        return None

    def effective_config(self) -> dict[str, Any]:
        """What the running server says of itself, its model and the last answer."""
        return {
            **read_back(self._running),
            "gguf_file": self._file.name,
            "folder": str(self._located.folder),
            "revision": self._located.revision,
            "generation": self._generation,
        }

    def overridden(self) -> list[str]:
        """What the engine did otherwise, such as rounding the cache up; and that a demo model is another elsewhere."""
        said = overridden(self._options, read_back(self._running))
        held, asked = self._running.cache_tokens, self._options.n_ctx
        if asked and held != asked:
            said.append(f"n_ctx {asked} was asked for, and the cache holds {held} tokens")
        model = self._request.experiment.model
        if model.startswith(DEMO_PREFIX):
            kind = self._running.model["ftype"]
            said.append(f"{model} is the {kind} file of its package here; other backends load it dequantised")
        return said

    def close(self) -> None:
        """Ends the server and gives its memory back."""
        self._server = None
        gc.collect()

    @property
    def _running(self) -> Server:
        if self._server is None:
            raise EngineError("the model is not loaded", "load it first")
        return self._server

    def _require_fit(self, longest: int) -> None:
        limit = self._running.context_tokens
        if longest + self._output_tokens > limit:
            raise BadRequestError(
                f"a prompt of {longest} tokens and an answer of {self._output_tokens} exceed the {limit} tokens that"
                " the cache holds of a sequence",
                "raise n_ctx, set kv_unified, or lower n_parallel, workload.input_tokens or workload.output_tokens",
            )


def _only_file(folder: Path, pattern: str) -> Path:
    """The file of a model's folder that a pattern names.

    Raises:
        ModelNotFoundError: there is none, or there are several.
    """
    found = sorted(path for path in folder.glob("*.gguf") if fnmatch.fnmatchcase(path.name, pattern))
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in sorted(folder.glob("*.gguf"))) or "none"
    raise ModelNotFoundError(
        f"{len(found)} files of {folder} match {pattern}", f"name one with gguf_file; its GGUF files: {names}"
    )


def describe() -> Engine:
    """The package's version, whose last part is llama.cpp's build; nothing is passed on by name."""
    return Engine(version=LlamacppBackend.version)


BACKEND = LlamacppBackend
