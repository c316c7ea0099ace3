"""TensorRT-LLM through its LLM API: PyTorch executes the model, or an engine that TensorRT built for this GPU.

The engine works in processes of its own, which the library starts and ends.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorrt_llm
import torch
import transformers

from runners.backends.architecture import architecture_of
from runners.backends.base import Batch, DeviceMemory, TokenIds
from runners.backends.children import told_while_children_work
from runners.backends.devices import gpus_to_use, require_same_gpus
from runners.backends.models import LocatedModel, locate
from runners.backends.tensorrt_build import build
from runners.backends.tensorrt_config import (
    build_arguments,
    engine_arguments,
    found_at,
    load_arguments,
    overridden,
    plain,
    rank_files,
    sampling_arguments,
)
from runners.backends.tensorrt_devices import capabilities, require_architecture
from runners.backends.tensorrt_engines import Platform, built_config, engines_folder, kept_engine
from runners.backends.tensorrt_objects import engine_objects, fields_of
from runners.backends.tensorrt_requests import follow
from runners.contract import fingerprint
from runners.contract.description import Engine
from runners.contract.failures import kind_of_words
from runners.contract.flops import Architecture
from runners.contract.options.tensorrt import TensorrtOptions
from runners.contract.request import RunRequest
from runners.errors import BadRequestError, EngineError, UnsupportedError


class TensorrtBackend:
    """A causal language model in TensorRT-LLM.

    Args:
        request: what to run.
        options: its options for this backend.
        alive: called whenever tokens come.

    Raises:
        BadRequestError: the GPUs that were given are not there, or too few.
        UnsupportedError: there is no GPU, or the engine or what was asked of it does not run on it.
    """

    def __init__(self, request: RunRequest, options: TensorrtOptions, alive: Callable[[], None]) -> None:
        self._request = request
        self._options = options
        self._alive = alive
        self._gpus = gpus_to_use(request)
        if not self._gpus:
            raise UnsupportedError(
                "TensorRT-LLM computes on NVIDIA GPUs, and the run was given none that is real",
                "set gpus in the campaign; for a CPU, or beside a simulated GPU, use the backend pytorch",
            )
        require_same_gpus(self._gpus)
        self._capabilities = capabilities(len(self._gpus))
        require_architecture([gpu.name for gpu in self._gpus], self._capabilities, options)
        self._arguments = engine_arguments(options)
        self._loop = asyncio.new_event_loop()
        self._located: LocatedModel
        self._engine: Path | None = None
        """Where the engine lies that TensorRT built; None with PyTorch."""
        self._llm: Any = None
        self._tokenizer: Any = None
        self._sampling: Any = None

    @property
    def version(self) -> str:
        """Versions of TensorRT-LLM, of TensorRT where it is used, and of torch."""
        return _version() if self._options.llm_backend == "pytorch" else f"{_version()}, tensorrt {_tensorrt()}"

    @property
    def device(self) -> str:
        """The GPUs with their names."""
        return ", ".join(f"cuda:{index} ({gpu.name})" for index, gpu in enumerate(self._gpus))

    @property
    def prefix(self) -> list[int]:
        """What the tokenizer puts before a text by itself."""
        return list(self._tokenizer("")["input_ids"])

    def prepare(self) -> None:
        """Finds the model, and has TensorRT build its engine if that is asked for and it is not kept yet.

        Raises:
            BadRequestError: TensorRT-LLM does not take an argument of the build.
            EngineError: the build failed.
        """
        self._located = locate(self._request)
        if self._options.llm_backend == "tensorrt":
            arguments = build_arguments(self._arguments)
            with told_while_children_work(self._alive):
                self._engine = kept_engine(
                    engines_folder(os.environ),
                    self._model_identity(),
                    arguments,
                    self._platform(),
                    list(rank_files(len(self._gpus))),
                    lambda folder: build(self._located.folder, arguments, folder),
                )

    def model_files(self) -> list[Path]:
        """The model's folder, and the engine that TensorRT built of it."""
        return [self._located.folder, *([self._engine] if self._engine else [])]

    def load(self) -> None:
        """Starts the engine with the model.

        Raises:
            BadRequestError: TensorRT-LLM does not take an argument, or not its value.
            UnsupportedError: it cannot do what was asked.
        """
        folder = self._located.folder
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        sampling = sampling_arguments(
            self._options, self._request.experiment.workload.output_tokens, self._request.seed
        )
        with _engine_errors("sampling_args"):
            self._sampling = tensorrt_llm.SamplingParams(**sampling)
        with _engine_errors("engine_args"), told_while_children_work(self._alive):
            if self._engine is None:
                self._llm = tensorrt_llm.LLM(model=str(folder), **engine_objects(self._arguments))
            else:
                from tensorrt_llm._tensorrt_engine import LLM

                arguments = engine_objects(load_arguments(self._arguments))
                self._llm = LLM(model=str(self._engine), tokenizer=str(folder), **arguments)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text without special tokens."""
        return list(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def synchronize(self) -> None:
        """Nothing is left to wait for: the engine's processes have sent all tokens by then."""

    def open_window(self) -> None:
        """Nothing counts from here: the engine's memory is that of other processes."""

    def generate(self, prompts: Sequence[TokenIds]) -> Batch:
        """Hands all prompts over at once, and follows their tokens until all are answered.

        Raises:
            BadRequestError: prompt and answer do not fit into the engine.
            EngineError: an answer has not the length that was asked for.
        """
        self._require_fit(max(map(len, prompts)))
        return self._loop.run_until_complete(self._generate(prompts))

    async def _generate(self, prompts: Sequence[TokenIds]) -> Batch:
        start_s = time.monotonic()
        with _engine_errors("sampling_args"):
            streams = [
                self._llm.generate_async(list(prompt), sampling_params=self._sampling, streaming=True)
                for prompt in prompts
            ]
            answered = await follow(streams, start_s, self._alive)
        end_s = time.monotonic()
        outputs = [answer.output for answer in answered]
        self._require_length(outputs)
        return Batch(start_s, end_s, None, outputs, [answer.timing for answer in answered])

    def device_memory(self) -> DeviceMemory | None:
        """None: the allocators are those of the engine's processes."""
        return None

    def architecture(self) -> Architecture | None:
        """As the model's configuration tells; None for a kind of model whose FLOPs are not known."""
        try:
            return architecture_of(transformers.AutoConfig.from_pretrained(self._located.folder))
        except AttributeError:  # the vendor's transformers may call the sizes of this kind otherwise
            return None

    def effective_config(self) -> dict[str, Any]:
        """What the engine says of itself, and the sampling of a request."""
        return {
            "arguments": plain(self._llm.args),
            "engine": None if self._engine is None else built_config(self._engine),
            "engine_folder": None if self._engine is None else str(self._engine),
            "sampling": {name: plain(getattr(self._sampling, name)) for name in fields_of([type(self._sampling)])},
            "device": self.device,
            "folder": str(self._located.folder),
            "revision": self._located.revision,
        }

    def overridden(self) -> list[str]:
        """Where the engine's own arguments differ from what was asked for."""
        return overridden(self._arguments, self._found())

    def close(self) -> None:
        """Ends the engine and its processes."""
        if self._llm is not None:
            self._llm.shutdown()
            self._llm = None
            gc.collect()
        self._loop.close()

    def _found(self) -> dict[str, Any]:
        """What the engine says of what was asked for; one that TensorRT built has most of it in its own file."""
        if self._engine is None:
            return found_at(self._arguments, self._llm.args)
        built = built_config(self._engine)
        pretrained = built.get("pretrained_config", {})
        own = {
            "dtype": pretrained.get("dtype"),
            "quant_config": pretrained.get("quantization") or {},
            "build_config": built.get("build_config", {}),
        }
        live = found_at(load_arguments(self._arguments), self._llm.args)
        return found_at({name: self._arguments[name] for name in own if name in self._arguments}, own) | live

    def _model_identity(self) -> str:
        if self._request.experiment.model_sha256:
            return self._request.experiment.model_sha256
        if self._located.revision:
            return f"{self._request.experiment.model.partition('@')[0]}@{self._located.revision}"
        return fingerprint.of_model(self._located.folder)

    def _platform(self) -> Platform:
        gpus = (f"{gpu.name} sm{sm}" for gpu, sm in zip(self._gpus, self._capabilities, strict=True))
        return Platform(tensorrt_llm.__version__, _tensorrt(), str(torch.version.cuda), tuple(gpus))

    def _require_fit(self, longest: int) -> None:
        args, answer = self._llm.args, self._sampling.max_tokens
        limit = getattr(args, "max_seq_len", None)
        if limit is not None and longest + answer > limit:
            raise BadRequestError(
                f"a prompt of {longest} tokens and an answer of {answer} exceed the engine's {limit} positions",
                "raise max_seq_len, lower workload.input_tokens or workload.output_tokens, or use a model with a"
                " longer context",
            )
        whole, limit = "max_num_tokens", args.max_num_tokens
        if self._engine is not None:
            whole, limit = "max_input_len", args.build_config.max_input_len
        if not args.enable_chunked_prefill and limit is not None and longest > limit:
            raise BadRequestError(
                f"a prompt of {longest} tokens exceeds the engine's {whole} of {limit}",
                f"raise {whole}, set enable_chunked_prefill, or lower workload.input_tokens",
            )

    def _require_length(self, outputs: Sequence[Sequence[int]]) -> None:
        short = [len(output) for output in outputs if len(output) != self._sampling.max_tokens]
        if short:
            raise EngineError(
                f"{len(short)} answers have not the {self._sampling.max_tokens} tokens that were asked for, the first"
                f" has {short[0]}",
                "leave out of sampling_args what ends an answer early",
            )


@contextmanager
def _engine_errors(where: str) -> Iterator[None]:
    """Turns what TensorRT-LLM says into what a user can act on.

    Raises:
        BadRequestError: an argument or its value is wrong.
        UnsupportedError: this engine cannot do it.
        torch.OutOfMemoryError: the GPU's memory is full; the library's own error only says so in words.
        ValueError: it tells of memory, the disk or the device, as it is: its words say of which kind the failure is.
    """
    try:
        yield
    except NotImplementedError as error:
        raise UnsupportedError(f"TensorRT-LLM: {error}", "leave out the option, or use a GPU that can do it") from error
    except (ValueError, TypeError) as error:
        if kind_of_words(str(error), on_gpu=True):
            raise
        raise BadRequestError(
            f"TensorRT-LLM: {error}", f"change the option that it names, or what {where} adds"
        ) from error
    except RuntimeError as error:
        if "out of memory" in str(error) and not isinstance(error, torch.OutOfMemoryError):
            raise torch.OutOfMemoryError(str(error)) from error
        raise


def describe() -> Engine:
    """Versions, and the names that ``LLM`` (of either engine) and ``SamplingParams`` take."""
    from tensorrt_llm.llmapi import TorchLlmArgs, TrtLlmArgs

    return Engine(
        version=f"{_version()}, tensorrt {_tensorrt()}",
        fields={
            "engine_args": fields_of([TorchLlmArgs, TrtLlmArgs]),
            "sampling_args": fields_of([tensorrt_llm.SamplingParams]),
        },
    )


def _version() -> str:
    return f"tensorrt_llm {tensorrt_llm.__version__}, torch {torch.__version__}"


def _tensorrt() -> str:
    import tensorrt

    return str(tensorrt.__version__)


BACKEND = TensorrtBackend
