from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.contract.identity import canonical_json, experiment_from, experiment_id, hash_of
from runners.contract.options import OPTIONS
from runners.contract.request import Experiment
from tests.builders import experiment, identity

_workloads = st.fixed_dictionaries(
    {},
    optional={
        "prompts": st.integers(1, 1_000_000),
        "input_tokens": st.none() | st.integers(1, 10_000_000),
        "output_tokens": st.integers(1, 1_000_000),
        "dataset": st.sampled_from(["builtin", "hf:some/set", "é.jsonl"]),
    },
)
_mappings = st.dictionaries(
    st.text(string.ascii_letters + "_.é", min_size=1).map("further_{}".format),  # some names are taken: `n`, `seed`
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("aé ☃"),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=3,
)
_options = st.one_of(
    st.fixed_dictionaries(
        {"backend": st.just("simulated")},
        optional={"batch_size": st.integers(1, 65_536), "spread": st.floats(0, 1), "power_w": st.floats(0, 1e6)},
    ),
    st.fixed_dictionaries(
        {"backend": st.just("pytorch")},
        optional={
            "dtype": st.sampled_from(["float32", "bfloat16"]),
            "torch_compile": st.booleans(),
            "temperature": st.none() | st.floats(0.01, 100),
            "top_k": st.none() | st.integers(1, 2**40),
        },
    ),
    st.fixed_dictionaries(
        {"backend": st.just("vllm")},
        optional={"engine_args": _mappings, "sampling_args": _mappings},
    ),
)
_declared = st.fixed_dictionaries(
    {"model": st.text(min_size=1).filter(lambda text: text.isprintable()), "workload": _workloads, "options": _options}
)


@given(_declared)
def test_canonical_json_gives_the_experiment_back(declared: dict[str, object]) -> None:
    original = Experiment.model_validate(declared)
    assert experiment_from(canonical_json(original)) == original


@given(_declared)
def test_identity_is_a_folder_name_of_bounded_length(declared: dict[str, object]) -> None:
    name = identity(Experiment.model_validate(declared))
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,64}-[0-9a-f]{16}", name)
    assert len(name) <= 81


@given(_declared, st.randoms())
def test_order_of_keys_is_no_part_of_it(declared: dict[str, dict[str, object]], random) -> None:
    def shuffled(mapping: dict[str, object]) -> dict[str, object]:
        items = list(mapping.items())
        random.shuffle(items)
        return {key: shuffled(value) if isinstance(value, dict) else value for key, value in items}

    assert identity(Experiment.model_validate(shuffled(declared))) == identity(Experiment.model_validate(declared))


@given(_declared)
def test_a_default_written_out_is_the_same_experiment(declared: dict[str, dict[str, object]]) -> None:
    options = declared["options"]
    defaults = {
        name: field.get_default(call_default_factory=True)
        for name, field in OPTIONS[options["backend"]].model_fields.items()
    }
    written_out = {**declared, "options": {**defaults, **options}}
    assert identity(Experiment.model_validate(written_out)) == identity(Experiment.model_validate(declared))


@pytest.mark.parametrize(
    "other",
    [
        experiment(batch_size=2),
        experiment(model="org/other"),
        experiment(workload={"prompts": 33}),
        experiment(workload={"dataset": "p.jsonl", "dataset_sha256": "0" * 64}),
        experiment("pytorch"),
        experiment("vllm", engine_args={"a": {"b": 1}}),
    ],
)
def test_whatever_is_declared_differently_is_another_experiment(other: Experiment) -> None:
    assert identity(other) != identity(experiment())


def test_what_stands_deep_in_a_mapping_is_part_of_it() -> None:
    values = (1, 2, True, None, "1", [1], {"c": 1})
    assert len({identity(experiment("vllm", engine_args={"a": {"b": value}})) for value in values}) == len(values)


def test_the_content_of_a_prompt_file_is_part_of_it() -> None:
    one, two = (experiment(workload={"dataset": "p.jsonl", "dataset_sha256": digit * 64}) for digit in "01")
    assert identity(one) != identity(two)


@pytest.mark.parametrize(
    ("model", "slug"),
    [
        ("demo:smollm2-135m", "simulated-smollm2-135m-1"),
        ("Org/Some.Model_7B@main", "simulated-some-model-7b-1"),
        ("./models/mine/", "simulated-mine-1"),
        ("/", "simulated-1"),
        ("org/" + "x" * 90, "simulated-" + "x" * 32 + "-1"),
    ],
)
def test_slug_is_readable(model: str, slug: str) -> None:
    assert identity(experiment(model=model))[:-17] == slug


def test_hash_of_is_the_hash_at_the_end() -> None:
    declared = experiment()
    name = experiment_id(declared, canonical_json(declared))
    assert f"{hash_of(name):016x}" == name[-16:]
