"""The page on choosing, run as it is written, and what the command says of a campaign that has just ended."""

from __future__ import annotations

import pytest

from tests.e2e.commands import Project
from tests.e2e.test_howto_pages import carried_out


def test_the_page_on_choosing(project: Project) -> None:
    """Twice the batch takes half of the time, and so of the joules."""
    printed = carried_out("choose.md", project)
    assert printed.count("has the lowest energy per output token (simulated): ") == 3
    assert "batch_size 8 has the highest output rate (simulated): " in printed
    assert "choice: what each parameter does to energy per output token (simulated)" in printed

    found = project.json("best", "choice")
    assert found["winner"].startswith("batch_size 8 · power_w 8")
    assert all(label.startswith("batch_size 8 ") for label in found["may_be_best"])
    assert all(one["energy_methods"][0].startswith("simulated") for one in found["ranking"])
    effects = project.json("best", "choice", "--effects")["effects"]["choice"]
    batch = next(effect for effect in effects if effect["parameter"] == "simulated.batch_size")
    assert [level["ratio"]["estimate"] for level in batch["levels"][1:]] == pytest.approx([0.5, 0.25], rel=0.2)

    refused = project.run("best", "choice", "--minimize", "energy")
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
