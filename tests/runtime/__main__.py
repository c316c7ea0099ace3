"""``python -m tests.runtime [BACKEND...]``: each backend's tests inside its image, on the runners that the image holds.

The image stays as it is: the tests and pytest are mounted, read-only. Without a name all are run that have both tests
here and a service in compose.yaml.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
INSIDE = "/opt/runtime-tests"


def main(backends: list[str]) -> int:
    """Runs them; returns 1 if any failed, 3 if an image is missing."""
    images = services()
    tested = {file.stem.removeprefix("test_") for file in Path(__file__).parent.glob("test_*.py")}
    chosen = backends or sorted(tested & images.keys())
    if unknown := set(chosen) - (tested & images.keys()):
        print(f"no tests or no service: {', '.join(sorted(unknown))}; there are {', '.join(sorted(tested))}")
        return 2
    for backend in chosen:
        if subprocess.run(["docker", "image", "inspect", images[backend]], capture_output=True).returncode:
            print(f"{images[backend]} is not built: docker compose build {backend}")
            return 3
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--target", f"{folder}/pytest", "pytest>=8.4"], check=True)
        Path(folder).chmod(0o755)
        return max(run(backend, images[backend], Path(folder)) for backend in chosen)


def services() -> dict[str, str]:
    """The image of each service."""
    done = subprocess.run(
        ["docker", "compose", "--file", "compose.yaml", "config", "--format", "json"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    return {name: service["image"] for name, service in json.loads(done.stdout)["services"].items()}


def run(backend: str, image: str, folder: Path) -> int:
    """Runs one backend's tests in a container as isolated as a run's; returns pytest's exit code."""
    print(f"=== {backend}, in {image}", flush=True)
    results = folder / f"results-{backend}"
    results.mkdir()
    mounts = {
        f"{REPOSITORY}/tests": f"{INSIDE}/tests:ro",
        f"{REPOSITORY}/pyproject.toml": f"{INSIDE}/pyproject.toml:ro",
        f"{folder}/pytest": "/opt/pytest:ro",
        str(results): "/results",
        "orchestrate-hf-cache": "/cache",
    }
    pytest = ["python", "-m", "pytest", "--quiet", "-m", "runtime", "-p", "no:cacheprovider", "-W", "default"]
    return subprocess.run(
        ["docker", "run", "--rm", "--read-only", "--tmpfs", "/tmp:exec,mode=1777", "--network", "none"]
        + ["--cap-drop", "ALL", "--cap-add", "SETUID", "--cap-add", "SETGID", "--shm-size", "1g"]
        + ["--env", f"PUID={os.getuid()}", "--env", f"PGID={os.getgid()}", "--env", "PYTHONPATH=/opt/pytest"]
        + ["--env", "PYTHONDONTWRITEBYTECODE=1", "--workdir", INSIDE]
        + [part for source, target in mounts.items() for part in ("--volume", f"{source}:{target}")]
        + [image, *pytest, "--confcutdir", "tests/runtime", f"tests/runtime/test_{backend}.py"],
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
