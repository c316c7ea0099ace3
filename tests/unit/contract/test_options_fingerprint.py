"""Two parameters' models have one fingerprint if, and only if, they take the same and mean the same."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Optional, Union

import pytest
from pydantic import Field, create_model

from runners.contract.options import OPTIONS, OPTIONS_RULES
from runners.contract.options.base import Options, OptionsRule
from runners.contract.options.fingerprint import options_sha256


def model(**fields: Any) -> type[Options]:
    """Options with these fields, each its type and its default or ``Field``."""
    return create_model("Made", __base__=Options, **{"backend": (Literal["made"], "made"), **fields})


def fingerprint(**fields: Any) -> str:
    return options_sha256(model(**fields), ())


BATCH = (int, Field(1, ge=1, le=64, description="prompts together"))


@pytest.mark.parametrize("backend", OPTIONS)
def test_every_backend_has_one_of_its_own(backend: str) -> None:
    found = {name: options_sha256(OPTIONS[name], OPTIONS_RULES[name]) for name in OPTIONS}
    assert len(found[backend]) == 64
    assert len(set(found.values())) == len(OPTIONS)


@pytest.mark.parametrize(
    "changed",
    [
        {"batches": BATCH},
        {"batch": BATCH, "more": (bool, False)},
        {"batch": (float, Field(1, ge=1, le=64))},
        {"batch": (int | None, Field(1, ge=1, le=64))},
        {"batch": (int, Field(2, ge=1, le=64))},
        {"batch": (int, Field(ge=1, le=64))},
        {"batch": (int, Field(1, ge=0, le=64))},
        {"batch": (int, Field(1, gt=1, le=64))},
        {"batch": (int, Field(1, ge=1))},
    ],
)
def test_what_is_taken_or_meant_shows(changed: dict[str, Any]) -> None:
    assert fingerprint(**changed) != fingerprint(batch=BATCH)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Literal["a", "b"], Literal["a", "c"]),
        (list[int], list[str]),
        (dict[str, int], dict[str, str]),
        (list[Annotated[int, Field(ge=0)]], list[Annotated[int, Field(ge=1)]]),
        (Annotated[str, Field(pattern="^a$")], Annotated[str, Field(pattern="^b$")]),
        (model(x=(int, 1)), model(x=(int, 2))),
        (str | None, str),
    ],
)
def test_types_are_told_apart_however_deep(one: Any, other: Any) -> None:
    assert fingerprint(x=(one, ...)) != fingerprint(x=(other, ...))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((int, Field(1, ge=1, description="one thing")), (int, Field(1, ge=1, description="another"))),
        ((int, Field(1, ge=1)), (Annotated[int, Field(ge=1)], 1)),
        ((int | None, None), (Optional[int], None)),  # noqa: UP045 - another way to write it
        ((int | str, 1), (Union[str, int], 1)),  # noqa: UP007 - another way to write it
        ((list[int], []), (list[int], Field(default_factory=list))),
    ],
)
def test_how_it_is_written_and_described_does_not_show(one: Any, other: Any) -> None:
    assert fingerprint(x=one) == fingerprint(x=other)


def test_rules_show_by_name() -> None:
    made = model()
    rule = OptionsRule[Any]("no-sense", "because", lambda _: False)
    assert options_sha256(made, (rule,)) != options_sha256(made, ())
    again = OptionsRule[Any]("no-sense", "told otherwise", lambda _: True)
    assert options_sha256(made, (rule,)) == options_sha256(made, (again,))


def test_what_is_passed_on_and_what_names_a_model_show() -> None:
    class Plain(Options):
        extra: str = ""

    class Passing(Plain):
        PASSED_ON: ClassVar[tuple[str, ...]] = ("extra",)

    class Naming(Plain):
        MODEL_FIELDS: ClassVar[tuple[str, ...]] = ("extra",)

    assert len({options_sha256(made, ()) for made in (Plain, Passing, Naming)}) == 3


def test_a_type_without_words_is_refused() -> None:
    with pytest.raises(TypeError, match="no words for a parameter of type <class 'bytes'>"):
        fingerprint(x=(bytes, b""))
