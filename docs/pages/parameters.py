"""parameters.md: every parameter of a campaign file, which engines have it, and what makes no sense together."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from orchestrator.campaign.schema import CampaignFile, Schedule
from orchestrator.campaign.settings import Failures, Gaps, Notify
from orchestrator.campaign.until import Until
from pages.markdown import default_of, fields
from runners.contract.options import OPTIONS
from runners.contract.request import Measurement, Warmup, Workload
from runners.contract.rules import RULES, WORKLOAD_RULES

_ELSEWHERE = ("workload", "shared", "backends", "experiments", "measurement", "name", "model")


def parameters() -> Iterator[str]:
    """The page."""
    yield "# Parameters\n"
    yield "What `workload:`, `measurement:`, `shared:` and each entry of `backends:` can hold. A list is an axis, a"
    yield "scalar is fixed. For the parameters that take a mapping, a mapping is one value and a list of them an axis."
    yield "Ranges, parameters that vary together, and files that extend others: [write a campaign"
    yield "file](../how-to/campaign-file.md)."
    yield "[campaign.schema.json](campaign.schema.json) says the same to an editor. With the YAML language server (in"
    yield "VS Code: the extension *YAML*), this first line of a campaign file completes and checks as you type:\n"
    yield "```yaml\n# yaml-language-server: $schema=../docs/reference/campaign.schema.json\n```\n"
    yield "As flags of `orchestrate run` and `docker compose run` parameters have the same names with dashes,"
    yield "`--batch-size 8`; a mapping is written as JSON: `--engine-args '{\"max_model_len\": 512}'`.\n"
    yield "## workload\n"
    yield from fields(Workload, ("dataset_sha256",))
    yield "\n## measurement\n"
    yield from fields(Measurement, ("warmup",))
    yield "\n`measurement.warmup`:\n"
    yield from fields(Warmup)
    yield "\n## Parameters by backend\n"
    yield "The default, where a backend has the parameter. What `shared:` holds goes to the backends that have it.\n"
    yield from matrix()
    for backend, model in OPTIONS.items():
        yield f"\n## backend `{backend}`\n"
        yield f"{inspect.getdoc(model)}\n"
        yield from fields(model, ("backend",))
    yield "\n## Invalid combinations\n"
    yield "In a grid such a combination is dropped and counted under the rule's name; written out, it is refused."
    yield from invalid_combinations()
    yield "\nThe settings of a machine are in [user-config.md](user-config.md)."
    yield "\n## Other keys of a campaign file\n"
    yield "- `extends`: a campaign file that this one is laid over, or a list of them\n"
    yield from fields(CampaignFile, _ELSEWHERE)
    sections = {"until": Until, "gaps": Gaps, "failures": Failures, "notify": Notify, "schedule": Schedule}
    for name, section in sections.items():
        yield f"\n`{name}`:\n"
        yield from fields(section)


def matrix() -> Iterator[str]:
    """Which backend has which parameter, with the default that it has there."""
    names = dict.fromkeys(name for model in OPTIONS.values() for name in model.model_fields if name != "backend")
    yield f"| parameter | {' | '.join(OPTIONS)} |"
    yield f"| --- | {' | '.join('---' for _ in OPTIONS)} |"
    for name in names:
        cells = [
            default_of(model.model_fields[name]) if name in model.model_fields else "" for model in OPTIONS.values()
        ]
        yield f"| `{name}` | {' | '.join(cells)} |"


def invalid_combinations() -> Iterator[str]:
    """The rules: those of all workloads, then each backend's own."""
    yield "\n| backend | rule | because |"
    yield "| --- | --- | --- |"
    for rule in WORKLOAD_RULES:
        having = [backend for backend, rules in RULES.items() if rule in rules]
        yield f"| {'all' if len(having) == len(RULES) else ', '.join(having)} | `{rule.name}` | {rule.reason} |"
    for backend, rules in RULES.items():
        for rule in rules:
            if rule not in WORKLOAD_RULES:
                yield f"| {backend} | `{rule.name}` | {rule.reason} |"
