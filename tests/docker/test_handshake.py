"""An image is asked what it is before the first run: real images that differ from ours in one thing each."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator

import pytest

from orchestrator.dispatch import describing
from runners.contract.options import OPTIONS, OPTIONS_RULES
from runners.contract.options.fingerprint import options_sha256
from tests.builders import call
from tests.docker.projects import ContainerProject, docker

pytestmark = pytest.mark.docker

QUICK = """
name: quick
model: any/model
workload: {prompts: 1, output_tokens: 2}
backends:
  simulated: {}
"""
SOURCE = "/opt/orchestrate/src/runners"
OTHER_DEFAULT = f"sed -i 's/= Field(1000.0, /= Field(999.0, /' {SOURCE}/contract/options/simulated.py"
OTHER_ENGINES_DEFAULT = f"sed -i 's/= Field(1, ge=1, /= Field(2, ge=1, /' {SOURCE}/contract/options/pytorch.py"
BROKEN = f"echo 'raise ImportError(\"libcuda.so.1: cannot open\")' > {SOURCE}/backends/simulated.py"
GARBAGE = f"echo 'print(\"hello\") or exit()' > {SOURCE}/__main__.py"
HANGING = f"echo 'import time; time.sleep(600)' > {SOURCE}/__main__.py"

Changed = Callable[[str], ContainerProject]


@pytest.fixture
def changed(container_project: ContainerProject, image_names: dict[str, str]) -> Iterator[Changed]:
    """A project whose simulated service has an image in which a command changed something."""
    name = f"orchestrate-test/{uuid.uuid4().hex}:1"

    def made(command: str) -> ContainerProject:
        recipe = f"FROM {image_names['simulated']}\nRUN {command}\n"
        build = ["docker", "build", "--quiet", "--tag", name, "-"]
        subprocess.run(build, input=recipe, text=True, check=True, capture_output=True)
        service = f"services:\n  simulated:\n    image: {name}\n    build: !reset null\n"
        container_project.write("compose.changed.yaml", service)
        container_project.write(".env", "COMPOSE_FILE=compose.yaml:compose.changed.yaml\n")
        container_project.write("quick.yaml", QUICK)
        return container_project

    yield made
    subprocess.run(["docker", "image", "rm", "--force", name], capture_output=True, check=False)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (OTHER_DEFAULT, "has other parameters of simulated than this orchestrate"),
        (BROKEN, "has no engine that works: ImportError: libcuda.so.1: cannot open"),
        (GARBAGE, "answers 'hello' when asked what it is"),
    ],
    ids=["other parameters", "broken engine", "garbage"],
)
def test_an_image_that_does_not_suit_is_refused_before_anything_is_written(
    changed: Changed, command: str, reason: str
) -> None:
    project = changed(command)
    refused = project.run("campaign", "quick.yaml", "--dispatch", "compose")
    assert refused.returncode == 3, refused.stdout + refused.stderr
    assert reason in refused.stderr
    assert "hint: build it anew: docker compose build simulated" in refused.stderr
    assert not (project.results / "quick").exists()


def test_a_change_to_another_backends_parameters_does_no_harm(changed: Changed) -> None:
    done = changed(OTHER_ENGINES_DEFAULT).run("campaign", "quick.yaml", "--dispatch", "compose")
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_image_that_does_not_answer_is_given_up_and_its_container_removed(
    changed: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = changed(HANGING)
    monkeypatch.setattr(describing, "ANSWER_S", 3.0)
    monkeypatch.chdir(project.folder)
    refused = call("campaign", "quick.yaml", "--dispatch", "compose")
    assert refused.returncode == 3
    assert "does not answer for 3 s" in refused.stderr
    assert "orchestrate-describe-simulated" not in docker("ps", "--all", "--format", "{{.Names}}")


def test_an_image_is_asked_once(container_project: ContainerProject, image_names: dict[str, str]) -> None:
    container_project.write("quick.yaml", QUICK)
    assert container_project.run("campaign", "quick.yaml", "--dispatch", "compose").returncode == 0
    kept = container_project.folder / ".state" / "images.json"
    told = json.loads(kept.read_text())
    image = docker("image", "inspect", "--format", "{{.Id}}", image_names["simulated"]).strip()
    (said,) = told["images"].values()
    assert list(told["images"]) == [f"{image} cpu"]
    assert said["options_sha256"] == options_sha256(OPTIONS["simulated"], OPTIONS_RULES["simulated"])

    said["options_sha256"] = "remembered"
    kept.write_text(json.dumps(told))
    container_project.write("again.yaml", QUICK.replace("quick", "again"))
    assert "has other parameters" in container_project.run("campaign", "again.yaml", "--dispatch", "compose").stderr
