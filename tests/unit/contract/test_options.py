"""What every parameter says of itself, whichever backend has it."""

from __future__ import annotations

import re
import types
from typing import Any, get_args, get_origin

import pytest

from runners.contract.model import ContractModel
from runners.contract.options import OPTIONS
from runners.contract.request import Measurement, Warmup, Workload

MODELS: list[type[ContractModel]] = [*OPTIONS.values(), Workload, Measurement, Warmup]
FIELDS = [
    pytest.param(name, info, id=f"{model.__name__}.{name}")
    for model in MODELS
    for name, info in model.model_fields.items()
    if name not in ("backend", "warmup")
]
UNITS = re.compile(r"_(s|hz|w|j|bytes|mib|gib)$")
UNIT_IN_WORDS = re.compile(r"\b(seconds|watts|bytes|MiB|GiB)\b")
NO_UNIT = re.compile(r"\b(share|fraction|ratio|relative|coefficient|probability|temperature|penalty|factor|scale)\b")
AMOUNT = re.compile(r"memory|space|swap|_size_(gb|mb)|duration|delay|timeout")


def is_a(annotation: Any, kind: type) -> bool:
    arms = get_args(annotation) if get_origin(annotation) in (types.UnionType, None) else ()
    return annotation is kind or any(is_a(arm, kind) for arm in arms)


@pytest.mark.parametrize(("name", "info"), FIELDS)
def test_a_parameter_is_described_and_a_number_has_a_unit_or_is_a_count(name: str, info: Any) -> None:
    text = info.description
    assert text
    assert not text.endswith(".")
    states_unit = UNITS.search(name) or UNIT_IN_WORDS.search(text)
    if is_a(info.annotation, float):
        assert states_unit or NO_UNIT.search(text), f"{name}: in which unit?"
    if is_a(info.annotation, int) and AMOUNT.search(name):
        assert states_unit, f"{name}: in which unit?"


def test_the_test_above_knows_a_number() -> None:
    numbers = {param.id for param in FIELDS if is_a(param.values[1].annotation, float)}
    assert {"PytorchOptions.temperature", "SimulatedOptions.power_w", "Measurement.baseline_s"} <= numbers


@pytest.mark.parametrize(
    "name", sorted({name for model in OPTIONS.values() for name in model.model_fields} - {"backend"})
)
def test_parameters_of_one_name_mean_the_same_or_say_of_which_engine_they_are(name: str) -> None:
    having = [model for model in OPTIONS.values() if name in model.model_fields]
    said = {model: model.model_fields[name].description or "" for model in having}
    if len(set(said.values())) > 1:
        for model, text in said.items():
            assert any(word in text for word in model.SUMMARY.replace(",", "").split()), (
                f"{model.__name__}.{name}: {text}"
            )
