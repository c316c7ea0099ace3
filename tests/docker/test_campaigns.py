"""Campaigns whose runs are containers, through the installed command line, on a real engine."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path

import pytest

from tests.docker.projects import ContainerProject, docker, inspect, until
from tests.e2e.commands import ORCHESTRATE, Project, kill

pytestmark = pytest.mark.docker

QUICK = """
name: quick
model: any/model
workload: {prompts: 4, output_tokens: 4}
backends:
  simulated: {batch_size: [1, 2], tokens_per_s: 1000}
cycles: 2
"""
SLOW = """
name: slow
model: any/model
workload: {prompts: 1, output_tokens: 3000}
measurement: {warmup: {iterations: 0}}
failures: {retries: 0}
backends:
  simulated: {tokens_per_s: 100}
"""


def files(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_uid, path.stat().st_gid) for path in folder.iterdir()}


def test_a_campaign_leaves_what_it_leaves_locally(container_project: ContainerProject, tmp_path: Path) -> None:
    container_project.write("quick.yaml", QUICK)
    done = container_project.run("campaign", "quick.yaml", "--dispatch", "compose")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "dispatch: compose (a container a run) · device: CPU" in done.stdout
    local = Project(tmp_path / "local")
    local.write("quick.yaml", QUICK)
    assert local.run("campaign", "quick.yaml", "--dispatch", "local").returncode == 0
    theirs, ours = (
        {path.parent.relative_to(project.results): path.parent for path in project.results.rglob("result.json")}
        for project in (local, container_project)
    )
    assert theirs.keys() == ours.keys()
    assert len(ours) == 4
    for run, folder in ours.items():
        assert files(folder) == files(theirs[run]), "the same files, of the same owner"
    result = json.loads((next(iter(ours.values())) / "result.json").read_text())
    image = docker("image", "inspect", "--format", "{{.Id}}", "orchestrate/simulated:0.1.0").strip()
    assert result["environment"]["image_digest"] == image
    assert result["environment"]["container"] is True
    assert container_project.containers() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another; without it the first test shows this")
@pytest.mark.usefixtures("container_project")
def test_files_belong_to_whoever_calls() -> None:
    """As another user, who keeps the right to read what only root may: the interpreter may lie in root's home."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:  # pytest's own folders are closed to others
        project = ContainerProject(Path(place))
        project.write("quick.yaml", QUICK)
        for path in (project.folder, *project.folder.rglob("*")):
            os.chown(path, 1234, 1235)
        become = ["setpriv", "--reuid=1234", "--regid=1235", "--clear-groups"]
        become += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        done = subprocess.run(
            [*become, ORCHESTRATE, "campaign", "quick.yaml", "--dispatch", "compose"],
            cwd=project.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(project.result_files("quick")) == 4
        owners = {(path.stat().st_uid, path.stat().st_gid) for path in project.results.rglob("*")}
    assert owners == {(1234, 1235)}


def test_a_run_is_confined_and_told_no_secret(container_project: ContainerProject) -> None:
    container_project.write("slow.yaml", SLOW)
    token = {"HF_TOKEN": "hf_secret"}
    host = container_project.start("campaign", "slow.yaml", "--dispatch", "compose", environment=token)
    found = inspect(container_project.wait_for_container())
    arguments = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    host.terminate()
    host.communicate()
    limits = found["HostConfig"]
    assert limits["Privileged"] is False
    assert limits["ReadonlyRootfs"] is True
    assert limits["AutoRemove"] is True
    assert limits["CapDrop"] == ["ALL"]
    assert sorted(name.removeprefix("CAP_") for name in limits["CapAdd"]) == ["SETGID", "SETUID"]
    assert "no-new-privileges:true" in limits["SecurityOpt"]
    assert "HF_TOKEN=hf_secret" in found["Config"]["Env"], "by environment"
    assert "hf_secret" not in arguments, "and by nothing else"
    assert "hf_secret" not in json.dumps([found["Config"]["Cmd"], found["Config"]["Labels"]])
    assert found["Config"]["Labels"]["orchestrate.campaign"] == "slow"


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)], ids=["SIGINT", "SIGTERM"])
def test_an_interrupt_removes_the_container(container_project: ContainerProject, number: int, code: int) -> None:
    container_project.write("slow.yaml", SLOW)
    host = container_project.start("campaign", "slow.yaml", "--dispatch", "compose")
    attempt = container_project.wait_for_phase("slow", "window")
    host.send_signal(number)
    said, _ = host.communicate(timeout=60)
    assert host.returncode == code, said
    assert container_project.containers() == []
    assert container_project.processes() == []
    assert json.loads((attempt / "failure.json").read_text())["kind"] == "interrupted"
    assert "SIGTERM" in (attempt / "runner.log").read_text(), "the runner itself was told, and said goodbye"


@pytest.mark.parametrize(
    ("limits", "fail", "kind"),
    [("timeout_s: 6", "", "timeout"), ("silence_timeout_s: 4", "fail: hang", "silent")],
    ids=["timeout", "silence"],
)
def test_a_limit_stops_the_container_itself(
    container_project: ContainerProject, limits: str, fail: str, kind: str
) -> None:
    text = SLOW.replace("tokens_per_s: 100", f"tokens_per_s: 100, {fail}" if fail else "tokens_per_s: 100")
    if fail:
        text = text.replace("3000", "20")
    container_project.write("slow.yaml", f"{text}{limits}\n")
    done = container_project.run("campaign", "slow.yaml", "--dispatch", "compose")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f": {kind}: " in done.stdout
    assert container_project.containers() == []
    assert container_project.processes() == []


def test_killing_the_container_fails_the_run_and_resume_tries_again(container_project: ContainerProject) -> None:
    container_project.write("slow.yaml", SLOW.replace("3000", "300"))
    host = container_project.start("campaign", "slow.yaml", "--dispatch", "compose")
    container_project.wait_for_phase("slow", "window")
    docker("kill", container_project.wait_for_container())
    said, _ = host.communicate(timeout=60)
    assert host.returncode == 1
    assert "crashed: the runner was killed by SIGKILL" in said
    again = container_project.run("resume", "slow")
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(container_project.result_files("slow")) == 1


def test_killing_the_client_alone_does_not_end_the_run(container_project: ContainerProject) -> None:
    container_project.write("slow.yaml", SLOW.replace("3000", "400"))
    host = container_project.start("campaign", "slow.yaml", "--dispatch", "compose")
    container_project.wait_for_phase("slow", "window")
    for process in container_project.processes():
        process.kill()
    said, _ = host.communicate(timeout=60)
    assert host.returncode == 0, said
    assert len(container_project.result_files("slow")) == 1
    assert list((container_project.results / "slow" / "attempts").iterdir()) == []


def test_a_run_that_its_orchestrator_left_is_adopted(container_project: ContainerProject) -> None:
    container_project.write("slow.yaml", SLOW.replace("3000", "600"))
    host = container_project.start("campaign", "slow.yaml", "--dispatch", "compose")
    container_project.wait_for_phase("slow", "window")
    kill(host)
    again = container_project.run("resume", "slow")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "found alive" in again.stdout
    (result,) = container_project.result_files("slow")
    assert json.loads(result.read_text())["attempt"] == 1
    assert container_project.containers() == []


def test_a_container_out_of_memory_is_told_from_a_crash(container_project: ContainerProject) -> None:
    """The limit is added as a user would, by a compose file of one's own."""
    container_project.write("compose.limit.yaml", "services: {simulated: {mem_limit: 64m, memswap_limit: 64m}}\n")
    container_project.write(".env", "COMPOSE_FILE=compose.yaml:compose.limit.yaml\n")
    container_project.write("slow.yaml", SLOW.replace("prompts: 1", "prompts: 500000, input_tokens: 256"))
    done = container_project.run("campaign", "slow.yaml", "--dispatch", "compose")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "out_of_memory: the kernel ended it" in done.stdout


def test_one_dispatcher_serves_a_whole_campaign(container_project: ContainerProject) -> None:
    container_project.write("quick.yaml", QUICK)
    assert container_project.run("campaign", "quick.yaml", "--dispatch", "local").returncode == 0
    shutil.rmtree(next(container_project.results.glob("quick/runs/*/c001")))
    for command in (["campaign", "quick.yaml"], ["resume", "quick"]):
        refused = container_project.run(*command, "--dispatch", "compose")
        assert refused.returncode == 2
        assert "was begun with --dispatch local" in refused.stderr


def test_inputs_are_seen_wherever_they_lie(container_project: ContainerProject) -> None:
    """Prompts beside the campaign file, under a name that compose's short notation could not carry."""
    folder = container_project.folder / "a: $b ü"
    folder.mkdir()
    (folder / "prompts.jsonl").write_text('{"prompt": "hello"}\n' * 4)
    (folder / "quick.yaml").write_text(QUICK.replace("workload: {", "workload: {dataset: prompts.jsonl, "))
    done = container_project.run("campaign", str(folder / "quick.yaml"), "--dispatch", "compose")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(container_project.result_files("quick")) == 4


def test_single_runs_go_into_containers_too(container_project: ContainerProject) -> None:
    arguments = ("run", "--backend", "simulated", "--model", "any/model", "--prompts", "1", "--output-tokens", "2")
    done = container_project.run(*arguments, "--dispatch", "compose")
    assert done.returncode == 0, done.stdout + done.stderr
    (result,) = container_project.results.glob("adhoc/runs/*/c001/result.json")
    assert json.loads(result.read_text())["environment"]["container"] is True


def test_the_user_config_decides_and_the_flag_overrules_it(container_project: ContainerProject) -> None:
    container_project.write(".orchestrate.yaml", "dispatch: compose\n")
    container_project.write("quick.yaml", QUICK)
    container_project.write("other.yaml", QUICK.replace("name: quick", "name: other"))
    assert "dispatch: compose" in container_project.run("campaign", "quick.yaml").stdout
    assert "dispatch: local" in container_project.run("campaign", "other.yaml", "--dispatch", "local").stdout


def test_without_compose_files_it_says_how_to_get_them(container_project: ContainerProject) -> None:
    (container_project.folder / "compose.yaml").unlink()
    container_project.write("quick.yaml", QUICK)
    refused = container_project.run("campaign", "quick.yaml", "--dispatch", "compose")
    assert refused.returncode == 3
    assert "there is no compose.yaml" in refused.stderr
    assert "orchestrate init" in refused.stderr


class TestMissingImage:
    """The image is one that no one has built."""

    @pytest.fixture
    def lacking(self, container_project: ContainerProject) -> ContainerProject:
        small = "services:\n  simulated:\n    image: orchestrate/none:test\n    build: !reset null\n"
        container_project.write("compose.other.yaml", small)
        container_project.write(".env", "COMPOSE_FILE=compose.yaml:compose.other.yaml\n")
        container_project.write("quick.yaml", QUICK)
        return container_project

    def test_off_a_terminal_the_command_is_named(self, lacking: ContainerProject) -> None:
        refused = lacking.run("campaign", "quick.yaml", "--dispatch", "compose")
        assert refused.returncode == 3
        assert "missing images: simulated" in refused.stderr
        assert "docker compose build simulated" in refused.stderr
        assert not (lacking.results / "quick").exists()

    def test_on_a_terminal_it_asks(self, lacking: ContainerProject) -> None:
        master, slave = pty.openpty()
        host = subprocess.Popen(
            [ORCHESTRATE, "campaign", "quick.yaml", "--dispatch", "compose"],
            cwd=lacking.folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        os.write(master, b"n\n")
        said = ""
        with contextlib.suppress(OSError):  # that the terminal is closed at its other end
            while chunk := os.read(master, 4096):
                said += chunk.decode()
        os.close(master)
        assert host.wait(60) == 3
        assert "Build now?" in said
        assert "docker compose build simulated" in said


def test_a_missing_image_is_built_on_consent(container_project: ContainerProject) -> None:
    container_project.write(
        "compose.other.yaml",
        "services:\n  simulated:\n    image: orchestrate/consent:test\n    build: {context: ., dockerfile: Tiny}\n",
    )
    container_project.write(".env", "COMPOSE_FILE=compose.yaml:compose.other.yaml\n")
    container_project.write("Tiny", "FROM orchestrate/simulated:0.1.0\nLABEL made.for=test\n")
    container_project.write("quick.yaml", QUICK)
    try:
        done = container_project.run("campaign", "quick.yaml", "--dispatch", "compose", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "missing images: simulated" in done.stderr
        assert "Step" in done.stderr or "=>" in done.stderr, "its progress is shown"
    finally:
        subprocess.run(["docker", "rmi", "--force", "orchestrate/consent:test"], capture_output=True, check=False)


class TestPersistent:
    """One container for all runs."""

    def test_it_needs_consent(self, container_project: ContainerProject) -> None:
        container_project.write("quick.yaml", QUICK)
        refused = container_project.run(
            "campaign", "quick.yaml", "--dispatch", "compose", "--container-strategy", "persistent"
        )
        assert refused.returncode == 2
        assert "runs are not independent" in refused.stderr
        assert "--yes" in refused.stderr

    def test_all_runs_share_one_container_which_then_goes(self, container_project: ContainerProject) -> None:
        container_project.write("quick.yaml", QUICK)
        container_project.write(".orchestrate.yaml", "container_strategy: persistent\n")
        since = docker("info", "--format", "{{.SystemTime}}").strip()
        done = container_project.run("campaign", "quick.yaml", "--dispatch", "compose", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "warning: persistent containers" in done.stderr
        assert "one container for all runs" in done.stdout
        assert len(container_project.result_files("quick")) == 4
        now = docker("info", "--format", "{{.SystemTime}}").strip()
        made = docker(
            "events",
            "--since",
            since,
            "--until",
            now,
            "--filter",
            "event=create",
            "--format",
            "{{.Actor.Attributes.name}}",
        )
        ours = [name for name in made.splitlines() if name.startswith("orchestrate-quick-simulated-")]
        assert len(ours) == 1, made
        assert container_project.containers() == []

    def test_one_that_is_to_stay_serves_the_next_campaign_and_is_told_of(
        self, container_project: ContainerProject
    ) -> None:
        container_project.write("quick.yaml", QUICK)
        container_project.write(".orchestrate.yaml", "container_strategy: persistent\nauto_teardown: false\n")
        assert container_project.run("campaign", "quick.yaml", "--dispatch", "compose", "--yes").returncode == 0
        (left,) = container_project.containers()
        first = inspect(left)
        assert first["State"]["Running"]
        told = container_project.run("doctor", "--json").stdout
        (finding,) = [found for found in json.loads(told) if left in found["seen"]]
        assert finding["advice"].endswith(f"docker rm --force {left}")

        # Another campaign measures beside one that only stands; its own stands too.
        container_project.write("other.yaml", QUICK.replace("name: quick", "name: other"))
        assert container_project.run("campaign", "other.yaml", "--dispatch", "compose", "--yes").returncode == 0
        assert len(container_project.containers()) == 2

        shutil.rmtree(next(container_project.results.glob("quick/runs/*/c001")))
        again = container_project.run("resume", "quick", "--yes")
        assert again.returncode == 0, again.stdout + again.stderr
        assert inspect(left)["Id"] == first["Id"]

        # What has changed about it is made anew, and what is not to stay any more goes.
        container_project.write("compose.other.yaml", "services: {simulated: {environment: {OTHER: '1'}}}\n")
        env = (container_project.folder / ".env").read_text()
        container_project.write(".env", env.replace("compose.yaml", "compose.yaml:compose.other.yaml"))
        shutil.rmtree(next(container_project.results.glob("quick/runs/*/c001")))
        assert container_project.run("resume", "quick", "--yes").returncode == 0
        assert inspect(left)["Id"] != first["Id"]
        container_project.write(".orchestrate.yaml", "container_strategy: persistent\n")
        for name in ("quick", "other"):
            shutil.rmtree(next(container_project.results.glob(f"{name}/runs/*/c001")))
            assert container_project.run("resume", name, "--yes").returncode == 0
        assert container_project.containers() == []

    def test_one_that_is_to_stay_goes_where_a_killed_orchestrator_left_a_run_in_it(
        self, container_project: ContainerProject
    ) -> None:
        container_project.write("slow.yaml", SLOW.replace("3000", "500"))
        container_project.write(".orchestrate.yaml", "container_strategy: persistent\nauto_teardown: false\n")
        host = container_project.start("campaign", "slow.yaml", "--dispatch", "compose", "--yes")
        container_project.wait_for_phase("slow", "window")
        before = inspect(container_project.wait_for_container())["Id"]
        kill(host)
        again = container_project.run("resume", "slow", "--yes")
        assert again.returncode == 0, again.stdout + again.stderr
        assert len(container_project.result_files("slow")) == 1
        (left,) = container_project.containers()
        assert inspect(left)["Id"] != before

    def test_a_new_one_is_left_alone_for_the_delay_which_is_no_silence(
        self, container_project: ContainerProject
    ) -> None:
        container_project.write("quick.yaml", QUICK + "silence_timeout_s: 3\n")
        container_project.write(".orchestrate.yaml", "container_strategy: persistent\nwarmup_delay_s: 6\n")
        done = container_project.run("campaign", "quick.yaml", "--dispatch", "compose", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        first = min(container_project.result_files("quick"), key=lambda path: path.stat().st_mtime)
        started = datetime.fromisoformat(json.loads(first.read_text())["started_at"])
        assert started.timestamp() - (first.parent / "request.json").stat().st_mtime >= 6

    def test_the_flag_overrules_the_user_config(self, container_project: ContainerProject) -> None:
        container_project.write("quick.yaml", QUICK)
        container_project.write(".orchestrate.yaml", "container_strategy: persistent\n")
        done = container_project.run(
            "campaign", "quick.yaml", "--dispatch", "compose", "--container-strategy", "ephemeral"
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "a container a run" in done.stdout

    def test_a_limit_ends_the_run_and_the_next_one_gets_a_new_container(
        self, container_project: ContainerProject
    ) -> None:
        container_project.write(
            "mixed.yaml",
            "name: mixed\nmodel: any/model\nworkload: {prompts: 4, output_tokens: 20}\nsilence_timeout_s: 4\n"
            "backends: {simulated: {tokens_per_s: 1000}}\n"
            "experiments: [{backend: simulated, fail: hang, batch_size: 2}, {backend: simulated, batch_size: 3}]\n",
        )
        done = container_project.run(
            *("campaign", "mixed.yaml", "--dispatch", "compose"), *("--container-strategy", "persistent", "--yes")
        )
        assert done.returncode == 1, done.stdout + done.stderr
        assert ": silent: " in done.stdout
        assert len(container_project.result_files("mixed")) == 2
        assert container_project.containers() == []

    def test_after_a_kill_resume_finds_and_removes_it(self, container_project: ContainerProject) -> None:
        container_project.write("slow.yaml", SLOW.replace("3000", "500"))
        arguments = ("--dispatch", "compose", "--container-strategy", "persistent", "--yes")
        host = container_project.start("campaign", "slow.yaml", *arguments)
        container_project.wait_for_phase("slow", "window")
        kill(host)
        left = container_project.wait_for_container()
        again = container_project.run("resume", "slow")
        assert again.returncode == 0, again.stdout + again.stderr
        assert len(container_project.result_files("slow")) == 1
        until(lambda: left not in docker("ps", "--all", "--format", "{{.Names}}") or None)
        assert container_project.containers() == []
        assert container_project.processes() == []
