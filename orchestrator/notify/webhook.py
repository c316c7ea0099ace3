"""A webhook: where notices are posted to, and how whoever gets them knows that they are ours. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.campaign.settings import Notify
from orchestrator.campaign.web import check_url, shown_url
from orchestrator.errors import InputError

ENV_URL = "ORCHESTRATE_WEBHOOK_URL"
ENV_SECRET = "ORCHESTRATE_WEBHOOK_SECRET"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where to, and the secret that notices are signed with, if there is one."""

    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """The URL as it may be shown and written down."""
        return shown_url(self.url)

    def headers(self, event: str, delivery: str, timestamp: str, body: bytes) -> dict[str, str]:
        """What a notice is posted with.

        Args:
            event: what it tells.
            delivery: identifies it; the same at each try.
            timestamp: seconds since 1970.
            body: what is posted.
        """
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "orchestrate",
            "X-Orchestrate-Event": event,
            "X-Orchestrate-Delivery": delivery,
            "X-Orchestrate-Timestamp": timestamp,
        }
        if self.secret:
            headers["X-Orchestrate-Signature-256"] = signature(self.secret, timestamp, body)
        return headers


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What tells whoever knows the secret that a body is ours, and of when."""
    return (
        "sha256="
        + hmac.new(secret.encode(errors="surrogateescape"), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    )


def webhook_of(notify: Notify, environ: Mapping[str, str]) -> Webhook | None:
    """The webhook that settings name, else the environment; None if neither does.

    Raises:
        InputError: the URL of the environment is none.
    """
    secret = environ.get(ENV_SECRET) or None
    if notify.webhook_url:
        return Webhook(notify.webhook_url, secret)
    url = environ.get(ENV_URL, "").strip()
    if not url:
        return None
    try:
        check_url(url)
    except ValueError as error:
        raise InputError(f"{ENV_URL} {error}", hint="set it anew in the environment or in .env, or unset it") from None
    return Webhook(url, secret)
