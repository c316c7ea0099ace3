"""What a folder holds of a model: how large its weights are, of which types, and how it is built."""

from __future__ import annotations

import contextlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_MOST_HEADER_BYTES = 64 * 2**20
_MOST_CONFIG_BYTES = 16 * 2**20
_MOST_VALUES = 2**60
_MOST_DIMENSIONS = 32
WEIGHTS = (".safetensors", ".gguf")
"""How files of weights end."""


def weight_files(names: Iterable[str]) -> list[str]:
    """Those of a model's files that are loaded as its weights: not of its parts, nor a second copy in another form."""
    found = [name for name in names if name.endswith(WEIGHTS) and "/" not in name]
    shards = [name for name in found if not name.startswith("consolidated")]
    return shards or found


def count_parameters(files: Iterable[Path]) -> dict[str, int]:
    """How many parameters of each type safetensors files hold, by their headers; empty if one cannot be read."""
    counts: Counter[str] = Counter()
    try:
        for file in files:
            counts.update(dict(_tensors(file)))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return dict(counts)


def _tensors(file: Path) -> Iterator[tuple[str, int]]:
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if length > _MOST_HEADER_BYTES:
            raise ValueError("no header of safetensors")
        header = json.loads(opened.read(length))
    counts: Counter[str] = Counter()
    for name, tensor in header.items():
        if name != "__metadata__":
            shape = tensor["shape"]
            if len(shape) > _MOST_DIMENSIONS or not all(
                type(size) is int and 0 <= size < _MOST_VALUES for size in shape
            ):
                raise ValueError("no shape of a tensor")
            if (values := math.prod(shape)) >= _MOST_VALUES:
                raise ValueError("larger than any file")
            counts[str(tensor["dtype"])] += values
    yield from counts.items()


def read_config(folder: Path) -> dict[str, Any]:
    """A model's ``config.json``; empty if there is none that can be read."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        file = folder / "config.json"
        if file.stat().st_size <= _MOST_CONFIG_BYTES:
            told = json.loads(file.read_bytes())
            return told if isinstance(told, dict) else {}
    return {}
