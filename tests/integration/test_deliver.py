"""Notices posted to a real server that behaves well, badly, or is not there."""

from __future__ import annotations

import hashlib
import hmac
import time

import pytest

from orchestrator.notify.deliver import Delivery, Patience, deliver
from orchestrator.notify.webhook import Webhook
from tests import hooks
from tests.hooks import answers, served

QUICK = Patience(attempt_s=0.5, total_s=30, attempts=3, backoff_s=0.05, retry_after_s=0.3)
BODY = b'{"event": "campaign.completed"}'


def post(url: str, secret: str | None = None, patience: Patience = QUICK) -> Delivery:
    return deliver(Webhook(url, secret), "campaign.completed", "d-1", BODY, patience=patience)


def test_a_notice_is_posted_once_with_its_headers() -> None:
    with served() as hook:
        assert post(hook.url) == Delivery(True, ("HTTP 200",))
    (came,) = hook.posts
    assert came.path == "/hook"
    assert came.body == BODY
    assert came.headers["Content-Type"] == "application/json"
    assert came.headers["X-Orchestrate-Event"] == "campaign.completed"
    assert came.headers["X-Orchestrate-Delivery"] == "d-1"
    assert "X-Orchestrate-Signature-256" not in came.headers


def test_the_signature_is_of_the_time_and_the_body() -> None:
    with served() as hook:
        post(hook.url, "geheim é")
    (came,) = hook.posts
    signed = came.headers["X-Orchestrate-Timestamp"].encode() + b"." + came.body
    expected = hmac.new("geheim é".encode(), signed, hashlib.sha256).hexdigest()
    assert came.headers["X-Orchestrate-Signature-256"] == f"sha256={expected}"
    assert abs(time.time() - int(came.headers["X-Orchestrate-Timestamp"])) < 3600


@pytest.mark.parametrize(
    ("badly", "what"),
    [
        (answers(500), "HTTP 500"),
        (answers(503, {"Retry-After": "nonsense"}), "HTTP 503"),
        (answers(429), "HTTP 429"),
        (hooks.says_nothing, "no answer within"),
        (hooks.drips_headers, "no answer within"),
        (hooks.garbage, "the answer is not whole, or no HTTP"),
        (hooks.hangs_up, "the answer is not whole, or no HTTP"),
        (hooks.hangs_up_midway, "the answer is not whole, or no HTTP"),
        (hooks.endless_headers, "the answer is not whole, or no HTTP"),
    ],
)
def test_what_may_pass_is_tried_again(badly: hooks.Behaviour, what: str) -> None:
    with served(badly, badly, answers(200)) as hook:
        delivery = post(hook.url, "secret")
    assert delivery.delivered, delivery
    assert [attempt.startswith(what) for attempt in delivery.attempts] == [True, True, False], delivery
    assert len(hook.posts) == 3
    # Whoever gets it twice can tell.
    assert {came.headers["X-Orchestrate-Delivery"] for came in hook.posts} == {"d-1"}


def test_a_server_that_never_works_is_given_up() -> None:
    with served(answers(500)) as hook:
        assert post(hook.url) == Delivery(False, ("HTTP 500",) * 3)
    assert len(hook.posts) == 3


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_a_refusal_is_not_tried_again(status: int) -> None:
    with served(answers(status)) as hook:
        assert post(hook.url) == Delivery(False, (f"HTTP {status}",))
    assert len(hook.posts) == 1


@pytest.mark.parametrize("behaviour", [hooks.drips_body, hooks.endless_body])
def test_what_follows_the_headers_is_not_waited_for(behaviour: hooks.Behaviour) -> None:
    with served(behaviour) as hook:
        assert post(hook.url) == Delivery(True, ("HTTP 200",))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_told_and_not_followed(status: int) -> None:
    with served() as elsewhere, served(answers(status, {"Location": f"{elsewhere.url}?token=t0ps3cret"})) as hook:
        delivery = post(hook.url, "secret")
    what = f"HTTP {status}: redirected to {elsewhere.origin}, and redirects are not followed"
    assert delivery == Delivery(False, (what,))
    assert elsewhere.posts == []


def test_a_redirect_to_what_is_no_address_is_told_too() -> None:
    with served(answers(302, {"Location": "http://[bad"})) as hook:
        assert post(hook.url).attempts == ("HTTP 302: redirected, and redirects are not followed",)


def test_nobody_there() -> None:
    delivery = post(f"http://127.0.0.1:{hooks.nobodys_port()}/t0ps3cret")
    assert delivery == Delivery(False, ("no connection: refused or unreachable",) * 3)


def test_no_such_host() -> None:
    delivery = post("http://nowhere.invalid/t0ps3cret")
    assert not delivery.delivered
    assert "t0ps3cret" not in str(delivery)


def test_a_server_that_asks_to_wait_is_heeded_within_bounds() -> None:
    begun = time.monotonic()
    with served(answers(429, {"Retry-After": "3600"}), answers(200)) as hook:
        delivery = post(hook.url)
    assert delivery == Delivery(True, ("HTTP 429", "HTTP 200"))
    assert time.monotonic() - begun >= QUICK.retry_after_s


def test_all_tries_together_are_bounded() -> None:
    patience = Patience(attempt_s=0.2, total_s=0.6, attempts=1000, backoff_s=0.05)
    with served(hooks.drips_headers) as hook:
        delivery = post(hook.url, patience=patience)
    assert not delivery.delivered
    assert len(delivery.attempts) < 10


def test_an_interrupt_ends_it() -> None:
    with served(hooks.says_nothing) as hook:
        asked = iter([False, False])
        patience = Patience(attempt_s=3600, total_s=3600)
        delivery = deliver(Webhook(hook.url), "test", "d", BODY, lambda: next(asked, True), patience)
    assert delivery == Delivery(False, ("interrupted",))


def test_credentials_are_sent_as_such_and_never_shown() -> None:
    with served() as hook:
        webhook = Webhook(hook.url.replace("http://", "http://me:t0ps%20s3cret@"), "hush")
        assert deliver(webhook, "test", "d", BODY, patience=QUICK).delivered
    assert hook.posts[0].headers["authorization"] == "Basic bWU6dDBwcyBzM2NyZXQ="
    assert "me:" not in webhook.shown
    assert "hush" not in repr(webhook)
    assert "t0ps" not in repr(webhook)


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with served() as proxy:
        monkeypatch.setenv("http_proxy", proxy.origin)
        assert post("http://somewhere.invalid/hook").delivered
    assert proxy.posts[0].path == "http://somewhere.invalid/hook"


def test_what_speaks_no_tls_is_told() -> None:
    with served() as hook:
        delivery = post(hook.url.replace("http:", "https:"))
    assert not delivery.delivered
    assert hook.posts == []
