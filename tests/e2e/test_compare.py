"""The page on comparing, as it stands, with the installed command."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.e2e.commands import Project
from tests.e2e.test_docs import DOCS, FENCE
from tests.e2e.test_howto_pages import carried_out


def test_the_page_on_comparing(project: Project) -> None:
    printed = carried_out("compare.md", project)
    assert "of 2 pairs: " in printed
    assert "environments differ" not in printed
    said = r"before:batch_size=4 is lower, 0\.[45]\d\d times A \(0\.\d+ to 0\.\d+ at 95 %\)"
    assert re.search(rf"Energy per output token \(simulated\): {said}", printed)
    assert "EUR" in printed
    assert "g CO2e" in printed
    assert "A: power_w 80" in printed
    ((_, _, body),) = [
        fence for fence in FENCE.findall((DOCS / "how-to/compare.md").read_text()) if fence[0] == "python"
    ]
    done = subprocess.run([sys.executable, "-c", body], cwd=project.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    pair = project.json("compare", "before", "after", "--metric", "energy_per_output_token_j")["pairs"][0]
    assert pair["comparisons"][0]["design"] == "unpaired"
