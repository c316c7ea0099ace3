"""Every parameter of vLLM, from our model to the engine's own object.

One real engine is started with all that the CPU's takes at once. What it takes only on a GPU, or with a model of
experts, is followed to the configuration that EngineArgs makes of it: the last object before the engine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

pytest.importorskip("vllm")

from runners.backends.create import create, describe_engine
from runners.backends.demo import demo_folder
from runners.backends.vllm import VllmBackend
from runners.backends.vllm_config import engine_arguments
from runners.contract.options.vllm import VllmOptions
from runners.errors import BadRequestError
from tests.runtime.conftest import RequestMaker

pytestmark = pytest.mark.runtime


class Case(NamedTuple):
    """A value that is not the default, and where the engine has it."""

    value: Any
    seen: Callable[[Any], Any]
    """Of a VllmConfig; of SamplingParams for what is sampled with."""
    expected: Any = None
    """As the engine has it; None: the value itself."""


LIVE = {
    "dtype": Case("float32", lambda c: str(c.model_config.dtype), "torch.float32"),
    "load_format": Case("safetensors", lambda c: c.load_config.load_format),
    "max_model_len": Case(256, lambda c: c.model_config.max_model_len),
    "max_num_seqs": Case(3, lambda c: c.scheduler_config.max_num_seqs),
    "max_num_batched_tokens": Case(320, lambda c: c.scheduler_config.max_num_batched_tokens),
    "enable_chunked_prefill": Case(False, lambda c: c.scheduler_config.enable_chunked_prefill),
    "gpu_memory_utilization": Case(0.5, lambda c: c.cache_config.gpu_memory_utilization),
    "kv_cache_memory_bytes": Case(2**27, lambda c: c.cache_config.kv_cache_memory_bytes),
    "block_size": Case(64, lambda c: c.cache_config.block_size),
    "enable_prefix_caching": Case(False, lambda c: c.cache_config.enable_prefix_caching),
    "enforce_eager": Case(True, lambda c: c.model_config.enforce_eager),
    "optimization_level": Case(1, lambda c: int(c.optimization_level)),
    "attention_backend": Case("CPU_ATTN", lambda c: c.attention_config.backend.name),
    "engine_args": Case({"max_logprobs": 7}, lambda c: {"max_logprobs": c.model_config.max_logprobs}),
}
SAMPLING = {
    "temperature": Case(0.7, lambda s: s.temperature),
    "top_k": Case(9, lambda s: s.top_k),
    "top_p": Case(0.8, lambda s: s.top_p),
    "min_p": Case(0.1, lambda s: s.min_p),
    "presence_penalty": Case(0.3, lambda s: s.presence_penalty),
    "frequency_penalty": Case(-0.2, lambda s: s.frequency_penalty),
    "repetition_penalty": Case(1.3, lambda s: s.repetition_penalty),
    "sampling_args": Case(
        {"logit_bias": {"5": 1.5}}, lambda s: {"logit_bias": {str(k): v for k, v in s.logit_bias.items()}}
    ),
}
AT_THE_BOUNDARY = {
    "quantization": Case("fp8", lambda c: c.model_config.quantization),
    "kv_cache_dtype": Case("fp8_e5m2", lambda c: c.cache_config.cache_dtype),
    "cpu_offload_gb": Case(0.5, lambda c: c.offload_config.uva.cpu_offload_gb),
    "tensor_parallel_size": Case(3, lambda c: c.parallel_config.tensor_parallel_size),
    "pipeline_parallel_size": Case(2, lambda c: c.parallel_config.pipeline_parallel_size),
}
AS_ENGINE_ARGS = {
    # The demo model has no experts, and the configuration refuses it therefore.
    "enable_expert_parallel": Case(True, lambda a: a.enable_expert_parallel),
    # The CPU's engine never schedules so, and says no: see the test on what it did otherwise.
    "async_scheduling": Case(True, lambda a: a.async_scheduling),
}
PROMPTS = [[1 + number] * 6 for number in range(5)]


@pytest.fixture(scope="module")
def backend(make_request: RequestMaker) -> Iterator[VllmBackend]:
    """A live engine with all values of LIVE and SAMPLING, and one that it will not have."""
    options = {name: case.value for name, case in (LIVE | SAMPLING).items()}
    made = create(make_request({"backend": "vllm", "async_scheduling": True, **options}, seed=5), lambda: None)
    assert isinstance(made, VllmBackend)
    made.prepare()
    made.load()
    yield made
    made.close()


def test_every_parameter_has_a_case() -> None:
    cases = [*LIVE, *SAMPLING, *AT_THE_BOUNDARY, *AS_ENGINE_ARGS]
    assert sorted(cases) == sorted(VllmOptions.model_fields.keys() - {"backend"})
    defaults = VllmOptions()
    for name, case in (LIVE | SAMPLING | AT_THE_BOUNDARY | AS_ENGINE_ARGS).items():
        assert case.value != getattr(defaults, name), f"{name}: the default shows nothing"


@pytest.mark.parametrize("name", LIVE)
def test_it_reaches_the_live_engine(backend: VllmBackend, name: str) -> None:
    case = LIVE[name]
    assert case.seen(backend._engine.vllm_config) == (case.expected or case.value)


@pytest.mark.parametrize("name", SAMPLING)
def test_it_reaches_the_sampling_of_a_request(backend: VllmBackend, name: str) -> None:
    assert SAMPLING[name].seen(backend._sampling) == SAMPLING[name].value


@pytest.mark.parametrize("name", AT_THE_BOUNDARY)
def test_it_reaches_the_configuration_that_an_engine_would_be_made_of(make_request: RequestMaker, name: str) -> None:
    case = AT_THE_BOUNDARY[name]
    assert case.seen(engine_args(make_request, name, case.value).create_engine_config()) == case.value


@pytest.mark.parametrize("name", AS_ENGINE_ARGS)
def test_it_reaches_the_engine_s_arguments(make_request: RequestMaker, name: str) -> None:
    case = AS_ENGINE_ARGS[name]
    assert case.seen(engine_args(make_request, name, case.value)) == case.value


def engine_args(make_request: RequestMaker, name: str, value: Any) -> Any:
    from vllm.engine.arg_utils import EngineArgs

    options = VllmOptions.model_validate({"enforce_eager": True, name: value})
    return EngineArgs(
        **engine_arguments(make_request({"backend": "vllm"}), options, demo_folder("smollm2-135m"), on_cpu=True)
    )


def test_what_the_engine_says_it_uses_is_what_was_asked_but_for_what_it_will_not(backend: VllmBackend) -> None:
    found = backend.effective_config()
    options = backend._options
    asked = {"max_model_len": 256, "block_size": 64, "attention_backend": "CPU_ATTN", "max_logprobs": 7, "seed": 5}
    assert asked.items() <= found.items()
    assert found["sampling"]["min_tokens"] == found["sampling"]["max_tokens"] == 4
    assert found["sampling"]["top_k"] == options.top_k
    assert backend.overridden() == ["async_scheduling was True, and the engine uses False"]


def test_requests_have_moments_of_the_engine_s_own_on_our_clock(backend: VllmBackend) -> None:
    before_s = time.monotonic()
    batch = backend.generate(PROMPTS)
    after_s = time.monotonic()

    assert before_s <= batch.start_s <= batch.end_s <= after_s
    assert [len(output) for output in batch.outputs] == [4] * 5
    assert batch.timings is not None
    for timing in batch.timings:
        assert timing.begun_s is not None
        assert timing.token_times_s is not None
        moments = [batch.start_s, timing.begun_s, *timing.token_times_s, batch.end_s]
        assert moments == sorted(moments)
        assert len(timing.token_times_s) == 4
    # Three sequences at once: the last two begin when others have ended.
    begun = sorted(timing.begun_s or 0.0 for timing in batch.timings)
    ended = sorted(timing.last_token_s or 0.0 for timing in batch.timings)
    assert begun[3] >= ended[0]


def test_the_window_is_seeded_whatever_came_before(backend: VllmBackend) -> None:
    backend.open_window()
    first = backend.generate(PROMPTS).outputs
    backend.generate(PROMPTS[:2])
    backend.open_window()
    assert backend.generate(PROMPTS).outputs == first


def test_what_does_not_fit_is_a_bad_request(backend: VllmBackend) -> None:
    with pytest.raises(BadRequestError, match="253 tokens and an answer of 4 exceed the engine's 256"):
        backend.generate([[1] * 253])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sampling_args": {"top_q": 1}}, "no top_q"),
        ({"sampling_args": {"bad_words": 5}}, "bad_words"),
        ({"engine_args": {"max_num_sequences": 1}}, "max_num_sequences"),
        ({"engine_args": {"max_logprobs": "many"}}, "max_logprobs"),
        ({"kv_cache_dtype": "fp7"}, "cache_dtype"),
    ],
)
def test_what_the_engine_does_not_take_is_a_bad_request_in_its_words(
    make_request: RequestMaker, options: dict[str, Any], said: str
) -> None:
    made = create(make_request({"backend": "vllm", "enforce_eager": True, **options}), lambda: None)
    made.prepare()
    with pytest.raises(BadRequestError, match=said):
        made.load()


def test_the_image_knows_what_may_be_passed_on() -> None:
    fields = describe_engine("vllm").fields
    assert fields["engine_args"].keys() > VllmOptions.model_fields.keys() - {
        *VllmOptions.SAMPLING_FIELDS,
        *VllmOptions.PASSED_ON,
        "backend",
    }
    assert fields["sampling_args"].keys() > set(VllmOptions.SAMPLING_FIELDS)
    assert fields["engine_args"]["max_logprobs"].default == "20"
