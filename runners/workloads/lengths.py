"""From texts to prompts of token ids, of an exact length where one is asked for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from runners.errors import BadRequestError


class Prompts(NamedTuple):
    """Prompts as token ids, prefix included."""

    measured: list[list[int]]
    warmup: list[list[int]]
    """One batch, none of it among the measured."""


def fit(
    texts: Sequence[str],
    measured: int,
    input_tokens: int | None,
    prefix: Sequence[int],
    encode: Callable[[str], list[int]],
) -> Prompts:
    """Makes the prompts of a run.

    Args:
        texts: the measured prompts, then those of the warm-up.
        measured: how many of them are measured.
        input_tokens: exact length of each prompt, prefix included; None: as they come.
        prefix: token ids that the tokenizer puts before every prompt.
        encode: token ids of a text without special tokens.

    Raises:
        BadRequestError: a text has no tokens, or there are not enough different prompts of that length.
    """
    prompts = _prompts(texts, input_tokens, prefix, encode, set())
    return Prompts(prompts[:measured], prompts[measured:])


def fit_further(
    texts: Sequence[str],
    first: Prompts,
    input_tokens: int | None,
    prefix: Sequence[int],
    encode: Callable[[str], list[int]],
) -> list[list[list[int]]]:
    """Makes the prompts of further rounds, each as many as in the first, none of them had before.

    Args:
        texts: of all further rounds.
        first: the prompts of the first round.
        input_tokens: as in :func:`fit`, like the others.
        prefix: likewise.
        encode: likewise.

    Raises:
        BadRequestError: as :func:`fit`.
    """
    seen = {tuple(prompt[len(prefix) :]) for prompt in (*first.measured, *first.warmup)}
    size = len(first.measured)
    # Round by round, so that none depends on how many come after it.
    rounds = [texts[start : start + size] for start in range(0, len(texts), size)]
    return [_prompts(of_round, input_tokens, prefix, encode, seen) for of_round in rounds]


def _prompts(
    texts: Sequence[str],
    input_tokens: int | None,
    prefix: Sequence[int],
    encode: Callable[[str], list[int]],
    seen: set[tuple[int, ...]],
) -> list[list[int]]:
    contents = [encode(text) for text in texts]
    for text, content in zip(texts, contents, strict=True):
        if not content:
            raise BadRequestError(f"a prompt has no tokens: {text[:40]!r}", "take such prompts out of the dataset")
    if input_tokens is not None:
        if input_tokens <= len(prefix):
            raise BadRequestError(
                f"workload.input_tokens is {input_tokens}, of which the tokenizer itself takes {len(prefix)}",
                f"set workload.input_tokens to {len(prefix) + 1} or more",
            )
        contents = _windows(contents, input_tokens - len(prefix), seen)
    return [[*prefix, *content] for content in contents]


def _windows(contents: Sequence[list[int]], length: int, seen: set[tuple[int, ...]]) -> list[list[int]]:
    """As many different stretches of the joined texts as there are texts, each of the same length.

    A stretch begins where its text does and runs on into the texts after it, from the last into the first.
    One that was had before (those in ``seen``, to which all are added) is replaced by one that begins elsewhere.
    """
    stream = [token for content in contents for token in content]
    laps = stream * (1 + -(-length // len(stream)))
    windows: list[list[int]] = []
    begin, spare = 0, 0
    for content in contents:
        window = tuple(laps[begin : begin + length])
        while window in seen:
            if spare == len(stream):
                raise BadRequestError(
                    f"the dataset has only {len(seen)} different prompts of {length} tokens,"
                    f" and {len(contents)} are needed with the warm-up",
                    "ask for fewer prompts, a smaller batch_size or more input_tokens, or use a richer dataset",
                )
            window = tuple(laps[spare : spare + length])
            spare += 1
        seen.add(window)
        windows.append(list(window))
        begin += len(content)
    return windows
