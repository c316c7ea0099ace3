"""What one process of the engine does: it holds a model, or its share of one, and answers batches with it."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
import transformers

from runners.backends.architecture import architecture_of
from runners.backends.base import Batch, DeviceMemory, TokenIds
from runners.backends.pytorch_config import (
    asked_generation,
    compile_forward,
    read_back,
    read_back_assistant,
    require_compiled,
)
from runners.backends.pytorch_generate import Generator, synchronize
from runners.backends.pytorch_load import Loaded, Located, load
from runners.backends.pytorch_place import Place
from runners.contract.flops import Architecture
from runners.contract.options.pytorch import PytorchOptions
from runners.contract.request import RunRequest
from runners.meters.process import peak_resident_bytes, reset_peak_resident, resident_bytes


class Replica:
    """A causal language model of transformers in this process.

    Args:
        request: what to run.
        options: its options for this backend.
        place: where.
        alive: called at every step of a batch.
    """

    def __init__(self, request: RunRequest, options: PytorchOptions, place: Place, alive: Callable[[], None]) -> None:
        self._request = request
        self._options = options
        self._alive = alive
        self._loaded: Loaded | None = None
        self._generation: Any = None
        self._generator: Generator
        self._model_bytes = 0
        self._peak_is_told = False
        self.place = place
        # Its own handler writes to standard error past our format; ours gets the records instead.
        transformers.utils.logging.disable_default_handler()
        transformers.utils.logging.enable_propagation()
        transformers.utils.logging.disable_progress_bar()

    @property
    def tokenizer(self) -> Any:
        """The model's tokenizer. After :meth:`load`."""
        return self._held.tokenizer

    def load(self, located: Located) -> None:
        """Loads the models, and makes sure that they are what was asked for.

        Raises:
            RunnerError: they are not, or do not fit the options; see :func:`.pytorch_load.load`.
        """
        options, place = self._options, self.place
        if options.num_threads is not None:
            torch.set_num_threads(options.num_threads)
        torch.manual_seed(self._request.seed)
        self._loaded = load(located, options, place)
        model = self._loaded.model
        compile_forward(model, options)
        output_tokens = self._request.experiment.workload.output_tokens
        self._generation = asked_generation(model, self._loaded.tokenizer, options, output_tokens)
        self._generator = Generator(self._loaded, self._generation, options, place, self._alive)
        if place.on_gpu:
            self.synchronize()
            self._model_bytes = sum(map(torch.cuda.memory_allocated, place.devices))
        else:
            self._model_bytes = resident_bytes(os.getpid()) or 0

    def synchronize(self) -> None:
        """Waits for this process's GPUs."""
        synchronize(self.place)

    def open_window(self) -> None:
        """Seeds the sampling again, and lets peaks of memory count from here."""
        # Copies of the model must not draw the same numbers; the parts of a split one have to.
        copy = self.place.rank if self._options.data_parallel_size > 1 else 0
        torch.manual_seed(self._request.seed + copy)
        if self.place.on_gpu:
            for device in self.place.devices:
                torch.cuda.reset_peak_memory_stats(device)
        else:
            self._peak_is_told = reset_peak_resident()

    def generate(self, prompts: Sequence[TokenIds]) -> Batch:
        """Answers one batch.

        Raises:
            BadRequestError: prompt and answer do not fit into the model's context.
        """
        return self._generator.generate(prompts)

    def memory(self) -> DeviceMemory | None:
        """On GPUs what PyTorch's allocator gave out and held; on a CPU the process's resident memory, if it is told."""
        devices = self.place.devices
        if self.place.on_gpu:
            return DeviceMemory(
                model_bytes=self._model_bytes,
                peak_bytes=sum(map(torch.cuda.max_memory_allocated, devices)),
                reserved_bytes=sum(map(torch.cuda.max_memory_reserved, devices)),
            )
        peak_bytes = peak_resident_bytes() if self._peak_is_told else None
        return None if peak_bytes is None else DeviceMemory(self._model_bytes, peak_bytes, None)

    def architecture(self) -> Architecture | None:
        """As the model's configuration tells; None for a kind of model whose FLOPs are not known."""
        return architecture_of(self._held.model.config)

    def effective_config(self) -> dict[str, Any]:
        """What engine and model say of themselves.

        Raises:
            EngineError: torch.compile was asked for and compiled nothing.
        """
        require_compiled(self._options)
        found = read_back(self._held.model, self._generation)
        if self._held.assistant is not None:
            found["assistant"] = read_back_assistant(self._held.assistant)
        return {**found, "cache": self._generator.cache, "device": self.place.name}

    def close(self) -> None:
        """Lets the models go and gives their memory back."""
        self._loaded = None
        del self._generator
        gc.collect()
        if self.place.on_gpu:
            torch.cuda.empty_cache()

    @property
    def _held(self) -> Loaded:
        if self._loaded is None:
            raise RuntimeError("no model is loaded")
        return self._loaded
