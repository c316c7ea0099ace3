"""The page on choosing, run as it is written, and what the command says of a campaign that has just ended."""

from __future__ import annotations

from tests.e2e.commands import Project
from tests.e2e.test_howto_pages import carried_out


def test_the_page_on_choosing(project: Project) -> None:
    """A batch of 16 at 80 W spends a sixteenth of what one prompt after another does."""
    printed = carried_out("choose.md", project)
    assert printed.count("has the lowest energy per output token (simulated): ") == 3
    assert "batch_size 16 has the highest output rate (simulated): " in printed
    assert "choice: what each parameter does to energy per output token (simulated)" in printed

    found = project.json("best", "choice")
    assert found["winner"] == "batch_size 16 · power_w 80.0"
    assert "batch_size 1 · power_w 100.0" not in found["may_be_best"]
    assert all(one["energy_methods"][0].startswith("simulated") for one in found["ranking"])
    effects = project.json("best", "choice", "--effects")["effects"]["choice"]
    (power,) = (effect for effect in effects if effect["parameter"] == "simulated.power_w")
    ratio = power["levels"][1]["ratio"]
    assert ratio["low"] < 1.25 < ratio["high"]

    refused = project.run("best", "choice", "--minimize", "energy")
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
