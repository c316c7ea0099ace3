"""What is told where transformers did otherwise than asked."""

from __future__ import annotations

from typing import Any

import pytest

from runners.backends.pytorch_overridden import overridden
from runners.contract.options.pytorch import PytorchOptions

USED: dict[str, Any] = {
    "cache": {"class": "DynamicCache", "offloaded": False},
    "torch_num_threads": 2,
    "generation": {"do_sample": True, "num_beams": 1, "temperature": 0.5, "top_k": 5, "renormalize_logits": True},
}
ASKED: dict[str, Any] = {
    "do_sample": True,
    "temperature": 0.5,
    "top_k": 5,
    "num_threads": 2,
    "cache_implementation": "dynamic",
    "generation_args": {"renormalize_logits": True},
}


def test_what_was_done_as_asked_is_no_remark() -> None:
    assert overridden(PytorchOptions(**ASKED), USED) == []
    left_open = {"do_sample": False, "num_beams": 1, "top_p": 0.9}
    assert overridden(PytorchOptions(), {**USED, "generation": left_open}) == []


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"temperature": 0.7, "do_sample": True}, "temperature was to be 0.7, and is 0.5"),
        ({"top_p": 0.9, "do_sample": True}, "top_p was to be 0.9, and is None"),
        ({}, "do_sample was to be False, and is True"),
        ({"num_beams": 4, "do_sample": True}, "num_beams was to be 4, and is 1"),
        ({"num_threads": 8, "do_sample": True}, "num_threads was to be 8, and is 2"),
        (
            {"generation_args": {"renormalize_logits": False}, "do_sample": True},
            "generation_args.renormalize_logits was to be False, and is True",
        ),
    ],
)
def test_what_was_done_otherwise_is_told(asked: dict[str, Any], told: str) -> None:
    assert overridden(PytorchOptions(**asked), USED) == [told]
