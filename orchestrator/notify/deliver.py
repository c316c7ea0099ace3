"""A notice posted, within bounds of time whatever the other side does, and tried again where that may help."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from orchestrator.notify.webhook import Webhook

_STEP_S = 0.1


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, and how often tried."""

    attempt_s: float = 10.0
    """For one answer, whatever it is that takes so long."""
    total_s: float = 60.0
    """For all tries and the pauses between them."""
    attempts: int = 5
    backoff_s: float = 1.0
    """Before the second try, doubled before each further one."""
    retry_after_s: float = 20.0
    """The most that the other side may ask us to wait."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a notice."""

    delivered: bool
    attempts: tuple[str, ...]
    """What came of each try, in words."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """Of one try."""

    what: str
    delivered: bool = False
    again: bool = False
    """Whether another try may help."""
    wait_s: float | None = None
    """How long the other side asks us to wait."""


def deliver(
    webhook: Webhook,
    event: str,
    delivery: str,
    body: bytes,
    should_stop: Callable[[], bool] = lambda: False,
    patience: Patience = Patience(),
) -> Delivery:
    """Post a notice; never raises, whatever the other side does.

    Args:
        webhook: where to.
        event: what it tells.
        delivery: identifies it.
        body: JSON.
        should_stop: asked a few times a second; once true, it is given up.
        patience: the bounds.
    """
    deadline = time.monotonic() + patience.total_s
    tried: list[str] = []
    backoff_s = patience.backoff_s
    while True:
        headers = webhook.headers(event, delivery, str(int(time.time())), body)
        left_s = min(patience.attempt_s, deadline - time.monotonic())
        answer = _bounded(lambda headers=headers: _post(webhook.url, headers, body), left_s, should_stop)  # type: ignore[misc]
        tried.append(answer.what)
        wait_s = min(max(backoff_s, answer.wait_s or 0.0), patience.retry_after_s)
        out_of_time = time.monotonic() + wait_s >= deadline
        if answer.delivered or not answer.again or len(tried) == patience.attempts or out_of_time:
            return Delivery(answer.delivered, tuple(tried))
        if _stopped_within(wait_s, should_stop):
            return Delivery(False, (*tried, "interrupted"))
        backoff_s *= 2


def _bounded(post: Callable[[], _Answer], seconds: float, should_stop: Callable[[], bool]) -> _Answer:
    """An answer in time. Whoever drips bytes keeps a read from ever timing out, so the clock is held here."""
    answers: list[_Answer] = []

    def work() -> None:
        try:
            answers.append(post())
        except Exception as error:  # noqa: BLE001 (a notice that cannot be sent harms nothing)
            answers.append(_Answer(f"{type(error).__name__}"))

    thread = threading.Thread(target=work, name="webhook", daemon=True)
    thread.start()
    deadline = time.monotonic() + seconds
    while thread.is_alive() and time.monotonic() < deadline:
        if should_stop():
            return _Answer("interrupted")
        thread.join(_STEP_S)
    return answers[0] if answers else _Answer(f"no answer within {seconds:.2g} s", again=True)


def _post(url: str, headers: Mapping[str, str], body: bytes) -> _Answer:
    import urllib3
    from urllib3.exceptions import HTTPError, LocationParseError, SSLError

    parts = urlsplit(url)
    headers = dict(headers)
    if parts.username is not None:
        said = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers |= urllib3.util.make_headers(basic_auth=said)
        url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    try:
        with _pool(parts.scheme, parts.hostname or "") as pool:
            answer = pool.request(
                "POST",
                url,
                body=body,
                headers=headers,
                redirect=False,
                retries=False,
                timeout=urllib3.Timeout(connect=10, read=10),
                preload_content=False,
            )
            # What follows the headers is not read: it may be without end, and nothing in it is asked for.
            status, said_headers = answer.status, answer.headers
            answer.close()
    except SSLError as error:
        return _Answer(f"no secure connection: {_in_words(error)}")
    except LocationParseError:
        return _Answer("the URL cannot be read")
    except HTTPError as error:
        return _Answer(_in_words(error), again=True)
    except OSError as error:
        return _Answer(f"{error.strerror or type(error).__name__}", again=True)
    return _judged(status, said_headers)


def _judged(status: int, headers: Mapping[str, str]) -> _Answer:
    what = f"HTTP {status}"
    if 200 <= status < 300:
        return _Answer(what, delivered=True)
    if 300 <= status < 400:
        try:
            target = urlsplit(headers.get("Location", ""))
        except ValueError:
            target = urlsplit("")
        where = f" to {target.scheme}://{target.netloc.rpartition('@')[2]}" if target.scheme and target.netloc else ""
        return _Answer(f"{what}: redirected{where}, and redirects are not followed")
    return _Answer(what, again=status in (408, 429) or status >= 500, wait_s=_asked_to_wait_s(headers))


def _asked_to_wait_s(headers: Mapping[str, str]) -> float | None:
    from urllib3 import Retry
    from urllib3.exceptions import InvalidHeader

    said = headers.get("Retry-After")
    try:
        return Retry().parse_retry_after(said) if said else None
    except (InvalidHeader, ValueError, OverflowError):
        return None


def _pool(scheme: str, host: str):  # type: ignore[no-untyped-def]
    """Connections of the one kind that this machine has to that host: by a proxy, if the environment names one."""
    import urllib3

    proxy = getproxies().get(scheme)
    if proxy and not proxy_bypass(host):
        return urllib3.ProxyManager(proxy if "://" in proxy else f"http://{proxy}")
    return urllib3.PoolManager()


def _in_words(error: Exception) -> str:
    """What went wrong, without the address: it may hold a token."""
    from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ProtocolError

    reason = getattr(error, "reason", None)
    for cause in (error, reason, *error.args):
        if isinstance(cause, NameResolutionError):
            return "its host is not known"
        if isinstance(cause, NewConnectionError):
            return "no connection: refused or unreachable"
        if isinstance(cause, ConnectTimeoutError):
            return "nobody answers there"
        if isinstance(cause, OSError) and cause.strerror:
            return f"{cause.strerror}"
    if isinstance(error, ProtocolError):
        return "the answer is not whole, or no HTTP"
    return type(error).__name__


def _stopped_within(seconds: float, should_stop: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if should_stop():
            return True
        time.sleep(min(_STEP_S, max(0.0, until - time.monotonic())))
    return False
