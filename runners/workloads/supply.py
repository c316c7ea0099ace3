"""The prompts of a run: those of the first round, and fresh ones for as many rounds as it takes."""

from __future__ import annotations

from runners.backends.base import Backend
from runners.contract.request import RunRequest
from runners.workloads.lengths import Prompts, fit, fit_further
from runners.workloads.source import texts_of


class Supply:
    """Reads the texts at once, and makes prompts of them when there is a tokenizer.

    Args:
        request: what to run.

    Raises:
        BadRequestError: the dataset cannot be read, or has too few prompts.
    """

    def __init__(self, request: RunRequest) -> None:
        self._request = request
        self._texts = texts_of(request)

    def first(self, loaded: Backend) -> Prompts:
        """The prompts of the first round, and of the warm-up.

        Raises:
            BadRequestError: they cannot have the length that was asked for.
        """
        workload = self._request.experiment.workload
        return fit(self._texts, workload.prompts, workload.input_tokens, loaded.prefix, loaded.encode)

    def further(self, loaded: Backend, first: Prompts, rounds: int) -> list[list[list[int]]]:
        """The prompts of so many further rounds, a list a round.

        Raises:
            BadRequestError: likewise.
        """
        if not rounds:
            return []
        texts = texts_of(self._request, rounds)[len(self._texts) :]
        length = self._request.experiment.workload.input_tokens
        return fit_further(texts, first, length, loaded.prefix, loaded.encode)
