"""What users and machines do to the container line, on a real engine: it says what is wrong, and goes on afterwards."""

from __future__ import annotations

import json
import subprocess
import time

import pytest

from tests.docker.projects import ContainerProject, docker, until
from tests.docker.test_campaigns import QUICK, SLOW
from tests.e2e.commands import kill

pytestmark = pytest.mark.docker


def service(project: ContainerProject, **changes: object) -> None:
    """Changes the service of the simulated backend, by a compose file of the user's own."""
    project.write("compose.mine.yaml", json.dumps({"services": {"simulated": changes}}))
    project.write(".env", "COMPOSE_FILE=compose.yaml:compose.mine.yaml\n")


def test_an_image_of_another_backend_is_refused_before_anything_starts(container_project: ContainerProject) -> None:
    service(container_project, image="orchestrate/pytorch:0.1.0")
    container_project.write("quick.yaml", QUICK)
    refused = container_project.run("campaign", "quick.yaml", "--dispatch", "compose")
    assert refused.returncode == 3
    assert "is not one of ours for simulated" in refused.stderr
    assert not (container_project.results / "quick").exists()


def test_a_container_that_does_not_answer_in_our_words(container_project: ContainerProject) -> None:
    service(container_project, entrypoint=["echo", "hi"])
    container_project.write("quick.yaml", QUICK)
    refused = container_project.run("campaign", "quick.yaml", "--dispatch", "compose")
    assert refused.returncode == 3
    assert "answers 'hi python -m runners.health" in refused.stderr


def test_labels_of_strangers_are_read_whatever_they_hold(container_project: ContainerProject) -> None:
    container_project.write("quick.yaml", QUICK)
    stranger = docker(
        *("run", "--detach", "--label", "orchestrate.attempts=a\nb\tc", "--entrypoint", "python3"),
        *("orchestrate/simulated:0.1.0", "-c", "import time; time.sleep(60)"),
    ).strip()
    try:
        refused = container_project.run("campaign", "quick.yaml", "--dispatch", "compose")
    finally:
        docker("rm", "--force", stranger)
    assert refused.returncode == 3
    assert "still at work in container" in refused.stderr
    assert container_project.run("resume", "quick").returncode == 0


def test_a_campaign_goes_on_in_the_images_it_was_checked_with(container_project: ContainerProject) -> None:
    """Another image gets the name in the middle of the campaign."""
    tiny = "FROM orchestrate/simulated:0.1.0\nLABEL made.for={}\n"
    service(container_project, image="orchestrate/pinned:test")
    container_project.write("quick.yaml", QUICK.replace("cycles: 2", "cycles: 4"))
    build = ["docker", "build", "--quiet", "--tag", "orchestrate/pinned:test", "-"]
    try:
        subprocess.run(build, input=tiny.format("one"), text=True, check=True, capture_output=True)
        first = docker("image", "inspect", "--format", "{{.Id}}", "orchestrate/pinned:test").strip()
        host = container_project.start("campaign", "quick.yaml", "--dispatch", "compose")
        until(lambda: container_project.result_files("quick") or None)
        subprocess.run(build, input=tiny.format("two"), text=True, check=True, capture_output=True)
        said, _ = host.communicate(timeout=120)
        assert host.returncode == 0, said
    finally:
        subprocess.run(["docker", "rmi", "--force", "orchestrate/pinned:test"], capture_output=True, check=False)
    results = [json.loads(path.read_text()) for path in container_project.result_files("quick")]
    assert {result["environment"]["image_digest"] for result in results} == {first}
    assert len(results) == 8


def test_a_paused_container_is_adopted_at_once(container_project: ContainerProject) -> None:
    container_project.write("slow.yaml", SLOW.replace("3000", "300"))
    host = container_project.start("campaign", "slow.yaml", "--dispatch", "compose")
    container_project.wait_for_phase("slow", "window")
    name = container_project.wait_for_container()
    docker("pause", name)
    kill(host)
    again = container_project.start("resume", "slow")
    time.sleep(3)
    docker("unpause", name)
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 0, said
    assert "found alive" in said
    assert container_project.containers() == []
