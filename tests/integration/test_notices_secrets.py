"""What is told of a campaign that ended."""

from __future__ import annotations

from pathlib import Path

from orchestrator.campaign.settings import Notify
from orchestrator.errors import MachineError
from orchestrator.execution.notices import Counts, Notices
from orchestrator.notify.webhook import Webhook
from tests.hooks import served


def test_no_secret_is_told(tmp_path: Path) -> None:
    with served() as hook:
        environment = {"HF_TOKEN": "hf_t0ps3cret"}
        notices = Notices(
            Webhook(hook.url), Notify(), "c", tmp_path, lambda _: None, lambda: False, environment=environment
        )
        notices.counts = Counts(1, 0, 0, 1)
        notices.stopped(MachineError("GET ?token=hf_t0ps3cret: 401", hint="see hf_t0ps3cret"))
    (came,) = hook.posts
    assert (came.json["error"], came.json["hint"]) == ("GET ?token=[HF_TOKEN]: 401", "see [HF_TOKEN]")
    assert "t0ps3cret" not in repr(notices)
