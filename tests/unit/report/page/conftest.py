from __future__ import annotations

import pytest

from orchestrator.report.page import document


@pytest.fixture(autouse=True)
def without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing needs 0.9 MB of JavaScript that takes seconds to put together; the browser tests have it."""
    monkeypatch.setattr(document, "chart_script", lambda: "window.drawChart = () => Promise.resolve();")
