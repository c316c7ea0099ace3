"""Where the webhook comes from, and what may not stand in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.campaign.settings import Notify
from orchestrator.errors import InputError
from orchestrator.notify.webhook import ENV_SECRET, ENV_URL, Webhook, webhook_of
from tests.builders import call

CAMPAIGN = """
name: told
model: any/model
backends: {simulated: {}}
notify:
"""


def test_the_settings_come_before_the_environment() -> None:
    environ = {ENV_URL: "https://env.example/hook", ENV_SECRET: "s"}
    assert webhook_of(Notify(webhook_url="https://file.example/"), environ) == Webhook("https://file.example/", "s")
    assert webhook_of(Notify(), environ) == Webhook("https://env.example/hook", "s")
    assert webhook_of(Notify(), {ENV_SECRET: "s"}) is None
    assert webhook_of(Notify(), {ENV_URL: " "}) is None


@pytest.mark.parametrize(
    "url",
    [
        "t0ps3cret",
        "ftp://host/",
        "https://?t0ps3cret",
        "http://host:99999/",
        "http://ho st/",
        "file:///etc/passwd",
        "http://[::1/",
    ],
)
def test_a_url_that_is_none_is_refused_without_being_repeated(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{ENV_URL} is no URL of a web server") as refused:
        webhook_of(Notify(), {ENV_URL: url})
    assert url not in str(refused.value)
    file = tmp_path / "told.yaml"
    file.write_text(f"{CAMPAIGN}  webhook_url: '{url}'\n")
    ended = call("campaign", file, "--dry-run")
    assert ended.returncode == 2
    assert "told.yaml:5: notify: webhook_url: is no URL of a web server" in ended.stderr
    assert url not in ended.stderr


@pytest.mark.parametrize("key", ["secret", "webhook_secret", "token"])
@pytest.mark.parametrize("where", ["told.yaml", ".orchestrate.yaml"])
def test_a_secret_in_a_file_is_refused_with_what_to_do(key: str, where: str, tmp_path: Path) -> None:
    (tmp_path / "told.yaml").write_text(CAMPAIGN.replace("notify:\n", ""))
    section = f"notify:\n  {key}: t0ps3cret\n"
    with (tmp_path / where).open("a") as file:
        file.write(section)
    ended = call("campaign", tmp_path / "told.yaml", "--dry-run")
    assert ended.returncode == 2
    assert "ORCHESTRATE_WEBHOOK_SECRET" in ended.stderr
    assert where in ended.stderr
    assert "t0ps3cret" not in ended.stderr


def test_credentials_in_a_file_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "told.yaml"
    file.write_text(f"{CAMPAIGN}  webhook_url: https://me:t0ps3cret@host/\n")
    ended = call("campaign", file, "--dry-run")
    assert ended.returncode == 2
    assert "set ORCHESTRATE_WEBHOOK_URL" in ended.stderr
    assert "t0ps3cret" not in ended.stderr


def test_a_token_in_a_file_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "told.yaml"
    file.write_text(f"{CAMPAIGN}  webhook_url: https://chat.example/services/T0PS3CRETT0PS3CRETT0PS3CRET\n")
    ended = call("campaign", file, "--dry-run")
    assert ended.returncode == 0
    assert "warning: notify.webhook_url: seems to hold a token" in ended.stdout
    assert "T0PS3CRET" not in ended.stdout


def test_no_more_of_a_url_is_shown_than_its_host() -> None:
    assert Webhook("https://u:p@host:8443/a/b?c=d").shown == "https://host:8443/…"
    assert Webhook("http://host/").shown == "http://host"
