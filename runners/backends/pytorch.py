"""Hugging Face transformers on PyTorch: static batches through ``generate``."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
import transformers

from runners.backends.architecture import architecture_of
from runners.backends.base import Batch, DeviceMemory, TokenIds
from runners.backends.models import LocatedModel, locate
from runners.backends.pytorch_config import asked_generation, read_back, require_honoured
from runners.backends.resident import make_resident
from runners.contract.description import Engine
from runners.contract.flops import Architecture
from runners.contract.options.pytorch import PytorchOptions
from runners.contract.request import RunRequest
from runners.errors import BadRequestError, EngineError


class PytorchBackend:
    """A causal language model of transformers.

    Args:
        request: what to run.
        options: its options for this backend.
        alive: called at every step of a batch.

    Raises:
        BadRequestError: the device that was asked for is not there, or is more than one.
    """

    def __init__(self, request: RunRequest, options: PytorchOptions, alive: Callable[[], None]) -> None:
        self._request = request
        self._options = options
        self._alive = alive
        self._device = _device(request, options)
        self._located: LocatedModel
        self._model: Any = None
        self._tokenizer: Any = None
        self._generation: Any = None
        self._model_bytes = 0
        # Its own handler writes to standard error past our format; ours gets the records instead.
        transformers.utils.logging.disable_default_handler()
        transformers.utils.logging.enable_propagation()
        transformers.utils.logging.disable_progress_bar()

    @property
    def version(self) -> str:
        """Versions of transformers and torch."""
        return _version()

    @property
    def device(self) -> str:
        """``cpu``, or the GPU with its name."""
        if self._device.type == "cpu":
            return "cpu"
        return f"{self._device} ({torch.cuda.get_device_name(self._device)})"

    @property
    def prefix(self) -> list[int]:
        """What the tokenizer puts before a text by itself."""
        return list(self._tokenizer("")["input_ids"])

    def prepare(self) -> None:
        """Finds the model, and converts or downloads it if it is not here yet."""
        self._located = locate(self._request)

    def load(self) -> None:
        """Loads model and tokenizer, and makes sure that they are what was asked for.

        Raises:
            EngineError: dtype or attention did not reach the engine.
        """
        options, folder = self._options, self._located.folder
        torch.manual_seed(self._request.seed)
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=getattr(torch, options.dtype), attn_implementation=options.attn_implementation
        )
        self._model = model.to(self._device).eval()
        require_honoured(self._model, options)
        if options.torch_compile:
            self._model.compile(mode=options.torch_compile_mode)
        workload = self._request.experiment.workload
        self._generation = asked_generation(self._model, self._tokenizer, options, workload.output_tokens)
        if self._device.type == "cpu":
            make_resident(self._model)
        else:
            self.synchronize()
            self._model_bytes = torch.cuda.memory_allocated(self._device)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text without special tokens."""
        return list(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def synchronize(self) -> None:
        """Waits for the GPU; the CPU is always done."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def open_window(self) -> None:
        """Seeds the sampling again, and lets the allocator's peaks count from here."""
        torch.manual_seed(self._request.seed)
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)

    def generate(self, prompts: Sequence[TokenIds]) -> Batch:
        """Answers one batch, padded on the left to its longest prompt.

        Raises:
            BadRequestError: prompt and answer do not fit into the model's context.
        """
        start_s = time.monotonic()
        longest = max(map(len, prompts))
        self._require_fit(longest)
        padding = [longest - len(prompt) for prompt in prompts]
        pad = self._generation.pad_token_id
        ids = [[pad] * pads + list(prompt) for pads, prompt in zip(padding, prompts, strict=True)]
        mask = [[0] * pads + [1] * (longest - pads) for pads in padding]
        # Beams cannot be streamed, so their steps are seen from where their scores pass.
        streamer = _TokenTimes(self._alive) if self._options.num_beams == 1 else None
        processors = [] if streamer else [_Steps(self._alive)]
        with torch.inference_mode():
            answered = self._model.generate(
                input_ids=torch.tensor(ids, device=self._device),
                attention_mask=torch.tensor(mask, device=self._device),
                generation_config=self._generation,
                streamer=streamer,
                logits_processor=transformers.LogitsProcessorList(processors),
            )
        self.synchronize()
        end_s = time.monotonic()
        outputs = answered[:, longest:].tolist()
        return Batch(start_s, end_s, streamer.times_s if streamer else None, outputs)

    def device_memory(self) -> DeviceMemory | None:
        """What PyTorch's CUDA allocator gave out and held; None on a CPU."""
        if self._device.type != "cuda":
            return None
        return DeviceMemory(
            model_bytes=self._model_bytes,
            peak_bytes=torch.cuda.max_memory_allocated(self._device),
            reserved_bytes=torch.cuda.max_memory_reserved(self._device),
        )

    def architecture(self) -> Architecture | None:
        """As the model's configuration tells; None for a kind of model whose FLOPs are not known."""
        return architecture_of(self._model.config)

    def effective_config(self) -> dict[str, Any]:
        """What engine and model say of themselves.

        Raises:
            EngineError: torch.compile was asked for and compiled nothing.
        """
        found = read_back(self._model, self._generation)
        if self._options.torch_compile and not found["compiled_graphs"]:
            raise EngineError("torch.compile compiled nothing", "run without torch_compile; runner.log may say why")
        return {
            **found,
            "device": self.device,
            "folder": str(self._located.folder),
            "revision": self._located.revision,
            "batch_size": self._options.batch_size,
            "seed": self._request.seed,
        }

    def overridden(self) -> list[str]:
        """Nothing."""
        return []

    def close(self) -> None:
        """Lets the model go and gives its memory back."""
        self._model = None
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _require_fit(self, longest: int) -> None:
        limit = getattr(self._model.config, "max_position_embeddings", None)
        output_tokens = self._generation.max_new_tokens
        if limit is not None and longest + output_tokens > limit:
            raise BadRequestError(
                f"a prompt of {longest} tokens and an answer of {output_tokens} exceed the model's {limit} positions",
                "lower workload.input_tokens or workload.output_tokens, or use a model with a longer context",
            )


class _TokenTimes(transformers.generation.streamers.BaseStreamer):  # type: ignore[misc]
    """Notes when the tokens of each step reached the host; the first call brings the prompts."""

    def __init__(self, alive: Callable[[], None]) -> None:
        self.times_s: list[float] = []
        self._alive = alive
        self._prompts_came = False

    def put(self, value: torch.Tensor) -> None:
        if self._prompts_came:
            self.times_s.append(time.monotonic())
            self._alive()
        self._prompts_came = True

    def end(self) -> None:
        pass


class _Steps(transformers.LogitsProcessor):  # type: ignore[misc]
    """Tells each step, and leaves the scores as they are."""

    def __init__(self, alive: Callable[[], None]) -> None:
        self._alive = alive

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self._alive()
        return scores


def _device(request: RunRequest, options: PytorchOptions) -> torch.device:
    """The device of a run; beside a simulated GPU, which computes nothing, that is the CPU.

    Raises:
        BadRequestError: a GPU was asked for and there is none or several, or it is not the one that is metered.
    """
    simulated = any(gpu.simulated for gpu in request.gpus)
    wanted = options.device if options.device != "auto" else ("cuda" if request.gpus and not simulated else "cpu")
    if wanted == "cpu":
        return torch.device("cpu")
    if simulated:
        raise BadRequestError("device is cuda, and the run's GPU is simulated", "set device: auto, or use a real GPU")
    if not request.gpus:
        raise BadRequestError(
            "device is cuda, but the run was given no GPU", "set gpus in the campaign, or device: cpu"
        )
    if len(request.gpus) > 1:
        raise BadRequestError(
            f"not supported yet: several GPUs (the run was given {len(request.gpus)})",
            "name one GPU in the campaign's gpus; the others would be billed for, and not used",
        )
    if not torch.cuda.is_available():
        raise BadRequestError(
            f"device is cuda, but torch {torch.__version__} sees no GPU",
            "install a CUDA build of torch and see that nvidia-smi works here, or set device: cpu",
        )
    device = torch.device("cuda:0")
    seen, metered = str(torch.cuda.get_device_properties(device).uuid), request.gpus[0].uuid
    if not metered.startswith("MIG-") and seen not in metered:
        raise BadRequestError(
            f"the engine sees the GPU {seen}, but {metered} is metered",
            f"set CUDA_VISIBLE_DEVICES={metered}",
        )
    return device


def describe() -> Engine:
    """Versions of transformers and torch."""
    return Engine(version=_version())


def _version() -> str:
    return f"transformers {transformers.__version__}, torch {torch.__version__}"


BACKEND = PytorchBackend
