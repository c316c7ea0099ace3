"""``python -m tests.bench.engines [BACKEND...]``: our window against a bare script, for the same prompts.

Each side is a process of its own in a container of the backend's image, with an engine of its own that stays loaded.
They take turns, ours first in one pair and last in the next: who works, works alone. Ours is the window as the
harness carries it out, its sampler beside it (stopped while it is the other's turn); the bare side is what the
engine's documentation shows.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

from tests.bench.pairs import HEADER, Row, machine, median_interval
from tests.images import images, inside, is_built

PAIRS = 60
BACKENDS = ("pytorch", "vllm")


class Side:
    """A process that holds an engine, and works a round when it is told to."""

    def __init__(self, image: str, results: Path, module: str, backend: str) -> None:
        command = ["python", "-m", f"tests.bench.engines.{module}", backend]
        self._process = subprocess.Popen(
            inside(image, results, command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(results / f"{module}.log").open("w"),
            text=True,
        )

    def __enter__(self) -> Side:
        self._read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def round(self, number: int) -> tuple[float, str]:
        """Seconds that a round took, and a hash of its answers."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        seconds, answers = self._read().split()
        return float(seconds), answers

    def _read(self) -> str:
        """The next line that is ours; an engine may write others."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("bench: "):
                return line.removeprefix("bench: ")
        raise RuntimeError(f"it ended with {self._process.wait()}: see its log")


def overhead(backend: str, image: str) -> Row:
    """Our time over the bare script's, pair by pair."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        with Side(image, results, "ours", backend) as ours, Side(image, results, "bare", backend) as bare:
            ratios, bare_s = [], []
            for pair in range(-2, PAIRS):
                order = (ours, bare) if pair % 2 else (bare, ours)
                found = {side: side.round(pair + 2) for side in order}
                assert found[ours][1] == found[bare][1], "the two sides gave other answers"
                if pair >= 0:
                    ratios.append(found[ours][0] / found[bare][0])
                    bare_s.append(found[bare][0])
    low, high = median_interval(ratios)
    note = f"bare {statistics.median(bare_s) * 1e3:.0f} ms; 95 % interval of the median {low:.4f} – {high:.4f}"
    return Row(f"the window, against bare {backend}", "×", ratios, 1.02, note)


def main(backends: list[str]) -> int:
    """Prints the table; returns 3 if an image is missing."""
    services = images()
    chosen = backends or list(BACKENDS)
    if missing := [backend for backend in chosen if not is_built(services[backend])]:
        print(f"not built: docker compose build {' '.join(missing)}")
        return 3
    print(f"{machine()}\n\n{HEADER}", flush=True)
    for backend in chosen:
        print(overhead(backend, services[backend]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
