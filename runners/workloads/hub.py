"""Prompts from a dataset of the Hugging Face hub, read as a stream."""

from __future__ import annotations

from collections.abc import Iterator

from runners.errors import BadRequestError, EngineMissingError


def rows_of_dataset(name: str, split: str, column: str) -> Iterator[str]:
    """The prompts of a dataset, in its order. A token is taken from HF_TOKEN if that is set.

    Args:
        name: as on the hub, ``ORG/NAME``.
        split: the split, such as ``train``.
        column: the column that holds the prompt.

    Raises:
        EngineMissingError: the library ``datasets`` is not installed.
        BadRequestError: the dataset, split or column is not there, or a prompt is no text.
    """
    try:
        import datasets
    except ImportError as error:
        raise EngineMissingError(
            f"hf:{name} needs the library 'datasets'", "pip install 'llm-orchestrate[datasets]'"
        ) from error
    try:
        rows = enumerate(datasets.load_dataset(name, split=split, streaming=True))
    except (OSError, ValueError) as error:
        raise BadRequestError(
            f"hf:{name} (split {split}) cannot be read: {error}",
            "see the name and workload.split on the hub; a private or gated dataset needs HF_TOKEN",
        ) from error
    for number, row in rows:
        if column not in row:
            raise BadRequestError(
                f"hf:{name} has no column {column!r} (the columns are: {', '.join(row)})",
                "set workload.column to one of them",
            )
        if not isinstance(row[column], str) or not row[column].strip():
            raise BadRequestError(
                f"hf:{name}, row {number}: column {column!r} holds no text", "set workload.column to one that does"
            )
        yield row[column]
