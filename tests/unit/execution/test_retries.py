from __future__ import annotations

import pytest

from orchestrator.campaign.settings import Failures
from orchestrator.execution.retries import Retries, Retry
from runners.contract.failures import FAILURES
from runners.contract.paths import FailureKind


def test_the_back_off_doubles_until_no_retry_is_left() -> None:
    retries = Retries(Failures(retries=3, backoff_s=10.0))
    found = [retries.after(4, FailureKind.CRASHED) for _ in range(5)]
    assert found == [Retry(10.0, 2), Retry(20.0, 1), Retry(40.0, 0), None, None]


def test_each_run_has_its_own() -> None:
    retries = Retries(Failures(retries=1))
    assert retries.after(1, FailureKind.CRASHED)
    assert retries.after(2, FailureKind.CRASHED)
    assert retries.after(1, FailureKind.CRASHED) is None


@pytest.mark.parametrize("kind", FailureKind)
def test_only_what_may_pass_is_tried_again(kind: FailureKind) -> None:
    assert (Retries(Failures()).after(1, kind) is not None) is FAILURES[kind].passing


def test_what_follows_from_the_request_is_never_tried_again() -> None:
    for kind in ("bad_request", "model_gated", "engine_missing", "engine_broken", "unsupported", "gpu_out_of_memory"):
        assert not FAILURES[FailureKind(kind)].passing
        assert not FAILURES[FailureKind(kind)].ailing


def test_retries_can_be_switched_off() -> None:
    assert Retries(Failures(retries=0)).after(1, FailureKind.CRASHED) is None
