"""A page in a real headless browser that may speak to nobody: what it says and asks for is written down."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route

PHONE_PX = 390
DESKTOP_PX = 1280
NAMED = "ORCHESTRATE_TEST_BROWSER"
_HEIGHT_PX = 900
# Rules of WCAG 2.2, A and AA, and what axe holds to be good practice.
_AXE = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}


def browser_program() -> str | None:
    """Where a Chromium is: as the environment names it, or on the path."""
    named = os.environ.get(NAMED)
    programs = (named,) if named else ("chromium", "chromium-browser", "google-chrome")
    return next((found for program in programs if (found := shutil.which(program))), None)


@dataclass
class Watched:
    """An opened page."""

    page: Page
    said: list[str] = field(default_factory=list)
    """Console messages and errors."""
    asked: list[str] = field(default_factory=list)
    """Requests for anything but the page itself."""

    def marks(self, chart: str) -> int:
        """How many marks a chart shows in its layer of points."""
        return self.page.locator(f"[data-chart='{chart}'] g.points_marks > *").count()

    def drawn(self, chart: str) -> None:
        """Bring a chart into view and wait until it is there."""
        place = self.page.locator(f"[data-chart='{chart}']")
        place.scroll_into_view_if_needed()
        self.page.locator(f"[data-chart='{chart}'][data-drawn] svg").wait_for()

    def sideways(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def violations(self) -> list[str]:
        """What an accessibility checker finds, with the elements; from the top, where what sticks covers nothing."""
        self.page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
        found: list[dict[str, Any]] = Axe().run(self.page, options=_AXE).response["violations"]
        return [f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}" for one in found]


@contextmanager
def watched(
    browser: Browser,
    file: Path,
    *,
    width_px: int = DESKTOP_PX,
    scheme: Literal["light", "dark"] = "light",
    scripts: bool = True,
    before: str = "",
) -> Iterator[Watched]:
    """Open a file in a window of its own, without a network.

    Args:
        browser: that runs.
        file: a page.
        width_px: of the window.
        scheme: what the reader prefers.
        scripts: whether the page's scripts run.
        before: a script of ours that runs before the page's.
    """
    window = browser.new_context(
        viewport={"width": width_px, "height": _HEIGHT_PX},
        color_scheme=scheme,
        java_script_enabled=scripts,
        offline=True,
        reduced_motion="reduce",
    )
    opened = Watched(window.new_page())
    opened.page.add_init_script(before)
    address = file.as_uri()

    def answer(route: Route) -> None:
        if route.request.url.partition("#")[0] == address:
            route.continue_()
        else:
            opened.asked.append(route.request.url)
            route.abort()

    window.route("**/*", answer)
    opened.page.on("console", lambda message: opened.said.append(f"{message.type}: {message.text}"))
    opened.page.on("pageerror", lambda error: opened.said.append(f"error: {error}"))
    try:
        opened.page.goto(address)
        yield opened
    finally:
        window.close()
