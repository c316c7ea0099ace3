"""Plugins of a built engine: tensorrt_llm/plugin/plugin.py. Names that it does not know are ignored, as there."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Plugin = Literal["auto", "float16", "float32", "bfloat16", "int32"] | None


class PluginConfig(BaseModel):
    model_config = ConfigDict(validate_assignment=True, extra="ignore")

    dtype: str = "float16"
    bert_attention_plugin: Plugin = "auto"
    gpt_attention_plugin: Plugin = "auto"
    gemm_plugin: Literal["auto", "float16", "float32", "bfloat16", "int32", "fp8", "nvfp4"] | None = None
    gemm_swiglu_plugin: Literal["fp8"] | None = None
    fp8_rowwise_gemm_plugin: Plugin = None
    qserve_gemm_plugin: Plugin = None
    identity_plugin: Plugin = None
    nccl_plugin: Plugin = "auto"
    lora_plugin: Plugin = None
    dora_plugin: bool = False
    weight_only_groupwise_quant_matmul_plugin: Plugin = None
    weight_only_quant_matmul_plugin: Plugin = None
    smooth_quant_plugins: bool = True
    smooth_quant_gemm_plugin: Plugin = None
    layernorm_quantization_plugin: Plugin = None
    rmsnorm_quantization_plugin: Plugin = None
    quantize_per_token_plugin: bool = False
    quantize_tensor_plugin: bool = False
    moe_plugin: Plugin = "auto"
    mamba_conv1d_plugin: Plugin = "auto"
    low_latency_gemm_plugin: Literal["fp8"] | None = None
    low_latency_gemm_swiglu_plugin: Literal["fp8"] | None = None
    gemm_allreduce_plugin: Literal["float16", "bfloat16"] | None = None
    context_fmha: bool = True
    bert_context_fmha_fp32_acc: bool = False
    paged_kv_cache: bool | None = None
    remove_input_padding: bool = True
    norm_quant_fusion: bool = False
    reduce_fusion: bool = False
    user_buffer: bool = False
    tokens_per_block: int = 32
    use_paged_context_fmha: bool = True
    use_fp8_context_fmha: bool = True
    fuse_fp4_quant: bool = False
    multiple_profiles: bool = False
    paged_state: bool = True
    streamingllm: bool = False
    manage_weights: bool = False
    use_fused_mlp: bool = True
    pp_reduce_scatter: bool = False
