"""Measures which way of serving a language model spends the fewest joules per token.

The library; the command line is a thin wrapper over it::

    from orchestrator import load_campaign, load_results, run_campaign

    run_campaign(load_campaign("campaigns/quickstart.yaml"))
    for result in load_results("quickstart"):
        print(result.experiment_id, result.energy_per_output_token_j, result.energy_method)

Names are imported when first used, so that ``import orchestrator`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.campaign.load import campaign_from_mapping, load_campaign
    from orchestrator.campaign.schema import Campaign
    from orchestrator.errors import (
        FileError,
        InputError,
        InterruptedCampaignError,
        InUseError,
        MachineError,
        OrchestratorError,
    )
    from orchestrator.execution.campaigns import campaign_status, resume, run_campaign
    from orchestrator.execution.single import run_experiment
    from orchestrator.report.answers import Answers, Asked, answers_of
    from orchestrator.report.comparing import compare
    from orchestrator.report.frames import load_frame
    from orchestrator.report.loading import load_results
    from orchestrator.report.writing import write_report
    from orchestrator.results.reading import load_result
    from orchestrator.results.series import load_series
    from orchestrator.system.project import Project, find_project
    from runners.contract.result import RunResult

_HOME = {
    "orchestrator.campaign.load": ("campaign_from_mapping", "load_campaign"),
    "orchestrator.campaign.schema": ("Campaign",),
    "orchestrator.errors": (
        "FileError",
        "InUseError",
        "InputError",
        "InterruptedCampaignError",
        "MachineError",
        "OrchestratorError",
    ),
    "orchestrator.execution.campaigns": ("campaign_status", "resume", "run_campaign"),
    "orchestrator.execution.single": ("run_experiment",),
    "orchestrator.report.answers": ("Answers", "Asked", "answers_of"),
    "orchestrator.report.comparing": ("compare",),
    "orchestrator.report.frames": ("load_frame",),
    "orchestrator.report.loading": ("load_results",),
    "orchestrator.report.writing": ("write_report",),
    "orchestrator.results.reading": ("load_result",),
    "orchestrator.results.series": ("load_series",),
    "orchestrator.system.project": ("Project", "find_project"),
    "runners.contract.result": ("RunResult",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Answers",
    "Asked",
    "Campaign",
    "FileError",
    "InUseError",
    "InputError",
    "InterruptedCampaignError",
    "MachineError",
    "OrchestratorError",
    "Project",
    "RunResult",
    "answers_of",
    "campaign_from_mapping",
    "campaign_status",
    "compare",
    "find_project",
    "load_campaign",
    "load_frame",
    "load_result",
    "load_results",
    "load_series",
    "resume",
    "run_campaign",
    "run_experiment",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
