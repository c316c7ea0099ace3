"""What the tests of every engine need: a request, and the model to put into it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from runners.contract.request import RunRequest

RequestMaker = Callable[..., RunRequest]


@pytest.fixture(scope="session", autouse=True)
def offline() -> None:
    """The demo model is all that is needed."""
    os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def make_request() -> RequestMaker:
    """Makes a request for the demo model out of a backend's options."""

    def make(options: dict[str, Any], **fields: Any) -> RunRequest:
        return RunRequest.model_validate(
            {
                "campaign": "runtime",
                "experiment_id": "e-1",
                "cycle": 1,
                "cycles": 1,
                "attempt": 1,
                "order_index": 0,
                "experiment": {
                    "model": "demo:smollm2-135m",
                    "workload": {"prompts": 5, "output_tokens": 4},
                    "options": options,
                },
                **fields,
            }
        )

    return make
