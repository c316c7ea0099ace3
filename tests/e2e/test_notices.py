"""Whoever is told how a campaign ended, through a real web server; and that the campaign does not mind."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator.notify.webhook import ENV_SECRET, ENV_URL, signature
from tests import hooks
from tests.e2e.commands import Project
from tests.hooks import answers, served

CAMPAIGN = """
name: told
model: any/model
workload: {prompts: 2, output_tokens: 2}
measurement: {sample_hz: 50}
backends:
  simulated: {batch_size: [1, 2]}
"""
SECRET = "t0ps3cret-of-the-hook"


def log(project: Project) -> list[dict[str, Any]]:
    text = (project.results / "told" / "notifications.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_complete_campaign_is_told_of_signed_and_no_secret_is_left_anywhere(project: Project) -> None:
    file = project.write("told.yaml", CAMPAIGN)
    with served() as hook:
        project.write(".env", f"{ENV_SECRET}={SECRET}\n")
        url = f"{hook.url}/T0PS3CRET?key=T0PS3CRET"
        done = project.run("campaign", str(file), environment={ENV_URL: url})
    assert done.returncode == 0, done.stderr
    (came,) = hook.posts
    timestamp = came.headers["X-Orchestrate-Timestamp"]
    assert came.headers["X-Orchestrate-Signature-256"] == signature(SECRET, timestamp, came.body)
    told = came.json
    assert (told["event"], told["campaign"]) == ("campaign.completed", "told")
    assert told["runs"] == {"total": 2, "completed": 2, "failed": 0, "pending": 0}
    assert told["failed_runs"] == []
    started, ended = (datetime.fromisoformat(told[name]) for name in ("started_at", "ended_at"))
    assert started.utcoffset() is not None
    assert started < ended
    assert told["results"] == str(project.results / "told")
    (line,) = log(project)
    assert (line["delivery"], line["delivered"]) == (told["delivery"], True)
    assert f"told {hook.origin}/…: campaign.completed" in done.stdout
    written = b"".join(
        path.read_bytes() for path in project.folder.rglob("*") if path.is_file() and path.name != ".env"
    )
    for secret in (SECRET, "T0PS3CRET"):
        assert secret.encode() not in written
        assert secret not in done.stdout + done.stderr


def test_failed_runs_are_told_of_with_their_kinds(project: Project) -> None:
    with served() as hook:
        file = project.write(
            "told.yaml",
            CAMPAIGN.replace("[1, 2]", "[1, 2], fail: unsupported") + f"notify: {{webhook_url: '{hook.url}'}}\n",
        )
        done = project.run("campaign", str(file))
        assert done.returncode == 1
        (came,) = hook.posts
        assert came.json["event"] == "campaign.failed"
        assert came.json["runs"]["failed"] == 2
        assert [run["kind"] for run in came.json["failed_runs"]] == ["unsupported", "unsupported"]
        quiet = project.write("quiet.yaml", file.read_text().replace("told", "quiet").replace("}\n", "}\n", 1))
        quiet.write_text(quiet.read_text().replace("hook'}", "hook', on_failure: false}"))
        assert project.run("campaign", str(quiet)).returncode == 1
        assert len(hook.posts) == 1


def test_a_campaign_that_the_machine_stops_is_told_of(project: Project) -> None:
    with served() as hook:
        file = project.write("told.yaml", CAMPAIGN + "gpus: [63]\n")
        done = project.run("campaign", str(file), "--force", environment={ENV_URL: hook.url})
    assert done.returncode == 3, done.stderr
    (came,) = hook.posts
    assert came.json["event"] == "campaign.stopped"
    assert came.json["error"] in done.stderr


def test_a_hook_that_fails_changes_nothing_but_a_warning(project: Project) -> None:
    file = project.write("told.yaml", CAMPAIGN)
    with served(answers(500)) as hook:
        done = project.run("campaign", str(file), environment={ENV_URL: hook.url})
    assert done.returncode == 0
    assert len(hook.posts) == 5
    assert f"warning: {hook.origin}/… could not be told of campaign.completed: HTTP 500 (5 times)" in done.stdout
    (line,) = log(project)
    assert (line["delivered"], line["attempts"]) == (False, ["HTTP 500"] * 5)
    absent = f"http://127.0.0.1:{hooks.nobodys_port()}/"
    again = project.run("campaign", str(file), "--quiet", environment={ENV_URL: absent})
    assert again.returncode == 0
    assert "no connection" in again.stderr


def test_an_interrupt_ends_the_telling_and_not_the_campaign(project: Project) -> None:
    file = project.write("told.yaml", CAMPAIGN)
    with served(hooks.drips_headers) as hook:
        host = project.start("campaign", str(file), environment={ENV_URL: hook.url})
        while not hook.posts and host.poll() is None:
            pass
        os.kill(host.pid, 2)
        said, _ = host.communicate(timeout=60)
    assert host.returncode == 0, said
    assert "interrupted" in said
    assert len(hook.posts) == 1
    assert len(list(project.results.glob("told/runs/*/c*/result.json"))) == 2


def test_a_wrong_url_is_found_before_anything_is_started(project: Project) -> None:
    file = project.write("told.yaml", CAMPAIGN)
    done = project.run("campaign", str(file), environment={ENV_URL: "hook.example/T0PS3CRET"})
    assert done.returncode == 2
    assert ENV_URL in done.stderr
    assert "T0PS3CRET" not in done.stderr
    assert not (project.results / "told").exists()


def test_a_trial_says_whether_the_hook_takes_notices(project: Project) -> None:
    none = project.run("notify")
    assert none.returncode == 2
    assert ENV_URL in none.stderr
    with served(answers(200), answers(404)) as hook:
        project.write(".orchestrate.yaml", f"notify: {{webhook_url: '{hook.url}'}}\n")
        taken = project.run("notify", environment={ENV_SECRET: SECRET})
        assert (taken.returncode, taken.stdout) == (0, f"{hook.origin}/…: taken (signed); HTTP 200\n")
        assert hook.posts[0].json["event"] == "test"
        refused = project.run("notify")
        assert (refused.returncode, refused.stdout) == (3, f"{hook.origin}/…: not taken; HTTP 404\n")


def test_the_page_is_right_about_how_a_signature_is_checked(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/notifications.md").read_text(encoding="utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(code, names)
    with served() as hook:
        from orchestrator.notify.deliver import deliver
        from orchestrator.notify.webhook import Webhook

        assert deliver(Webhook(hook.url, SECRET), "test", "d", b"{}").delivered
    (came,) = hook.posts
    assert names["is_ours"](SECRET, came.headers, came.body)
    assert not names["is_ours"]("another", came.headers, came.body)
    assert not names["is_ours"](SECRET, came.headers, came.body + b" ")
    assert not names["is_ours"](SECRET, {**came.headers, "X-Orchestrate-Timestamp": "1"}, came.body)
