"""Combinations of parameters that make no sense, each under a name.

A grid's points that break a rule are dropped and counted under that name; a point that somebody wrote
out is refused. The runner holds the same rules against a request made by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from runners.contract.request import Experiment, PytorchOptions, SimulatedOptions


class Rule(NamedTuple):
    """A forbidden combination of one backend's parameters."""

    name: str
    reason: str
    forbids: Callable[[Experiment], bool]


def _pytorch(condition: Callable[[PytorchOptions], bool]) -> Callable[[Experiment], bool]:
    return lambda experiment: isinstance(experiment.options, PytorchOptions) and condition(experiment.options)


def _sampling_without_do_sample(options: PytorchOptions) -> bool:
    return not options.do_sample and any(
        value is not None for value in (options.temperature, options.top_k, options.top_p)
    )


_BATCH = Rule(
    "batch-exceeds-prompts",
    "batch_size is larger than workload.prompts, so the batch would never be full",
    lambda experiment: experiment.options.batch_size > experiment.workload.prompts,
)

_WORKLOAD = (
    Rule(
        "column-needs-dataset",
        "workload.column does nothing with the built-in prompts",
        lambda experiment: experiment.workload.dataset == "builtin" and experiment.workload.column != "prompt",
    ),
    Rule(
        "split-needs-hub-dataset",
        "workload.split does nothing but with a dataset from the hub",
        lambda experiment: not experiment.workload.dataset.startswith("hf:") and experiment.workload.split != "train",
    ),
    _BATCH,
)

RULES: dict[str, tuple[Rule, ...]] = {
    PytorchOptions.model_fields["backend"].default: (
        *_WORKLOAD,
        Rule(
            "flash-attention-needs-half-precision",
            "flash_attention_2 knows float16 and bfloat16 only",
            _pytorch(lambda o: o.attn_implementation == "flash_attention_2" and o.dtype == "float32"),
        ),
        Rule(
            "flash-attention-needs-gpu",
            "flash_attention_2 does not run on a CPU",
            _pytorch(lambda o: o.attn_implementation == "flash_attention_2" and o.device == "cpu"),
        ),
        Rule(
            "compile-mode-needs-compile",
            "torch_compile_mode does nothing without torch_compile",
            _pytorch(lambda o: o.torch_compile_mode is not None and not o.torch_compile),
        ),
        Rule(
            "sampling-needs-do-sample",
            "temperature, top_k and top_p do nothing without do_sample",
            _pytorch(_sampling_without_do_sample),
        ),
    ),
    SimulatedOptions.model_fields["backend"].default: (
        *_WORKLOAD,
        Rule(
            "fail-attempts-needs-fail",
            "fail_attempts does nothing without fail",
            lambda experiment: (
                isinstance(experiment.options, SimulatedOptions)
                and experiment.options.fail_attempts is not None
                and experiment.options.fail is None
            ),
        ),
    ),
}


def broken_rule(experiment: Experiment) -> Rule | None:
    """The first rule that an experiment breaks, if any."""
    return next((rule for rule in RULES[experiment.backend] if rule.forbids(experiment)), None)
