"""Commands inside the images, with the tests of this repository mounted read-only: the image stays as it is."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
INSIDE = "/opt/tests-of-orchestrate"


def images() -> dict[str, str]:
    """The image of each service of compose.yaml."""
    done = subprocess.run(
        ["docker", "compose", "--file", "compose.yaml", "config", "--format", "json"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    return {name: service["image"] for name, service in json.loads(done.stdout)["services"].items()}


def is_built(image: str) -> bool:
    """Whether the Docker engine has an image."""
    return subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0


def inside(image: str, results: Path, command: list[str], packages: Path | None = None) -> list[str]:
    """The command line of a container as isolated as a run's, in which `tests` and `runners` can be imported.

    Args:
        image: the image; its own `runners` is used.
        results: a folder that the container may write to, besides the cache.
        command: what is executed, in the mounted copy of this repository.
        packages: a folder of further Python packages.
    """
    mounts = {
        f"{REPOSITORY}/tests": f"{INSIDE}/tests:ro",
        f"{REPOSITORY}/pyproject.toml": f"{INSIDE}/pyproject.toml:ro",
        str(results): "/results",
        "orchestrate-hf-cache": "/cache",
    }
    if packages:
        mounts[str(packages)] = "/opt/packages:ro"
    variables = {
        "PUID": os.getuid(),
        "PGID": os.getgid(),
        "PYTHONPATH": f"{INSIDE}:/opt/packages",
        "PYTHONDONTWRITEBYTECODE": 1,
    }
    return [
        *("docker", "run", "--rm", "--interactive", "--read-only", "--tmpfs", "/tmp:exec,mode=1777"),
        *("--network", "none", "--shm-size", "1g", "--workdir", INSIDE),
        *("--cap-drop", "ALL", "--cap-add", "SETUID", "--cap-add", "SETGID"),
        *(part for name, value in variables.items() for part in ("--env", f"{name}={value}")),
        *(part for source, target in mounts.items() for part in ("--volume", f"{source}:{target}")),
        *(image, *command),
    ]
