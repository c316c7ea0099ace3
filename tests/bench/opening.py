"""A report of 500 runs in a real browser: how large it is, and when it answers to its reader.

``python -m tests.bench.opening``; it is ready once its charts are drawn and its tables sort.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.pairs import HEADER, Row, machine
from tests.browser.reported import made, report, trade_off
from tests.browser.watched import browser_program, watched

EXPERIMENTS = 50
CYCLES = 10
_TIMES = 10
_WHEN_READY = """
new MutationObserver(() => {
  const drawn = ["ranking", "front", "effects"].every((id) => document.querySelector(`[data-chart=${id}][data-drawn]`));
  if (drawn && !window.readyMs) window.readyMs = performance.now();
}).observe(document, { subtree: true, attributes: true, childList: true });
"""


def opening(folder: Path) -> Iterator[Row]:
    """Rows of the table; none where there is no browser."""
    program = browser_program()
    if program is None:
        return
    from playwright.sync_api import sync_playwright

    made(folder, "opening", trade_off(EXPERIMENTS), CYCLES)
    file = report(folder, "opening")
    runs = EXPERIMENTS * CYCLES
    yield Row(f"report of {runs} runs, each with its power", "MB", [file.stat().st_size / 1e6], 5)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        seconds = [_ready_s(browser, file) for _ in range(_TIMES + 1)][1:]
        browser.close()
    yield Row("the same, opened in headless Chromium until it is interactive", "s", seconds, 2)


def _ready_s(browser: Any, file: Path) -> float:
    """From the start of the navigation until the page is ready."""
    with watched(browser, file, before=_WHEN_READY) as seen:
        seen.page.wait_for_function("window.readyMs")
        assert not seen.said, seen.said
        return float(seen.page.evaluate("window.readyMs")) / 1e3


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="orchestrate-bench-", dir=".") as folder:
        print(f"Machine: {machine()}\n\n{HEADER}")
        rows = 0
        for row in opening(Path(folder).resolve()):
            print(row, flush=True)
            rows += 1
    if not rows:
        sys.exit("there is no Chromium here")


if __name__ == "__main__":
    main()
