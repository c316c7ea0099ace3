"""Every file name, exit code and environment variable that host and runner agree on.

A campaign's results::

    results/<campaign>/campaign.json                       the resolved campaign, frozen
    results/<campaign>/attempts/<experiment_id>.c002.a1/   where one attempt works
    results/<campaign>/runs/<experiment_id>/c002/          a complete run, renamed here from its attempt
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, NamedTuple

CONTRACT_VERSION: Final = 4

# In an attempt folder, and after publication in a run folder.
REQUEST = "request.json"
RESULT = "result.json"
FAILURE = "failure.json"
TIMESERIES = "timeseries.parquet"
COUNTERS = "counters.parquet"
REQUESTS = "requests.parquet"
EVENTS = "events.jsonl"
LOG = "runner.log"
SAMPLES = "samples.jsonl"
HOST_SAMPLES = "host-samples.jsonl"
HOST = "host.json"
CACHES = "caches"
"""Caches of a run that was started cold; gone when it ends."""

# In a campaign's results folder.
CAMPAIGN = "campaign.json"
ATTEMPTS = "attempts"
RUNS = "runs"
ADHOC = "adhoc"

# What a dispatcher sets in a runner's environment. Nothing else configures a run but its request.
ENV_ATTEMPT = "ORCHESTRATE_ATTEMPT"
ENV_CAMPAIGN_ID = "ORCHESTRATE_CAMPAIGN_ID"
ENV_CAMPAIGN_NAME = "ORCHESTRATE_CAMPAIGN_NAME"
ENV_CYCLE = "ORCHESTRATE_CYCLE"
ENV_CYCLES = "ORCHESTRATE_CYCLES"
ENV_VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"
ENV_SLURM_GPUS = ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS")
ENV_GPU_ORDER = "CUDA_DEVICE_ORDER"
SECRET_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")

# What a container has in its environment besides.
ENV_GIT_COMMIT = "ORCHESTRATE_GIT_COMMIT"
ENV_POWERCAP = "ORCHESTRATE_POWERCAP"
ENV_SIMULATED_GPU = "ORCHESTRATE_SIMULATED_GPU"
ENV_LIBRARY_PATH = "LD_LIBRARY_PATH"
ENV_CONTAINER_GPUS = "NVIDIA_VISIBLE_DEVICES"
ENV_RESULTS_DIR = "ORCHESTRATE_RESULTS_DIR"
CONTAINER_RESULTS = "/results"
CONTAINER_SIMULATED_GPU = "/opt/simulated-gpu"


class FailureKind(str, Enum):
    """Why an attempt gave no result."""

    BAD_REQUEST = "bad_request"
    MODEL_NOT_FOUND = "model_not_found"
    MODEL_GATED = "model_gated"
    ENGINE_MISSING = "engine_missing"
    ENGINE_BROKEN = "engine_broken"
    ENGINE_FAILED = "engine_failed"
    UNSUPPORTED = "unsupported"
    OUT_OF_MEMORY = "out_of_memory"
    GPU_OUT_OF_MEMORY = "gpu_out_of_memory"
    METER_FAILED = "meter_failed"
    DISK_FULL = "disk_full"
    INTERRUPTED = "interrupted"
    TIMEOUT = "timeout"
    SILENT = "silent"
    CRASHED = "crashed"
    INVALID_RESULT = "invalid_result"


# The last four kinds are judged by the host, so no runner exits with them.
EXIT_CODES: dict[FailureKind, int] = {
    FailureKind.BAD_REQUEST: 2,
    FailureKind.ENGINE_MISSING: 3,
    FailureKind.MODEL_NOT_FOUND: 10,
    FailureKind.ENGINE_FAILED: 11,
    FailureKind.OUT_OF_MEMORY: 12,
    FailureKind.METER_FAILED: 13,
    FailureKind.DISK_FULL: 14,
    FailureKind.ENGINE_BROKEN: 15,
    FailureKind.MODEL_GATED: 16,
    FailureKind.UNSUPPORTED: 17,
    FailureKind.GPU_OUT_OF_MEMORY: 18,
    FailureKind.INTERRUPTED: 130,
}


class AttemptName(NamedTuple):
    """The identity that an attempt folder's name carries."""

    experiment_id: str
    cycle: int
    attempt: int

    def __str__(self) -> str:
        """As the folder is called: ``<experiment_id>.c002.a1``."""
        return f"{run_id(self.experiment_id, self.cycle)}.a{self.attempt}"


_ATTEMPT_NAME = re.compile(r"(?P<experiment_id>[a-z0-9][a-z0-9-]*)\.c(?P<cycle>\d{3,})\.a(?P<attempt>\d+)")
_CYCLE_NAME = re.compile(r"c(\d{3,})")


def cycle_name(cycle: int) -> str:
    """The folder of a cycle (counted from 1) below its experiment's: ``c002``."""
    return f"c{cycle:03d}"


def parse_cycle_name(name: str) -> int | None:
    """The cycle that a folder name stands for, or None if it is not one."""
    match = _CYCLE_NAME.fullmatch(name)
    return int(match[1]) if match and cycle_name(int(match[1])) == name else None


def run_id(experiment_id: str, cycle: int) -> str:
    """The identity of a run: one experiment in one cycle."""
    return f"{experiment_id}.{cycle_name(cycle)}"


def short_run_id(experiment_id: str, cycle: int) -> str:
    """A run as it is shown where there is little room: the head of the experiment's hash, and the cycle."""
    return f"{experiment_id.rsplit('-', 1)[-1][:8]}.{cycle_name(cycle)}"


def parse_attempt_name(name: str) -> AttemptName | None:
    """The identity in an attempt folder's name, or None if it is not such a name."""
    match = _ATTEMPT_NAME.fullmatch(name)
    if not match:
        return None
    parsed = AttemptName(match["experiment_id"], int(match["cycle"]), int(match["attempt"]))
    return parsed if str(parsed) == name else None
