"""A headless browser for all tests here; without one they are skipped, and in strict mode that is a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.browser.watched import NAMED, Watched, browser_program, watched

Opener = Callable[..., AbstractContextManager[Watched]]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    program = browser_program()
    if program is None:
        pytest.skip(f"there is no Chromium on the path, and {NAMED} names none")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # Chromium's own sandbox does not work for root, whom containers and build machines run as.
        started = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any) -> Opener:
    """Opens a file and, at its end, holds it to silence."""

    @contextmanager
    def opening(file: Path, **options: Any) -> Iterator[Watched]:
        with watched(browser, file, **options) as page:
            yield page
            assert page.said == []
            assert page.asked == []

    return opening
