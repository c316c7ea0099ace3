"""Makes the pictures of terminals in docs/images/: real commands in a real pseudo-terminal, their screens as SVG.

Run from the root of the repository: ``python docs/capture.py``. Pictures differ from one making to the next by what was
measured, so they are made by hand, and looked at.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path

from rich.cells import cell_len

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.e2e.commands import ORCHESTRATE  # noqa: E402
from tests.terminal import Terminal  # noqa: E402

IMAGES = ROOT / "docs" / "images"
_LINE, _CHARACTER = 18, 8.44
_FAILING = """\
name: NAME
model: org/model
workload: {prompts: 4, output_tokens: 4}
backends: {simulated: {batch_size: [1, 2], tokens_per_s: 1000}}
experiments:
  - {backend: simulated, batch_size: 4, tokens_per_s: 1000, fail: out_of_memory}
  - {backend: simulated, batch_size: 4, tokens_per_s: 500, fail: crash}
cycles: 2
failures: {retries: 0}
"""


def drawn(command: str, screen: str) -> str:
    """A terminal's screen as an SVG file."""
    lines = [f"$ {command}", *screen.rstrip().splitlines()]
    width = round(max(map(cell_len, lines)) * _CHARACTER) + 32
    height = 52 + _LINE * len(lines)
    texts = [
        f'<text x="16" y="{48 + _LINE * number}"{_colour(number, line)}>{escape(line)}</text>'
        for number, line in enumerate(lines)
    ]
    font = "ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            f' role="img" aria-label="Terminal: {escape(command)}">',
            f'<rect width="{width}" height="{height}" rx="8" fill="#16181d"/>',
            '<g fill="#4a4f5a"><circle cx="18" cy="16" r="5"/><circle cx="34" cy="16" r="5"/>'
            '<circle cx="50" cy="16" r="5"/></g>',
            f'<g font-family="{font}" font-size="14" fill="#d7dae0" xml:space="preserve">',
            *texts,
            "</g>",
            "</svg>\n",
        ]
    )


def _colour(number: int, line: str) -> str:
    return ' fill="#8fd18f"' if number == 0 or "━" in line else ""


def _ended(folder: Path, *arguments: str, columns: int = 100) -> str:
    terminal = Terminal([ORCHESTRATE, *arguments], folder, columns=columns)
    terminal.end()
    return terminal.screen.text


def _tail(screen: str, beginning: str) -> str:
    lines = screen.splitlines()
    return "\n".join(lines[next(number for number, line in enumerate(lines) if line.startswith(beginning)) :])


def _live() -> str:
    staged: Sequence[str] = [sys.executable, "-m", "tests.e2e.staged"]
    terminal = Terminal(staged, ROOT, columns=100, echo=False, environment={"PYTHONPATH": str(ROOT)})
    terminal.wait_for("238 W")
    terminal.type("\n")
    terminal.wait_for("10/24 runs")
    terminal.type("\n")
    screen = terminal.wait_for("pause 28 s")
    for _ in range(5):
        terminal.type("\n")
    terminal.end()
    return screen


def main() -> None:
    """Make them all."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in ("failing", "also-failing"):
            (folder / f"{name}.yaml").write_text(_FAILING.replace("NAME", name), encoding="utf-8")
            failing = _ended(folder, "campaign", f"{name}.yaml")
        menu = Terminal([ORCHESTRATE, "resume"], folder, columns=100)
        shown = menu.wait_for("or q")
        menu.type("q\n")
        menu.end()
        pictures = {
            "live": ("orchestrate campaign parallel.yaml", _live()),
            "failures": ("orchestrate campaign also-failing.yaml", _tail(failing, "also-failing: medians")),
            "resume-menu": ("orchestrate resume", shown),
        }
    for name, (command, screen) in pictures.items():
        (IMAGES / f"{name}.svg").write_text(drawn(command, screen), encoding="utf-8")


if __name__ == "__main__":
    main()
