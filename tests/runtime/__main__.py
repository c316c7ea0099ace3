"""``python -m tests.runtime [BACKEND...]``: each backend's tests inside its image, on the runners that the image holds.

Without a name all are run that have both tests here and a service in compose.yaml.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.images import images, inside, is_built
from tests.strict import STRICT


def main(backends: list[str]) -> int:
    """Runs them; returns 1 if any failed, 2 for a wrong name, 3 if an image is missing."""
    services = images()
    tested = {file.stem.removeprefix("test_") for file in Path(__file__).parent.glob("test_*.py")} & services.keys()
    if unknown := set(backends) - tested:
        print(f"no tests or no service: {', '.join(sorted(unknown))}; there are {', '.join(sorted(tested))}")
        return 2
    chosen = backends or sorted(tested)
    if missing := [backend for backend in chosen if not is_built(services[backend])]:
        print(f"not built: docker compose build {' '.join(missing)}")
        return 3
    with tempfile.TemporaryDirectory() as folder:
        packages = Path(folder) / "packages"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--target", packages, "pytest>=8.4"], check=True)
        failed = [backend for backend in chosen if run(backend, services[backend], packages)]
    print(f"failed: {', '.join(failed)}" if failed else f"passed: {', '.join(chosen)}")
    return 1 if failed else 0


def run(backend: str, image: str, packages: Path) -> int:
    """Runs one backend's tests in its image; returns pytest's exit code."""
    print(f"=== {backend}, in {image}", flush=True)
    results = packages.with_name(f"results-{backend}")
    results.mkdir()
    python = ["env", f"{STRICT}={os.environ.get(STRICT, '')}", "python"]
    pytest = [*python, "-m", "pytest", "--quiet", "-m", "runtime", "-p", "no:cacheprovider", "-p", "tests.strict"]
    command = [*pytest, "-W", "default", "--confcutdir", "tests/runtime", f"tests/runtime/test_{backend}.py"]
    return subprocess.run(inside(image, results, command, packages), stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
