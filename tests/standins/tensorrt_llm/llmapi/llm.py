"""``LLM`` of both engines. Tokens come as the requests are followed; each answer is 1, 2, 3, ... and of no meaning."""

import asyncio
import dataclasses
import json
import shutil
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

from tensorrt_llm import faults
from tensorrt_llm.llmapi.llm_args import BaseLlmArgs, TorchLlmArgs, TrtLlmArgs
from tensorrt_llm.llmapi.sampling_params import SamplingParams


@dataclasses.dataclass(slots=True)
class CompletionOutput:
    index: int
    text: str = ""
    token_ids: list[int] | None = dataclasses.field(default_factory=list)
    cumulative_logprob: float | None = None
    logprobs: Any = dataclasses.field(default_factory=list)
    prompt_logprobs: Any = dataclasses.field(default_factory=list)
    finish_reason: Literal["stop", "length", "timeout", "cancelled"] | None = None
    stop_reason: int | str | None = None
    generation_logits: Any = None
    disaggregated_params: Any = None
    request_perf_metrics: Any = None


class RequestOutput:
    """A request in flight, and its answer; iterated over while it streams, each step is this same object."""

    def __init__(self) -> None:
        raise RuntimeError("RequestOutput is designed to be instantiated by GenerationExecutor.")

    @classmethod
    def _begun(cls, number: int, sampling: SamplingParams) -> "RequestOutput":
        made = cls.__new__(cls)
        made.request_id = number
        made.sampling_params = sampling
        made.outputs = [CompletionOutput(0)]
        made.finished = False
        made._moments = {"arrival_time": _now()}
        return made

    def __aiter__(self) -> "RequestOutput":
        return self

    async def __anext__(self) -> "RequestOutput":
        if self.finished:
            raise StopAsyncIteration
        faults.at("generate")
        await asyncio.sleep(0)
        self._moments.setdefault("first_scheduled_time", _now())
        (answer,) = self.outputs
        answer.token_ids.append(len(answer.token_ids) + 1)
        self._moments.setdefault("first_token_time", _now())
        self._moments["last_token_time"] = _now()
        wanted = self.sampling_params.max_tokens - faults.wants("generate:short")
        self.finished = len(answer.token_ids) >= wanted
        if self.finished:
            answer.finish_reason = "length"
        if self.sampling_params.return_perf_metrics:
            answer.request_perf_metrics = SimpleNamespace(timing_metrics=SimpleNamespace(**self._moments))
        return self


class BaseLLM:
    _args_class: type[BaseLlmArgs]

    def __init__(
        self,
        model: str | Path,
        tokenizer: Any = None,
        tokenizer_mode: Literal["auto", "slow"] = "auto",
        skip_tokenizer_init: bool = False,
        trust_remote_code: bool = False,
        tensor_parallel_size: int = 1,
        dtype: str = "auto",
        revision: str | None = None,
        tokenizer_revision: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.args = self._args_class(
            model=model,
            tokenizer=tokenizer,
            tokenizer_mode=tokenizer_mode,
            skip_tokenizer_init=skip_tokenizer_init,
            trust_remote_code=trust_remote_code,
            tensor_parallel_size=tensor_parallel_size,
            dtype=dtype,
            revision=revision,
            tokenizer_revision=tokenizer_revision,
            **kwargs,
        )
        self.calls: list[dict[str, Any]] = []
        self.running = True
        self._build_model()

    def _build_model(self) -> None:
        faults.at("load")

    def generate_async(
        self,
        inputs: Any,
        sampling_params: SamplingParams | None = None,
        lora_request: Any = None,
        prompt_adapter_request: Any = None,
        streaming: bool = False,
        kv_cache_retention_config: Any = None,
        disaggregated_params: Any = None,
        _postproc_params: Any = None,
        scheduling_params: Any = None,
        cache_salt: str | None = None,
    ) -> RequestOutput:
        if not self.running:
            raise RuntimeError("LLM is shutting down")
        if not isinstance(sampling_params, SamplingParams | None):
            raise TypeError(f"The sampling_params must be type SamplingParams or None, but got {type(sampling_params)}")
        if not (isinstance(inputs, list) and all(isinstance(token, int) for token in inputs)):
            raise TypeError(f"The inputs must be type str or list of int, but got {type(inputs)}")
        if isinstance(self.args, TorchLlmArgs) and not self.args.enable_chunked_prefill:
            limit = self.args.max_num_tokens
            if limit and len(inputs) > limit:
                raise ValueError(f"The sum of prompt length ({len(inputs)}) should not exceed max_num_tokens ({limit})")
        sampling = dataclasses.replace(sampling_params or SamplingParams())
        sampling.return_perf_metrics = sampling.return_perf_metrics or self.args.return_perf_metrics
        self.calls.append({"inputs": inputs, "sampling": sampling, "streaming": streaming})
        return RequestOutput._begun(len(self.calls), sampling)

    def shutdown(self) -> None:
        self.running = False


class _TorchLLM(BaseLLM):
    _args_class = TorchLlmArgs

    def __init__(self, model: str | Path, tokenizer: Any = None, **kwargs: Any) -> None:
        alien = sorted((TrtLlmArgs.model_fields.keys() - TorchLlmArgs.model_fields.keys()) & kwargs.keys())
        if alien:
            raise ValueError(
                "The following arguments are specific to TensorRT backend and cannot be used with PyTorch backend:"
                f" {alien}."
            )
        super().__init__(model, tokenizer, backend=kwargs.pop("backend", "pytorch"), **kwargs)


class LLM(_TorchLLM):
    """The LLM whose model PyTorch executes."""


class _TrtLLM(BaseLLM):
    _args_class = TrtLlmArgs

    def _build_model(self) -> None:
        source = Path(self.args.model)
        config = json.loads((source / "config.json").read_text())
        if "build_config" not in config:
            faults.at("build")
            source = self._built(config)
        self._engine_dir = self.args.model = source
        super()._build_model()

    def _built(self, config: dict[str, Any]) -> Path:
        """An engine's folder, as to names and configuration."""
        args = self.args
        quantisation = args.quant_config.model_dump(mode="json") if args.quant_config else {}
        folder = Path(tempfile.mkdtemp(suffix="-llm-workspace"))
        built = {
            "version": "1.2.1",
            "pretrained_config": {
                "architecture": (config.get("architectures") or [None])[0],
                "dtype": "bfloat16" if args.dtype == "auto" else args.dtype,
                "quantization": quantisation,
                "mapping": {"tp_size": args.tensor_parallel_size, "pp_size": args.pipeline_parallel_size},
            },
            "build_config": args.build_config.model_dump(mode="json"),
        }
        (folder / "config.json").write_text(json.dumps(built))
        ranks = args.tensor_parallel_size * args.pipeline_parallel_size - faults.wants("build:half")
        for rank in range(ranks):
            (folder / f"rank{rank}.engine").write_bytes(b"stand-in")
        return folder

    def save(self, engine_dir: str) -> None:
        shutil.copytree(self._engine_dir, engine_dir, dirs_exist_ok=True)


def _now() -> timedelta:
    """std::chrono::steady_clock since its origin, as the bindings give it."""
    return timedelta(seconds=time.monotonic() + 1e6 * faults.wants("generate:other_clock"))
