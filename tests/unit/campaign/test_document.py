from __future__ import annotations

import contextlib
import math

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.campaign.document import MAX_ALIASED_VALUES, Document, field_name, parse
from orchestrator.errors import FileError


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("22:00", "22:00"),
        ("1_000", "1_000"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-7", -7),
        ("2026-01-02", "2026-01-02"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("1.", 1.0),
        ("True", True),
        ("tRUE", "tRUE"),
        ("~", None),
        ("", None),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("<<", "<<"),
        ("=", "="),
    ],
)
def test_scalars_are_those_of_yaml_1_2(written: str, value: object) -> None:
    found = parse(f"key: {written}").data["key"]
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number_that_is_none() -> None:
    assert math.isnan(parse("[.nan]").data[0])


def test_lines_of_keys_and_items() -> None:
    document = parse("# head\na: 1\nb:\n  - x\n  - {c: 2}\n")
    assert [document.line(path) for path in [("a",), ("b",), ("b", 1), ("b", 1, "c")]] == [2, 3, 5, 5]


def test_the_line_of_what_is_not_there_is_that_of_what_is_around_it() -> None:
    assert parse("a: 1\nb:\n  c: 2\n").line(("b", "missing", "deeper")) == 2


def test_crlf_and_an_empty_file() -> None:
    assert parse("a: 1\r\nb: 2\r\n").data == {"a": 1, "b": 2}
    assert parse("").data is None
    assert parse("# only a comment\n").data is None


def test_an_alias_within_bounds_is_its_anchor() -> None:
    assert parse("a: &a [1, 2]\nb: *a\n").data == {"a": [1, 2], "b": [1, 2]}


def _laughs(levels: int) -> str:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "a: the key stands twice (first on line 1)"),
        ("a: {b: 1,\n  b: 2}", 2, "a.b: the key stands twice"),
        (_laughs(9), 1, f"a3: aliases repeat more than {MAX_ALIASED_VALUES:,} values"),
        ("a: &a [*a]", 1, "nested more than"),
        ("a: &a\n  b: *a", 1, "nested more than"),
        ("[" * 100_000, None, "nested more than"),
        ("- " * 100_000, None, "nested more than"),
        ("a: " + "[" * 60 + "]" * 60, 1, "nested more than"),
        ("a: !!python/object/apply:os.system [id]", 1, "is not allowed"),
        ("a: !!python/name:os.system", 1, "is not allowed"),
        ("a: !secret x", 1, "is not allowed"),
        ("!secret a: x", 1, "a key must be text"),
        ("a: !!binary aGk=", 1, "is not allowed"),
        ("a: !!set {x}", 1, "is not allowed"),
        ("a: !!bool maybe", 1, "is not a bool"),
        ("a: !!int twelve", 1, "is not a int"),
        ("[a]: 1", 1, "a key must be text"),
        ("x: y\na: b\0c", 2, "#x0000"),
        ("x: y\na: \ud800", 2, "#xd800"),
        ('a: "b\\0c"', 1, "NUL or half a surrogate pair"),
        ('a: "\\ud800"', 1, "NUL or half a surrogate pair"),
        ('"a\\0": 1', 1, "NUL or half a surrogate pair"),
        ('a: "\\U99999999"', None, "an escape stands for no character"),
        ('a: "\\UFFFFFFFF"', None, "an escape stands for no character"),
        ("a: " + "9" * 5000, 1, "is not a int that can be read"),
        ("a: 0x" + "f" * 6000, 1, "is not a int that can be read"),
        ("a:\n\tb: 1", 2, "not valid YAML"),
        ("a: [1, 2", 1, "not valid YAML"),
        ("a: 'open", 1, "not valid YAML"),
        ("a: *nowhere", 1, "undefined alias"),
        ("a: 1\n---\nb: 2", 2, "not valid YAML"),
        ("%YAML 9.9\n---\na: 1", 1, "not valid YAML"),
    ],
)
def test_what_is_refused_names_its_line(text: str, line: int | None, message: str) -> None:
    with pytest.raises(FileError) as caught:
        parse(text)
    (issue,) = caught.value.issues
    assert message in issue.describe(None)
    assert issue.line == line


_plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdefg-", min_size=1), inner, max_size=4),
    max_leaves=12,
)
_TOKENS = [*"abn1.:-?,&*!%|>'\"\\[]{}#@`~ \t\n\r\0\ufeff\x85\ud800", "<<", "!!", "0x", "\\U", "\n  ", ": ", "- "]
_yaml_like = st.lists(st.sampled_from(_TOKENS)).map("".join)


@given(_yaml_like)
@example('"\\U99999999"')
@example("&a [*a]")
@example("%TAG ! !\n---\n! a")
def test_any_text_is_a_document_or_a_file_error(text: str) -> None:
    with contextlib.suppress(FileError):
        assert isinstance(parse(text), Document)


@given(_plain)
def test_plain_data_comes_back_and_each_value_has_a_line(data: object) -> None:
    document = parse(yaml.dump(data, Dumper=_Dumper, allow_unicode=True))
    assert document.data == data
    assert all(line >= 1 for line in document.lines.values())


class _Dumper(yaml.SafeDumper):
    """Quotes all text, so that only the parser's own reading of plain scalars is at work."""

    def ignore_aliases(self, data: object) -> bool:
        return True


_Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


@pytest.mark.parametrize(
    ("path", "name"), [((), ""), (("a",), "a"), (("a", 2, "b"), "a[2].b"), (("experiments", 0), "experiments[0]")]
)
def test_field_names(path: tuple[str | int, ...], name: str) -> None:
    assert field_name(path) == name
