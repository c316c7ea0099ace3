"""What ``tensorrt_llm.llmapi`` exports, as far as the backend uses it."""

from tensorrt_llm.llmapi.llm import LLM, CompletionOutput, RequestOutput
from tensorrt_llm.llmapi.llm_args import (
    BatchingType,
    BuildConfig,
    CalibConfig,
    CapacitySchedulerPolicy,
    ContextChunkingPolicy,
    CudaGraphConfig,
    ExtendedRuntimePerfKnobConfig,
    KvCacheConfig,
    QuantAlgo,
    QuantConfig,
    SchedulerConfig,
    TorchCompileConfig,
    TorchLlmArgs,
    TrtLlmArgs,
)
from tensorrt_llm.llmapi.sampling_params import SamplingParams

__all__ = [
    "LLM",
    "BatchingType",
    "BuildConfig",
    "CalibConfig",
    "CapacitySchedulerPolicy",
    "CompletionOutput",
    "ContextChunkingPolicy",
    "CudaGraphConfig",
    "ExtendedRuntimePerfKnobConfig",
    "KvCacheConfig",
    "QuantAlgo",
    "QuantConfig",
    "RequestOutput",
    "SamplingParams",
    "SchedulerConfig",
    "TorchCompileConfig",
    "TorchLlmArgs",
    "TrtLlmArgs",
]
