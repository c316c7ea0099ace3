"""Prompts from a dataset of the Hugging Face hub. A token is taken from HF_TOKEN if that is set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runners.contract.names import HUB_PREFIX, NamedDataset
from runners.errors import OUT_OF_SPACE, BadRequestError, EngineMissingError

Rows = Iterable[Mapping[str, Any]]


def rows_of_dataset(name: str, split: str, column: str) -> Iterator[str]:
    """The prompts of a dataset, in its order, read as a stream.

    Args:
        name: as on the hub, ``ORG/NAME``.
        split: the split, such as ``train``.
        column: the column that holds the prompt.

    Raises:
        EngineMissingError: the library ``datasets`` is not installed.
        BadRequestError: the dataset, split or column is not there, or a prompt is no text.
    """
    called = f"{HUB_PREFIX}{name}"
    rows = _load(called, name, split, "see the name and workload.split on the hub", streaming=True)
    yield from _texts(rows, called, column, "set workload.column to one {which}")


def rows_of_named_dataset(called: str, dataset: NamedDataset) -> Iterator[str]:
    """The prompts of a dataset that has a name of its own here; it is downloaded once, and kept in the hub's cache.

    Args and errors are otherwise those of :func:`rows_of_dataset`.
    """
    hint = f"see whether the hub can be reached, and still has {dataset.hub_id}"
    rows = _load(called, dataset.hub_id, dataset.split, hint, streaming=False)
    changed = f"{dataset.hub_id} is not on the hub what it was: use {HUB_PREFIX}{dataset.hub_id} and name a column"
    yield from _texts(rows, called, dataset.column, changed + " {which}")


def _load(called: str, name: str, split: str, hint: str, *, streaming: bool) -> Rows:
    try:
        import datasets
    except ImportError as error:
        raise EngineMissingError(
            f"{called} needs the library 'datasets'", "pip install 'llm-orchestrate[datasets]'"
        ) from error
    try:
        rows: Rows = datasets.load_dataset(name, split=split, streaming=streaming)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        if isinstance(error, OSError) and error.errno in OUT_OF_SPACE:
            raise
        raise BadRequestError(
            f"{called} (split {split}) cannot be read: {error}", f"{hint}; a private or gated dataset needs HF_TOKEN"
        ) from error
    return rows


def _texts(rows: Rows, called: str, column: str, hint: str) -> Iterator[str]:
    """The texts of a column; the hint says what to do, and takes in which column would do."""
    for number, row in enumerate(rows):
        if column not in row:
            raise BadRequestError(
                f"{called} has no column {column!r} (the columns are: {', '.join(row)})",
                hint.format(which="of them"),
            )
        if not isinstance(row[column], str) or not row[column].strip():
            raise BadRequestError(
                f"{called}, row {number}: column {column!r} holds no text", hint.format(which="that does")
            )
        yield row[column]
