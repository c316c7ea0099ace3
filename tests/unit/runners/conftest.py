from collections.abc import Callable
from typing import Any

import pytest

from runners.contract.request import RunRequest


@pytest.fixture
def make_request() -> Callable[..., RunRequest]:
    def make(
        workload: dict[str, Any] | None = None, options: dict[str, Any] | None = None, **fields: Any
    ) -> RunRequest:
        return RunRequest.model_validate(
            {
                "campaign": "c",
                "experiment_id": "e-1",
                "cycle": 1,
                "cycles": 1,
                "attempt": 1,
                "order_index": 0,
                "experiment": {
                    "model": "none",
                    "workload": {"prompts": 2, "output_tokens": 4, **(workload or {})},
                    "options": {"backend": "simulated", **(options or {})},
                },
                **fields,
            }
        )

    return make
