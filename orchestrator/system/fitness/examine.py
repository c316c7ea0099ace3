"""The judgement of this machine for measuring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from orchestrator.system.doctor.finding import Examination, Finding, Status
from orchestrator.system.fitness.gpu_settings import gpu_settings
from orchestrator.system.fitness.host_settings import host_settings
from orchestrator.system.fitness.judge import judge_gpu, judge_host
from runners.contract.request import Gpu


def fitness(gpus: Sequence[Gpu]) -> list[Finding]:
    """What of this machine bears on figures of energy; what cannot be looked at is unknown.

    Args:
        gpus: those that are measured on; without any, NVML is not asked.
    """
    seen = Examination(Status.UNKNOWN)
    if gpus:
        for settings in seen.look("GPU settings", lambda: gpu_settings(gpus)) or []:
            seen.add(f"GPU {settings.gpu.index} settings", partial(judge_gpu, settings))
    host = seen.look("machine", host_settings)
    if host:
        seen.add("machine", lambda: judge_host(host))
    return [replace(finding, section="measuring") for finding in seen.findings]
