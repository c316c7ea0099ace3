"""The real engine and the real model in the real image: by hand, and in a campaign over local models and prompts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from orchestrator import load_results
from tests.docker.conftest import USER, Clone, inspected
from tests.docker.projects import ContainerProject

pytestmark = [pytest.mark.docker, pytest.mark.engine]

LOCAL = """
name: local-model
model: ./hub/snapshots/0123
workload: {dataset: prompts.jsonl, prompts: 2, output_tokens: 4}
backends:
  pytorch: {dtype: float32, batch_size: 2}
"""
COPY_MODEL = """
import shutil
from runners.backends.demo import demo_folder
shutil.copytree(demo_folder("smollm2-135m"), "/results/model")
"""


@pytest.mark.usefixtures("image_names")
def test_a_run_by_hand(clone: Clone) -> None:
    """The README's command, with fewer tokens."""
    flags = ("--batch-size", "4", "--dtype", "bfloat16", "--prompts", "4", "--output-tokens", "4")
    done = clone.run("pytorch", "--model", "demo:smollm2-135m", *flags)
    assert done.returncode == 0, done.stderr
    (folder,) = (clone.results / "adhoc" / "runs").glob("pytorch-smollm2-135m-bfloat16-4-*/c001")
    assert f"Files: /results/{folder.relative_to(clone.results)}" in done.stdout
    assert "estimated" in done.stdout
    (result,) = load_results(clone.results / "adhoc")
    assert result.effective_config["dtype"] == "bfloat16"
    assert (result.requests, result.output_tokens) == (4, 16)
    assert result.environment.container
    assert {(path.stat().st_uid, path.stat().st_gid) for path in folder.rglob("*")} == {USER}
    assert not list((clone.results / "adhoc" / "attempts").iterdir())


def test_a_local_model_that_is_links_and_prompts_of_ones_own(
    container_project: ContainerProject, clone: Clone, image_names: dict[str, str]
) -> None:
    """The model lies as the hub's cache keeps one: a snapshot of links to blobs beside it."""
    copied = clone.run("pytorch", "python", "-c", COPY_MODEL)
    assert copied.returncode == 0, copied.stderr
    hub = container_project.folder / "hub"
    shutil.move(clone.results / "model", hub / "blobs")
    snapshot = hub / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    for blob in (hub / "blobs").iterdir():
        (snapshot / blob.name).symlink_to(Path("../../blobs") / blob.name)
    container_project.write("prompts.jsonl", '{"prompt": "One, two,"}\n{"prompt": "Red, green,"}\n')
    container_project.write("local.yaml", LOCAL)
    done = container_project.run("campaign", "local.yaml", "--dispatch", "compose", timeout_s=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (result,) = load_results(container_project.results / "local-model")
    request = json.loads(next(container_project.results.rglob("request.json")).read_text())
    assert request["model_path"].startswith("/inputs/")
    assert request["dataset_path"].startswith("/inputs/")
    assert result.model == "./hub/snapshots/0123"
    assert result.output_tokens == 8
    assert result.environment.image_digest == inspected("image", "inspect", image_names["pytorch"])["Id"]
    assert result.effective_config["dtype"] == "float32"
