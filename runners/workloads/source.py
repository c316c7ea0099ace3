"""The texts of a run, from wherever its workload says."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from runners.contract.names import BUILTIN, HUB_PREFIX, NAMED_DATASETS
from runners.contract.request import RunRequest
from runners.errors import BadRequestError
from runners.workloads.builtin import PROMPTS
from runners.workloads.hub import rows_of_dataset, rows_of_named_dataset
from runners.workloads.jsonl import prompts_of_file


def texts_of(request: RunRequest, further_rounds: int = 0) -> list[str]:
    """The texts of the measured prompts, then one batch for the warm-up, then those of further rounds; all differ.

    Args:
        request: what to run.
        further_rounds: how often as many prompts again are wanted.

    Raises:
        BadRequestError: the dataset cannot be read, or has too few prompts.
    """
    workload = request.experiment.workload
    wanted = workload.prompts * (1 + further_rounds)
    wanted += request.experiment.options.worked_on_at_once(workload.prompts)
    if workload.dataset == BUILTIN:
        return varied(PROMPTS, workload.prompts, wanted)
    texts = list(islice(_texts(request), wanted))
    if len(texts) < workload.prompts:
        raise BadRequestError(
            f"{workload.dataset} has {len(texts)} prompts, and workload.prompts asks for {workload.prompts}",
            f"set workload.prompts to {len(texts)} or less, or add prompts" if texts else "add prompts",
        )
    return varied(texts, workload.prompts, wanted)


def varied(texts: Iterable[str], measured: int, wanted: int) -> list[str]:
    """So many texts, made from fewer if need be by numbering variations of them.

    Args:
        texts: what there is, at least one.
        measured: how many of the result are measured; the rest differ from these.
        wanted: how many texts to return.
    """
    found = list(texts)
    result = found[:measured]
    taken = set(result)
    result += [text for text in dict.fromkeys(found[measured:]) if text not in taken]
    lap = 2
    while len(result) < wanted:
        taken.update(result)
        result += [text for text in (f"Variation {lap}: {text}" for text in found) if text not in taken]
        lap += 1
    return result[:wanted]


def _texts(request: RunRequest) -> Iterable[str]:
    workload = request.experiment.workload
    if named := NAMED_DATASETS.get(workload.dataset):
        return rows_of_named_dataset(workload.dataset, named)
    if workload.dataset.startswith(HUB_PREFIX):
        return rows_of_dataset(workload.dataset.removeprefix(HUB_PREFIX), workload.split, workload.column)
    path = Path(request.dataset_path or workload.dataset)
    return prompts_of_file(path, workload.column, workload.dataset_sha256)
