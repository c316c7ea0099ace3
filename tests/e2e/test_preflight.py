"""What is told and asked before a campaign starts: the real library against a stand-in for the hub, real results."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.commands import ORCHESTRATE, Project
from tests.e2e.hub import COMMIT, Repository, serving

pytest.importorskip("huggingface_hub")

TOKEN = "hf_this_must_stay_secret"
FILES = {"config.json": 20, "tokenizer.json": 300, "model.safetensors": 4000, "pytorch_model.bin": 4000, "README.md": 9}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    for name, size in FILES.items():
        (folder / name).write_bytes(b"{}".ljust(size))
    return folder


def environment(project: Project, url: str, **more: str) -> dict[str, str]:
    return {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": url, "HF_HOME": str(project.folder / "hf"), **more}


def look(
    project: Project, variables: Mapping[str, str], model: str = "org/tiny", workload: str = "{}"
) -> tuple[int, dict[str, Any]]:
    text = f"name: c\nmodel: {model}\nworkload: {workload}\nbackends: {{pytorch: {{}}}}\n"
    command = ["campaign", str(project.write("c.yaml", text)), "--dry-run", "--json", "--dispatch", "local"]
    done = project.run(*command, environment=variables)
    assert TOKEN not in done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)


def issues(shown: Mapping[str, Any], severity: str) -> list[str]:
    """The messages about the hub."""
    found = [issue for issue in shown["issues"] if issue["severity"] == severity and issue["field"]]
    return [f"{issue['message']} ({issue['hint']})" for issue in found]


def test_only_what_would_be_loaded_is_counted(project: Project, weights: Path) -> None:
    with serving(Repository("org/tiny", weights)) as hub:
        code, shown = look(project, environment(project, hub.url))
        with_revision = look(project, environment(project, hub.url), f"org/tiny@{COMMIT}")[1]
    assert code == 0
    assert hub.served == []
    assert shown["ahead"]["hub"] == [{"name": "org/tiny", "state": "to download", "download_bytes": 4320}]
    assert shown["ahead"]["download_into"] == str(project.folder / "hf" / "hub")
    assert with_revision["ahead"]["download_bytes"] == 4320
    assert [path.name for path in project.folder.iterdir()] == ["c.yaml"]


def test_a_gated_model_needs_a_token_that_is_never_shown(project: Project, weights: Path) -> None:
    with serving(Repository("org/tiny", weights, TOKEN)) as hub:
        refused, shown = look(project, environment(project, hub.url))
        had, fine = look(project, environment(project, hub.url, HF_TOKEN=TOKEN))
    assert refused == 2
    (told,) = issues(shown, "error")
    assert "the hub does not let us have org/tiny" in told
    assert "accept the licence on the hub's page of org/tiny, and set HF_TOKEN" in told
    assert (had, issues(fine, "error")) == (0, [])


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("org/none", "the hub has no model org/none that we may see"),
        ("org/tiny@v9", "org/tiny has no revision v9"),
    ],
)
def test_what_is_not_on_the_hub_is_an_error(project: Project, weights: Path, model: str, told: str) -> None:
    with serving(Repository("org/tiny", weights)) as hub:
        code, shown = look(project, environment(project, hub.url), model)
    assert code == 2
    assert told in issues(shown, "error")[0]


def test_a_dataset_of_the_hub_is_looked_for_too(project: Project, weights: Path) -> None:
    with serving(Repository("org/tiny", weights), Repository("org/set", weights, TOKEN, kind="datasets")) as hub:
        code, shown = look(project, environment(project, hub.url), workload="{dataset: 'hf:org/set'}")
        missing = look(project, environment(project, hub.url), workload="{dataset: 'hf:org/other'}")[1]
    assert code == 2
    assert "the hub does not let us have org/set" in issues(shown, "error")[0]
    assert "the hub has no dataset org/other" in issues(missing, "error")[0]


def test_more_than_the_disk_holds_is_an_error(project: Project, weights: Path) -> None:
    with serving(Repository("org/tiny", weights, size_told=10**17)) as hub:
        code, shown = look(project, environment(project, hub.url))
    assert code == 2
    assert "3e+08 GB are to be downloaded into" in issues(shown, "error")[0]


def test_a_repository_without_such_weights_is_told_of(project: Project, weights: Path) -> None:
    (weights / "model.safetensors").unlink()
    with serving(Repository("org/tiny", weights)) as hub:
        code, shown = look(project, environment(project, hub.url))
    assert code == 0
    assert "org/tiny holds no weights that would be loaded" in issues(shown, "warning")[0]


def put_into_cache(project: Project, weights: Path) -> None:
    folder = project.folder / "hf" / "hub" / "models--org--tiny"
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (snapshot / name).write_bytes((weights / name).read_bytes())


def test_what_is_in_the_cache_is_not_asked_for(project: Project, weights: Path) -> None:
    put_into_cache(project, weights)
    with serving() as hub:
        code, shown = look(project, environment(project, hub.url))
    assert (code, hub.unknown) == (0, [])
    assert shown["ahead"]["hub"] == [{"name": "org/tiny", "state": "cached", "download_bytes": 0}]


def test_of_a_download_cut_short_the_rest_is_counted(project: Project, weights: Path) -> None:
    put_into_cache(project, weights)
    (project.folder / "hf" / "hub" / "models--org--tiny" / "snapshots" / COMMIT / "model.safetensors").unlink()
    with serving(Repository("org/tiny", weights)) as hub:
        _, shown = look(project, environment(project, hub.url))
    assert shown["ahead"]["download_bytes"] == 4000


def test_without_network_it_is_unknown_and_no_failure(project: Project) -> None:
    code, shown = look(project, environment(project, "http://127.0.0.1:9"))
    offline, said = look(project, environment(project, "http://127.0.0.1:9", HF_HUB_OFFLINE="1"))
    assert (code, offline) == (0, 0)
    assert shown["ahead"]["hub"] == [{"name": "org/tiny", "state": "unknown", "download_bytes": None}]
    assert "is unknown: the hub cannot be asked" in issues(shown, "warning")[0]
    assert "HF_HUB_OFFLINE is set, and it is not in the cache" in issues(said, "warning")[0]


@contextmanager
def answering(status: int | None) -> Iterator[str]:
    """A server that answers everything so, or not at all."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if status is None:
                over.wait(60)
                return
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        over.set()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [500, 429, None])
def test_a_hub_that_is_ill_or_silent_is_unknown(project: Project, status: int | None) -> None:
    with answering(status) as url:
        code, shown = look(project, environment(project, url))
    assert code == 0
    assert shown["ahead"]["hub"][0]["state"] == "unknown"


SIMULATED = """\
name: {name}
model: any
workload: {{prompts: 4, output_tokens: {tokens}}}
backends: {{simulated: {{batch_size: [1, 2], tokens_per_s: 2000}}}}
cycles: 2
"""


def simulated(project: Project, name: str, tokens: int = 16) -> str:
    return str(project.write(f"{name}.yaml", SIMULATED.format(name=name, tokens=tokens)))


def ahead(project: Project, file: str) -> dict[str, Any]:
    told: dict[str, Any] = project.json("campaign", file, "--dry-run")["ahead"]
    return told


def test_like_runs_tell_and_the_index_of_them_can_be_lost(project: Project) -> None:
    first = simulated(project, "first")
    assert ahead(project, first)["seconds"] is None
    done = project.run("campaign", first)
    assert done.returncode == 0, done.stderr
    assert "time and energy unknown, since no like run is known; told once the first have ended" in done.stderr
    assert "estimated from the first 2: about" in done.stdout
    assert ahead(project, first)["runs"] == 0

    again = project.run("campaign", first, "--name", "again")
    assert again.returncode == 0, again.stderr
    assert "estimated from 4 like runs (4 of the same experiments)" in again.stderr
    assert " simulated (" in again.stderr
    longer = ahead(project, simulated(project, "longer", tokens=160))
    assert longer["from_runs"] == {"same_experiment": 0, "same_backend_and_model": 8}
    assert longer["energy_methods"] == ["simulated"]

    index = project.folder / ".state" / "known-runs.json"
    whole = index.read_text()
    for broken in ("", "{", '{"version": 1, "runs": {"first/x": [1]}}', '{"version": 1, "runs": []}', "[" * 100_000):
        index.write_text(broken)
        assert ahead(project, str(project.folder / "longer.yaml"))["seconds"]["mean"] > 0, broken
    index.unlink()
    assert ahead(project, str(project.folder / "longer.yaml"))["from_runs"]["same_backend_and_model"] == 8
    assert len(json.loads(whole)["runs"]) == 4, "the four that were there when the second campaign began"


@pytest.fixture
def asking(project: Project) -> str:
    """A campaign that is known to be long, as this user sees it."""
    first = project.run("campaign", simulated(project, "first"))
    assert first.returncode == 0, first.stderr
    project.write(".orchestrate.yaml", "ask_above_hours: 0.00001\nask_above_kwh: 0.00000001\n")
    return simulated(project, "second")


def test_what_is_long_is_not_started_without_an_answer(project: Project, asking: str) -> None:
    done = project.run("campaign", asking)
    assert done.returncode == 2
    assert "not started: it is expected to take" in done.stderr
    assert "more than ask_above_kwh: 1e-08" in done.stderr
    assert "--yes starts it all the same" in done.stderr
    assert not (project.results / "second").exists()
    assert len(ahead(project, asking)["to_be_asked"]) == 2
    agreed = project.run("campaign", asking, "--yes")
    assert agreed.returncode == 0, agreed.stderr
    assert project.run("campaign", asking).returncode == 0, "it was agreed to when it began"


def at_terminal(project: Project, answer: bytes, *arguments: str) -> tuple[int, str]:
    """Run a command on a terminal where somebody answers."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [ORCHESTRATE, *arguments], cwd=project.folder, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ}
    ) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:
                break
            if not piece:
                break
            said += piece
            if b"Start it? [y/N]" in said and answer:
                os.write(ours, answer)
                answer = b""
    os.close(ours)
    return process.returncode, said.decode()


def test_somebody_at_a_terminal_is_asked(project: Project, asking: str) -> None:
    code, said = at_terminal(project, b"n\n", "campaign", asking)
    assert code == 2
    assert "this is much: it is expected to take" in said
    assert not (project.results / "second").exists()
    code, said = at_terminal(project, b"y\n", "campaign", asking)
    assert code == 0, said


def test_the_page_works_as_it_is_written(project: Project) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "preflight.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    done = subprocess.run(
        ["bash", "-c", "set -ex\n" + "\n".join(blocks)],
        cwd=project.folder,
        env={**os.environ, "PATH": f"{Path(ORCHESTRATE).parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not started: it is expected to take" in done.stderr
    assert "estimated from 4 like runs (4 of the same experiments)" in done.stdout
    assert len(list(project.results.glob("again/runs/*/*/result.json"))) == 4
    told = {row["name"] for row in json.loads((project.folder / "doctor.json").read_text())}
    for judged in ("CPU governor", "CPU boost", "CPU limits", "load", "power supply", "RAPL"):
        assert judged in told
        assert f"| {judged} |" in page
