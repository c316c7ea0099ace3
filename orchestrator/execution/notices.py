"""Others told how a campaign ended. Whatever comes of that, the campaign is not harmed."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.campaign.schema import Campaign
from orchestrator.campaign.settings import Notify
from orchestrator.errors import InputError, InterruptedCampaignError, InUseError, OrchestratorError
from orchestrator.execution.events import Notified, Observer
from orchestrator.execution.readiness import settled
from orchestrator.manifest.store import Manifest, RunRow, Status
from orchestrator.notify.deliver import deliver
from orchestrator.notify.notice import TEST, Counts, FailedRun, Notice
from orchestrator.notify.webhook import Webhook, webhook_of
from orchestrator.results.frozen import program_version
from orchestrator.system.project import Project
from orchestrator.system.project_env import read_env
from runners.contract.messages import redact
from runners.contract.paths import CAMPAIGN, run_id

NOTIFICATIONS = "notifications.jsonl"
COMPLETED, FAILED, STOPPED = "campaign.completed", "campaign.failed", "campaign.stopped"


def _never() -> bool:
    return False


@dataclass
class Notices:
    """Who is told of one campaign, and what there is to tell."""

    webhook: Webhook | None
    notify: Notify
    campaign: str
    results: Path
    on_event: Observer
    should_stop: Callable[[], bool]
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started_s: float = field(default_factory=time.monotonic)
    counts: Counts | None = None
    failed: Sequence[RunRow] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Whose secrets no notice tells."""

    @classmethod
    def of(
        cls,
        campaign: Campaign,
        project: Project,
        flags: Mapping[str, Mapping[str, Any]] | None,
        on_event: Observer,
        should_stop: Callable[[], bool],
    ) -> Notices:
        """By a campaign's settings and the environment.

        Raises:
            InputError: the URL that the environment names is none; seen before anything is started.
        """
        notify = settled(campaign, project, flags).settings.notify
        environment = environment_of(project)
        webhook = webhook_of(notify, environment)
        results = project.results / campaign.name
        return cls(webhook, notify, campaign.name, results, on_event, should_stop, environment=environment)

    @contextmanager
    def counted(self, manifest: Manifest) -> Iterator[None]:
        """Keep where the runs stand when the context ends, however it does."""
        try:
            yield
        finally:
            with suppress(OrchestratorError, sqlite3.Error):
                counts = manifest.counts()
                pending = counts[Status.PENDING] + counts[Status.RUNNING]
                done, failed = counts[Status.COMPLETED], counts[Status.FAILED]
                self.counts = Counts(done + failed + pending, done, failed, pending)
                self.failed = list(manifest.runs(status=Status.FAILED))

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell how what is done in the context ended, unless the user ended it or asked for what cannot be."""
        try:
            yield
        except (InterruptedCampaignError, InUseError, InputError):
            raise
        except Exception as error:
            self.stopped(error)
            raise
        if self.counts is None or self.counts.pending:
            return
        if self.counts.failed and self.notify.on_failure:
            self._tell(FAILED)
        elif not self.counts.failed and self.notify.on_complete:
            self._tell(COMPLETED)

    def stopped(self, error: Exception) -> None:
        """Tell what the campaign was stopped by."""
        if self.notify.on_failure:
            hint = error.hint if isinstance(error, OrchestratorError) else None
            self._tell(STOPPED, str(error) or type(error).__name__, hint)

    def _tell(self, event: str, error: str | None = None, hint: str | None = None) -> None:
        if self.webhook is None:
            return
        now = datetime.now(UTC)
        notice = Notice(
            event=event,
            delivery=str(uuid.uuid4()),
            campaign=self.campaign,
            host=socket.gethostname(),
            version=program_version(),
            started_at=self.started_at,
            ended_at=now,
            duration_s=round(time.monotonic() - self.started_s, 3),
            runs=self.counts,
            failed_runs=tuple(
                FailedRun(run_id(row.experiment_id, row.cycle), row.failure_kind, self._told_of(row.message))
                for row in self.failed
            ),
            error=self._told_of(error),
            hint=self._told_of(hint),
            results=str(self.results),
        )
        notified = send(self.webhook, notice, self.should_stop)
        self._write_down(notice, notified)
        self.on_event(notified)

    def _told_of(self, text: str | None) -> str | None:
        return text and redact(text, self.environment)

    def _write_down(self, notice: Notice, notified: Notified) -> None:
        if not (self.results / CAMPAIGN).exists():
            return
        line = {"at": datetime.now(UTC).isoformat(), "delivery": notice.delivery, **asdict(notified)}
        try:
            with (self.results / NOTIFICATIONS).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError:
            return


def environment_of(project: Project) -> dict[str, str]:
    """What the project's ``.env`` sets, if it can be read, and the environment over it."""
    try:
        set_there = read_env(project.folder)
    except OrchestratorError:
        # Where it is needed for more than notices, it is refused there.
        set_there = {}
    return {**set_there, **os.environ}


def send(webhook: Webhook, notice: Notice, should_stop: Callable[[], bool] = _never) -> Notified:
    """Post one notice."""
    delivery = deliver(webhook, notice.event, notice.delivery, notice.body(), should_stop)
    return Notified(notice.event, webhook.shown, delivery.delivered, delivery.attempts)


def trial() -> Notice:
    """A notice that tells of nothing."""
    now = datetime.now(UTC)
    return Notice(TEST, str(uuid.uuid4()), None, socket.gethostname(), program_version(), now, now, 0.0)
