"""The image of the ``tensorrt`` backend, built on a base that only looks like the vendor's.

The vendor's image is not to be had here. In its place stands one in which pip finds the packages that it has, as
empty ones but for tests/standins. So every step of our layer runs, and nothing is shown of the engine.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from runners.contract.paths import CONTRACT_VERSION
from tests.docker.conftest import REPOSITORY, docker, inspected

pytestmark = pytest.mark.docker

SYSTEM = "orchestrate-base:ci"
BASE, IMAGE = "orchestrate-test/tensorrt-base", "orchestrate-test/tensorrt"
PACKAGES = {
    "tensorrt": "10.0.0",
    "tensorrt_llm": "1.2.1",
    "torch": "2.9.0",
    "transformers": "4.57.1",
    "accelerate": "1.12.0",
    "datasets": "4.4.0",
}
PLACE = "RUN mv /tmp/packages/* $(python3 -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))')/\n"


def build(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", "build", *arguments, str(folder)], capture_output=True, text=True, check=False, timeout=900
    )


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an image is built from, after its base was built."""
    if not shutil.which("docker") or docker("image", "inspect", SYSTEM).returncode:
        pytest.skip(f"there is no {SYSTEM} to build on")
    folder = tmp_path_factory.mktemp("tensorrt")
    packages = folder / "base" / "packages"
    for name in ("tensorrt", "tensorrt_llm"):
        shutil.copytree(REPOSITORY / "tests/standins" / name, packages / name)
    for name, version in PACKAGES.items():
        metadata = packages / f"{name}-{version}.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "base" / "Dockerfile").write_text(f"FROM {SYSTEM}\nCOPY packages /tmp/packages\n{PLACE}")
    done = build(folder / "base", "--tag", BASE)
    assert done.returncode == 0, done.stderr + done.stdout
    for name in ("images", "runners"):
        shutil.copytree(REPOSITORY / name, folder / "context" / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "context"


@pytest.fixture(scope="module")
def image(context: Path) -> str:
    done = build(context, "--file", str(context / "images/tensorrt/Dockerfile"), "--tag", IMAGE, *argument(BASE))
    assert done.returncode == 0, done.stderr + done.stdout
    return IMAGE


def argument(base: str, **others: str) -> list[str]:
    given = {"BASE_IMAGE": base, "VERSION": "0.0.0", "GIT_COMMIT": "c0ffee", **others}
    return [part for name, value in given.items() for part in ("--build-arg", f"{name}={value}")]


def test_the_image_says_what_it_is_and_which_engine_it_has(image: str) -> None:
    config = inspected("image", "inspect", image)["Config"]
    assert config["Labels"]["orchestrate.backend"] == "tensorrt"
    assert config["Labels"]["orchestrate.engine_version"] == "1.2.1"
    assert config["Labels"]["orchestrate.contract_version"] == str(CONTRACT_VERSION)
    assert config["Labels"]["org.opencontainers.image.revision"] == "c0ffee"
    assert config["Entrypoint"] == ["entrypoint", "tensorrt"]
    assert not config["Cmd"]


def test_the_runner_is_in_it_and_nothing_of_the_engine_was_replaced(image: str) -> None:
    helped = docker("run", "--rm", "--entrypoint", "python", image, "-m", "runners", "tensorrt", "--help")
    assert helped.returncode == 0, helped.stderr
    assert "--llm-backend" in helped.stdout
    code = (
        "import importlib.metadata as m, os;"
        f"print(all(m.version(name) == version for name, version in {PACKAGES}.items()),"
        " oct(os.stat('/trt-engines').st_mode))"
    )
    found = docker("run", "--rm", "--entrypoint", "python", image, "-c", code)
    assert found.stdout.split() == ["True", "0o41777"], found.stderr


def test_another_release_than_the_one_it_names_is_not_built(context: Path) -> None:
    file = str(context / "images/tensorrt/Dockerfile")
    done = build(context, "--file", file, "--tag", f"{IMAGE}:other", *argument(BASE, ENGINE_VERSION="1.3.0"))
    assert done.returncode != 0
    assert "tensorrt_llm is 1.2.1 here, and ENGINE_VERSION says 1.3.0" in done.stdout
