"""A YAML file -> plain data, with the line on which each value stands.

Safe by construction: nodes become strings, numbers, booleans, nulls, lists and mappings, and nothing
else. Duplicate keys, foreign tags and alias bombs are errors. Scalars follow YAML 1.2's core schema, so
``no``, ``on`` and ``22:00`` are text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from orchestrator.errors import FileError, InputError, Issue

FieldPath = tuple[str | int, ...]

MAX_BYTES = 2 * 2**20
MAX_DEPTH = 50
MAX_ALIASED_VALUES = 10_000

_TAG = "tag:yaml.org,2002:"
_UNWRITABLE = re.compile("[\\x00\\ud800-\\udfff]")
_SCALARS: tuple[tuple[str, str, str, Callable[[str], Any]], ...] = (
    ("null", r"(?:~|null|Null|NULL|)", "~nN", lambda text: None),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)", "tTfF", lambda text: text.lower() == "true"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789", lambda text: _integer(text)),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
        lambda text: float(re.sub(r"\.(?=[iInN])", "", text)),
    ),
    ("str", r"(?s:.*)", "", str),
)
_MOST_BITS = 4096
_CONSTRUCT = {_TAG + name: (re.compile(pattern), construct) for name, pattern, _, construct in _SCALARS}


def _integer(text: str) -> int:
    number = int(text, 10) if text[:2] not in ("0o", "0x") else int(text, 0)
    if number.bit_length() > _MOST_BITS:  # Python reads it, and cannot show it
        raise ValueError
    return number


class _Loader(yaml.SafeLoader):
    """PyYAML's safe parser with the scalars of YAML 1.2's core schema."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 (PyYAML's own attribute)


for _name, _pattern, _first, _ in _SCALARS[:-1]:
    _Loader.add_implicit_resolver(
        _TAG + _name, re.compile(f"^(?:{_pattern})$"), [*_first, ""] if _name == "null" else list(_first)
    )


@dataclass(frozen=True)
class Document:
    """Plain data and the line, counted from 1, of each value in it."""

    data: Any
    lines: dict[FieldPath, int] = field(default_factory=dict)
    files: dict[FieldPath, str] = field(default_factory=dict)
    """The file of each value, where it is made of several."""

    def line(self, path: FieldPath) -> int | None:
        """The line of a value, or of the nearest thing around it."""
        return self.lines.get(self._nearest(path))

    def file(self, path: FieldPath) -> str | None:
        """The file of a value, or of the nearest thing around it; None: the document's own."""
        return self.files.get(self._nearest(path))

    def _nearest(self, path: FieldPath) -> FieldPath:
        while path and path not in self.lines:
            path = path[:-1]
        return path


def read_document(path: Path) -> Document:
    """Read a YAML file as plain data with its lines.

    Raises:
        FileError: it is not YAML, or too large.
        InputError: it cannot be read.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path} cannot be read: it is no file")
        if path.stat().st_size > MAX_BYTES:
            raise FileError([Issue(f"larger than {MAX_BYTES >> 20} MiB")], path)
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise FileError([Issue("not UTF-8 text", line=line)], path) from None
    except (FileNotFoundError, ValueError):  # a NUL in the path is a ValueError
        raise InputError(f"there is no file {str(path)!r}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    try:
        return parse(text)
    except FileError as error:
        raise FileError(error.issues, path) from None


def parse(text: str) -> Document:
    """Parse one YAML document.

    Raises:
        FileError: it is not YAML, or YAML that is refused; with line and field.
    """
    try:
        node = _compose(text)
        if node is None:
            return Document(None, {(): 1})
        builder = _Builder()
        return Document(builder.build(node, ()), builder.lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise FileError([Issue(_sentence(error), line=mark.line + 1 if mark else None)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise FileError([Issue(f"the character #x{error.character:04x} is not allowed in YAML", line=line)]) from None
    except RecursionError:
        raise FileError([Issue(f"nested more than {MAX_DEPTH} levels deep")]) from None
    except (ValueError, OverflowError):
        raise FileError([Issue("not valid YAML: an escape stands for no character")]) from None


def _compose(text: str) -> yaml.Node | None:
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _sentence(error: yaml.MarkedYAMLError) -> str:
    parts = [part for part in (error.context, error.problem) if part]
    return "not valid YAML: " + ", ".join(parts)


def field_name(path: FieldPath) -> str:
    """A path as people write it: ``experiments[2].dtype``."""
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name


class _Builder:
    """Turns composed nodes into plain data, keeping count."""

    def __init__(self) -> None:
        self.lines: dict[FieldPath, int] = {}
        self._seen: set[int] = set()
        self._aliased_values = 0

    def build(self, node: yaml.Node, path: FieldPath) -> Any:
        if id(node) in self._seen:
            self._aliased_values += 1
            if self._aliased_values > MAX_ALIASED_VALUES:
                self._refuse(node, path[:1], f"aliases repeat more than {MAX_ALIASED_VALUES:,} values")
        if len(path) > MAX_DEPTH:
            self._refuse(node, path[:3], f"nested more than {MAX_DEPTH} levels deep")
        self._seen.add(id(node))
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag in _CONSTRUCT:
            return self._scalar(node, path)
        return self._refuse(node, path, f"the tag {node.tag!r} is not allowed")

    def _mapping(self, node: yaml.MappingNode, path: FieldPath) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in _CONSTRUCT:
                self._refuse(key_node, path, "a key must be text")
            key = self._text(key_node, path)
            inner = (*path, key)
            if key in mapping:
                self._refuse(key_node, inner, f"the key stands twice (first on line {self.lines[inner]})")
            self.lines[inner] = key_node.start_mark.line + 1
            mapping[key] = self.build(value_node, inner)
        return mapping

    def _scalar(self, node: yaml.ScalarNode, path: FieldPath) -> Any:
        text = self._text(node, path)
        pattern, construct = _CONSTRUCT[node.tag]
        try:
            if pattern.fullmatch(text):
                return construct(text)
        except ValueError:  # more digits than Python reads
            pass
        return self._refuse(node, path, f"{text[:40]!r} is not a {node.tag.removeprefix(_TAG)} that can be read")

    def _text(self, node: yaml.ScalarNode, path: FieldPath) -> str:
        text = str(node.value)
        if _UNWRITABLE.search(text):
            self._refuse(node, path, "holds a NUL or half a surrogate pair, which no file can carry")
        return text

    def _refuse(self, node: yaml.Node, path: FieldPath, message: str) -> Any:
        raise FileError([Issue(message, field=field_name(path), line=node.start_mark.line + 1)])
