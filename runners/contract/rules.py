"""Combinations of parameters that make no sense, each under a name.

A grid's points that break a rule are dropped and counted under that name; a point that somebody wrote
out is refused. The runner holds the same rules against a request made by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from runners.contract.names import BUILTIN, HUB_PREFIX, NAMED_DATASETS
from runners.contract.options import OPTIONS, OPTIONS_RULES
from runners.contract.options.base import Options, OptionsRule
from runners.contract.request import Experiment


class Rule(NamedTuple):
    """A forbidden combination of one backend's parameters."""

    name: str
    reason: str
    forbids: Callable[[Experiment], bool]


_KNOWN_BY_NAME = (BUILTIN, *NAMED_DATASETS)
_PROMPTS = (
    Rule(
        "column-needs-dataset",
        f"workload.column does nothing with the prompts of {' and '.join(_KNOWN_BY_NAME)}",
        lambda experiment: experiment.workload.dataset in _KNOWN_BY_NAME and experiment.workload.column != "prompt",
    ),
    Rule(
        "split-needs-hub-dataset",
        "workload.split does nothing but with a dataset named hf:NAME",
        lambda experiment: (
            not experiment.workload.dataset.startswith(HUB_PREFIX) and experiment.workload.split != "train"
        ),
    ),
)
# An engine that batches continuously takes sequences as they come: a limit above the prompts only is not reached.
_STATIC_BATCHES = (
    Rule(
        "batch-exceeds-prompts",
        "a batch is larger than workload.prompts, so it would never be full",
        lambda experiment: experiment.options.handed_at_once(experiment.workload.prompts) > experiment.workload.prompts,
    ),
)
WORKLOAD_RULES = (*_PROMPTS, *_STATIC_BATCHES)


def _of_workloads(options: type[Options]) -> tuple[Rule, ...]:
    """The rules about workloads that apply to a backend."""
    return WORKLOAD_RULES if "batch_size" in options.model_fields else _PROMPTS


def _of_options(rule: OptionsRule[Any]) -> Rule:
    return Rule(rule.name, rule.reason, lambda experiment: rule.forbids(experiment.options))


RULES: dict[str, tuple[Rule, ...]] = {
    backend: (*_of_workloads(OPTIONS[backend]), *map(_of_options, rules)) for backend, rules in OPTIONS_RULES.items()
}


def broken_rule(experiment: Experiment) -> Rule | None:
    """The first rule that an experiment breaks, if any."""
    return next((rule for rule in RULES[experiment.backend] if rule.forbids(experiment)), None)
