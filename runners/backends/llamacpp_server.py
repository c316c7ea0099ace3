"""llama.cpp's server, as far as it is asked here: prompts in token ids, answers with the moment of each token."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import xllamacpp

from runners.backends.base import TokenIds
from runners.errors import EngineError

_HINT = "runner.log has llama.cpp's own words; try without the unusual options to find the one"
_TIMEOUT_S = 60.0


@dataclass
class Answer:
    """What came of one prompt."""

    tokens: list[int] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    """When each token came, of CLOCK_MONOTONIC."""
    prompt_s: float = 0.0
    """From when the engine began with it to its first token."""
    settings: dict[str, Any] = field(default_factory=dict)
    """How it was generated, as the engine says."""


class Server:
    """A running server and its model. It ends with its last reference.

    Args:
        params: the engine's parameters (``xllamacpp.CommonParams``); the engine writes into them what it made of them.

    Raises:
        EngineError: it did not start.
    """

    def __init__(self, params: Any) -> None:
        self.params = params
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise EngineError(f"llama.cpp did not start: {error}", _HINT) from error
        properties = self._asked("/props")
        self.sequences: int = properties["total_slots"]
        self.context_tokens: int = properties["default_generation_settings"]["n_ctx"]
        """Tokens that the cache holds of one sequence, at most."""
        self.model: dict[str, Any] = self._asked("/v1/models")["data"][0]["meta"]

    @property
    def cache_tokens(self) -> int:
        """Tokens that the cache holds in all."""
        return self.context_tokens * (1 if self.params.kv_unified else self.sequences)

    def tokens(self, text: str, *, special: bool) -> list[int]:
        """Token ids of a text.

        Args:
            text: what to encode.
            special: with what the model puts before and after a text by itself.
        """
        found: list[int] = self._asked("/tokenize", {"content": text, "add_special": special})["tokens"]
        return found

    def complete(self, prompts: Sequence[TokenIds], alive: Callable[[], None]) -> list[Answer]:
        """Answers to all prompts, in their order.

        Args:
            prompts: token ids of each.
            alive: called at every token.

        Raises:
            EngineError: the engine refused them.
        """
        answers = [Answer() for _ in prompts]
        raised: list[BaseException] = []

        def take(chunk: dict[str, Any] | None) -> bool:
            """Returns whether to stop; what it raised would be lost in the engine's thread of calls."""
            try:
                if chunk:
                    _take(chunk, answers)
                    alive()
            except BaseException as error:  # noqa: BLE001 - raised again below
                raised.append(error)
            return bool(raised)

        # "verbose" and "return_tokens" bring token ids and timings along with the text.
        request = {"prompt": [list(prompt) for prompt in prompts], "stream": True}
        self._server.handle_completions({**request, "return_tokens": True, "verbose": True}, take)
        if raised:
            raise raised[0]
        return answers

    def _asked(self, path: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the server answers on its port, which this process alone has the key to."""
        request = urllib.request.Request(
            self._server.listening_address + path,
            data=None if content is None else json.dumps(content).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self.params.api_keys[0]}"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_TIMEOUT_S) as response:
            found: dict[str, Any] = json.load(response)
        return found


def _take(chunk: dict[str, Any], answers: Sequence[Answer]) -> None:
    """Adds what one message of the engine's stream brings."""
    now_s = time.monotonic()
    if error := chunk.get("error"):
        raise EngineError(f"llama.cpp: {error['message']}", _HINT)
    told = chunk["__verbose"]
    answer = answers[told["index"]]
    answer.tokens += told["tokens"]
    answer.times_s += [now_s] * len(told["tokens"])
    if told["stop"]:
        answer.prompt_s = told["timings"]["prompt_ms"] / 1000
        answer.settings = told["generation_settings"]
