"""One run by hand, from flags: its request is made here, and its run folder lands in ``results/adhoc/``."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from runners import command_line, gpus
from runners.attempt import carry_out
from runners.command_line import Asked
from runners.contract import folders, paths
from runners.contract.flags import FlagError
from runners.contract.identity import canonical_json, experiment_id
from runners.contract.paths import AttemptName, FailureKind
from runners.contract.request import Gpu, RunRequest
from runners.contract.result import RunResult
from runners.errors import RunnerError
from runners.files import write_atomically
from runners.logs import LOGGER
from runners.output import claim
from runners.summary import headlines
from runners.writable import unwritable


def main(arguments: list[str]) -> int:
    """Carries out what flags ask for, and publishes it; returns the exit code."""
    results = results_folder(os.environ)
    try:
        asked = command_line.read(arguments)
        options = asked.experiment.options
        may_use_gpu = options.may_use_gpu or paths.ENV_SIMULATED_GPU in os.environ
        found = gpus.first(os.environ, options.gpus_needed) if may_use_gpu else []
        given = asked.experiment.gpus_of(found)
        return _run(asked, given, results / paths.ADHOC)
    except FlagError as error:
        return _complain(str(error), error.hint, FailureKind.BAD_REQUEST)
    except RunnerError as error:
        return _complain(str(error), error.hint, error.kind)
    except OSError as error:
        reason = unwritable(results, error)
        return _complain(str(reason), reason.hint, reason.kind)


def results_folder(variables: Mapping[str, str]) -> Path:
    """Where results lie: as the environment says, else where a container has them, else below the current folder."""
    if named := variables.get(paths.ENV_RESULTS_DIR):
        return Path(named)
    mounted = Path(paths.CONTAINER_RESULTS)
    return mounted if mounted.is_dir() else Path("results")


def _run(asked: Asked, given: Sequence[Gpu], campaign: Path) -> int:
    """One attempt of what was asked, in the first cycle that is free, published if it succeeds.

    Raises:
        OSError: the results cannot be written.
    """
    identity = experiment_id(asked.experiment, canonical_json(asked.experiment))
    folders.make(campaign)
    name = folders.first_free(campaign, identity)
    attempt = folders.attempt_folder(campaign, name)
    request = attempt / paths.REQUEST
    write_atomically(request, _request(asked, given, name).model_dump_json(indent=2).encode() + b"\n")
    streams = claim(attempt)
    # Engines may count GPUs in another order than NVML does: they are shown the one that is metered, and no other.
    os.environ[paths.ENV_VISIBLE_GPUS] = ",".join(gpu.uuid for gpu in given)
    code = carry_out(asked.experiment.backend, request, streams.events, _device(asked, given), echo=streams.stderr)
    if code:
        LOGGER.info("what is left of it: %s", attempt)
        return code
    try:
        published = folders.publish(campaign, name)
    except OSError as error:
        reason = unwritable(campaign, error)
        LOGGER.error("%s", reason)
        LOGGER.info("hint: %s; the run is complete in %s", reason.hint, attempt)
        return paths.EXIT_CODES[reason.kind]
    if published is None:
        LOGGER.warning("the run %s was there first; this one is not among the runs", paths.run_id(identity, name.cycle))
    folder = published or attempt
    result = RunResult.model_validate_json((folder / paths.RESULT).read_bytes())
    _say(streams.stdout, [*headlines(result), f"Files: {folder}"])
    return 0


def _request(asked: Asked, given: Sequence[Gpu], name: AttemptName) -> RunRequest:
    return RunRequest(
        campaign=paths.ADHOC,
        experiment_id=name.experiment_id,
        cycle=name.cycle,
        cycles=1,
        attempt=name.attempt,
        order_index=0,
        experiment=asked.experiment,
        measurement=asked.measurement,
        seed=asked.seed,
        gpus=list(given),
        model_path=str(asked.model_path) if asked.model_path else None,
        option_paths={option: str(path) for option, path in asked.option_paths.items()},
        dataset_path=str(asked.dataset_path) if asked.dataset_path else None,
    )


def _device(asked: Asked, given: Sequence[Gpu]) -> str:
    if given:
        return "; ".join(f"running on GPU {gpu.index}: {gpu.name} ({gpu.uuid})" for gpu in given)
    return "running on the CPU" + (": no GPU is visible here" if asked.experiment.options.may_use_gpu else "")


def _say(descriptor: int, lines: Sequence[str]) -> None:
    with (
        contextlib.suppress(BrokenPipeError),  # whoever read on went away; the files are there
        os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as out,
    ):
        out.write("\n".join(lines) + "\n")


def _complain(message: str, hint: str, kind: FailureKind) -> int:
    lines = [*(f"error: {line}" for line in message.splitlines()), f"hint: {hint}"]
    sys.stderr.write("\n".join(lines) + "\n")
    return paths.EXIT_CODES[kind]
