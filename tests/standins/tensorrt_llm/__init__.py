"""Stands in for TensorRT-LLM 1.2.1, in tests only: nothing computes, and every signature is that of the release.

What is taken from where (NVIDIA/TensorRT-LLM; the image is ``nvcr.io/nvidia/tensorrt-llm/release:1.2.1``):

- ``TrtLlmArgs`` and what it shares with ``TorchLlmArgs`` (``BaseLlmArgs``), and ``SamplingParams``: names, types and
  defaults as a public introspection of that very image lists them (``TrtLlmArgs.model_json_schema()`` and
  ``dataclasses.fields(SamplingParams)``); from ``tensorrt_llm/llmapi/llm_args.py`` and ``sampling_params.py``.
- ``TorchLlmArgs`` beyond that, and the configs (``KvCacheConfig``, ``CudaGraphConfig``, ``SchedulerConfig``,
  ``TorchCompileConfig``, ``ExtendedRuntimePerfKnobConfig``): those fields of ``llm_args.py`` that stand alike in a
  version of that file from before the release and in one from after it. The file of the tag itself was not to be had.
  What only one of the two has is left out, so that nothing can come to rely on it.
- ``BuildConfig`` (``tensorrt_llm/builder.py``), ``PluginConfig`` (``tensorrt_llm/plugin/plugin.py``), ``QuantConfig``
  (``tensorrt_llm/models/modeling_utils.py``), ``QuantAlgo`` (``tensorrt_llm/quantization/mode.py``): from versions near
  the release. ``CalibConfig`` is only held as a place for ``engine_args``.
- ``LLM``, its refusal of arguments of the other engine, ``generate_async``, ``save``, ``shutdown``
  (``tensorrt_llm/llmapi/llm.py``); ``RequestOutput``, ``CompletionOutput`` and the metrics of a request
  (``tensorrt_llm/executor/result.py``, moments as ``timedelta`` of the steady clock): from versions near the release.

So a GPU machine has to hold it against the image: docs/how-to/tensorrt.md says how.

Faults are asked for by ``TENSORRT_LLM_STANDIN_FAULT``: see :mod:`.faults`.
"""

from tensorrt_llm.llmapi import LLM, SamplingParams

__version__ = "1.2.1"
__all__ = ["LLM", "SamplingParams", "__version__"]
