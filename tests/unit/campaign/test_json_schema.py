"""The JSON Schema and the loader take the same files, as far as a schema can tell."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.campaign.axes import resolve_grids
from orchestrator.campaign.document import parse
from orchestrator.campaign.json_schema import campaign_schema
from orchestrator.campaign.load import campaign_from_mapping
from orchestrator.campaign.schema import CampaignFile
from orchestrator.campaign.validate import device_issues
from orchestrator.errors import FileError
from runners.contract.options import OPTIONS
from runners.contract.request import Measurement, Workload

ROOT = Path(__file__).parents[3]
SCHEMA = campaign_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
BASE: dict[str, Any] = {"name": "a", "model": "org/m", "backends": {"simulated": None}}


def campaigns_of_the_docs() -> list[Any]:
    """Every whole campaign in a file of its own, or between fences in a page; but that of a made-up backend.

    Those that extend others are run where their page is tested.
    """
    found = [pytest.param(path.read_text(), id=path.name) for path in sorted((ROOT / "campaigns").glob("*.yaml"))]
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for number, block in enumerate(re.findall(r"^```yaml[^\n]*\n(.*?)^```$", page.read_text(), re.S | re.M)):
            if all(re.search(rf"^{key}:", block, re.M) for key in ("name", "model")) and not re.search(
                "letters|^extends:", block, re.M
            ):
                found.append(pytest.param(block, id=f"{page.name}-{number}"))
    return found


def loads(declared: dict[str, Any]) -> bool:
    try:
        campaign_from_mapping(declared)
    except FileError:
        return False
    return True


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_pages_hold_campaigns() -> None:
    assert len(campaigns_of_the_docs()) >= 4


@pytest.mark.parametrize("text", campaigns_of_the_docs())
def test_every_campaign_of_the_docs_is_valid(text: str) -> None:
    declared = parse(text).data
    VALIDATOR.validate(declared)
    file = CampaignFile.model_validate(declared)
    grids, findings = resolve_grids(file)
    assert findings == []
    assert device_issues(file, grids) == []


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"name": "Upper"}, "name"),
        ({"name": "adhoc"}, "name"),
        ({"nmae": "a"}, ""),
        ({"until": 3}, "until"),
        ({"backends": {}}, ""),
        ({"backends": {"vlm": None}}, "backends"),
        ({"backends": {"simulated": {"dtype": "float32"}}}, "backends.simulated"),
        ({"backends": {"pytorch": {"dtype": ["float32", "auto"]}}}, "backends.pytorch"),
        ({"backends": {"vllm": {"engine_args": [1]}}}, "backends.vllm"),
        ({"backends": {"vllm": {"dtype": {"from": 1}}}}, "backends.vllm"),
        ({"shared": {"batch_size": []}}, "shared.batch_size"),
        ({"shared": {"batch_size": True}}, "shared.batch_size"),
        ({"workload": {"dataset_sha256": "0" * 64}}, "workload"),
        ({"workload": {"prompts": "8"}}, "workload.prompts"),
        ({"experiments": [{"backend": "simulated", "batch_size": [1, 2]}]}, "experiments.0"),
        ({"experiments": [{"batch_size": 1}]}, "experiments.0"),
        ({"gpus": [0, 0]}, "gpus"),
        ({"measurement": {"sample_hz": 1000}}, "measurement.sample_hz"),
        ({"shared": {"batch_size": {"min": 1}}}, "shared.batch_size"),
        ({"shared": {"batch_size": {"min": 1, "max": 4, "step": 0}}}, "shared.batch_size"),
        ({"shared": {"batch_size": {"min": 1.5, "max": 4.5, "step": 1}}}, "shared.batch_size"),
        ({"shared": {"batch_size": {"log2": [1]}}}, "shared.batch_size"),
        ({"shared": {"batch_size": [{"min": 1, "max": 4}]}}, "shared.batch_size"),
        ({"backends": {"pytorch": {"dtype": {"log2": [1, 4]}}}}, "backends.pytorch"),
        ({"workload": {"together": [{"prompts": 1}]}}, "workload.together"),
        ({"workload": {"together": {"g": []}}}, "workload.together.g"),
        ({"workload": {"together": {"g": [{"prompts": [1, 2]}]}}}, "workload.together.g"),
        ({"shared": {"together": {"g": [{"batchsize": 1}]}}}, "shared.together.g"),
        ({"extends": []}, "extends"),
        ({"extends": {"a": 1}}, "extends"),
        ({"gaps": {"cycle": 1}}, "gaps"),
        ({"gaps": {"cycle_s": -1}}, "gaps.cycle_s"),
        ({"failures": {"breaker": 0}}, "failures.breaker"),
        ({"notify": {"on_complete": 1}}, "notify.on_complete"),
        ({"schedule": {"at": "25:00"}}, "schedule"),
        ({"schedule": {"every": "1 h"}}, "schedule"),
        ({"schedule": {"between": "22:00"}}, "schedule"),
        ({"measurement": {"warmup": {"iterations": 2, "until_cv": 0.1}}}, "measurement.warmup.until_cv"),
    ],
)
def test_a_wrong_file_is_refused_where_it_is_wrong_and_so_by_the_loader(change: dict[str, Any], at: str) -> None:
    declared = BASE | change
    places = {".".join(map(str, error.absolute_path)) for error in VALIDATOR.iter_errors(declared)}
    assert places == {at}
    assert not loads(declared)


def test_everything_that_can_be_declared_is_described_with_its_default() -> None:
    properties = SCHEMA["properties"]
    for owner in ("workload", *OPTIONS):
        for name, schema in SCHEMA["$defs"][owner]["properties"].items():
            assert schema["description"], name
            assert "default" in schema, name
    for name, options in OPTIONS.items():
        axes = SCHEMA["$defs"][f"{name}-axes"]["properties"]
        assert (
            axes.keys() - {"together"}
            == options.model_fields.keys() - {"backend"}
            <= properties["shared"]["properties"].keys()
        )
    assert all(properties[name].get("description") for name in CampaignFile.model_fields)


_PLACES = [
    *((("workload",), name) for name in Workload.model_fields),
    *((("measurement",), name) for name in Measurement.model_fields if name != "warmup"),
    *((("backends", backend), name) for backend, options in OPTIONS.items() for name in options.model_fields),
]
_numbers = st.integers(-1, 9) | st.sampled_from([0.5, 1.5])
_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 2**17),
    st.floats(-1, 200).filter(lambda value: not value.is_integer()),  # to a schema 2.0 is an integer, to us it is not
    st.sampled_from(["float32", "auto", "sdpa", "default", "crash", "cpu", "nvml", "builtin", "hf:a/b", "", "x"]),
    st.just({}),
    st.just({"any": [1, None]}),
    st.fixed_dictionaries({"min": _numbers, "max": _numbers}, optional={"step": _numbers}),
    st.fixed_dictionaries({"log2": st.lists(st.sampled_from([1, 2, 64, 0.5]), max_size=3)}),
)


_BEYOND = (
    "no experiment is left",
    "there is no prompt file",
    "unknown dataset",
    "are not supported yet by",
)


_OF_RANGES = (" one of the range's values: ", " is greater than ")


@given(st.sampled_from(_PLACES), _values | st.lists(_values, max_size=2))
def test_schema_and_loader_agree_on_each_value(place: tuple[tuple[str, ...], str], value: Any) -> None:
    path, name = place
    declared: dict[str, Any] = {name: value}
    for part in reversed(path):
        declared = {part: declared}
    campaign = BASE | declared
    try:
        campaign_from_mapping(campaign)
    except FileError as error:
        if any(told in issue.message for issue in error.issues for told in _OF_RANGES):
            return  # which values a range has, a schema does not tell
        # Rules between parameters and files that are not there are the loader's own.
        refused = not all(issue.message.startswith(_BEYOND) for issue in error.issues)
    else:
        refused = False
    assert VALIDATOR.is_valid(campaign) is not refused


def test_a_file_that_extends_others_may_lack_what_they_say() -> None:
    VALIDATOR.validate({"extends": "base.yaml"})
    VALIDATOR.validate({"extends": ["a.yaml", "b.yaml"], "cycles": 2})
    assert not VALIDATOR.is_valid({"cycles": 2})


def test_groups_are_described() -> None:
    group = {"g": [{"batch_size": 1, "load_s": 1}, {"batch_size": 2, "load_s": 2}]}
    for where in ({"shared": {"together": group}}, {"backends": {"simulated": {"together": group}}}):
        VALIDATOR.validate(BASE | where)
        assert loads(BASE | where)


def test_it_is_small_enough_for_an_editor() -> None:
    assert len(str(SCHEMA)) < 150_000
