"""llama.cpp in its image: the demo model by hand, and a folder of one's own in a campaign."""

from __future__ import annotations

import json
import shutil

import pytest

from orchestrator import load_results
from tests.docker.conftest import USER, Clone, inspected
from tests.docker.projects import ContainerProject

pytestmark = [pytest.mark.docker, pytest.mark.engine]

LOCAL = """
name: local-gguf
model: ./model
workload: {prompts: 2, input_tokens: 16, output_tokens: 4}
backends:
  llamacpp: {n_threads: 1, cache_type_k: q8_0}
"""
COPY_MODEL = """
import shutil
from runners.backends.demo import demo_gguf_folder
(file,) = demo_gguf_folder("smollm2-135m").glob("*.gguf")
shutil.copy(file, "/results/model.gguf")
"""


@pytest.mark.usefixtures("image_names")
def test_a_run_by_hand(clone: Clone) -> None:
    flags = ("--n-threads", "1", "--prompts", "2", "--input-tokens", "16", "--output-tokens", "4")
    done = clone.run("llamacpp", "--model", "demo:smollm2-135m", *flags)
    assert done.returncode == 0, done.stderr
    (result,) = load_results(clone.results / "adhoc")
    assert result.effective_config["quantization"] == "Q4_1", "not the weights that pytorch has under this name"
    assert (result.requests, result.output_tokens) == (2, 8)
    assert {(path.stat().st_uid, path.stat().st_gid) for path in (clone.results / "adhoc").rglob("*.json")} == {USER}


def test_a_folder_of_ones_own(container_project: ContainerProject, clone: Clone, image_names: dict[str, str]) -> None:
    copied = clone.run("llamacpp", "python", "-c", COPY_MODEL)
    assert copied.returncode == 0, copied.stderr
    (container_project.folder / "model").mkdir()
    shutil.move(clone.results / "model.gguf", container_project.folder / "model" / "mine.gguf")
    container_project.write("local.yaml", LOCAL)
    done = container_project.run("campaign", "local.yaml", "--dispatch", "compose", timeout_s=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (result,) = load_results(container_project.results / "local-gguf")
    request = json.loads(next(container_project.results.rglob("request.json")).read_text())
    assert request["model_path"].startswith("/inputs/")
    assert (result.effective_config["gguf_file"], result.effective_config["cache_type_k"]) == ("mine.gguf", "q8_0")
    assert result.environment.image_digest == inspected("image", "inspect", image_names["llamacpp"])["Id"]
