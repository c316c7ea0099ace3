"""One process's batches through transformers' ``generate``, and when each token of theirs was on the host."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
import transformers

from runners.backends.base import Batch, TokenIds
from runners.backends.pytorch_load import Loaded
from runners.backends.pytorch_place import Place
from runners.contract.options.pytorch import PytorchOptions
from runners.errors import BadRequestError


class Generator:
    """Answers batches.

    Args:
        loaded: the models.
        generation: the generation config of the run.
        options: what was asked for.
        place: where the prompts are put.
        alive: called at every step of a batch.
    """

    def __init__(
        self, loaded: Loaded, generation: Any, options: PytorchOptions, place: Place, alive: Callable[[], None]
    ) -> None:
        self._loaded = loaded
        self._generation = generation
        self._streams = options.num_beams == 1
        self._place = place
        self._alive = alive
        self._helpers = _helpers(loaded)
        self.cache: dict[str, Any] | None = None
        """What the last batch's cache was; None before the first, and without any."""

    def generate(self, prompts: Sequence[TokenIds]) -> Batch:
        """Answers one batch, padded on the left to its longest prompt.

        Raises:
            BadRequestError: prompt and answer do not fit into the model's context.
        """
        start_s = time.monotonic()
        longest = max(map(len, prompts))
        self._require_fit(longest)
        padding = [longest - len(prompt) for prompt in prompts]
        pad = self._generation.pad_token_id
        ids = [[pad] * pads + list(prompt) for pads, prompt in zip(padding, prompts, strict=True)]
        mask = [[0] * pads + [1] * (longest - pads) for pads in padding]
        # Beams cannot be streamed, so their steps are seen from where their scores pass.
        streamer = _TokenTimes(self._alive) if self._streams else None
        processors = [] if streamer else [_Steps(self._alive)]
        with torch.inference_mode():
            answered = self._loaded.model.generate(
                input_ids=torch.tensor(ids, device=self._place.device),
                attention_mask=torch.tensor(mask, device=self._place.device),
                generation_config=self._generation,
                streamer=streamer,
                logits_processor=transformers.LogitsProcessorList(processors),
                **self._helpers,
            )
        synchronize(self._place)
        end_s = time.monotonic()
        self.cache = read_cache(answered.past_key_values)
        outputs = answered.sequences[:, longest:].tolist()
        return Batch(start_s, end_s, streamer.times_s if streamer else None, outputs)

    def _require_fit(self, longest: int) -> None:
        limit = getattr(self._loaded.model.config, "max_position_embeddings", None)
        output_tokens = self._generation.max_new_tokens
        if limit is not None and longest + output_tokens > limit:
            raise BadRequestError(
                f"a prompt of {longest} tokens and an answer of {output_tokens} exceed the model's {limit} positions",
                "lower workload.input_tokens or workload.output_tokens, or use a model with a longer context",
            )


def synchronize(place: Place) -> None:
    """Waits for the GPUs; the CPU is always done."""
    if place.on_gpu:
        for device in place.devices:
            torch.cuda.synchronize(device)


def read_cache(cache: Any | None) -> dict[str, Any] | None:
    """What a cache of keys and values is, by its classes."""
    if cache is None:
        return None
    layers = sorted({type(layer).__name__ for layer in getattr(cache, "layers", ())})
    return {"class": type(cache).__name__, "layers": layers, "offloaded": bool(getattr(cache, "offloading", False))}


def _helpers(loaded: Loaded) -> dict[str, Any]:
    """Who drafts tokens, and both tokenizers where its vocabulary is another."""
    if loaded.assistant is None:
        return {}
    if loaded.assistant_tokenizer is None:
        return {"assistant_model": loaded.assistant}
    return {
        "assistant_model": loaded.assistant,
        "tokenizer": loaded.tokenizer,
        "assistant_tokenizer": loaded.assistant_tokenizer,
    }


class _TokenTimes(transformers.generation.streamers.BaseStreamer):  # type: ignore[misc]
    """Notes when each token of an answer reached the host; the first call brings the prompts.

    A step brings one token for each prompt, or in assisted decoding, of one prompt, all that were verified at once.
    """

    def __init__(self, alive: Callable[[], None]) -> None:
        self.times_s: list[float] = []
        self._alive = alive
        self._prompts_came = False

    def put(self, value: torch.Tensor) -> None:
        if self._prompts_came:
            now_s = time.monotonic()
            self.times_s += [now_s] * (value.shape[1] if value.dim() == 2 else 1)
            self._alive()
        self._prompts_came = True

    def end(self) -> None:
        pass


class _Steps(transformers.LogitsProcessor):  # type: ignore[misc]
    """Tells each step, and leaves the scores as they are."""

    def __init__(self, alive: Callable[[], None]) -> None:
        self._alive = alive

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self._alive()
        return scores
