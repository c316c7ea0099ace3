"""``extends:``: a campaign file over others, which it names. Reads those files.

Sections merge key by key, and everything else replaces what the base says: a parameter's value, a list, a range, a
group. A path that a file names counts from that file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any, Final

from orchestrator.campaign.document import Document, FieldPath, field_name, read_document
from orchestrator.campaign.groups import TOGETHER
from orchestrator.campaign.rebase import rebased
from orchestrator.errors import FileError, InputError, Issue

EXTENDS: Final = "extends"
MAX_CHAIN: Final = 16
MAX_FILES: Final = 64

_SECTIONS: Final = frozenset({"measurement", "gaps", "failures", "notify", "schedule", "until"})
_PARAMETERS: Final = frozenset({"workload", "shared"})


@dataclass(frozen=True, slots=True)
class _Layer:
    """One of the files that a campaign is made of."""

    document: Document
    folder: Path
    path: Path | None
    """Its real place; None where it was declared in Python."""
    shown: str | None
    """Its place as a user reads it."""


def extended(document: Document, folder: Path, path: Path | None) -> tuple[Document, Path]:
    """A document over those that it extends, and the folder where its relative paths begin.

    Args:
        document: of the campaign.
        folder: its file's.
        path: its file, if it has one.

    Raises:
        FileError: a file that is extended is missing, wrong, or extends itself.
    """
    if not isinstance(document.data, dict) or EXTENDS not in document.data:
        return document, folder
    top = _Layer(document, folder.resolve(), path.resolve() if path else None, str(path) if path else None)
    layers = list(_layers(top, (), set()))
    common = Path(os.path.commonpath([layer.folder for layer in layers]))
    merged = reduce(_merged, [_placed(layer, common) for layer in layers])
    return merged, common


def _layers(layer: _Layer, chain: tuple[_Layer, ...], seen: set[Path]) -> Iterator[_Layer]:
    """A file after all those that it extends, each after its own; one that several extend stands once, and first."""
    if not isinstance(layer.document.data, dict):
        raise FileError([Issue("a campaign is a mapping of keys", line=1, file=layer.shown)])
    chain = (*chain, layer)
    for place, name in _names(layer):
        path = _base(layer, place, name)
        base = _Layer(Document(None), path.parent, path, _near(path))
        if path in [above.path for above in chain]:
            whole = " -> ".join(each.shown for each in (*chain, base) if each.shown)
            raise _fault(layer, place, f"extends itself: {whole}", "take one of them out")
        if len(chain) >= MAX_CHAIN:
            raise _fault(layer, place, f"a chain of more than {MAX_CHAIN} files", "put some of them together")
        if path in seen:
            continue
        seen.add(path)
        if len(seen) > MAX_FILES:
            raise _fault(layer, place, f"more than {MAX_FILES} files are extended", "put some of them together")
        try:
            base = replace(base, document=read_document(path))
        except FileError as error:
            raise FileError([replace(issue, file=base.shown) for issue in error.issues]) from None
        except InputError as error:
            raise _fault(layer, place, str(error), "paths count from the file that names them") from None
        yield from _layers(base, chain, seen)
    yield layer


def _names(layer: _Layer) -> Iterator[tuple[FieldPath, str]]:
    if EXTENDS not in layer.document.data:
        return
    declared = layer.document.data[EXTENDS]
    listed = isinstance(declared, list) and bool(declared)
    for index, name in enumerate(declared if listed else [declared]):
        place = (EXTENDS, index) if listed else (EXTENDS,)
        if not isinstance(name, str) or not name:
            raise _fault(layer, place, "must be the path of a campaign file, or a list of them", None)
        yield place, name


def _base(layer: _Layer, place: FieldPath, name: str) -> Path:
    try:
        return (layer.folder / Path(name).expanduser()).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # an unknown user, a symlink loop, a NUL
        raise _fault(layer, place, f"{name!r} leads nowhere: {error}", None) from None


def _near(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def _fault(layer: _Layer, place: FieldPath, message: str, hint: str | None) -> FileError:
    return FileError([Issue(message, field_name(place), layer.document.line(place), hint, file=layer.shown)])


def _placed(layer: _Layer, common: Path) -> Document:
    """A layer's document without the key, each value with its file, its paths counting from another folder."""
    document = layer.document
    own = {key: value for key, value in document.data.items() if key != EXTENDS}
    data, faults = rebased(own, layer.folder, common)
    if faults:
        raise FileError(
            [Issue(f.message, field_name(f.path), document.line(f.path), f.hint, file=layer.shown) for f in faults]
        )
    files = dict.fromkeys(document.lines, layer.shown) if layer.shown else {}
    return Document(data, document.lines, files)


def _merged(base: Document, over: Document) -> Document:
    replaced: set[FieldPath] = set()
    data = _merge(base.data, over.data, (), replaced)

    def stays(place: FieldPath) -> bool:
        return not any(place[:length] in replaced for length in range(1, len(place) + 1))

    lines = {place: line for place, line in base.lines.items() if stays(place)} | over.lines
    files = {place: file for place, file in base.files.items() if stays(place)} | over.files
    return Document(data, lines, files)


def _merge(base: Any, over: Any, path: FieldPath, replaced: set[FieldPath]) -> Any:
    if over is None and len(path) == 2 and path[0] == "backends" and isinstance(base, dict):
        return base
    if isinstance(base, dict) and isinstance(over, dict) and _is_section(path):
        merged = {key: _merge(base[key], value, (*path, key), replaced) for key, value in over.items() if key in base}
        return {**base, **over, **merged}
    replaced.add(path)
    return over


def _is_section(path: FieldPath) -> bool:
    """Whether mappings at this place merge key by key; elsewhere they are values, such as ranges."""
    if path[-1:] == (TOGETHER,):
        return (path[0] in _PARAMETERS and len(path) == 2) or (path[0] == "backends" and len(path) == 3)
    if path[:1] == ("backends",):
        return len(path) <= 2
    if path == ("measurement", "warmup"):
        return True
    return len(path) <= 1 and (not path or path[0] in _SECTIONS | _PARAMETERS)
