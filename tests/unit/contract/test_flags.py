"""Flags made from the models: complete, the same on both sides, and strict in what they take."""

from __future__ import annotations

import pytest

from orchestrator.cli import run
from runners.contract.flags import FlagError, all_flags, declared_by, flags_of
from runners.contract.options import OPTIONS
from runners.contract.request import Measurement, Warmup, Workload

NOT_FLAGS = {"backend", "dataset_sha256", "warmup"}


@pytest.mark.parametrize("backend", OPTIONS)
def test_every_field_has_a_flag_and_no_two_have_the_same(backend: str) -> None:
    fields = {*OPTIONS[backend].model_fields, *Workload.model_fields, *Measurement.model_fields} - NOT_FLAGS
    assert set(flags_of(backend)) == fields | {"seed"} | {f"warmup_{name}" for name in Warmup.model_fields}
    sections = [(flag.section, flag.field) for flag in flags_of(backend).values()]
    assert len(set(sections)) == len(flags_of(backend))
    assert all(flag.info.description for flag in flags_of(backend).values())


def test_the_host_takes_the_flags_of_all_backends_and_says_whose_they_are() -> None:
    taken = {option.name: option for option in run.command.params}
    assert set(all_flags()) <= set(taken)
    assert taken["num_beams"].help.endswith("[pytorch]")
    assert taken["prompts"].help.endswith("[default: 32]")


def test_the_help_of_a_flag_tells_its_values_and_its_default() -> None:
    flags = flags_of("pytorch")
    assert flags["dtype"].help == "type of weights and activations [float32, bfloat16 or float16; default: bfloat16]"
    assert flags["do_sample"].help.endswith("[true or false; default: false]")
    assert flags["torch_compile_mode"].help.endswith(
        "[default, reduce-overhead, max-autotune or max-autotune-no-cudagraphs]"
    )
    assert flags["temperature"].help == "sampling temperature; null: as the model sets it, else transformers"
    assert flags["warmup_iterations"].help == (
        "generate so many batches, whether or not they converge; null: until they do"
    )
    assert flags["max_rounds"].help.endswith("[default: 100]")


def test_text_becomes_what_a_campaign_file_would_hold() -> None:
    given = {
        "batch_size": "4",
        "do_sample": "true",
        "temperature": "1",
        "input_tokens": "8",
        "sample_hz": "5",
        "warmup_until_cv": "0.1",
        "warmup_max_iterations": "6",
        "baseline_s": "0",
        "meter": "nvml",
        "seed": "7",
    }
    declared = declared_by("pytorch", given)
    assert declared.workload == {"input_tokens": 8}
    assert declared.measurement == {
        "sample_hz": 5.0,
        "baseline_s": 0.0,
        "meter": "nvml",
        "warmup": {"until_cv": 0.1, "max_iterations": 6},
    }
    assert declared.options == {"batch_size": 4, "do_sample": True, "temperature": 1.0}
    assert declared.seed == 7
    assert declared_by("pytorch", {}) == ({}, {}, {}, 0)


def test_a_choice_of_numbers_is_taken_by_its_text() -> None:
    assert declared_by("tensorrt", {"kv_cache_tokens_per_block": "32"}).options == {"kv_cache_tokens_per_block": 32}
    with pytest.raises(FlagError, match="should be 16, 32, 64 or 128"):
        declared_by("tensorrt", {"kv_cache_tokens_per_block": "33"})


def test_a_mapping_is_given_as_json() -> None:
    declared = declared_by("vllm", {"engine_args": '{"swap": 512, "rope": {"factor": 2.0, "on": null}}'})
    assert declared.options == {"engine_args": {"swap": 512, "rope": {"factor": 2.0, "on": None}}}
    assert flags_of("vllm")["engine_args"].help.endswith("[JSON]")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not JSON: Expecting value, at character 1"),
        ("{x: 1}", "is not JSON: Expecting property name enclosed in double quotes, at character 2"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ('{"a": [1, NaN]}', "a[1]: must be a finite number, not nan"),
        ('{"a": {"b": "\\u0000"}}', "a.b: holds a NUL or half a surrogate pair, which no file can carry"),
        ('{"a": ' + "[" * 99 + "]" * 99 + "}", "nested more than 50 levels deep"),
        ("[" * 50_000, "nested more than 50 levels deep"),
        ("5", "input should be a mapping of keys, not 5"),
        ("[1]", "input should be a mapping of keys"),
        ('{"seed": 1}', "seed cannot be set: the campaign's seed says it"),
    ],
)
def test_a_mapping_that_is_none_is_refused_with_the_place(text: str, complaint: str) -> None:
    with pytest.raises(FlagError) as caught:
        declared_by("vllm", {"engine_args": text})
    assert str(caught.value) == f"--engine-args: {complaint}"


def test_the_help_of_a_flag_that_backends_share_tells_how_they_differ() -> None:
    flags = all_flags()
    assert flags["dtype"].help == (
        "type of weights and activations [pytorch: float32, bfloat16 or float16; default: bfloat16"
        " | vllm, tensorrt: auto, float32, bfloat16 or float16; default: bfloat16]"
    )
    for key, shared in flags.items():
        for backend, flag in zip(shared.backends, shared.variants, strict=True):
            assert flag == flags_of(backend)[key]
            assert flag.values in shared.help
            assert str(flag.info.description) in shared.help


def test_a_value_for_another_backend_is_refused_with_the_backends_that_take_it() -> None:
    with pytest.raises(FlagError) as caught:
        declared_by("pytorch", {"dtype": "auto"})
    assert str(caught.value).endswith("not 'auto' (vllm, tensorrt would take it, pytorch does not)")
    assert declared_by("vllm", {"dtype": "auto"}).options == {"dtype": "auto"}


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("batch_size", "0"),
        ("batch_size", "1.5"),
        ("batch_size", ""),
        ("dtype", "bf16"),
        ("temperature", "nan"),
        ("top_p", "1.01"),
        ("do_sample", "maybe"),
        ("seed", "-1"),
        ("seed", str(2**63)),
        ("warmup_iterations", "-1"),
        ("warmup_until_cv", "0"),
        ("warmup_until_cv", "1.5"),
        ("warmup_max_iterations", "2"),
        ("meter", "wattmeter"),
        ("sample_hz", "0"),
        ("sample_hz", "10000"),
        ("baseline_s", "-1"),
        ("baseline_s", "3601"),
        ("min_window_s", "0"),
        ("target_relative_uncertainty", "1"),
        ("max_rounds", "0"),
        ("sample_hz", "inf"),
        ("dataset", ""),
    ],
)
def test_a_wrong_value_is_named_with_its_flag(key: str, text: str) -> None:
    with pytest.raises(FlagError) as caught:
        declared_by("pytorch", {key: text})
    assert str(caught.value).startswith(f"--{key.replace('_', '-')}: ")
    assert str(caught.value).endswith(f"not {text!r}")


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(FlagError) as caught:
        declared_by("pytorch", {"batch_size": "x", "prompts": "2", "seed": "y"})
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == ["--batch-size", "--seed"]


def test_flags_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(FlagError, match=r"^--warmup-\.\.\.: iterations is a fixed count: leave out until_cv"):
        declared_by("pytorch", {"warmup_iterations": "2", "warmup_until_cv": "0.1"})


def test_a_parameter_of_another_backend_is_refused() -> None:
    with pytest.raises(FlagError, match="simulated has no parameter --attn-implementation") as caught:
        declared_by("simulated", {"attn_implementation": "eager"})
    assert "--batch-size" in caught.value.hint
