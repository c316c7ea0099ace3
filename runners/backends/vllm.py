"""vLLM's offline engine: continuous batching through ``add_request`` and ``step``, as its ``LLM.generate`` does it.

The engine runs in this process. So its memory is the runner's own, its failures reach us as exceptions, and each
step is a sign of life. A model that is split over several GPUs has worker processes all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from runners.backends.architecture import architecture_of
from runners.backends.base import Batch, DeviceMemory, TokenIds
from runners.backends.devices import gpus_to_use, require_same_gpus
from runners.backends.models import LocatedModel, locate
from runners.backends.vllm_config import (
    SEEDS,
    engine_arguments,
    overridden,
    plain,
    read_back,
    sampling_arguments,
    settle_environment,
)
from runners.backends.vllm_description import describe, version_text
from runners.backends.vllm_errors import engine_errors
from runners.backends.vllm_requests import Progress
from runners.contract.flops import Architecture
from runners.contract.options.vllm import VllmOptions
from runners.contract.request import RunRequest
from runners.errors import BadRequestError, EngineError, UnsupportedError


class VllmBackend:
    """A causal language model in vLLM's engine.

    Args:
        request: what to run.
        options: its options for this backend.
        alive: called at every step of the engine.

    Raises:
        ImportError: vLLM is not installed.
        BadRequestError: the GPUs that were given are not there, or this vLLM is built for another device.
        UnsupportedError: the device does not know the dtype.
    """

    def __init__(self, request: RunRequest, options: VllmOptions, alive: Callable[[], None]) -> None:
        settle_environment()
        self._request = request
        self._options = options
        self._alive = alive
        self._gpus = gpus_to_use(request)
        self._require_device()
        self._located: LocatedModel
        self._engine: Any = None
        self._sampling: Any = None
        self._model_bytes = 0
        self._requests = 0

    @property
    def version(self) -> str:
        """Versions of vLLM and torch."""
        return version_text()

    @property
    def device(self) -> str:
        """``cpu``, or the GPUs with their names."""
        if not self._gpus:
            return "cpu"
        return ", ".join(f"cuda:{index} ({gpu.name})" for index, gpu in enumerate(self._gpus))

    @property
    def prefix(self) -> list[int]:
        """What the tokenizer puts before a text by itself."""
        return list(self._engine.get_tokenizer()("")["input_ids"])

    def prepare(self) -> None:
        """Finds the model, and converts or downloads it if it is not here yet."""
        self._located = locate(self._request)

    def model_files(self) -> list[Path]:
        """The model's folder."""
        return [self._located.folder]

    def load(self) -> None:
        """Starts the engine with the model.

        Raises:
            BadRequestError: the engine does not take an argument, or not its value.
            UnsupportedError: the engine cannot do what was asked on this device.
        """
        from vllm.engine.arg_utils import EngineArgs
        from vllm.v1.engine.llm_engine import LLMEngine

        arguments = engine_arguments(self._request, self._options, self._located.folder, on_cpu=not self._gpus)
        self._sampling = _sampling(self._options, self._request.experiment.workload.output_tokens)
        with engine_errors("engine_args"):
            self._engine = LLMEngine.from_engine_args(EngineArgs(**arguments))
        if self._gpus:
            self.synchronize()
            self._model_bytes = torch.cuda.memory_allocated()

    def encode(self, text: str) -> list[int]:
        """Token ids of a text without special tokens."""
        return list(self._engine.get_tokenizer()(text, add_special_tokens=False, verbose=False)["input_ids"])

    def synchronize(self) -> None:
        """Waits for this process's GPU. A step that returned an answer's last token has waited for all of them."""
        if self._gpus:
            torch.cuda.synchronize()

    def open_window(self) -> None:
        """Seeds the sampling again, and lets the allocator's peaks count from here.

        Workers of a split model keep the state of their generators: what they sample depends on the warm-up.
        """
        from vllm.utils.torch_utils import set_random_seed

        set_random_seed(self._request.seed % SEEDS)
        if self._gpus:
            torch.cuda.reset_peak_memory_stats()

    def generate(self, prompts: Sequence[TokenIds]) -> Batch:
        """Hands all prompts over at once, and steps until all are answered.

        Raises:
            BadRequestError: prompt and answer do not fit into the engine's context.
            EngineError: an answer has not the length that was asked for.
        """
        from vllm.inputs.engine import tokens_input

        self._require_fit(max(map(len, prompts)))
        ids = [str(self._requests + number) for number in range(len(prompts))]
        self._requests += len(prompts)
        progress = Progress(ids)
        start_s = time.monotonic()
        with engine_errors("sampling_args"):
            for name, prompt in zip(ids, prompts, strict=True):
                self._engine.add_request(name, tokens_input(list(prompt)), self._sampling)
        while self._engine.has_unfinished_requests():
            progress.add(self._engine.step())
            self._alive()
        self.synchronize()
        end_s = time.monotonic()
        self._require_length(progress.outputs)
        return Batch(start_s, end_s, None, progress.outputs, progress.timings)

    def device_memory(self) -> DeviceMemory | None:
        """What PyTorch's CUDA allocator gave out and held; None on a CPU, or where worker processes hold the model."""
        if len(self._gpus) != 1:
            return None
        return DeviceMemory(
            model_bytes=self._model_bytes,
            peak_bytes=torch.cuda.max_memory_allocated(),
            reserved_bytes=torch.cuda.max_memory_reserved(),
        )

    def architecture(self) -> Architecture | None:
        """As the model's configuration tells; None for a kind of model whose FLOPs are not known."""
        return architecture_of(self._engine.vllm_config.model_config.hf_config)

    def effective_config(self) -> dict[str, Any]:
        """What the engine says of itself: its configuration, and the sampling of a request."""
        return {
            **self._found(),
            "sampling": self._found_sampling(),
            "device": self.device,
            "folder": str(self._located.folder),
            "revision": self._located.revision,
        }

    def overridden(self) -> list[str]:
        """Where the engine's configuration differs from what was asked for."""
        return [
            *overridden(self._options.engine_fields(), self._found()),
            *overridden(self._options.sampling_fields(), self._found_sampling()),
        ]

    def close(self) -> None:
        """Ends the engine, its process groups and its memory."""
        if self._engine is not None:
            self._engine.engine_core.shutdown()
            self._engine = None

    def _found(self) -> dict[str, Any]:
        return read_back(self._engine.vllm_config, self._options.engine_fields())

    def _found_sampling(self) -> dict[str, Any]:
        fields = (name for name in self._sampling.__struct_fields__ if not name.startswith("_"))
        return {name: plain(getattr(self._sampling, name)) for name in fields}

    def _require_device(self) -> None:
        from vllm.platforms import current_platform

        built_for = "cpu" if current_platform.is_cpu() else "cuda"
        if built_for == "cpu" and self._gpus:
            raise BadRequestError(
                f"{version_text()} is built for the CPU, and the run was given a GPU",
                "use an image on vLLM's own (vllm/vllm-openai), or leave the campaign's gpus out",
            )
        if built_for == "cuda" and not self._gpus:
            raise BadRequestError(
                f"{version_text()} is built for GPUs, and the run has none",
                "set gpus in the campaign, or use an image with a vLLM that is built for the CPU",
            )
        if not self._gpus and self._options.gpus_needed != 1:
            raise UnsupportedError(
                "a model split over several processes cannot be measured on the CPU: the memory of vLLM's are not told",
                "set tensor_parallel_size and pipeline_parallel_size to 1, or name GPUs in the campaign",
            )
        if self._gpus:
            require_same_gpus(self._gpus)
        asked = self._options.dtype
        if asked != "auto" and getattr(torch, asked) not in current_platform.supported_dtypes:
            known = ", ".join(map(plain, current_platform.supported_dtypes))
            raise UnsupportedError(f"vLLM does not know {asked} on {self.device}", f"set dtype to one of {known}")

    def _require_fit(self, longest: int) -> None:
        limit = self._engine.vllm_config.model_config.max_model_len
        if longest + self._sampling.max_tokens > limit:
            raise BadRequestError(
                f"a prompt of {longest} tokens and an answer of {self._sampling.max_tokens} exceed the engine's"
                f" {limit} positions",
                "raise max_model_len, lower workload.input_tokens or workload.output_tokens, or use a model with a"
                " longer context",
            )

    def _require_length(self, outputs: Sequence[Sequence[int]]) -> None:
        short = [len(output) for output in outputs if len(output) != self._sampling.max_tokens]
        if short:
            raise EngineError(
                f"{len(short)} answers have not the {self._sampling.max_tokens} tokens that were asked for, the first"
                f" has {short[0]}",
                "leave out of sampling_args what ends an answer early",
            )


def _sampling(options: VllmOptions, output_tokens: int) -> Any:
    """The sampling of every request, each value of the type that vLLM says: JSON has no numbers for keys.

    Raises:
        BadRequestError: a field is not there, or does not take its value.
    """
    import msgspec
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    fields = sampling_arguments(options, output_tokens)
    with engine_errors("sampling_args"):
        if unknown := fields.keys() - set(SamplingParams.__struct_fields__):
            raise TypeError(f"SamplingParams has no {', '.join(sorted(unknown))}")
        return msgspec.convert({**fields, "output_kind": RequestOutputKind.DELTA.value}, SamplingParams, strict=False)


BACKEND = VllmBackend

__all__ = ["BACKEND", "VllmBackend", "describe"]
