"""Arguments of engines held against what the engines say they take; the grids are made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.campaign.arguments import backends_passed_on, unknown_arguments
from orchestrator.campaign.axes import Grid
from orchestrator.errors import Issue
from runners.contract.description import Description, Engine, EngineField

FIELDS = {
    "block_size": "int | None",
    "swap_space": "float",
    "enforce": "bool",
    "download_dir": "str | None",
    "kv_cache_dtype": "Literal['auto', 'fp8']",
    "seed": "Optional[int]",
}


def said(fields: dict[str, str] = FIELDS, **changes: Any) -> dict[str, Description]:
    engine = Engine(version="vllm 9.0", fields={"engine_args": {n: EngineField(type=t) for n, t in fields.items()}})
    told = {"contract_version": 3, "backend": "vllm", "options_sha256": "0", "engine": engine}
    return {"vllm": Description(**{**told, **changes})}


def grid(*values: dict[str, Any], path: tuple[str | int, ...] = (), option: str = "engine_args") -> Grid:
    return Grid(path, "vllm", ("org/model",), (), ((option, values),))


def issues(name: str, value: Any) -> list[Issue]:
    return unknown_arguments([grid({name: value})], said())


def test_an_unknown_name_is_told_with_its_place_the_engine_and_the_nearest() -> None:
    (issue,) = issues("blok_size", 16)
    assert issue.field == "backends.vllm.engine_args.blok_size"
    assert issue.message == "vllm 9.0 has no such argument"
    assert issue.hint == "did you mean 'block_size'?"
    assert issue.severity == "error"


def test_all_of_them_are_found_each_once() -> None:
    grids = [grid({"a": 1}, {"a": 2, "b": 1}), grid({"c": 1}, path=("experiments", 3))]
    places = [issue.field for issue in unknown_arguments(grids, said())]
    assert places == [
        "backends.vllm.engine_args.a",
        "backends.vllm.engine_args.b",
        "experiments[3].engine_args.c",
    ]


def test_an_option_of_which_the_engine_tells_nothing_takes_nothing() -> None:
    (issue,) = unknown_arguments([grid({"top_k": 1}, option="sampling_args")], said())
    assert issue.field == "backends.vllm.sampling_args.top_k"


def test_where_there_are_too_many_names_to_list_it_says_how_to_see_them() -> None:
    many = said({f"argument_{number}": "int" for number in range(31)})
    (issue,) = unknown_arguments([grid({"zzz": 1})], many)
    assert issue.hint is not None
    assert issue.hint.startswith("all of them: python -m runners vllm --describe; of the image: docker compose run")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("block_size", 16),
        ("block_size", None),
        ("swap_space", 4),
        ("swap_space", 0.5),
        ("enforce", True),
        ("download_dir", "/tmp"),
        ("kv_cache_dtype", "fp8"),
        ("kv_cache_dtype", ["it", "may", "take", "this"]),
        ("seed", 1),
    ],
)
def test_what_the_engine_may_take_is_left_to_it(name: str, value: Any) -> None:
    assert issues(name, value) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("block_size", "16"), ("swap_space", "4"), ("enforce", "yes"), ("seed", "x"), ("block_size", [16])],
)
def test_what_it_cannot_take_is_refused(name: str, value: Any) -> None:
    (issue,) = issues(name, value)
    assert issue.message == f"vllm 9.0 takes {FIELDS[name]}, not {value!r}"


def test_who_was_not_asked_is_not_judged() -> None:
    assert unknown_arguments([grid({"anything": 1})], {}) == []
    assert unknown_arguments([grid({"anything": 1})], said(engine=None)) == []


def test_only_engines_that_are_passed_something_have_to_be_asked() -> None:
    assert backends_passed_on([grid({}), Grid((), "pytorch", ("m",), (), (("dtype", ("float32",)),))]) == []
    assert backends_passed_on([grid({}, {"a": 1})]) == ["vllm"]
