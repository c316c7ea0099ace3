"""What runs were measured under: environments, effective configurations, checks. Pure but for reading results."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.analysis.groups import Group
from orchestrator.errors import InputError
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.reading import load_result
from orchestrator.results.table import RunTable
from runners.contract.result import RunResult

_BYTES: Final = ("B", "KiB", "MiB", "GiB", "TiB")
MOST_READ: Final = 500
"""Results that are read whole; of more runs, those of as many groups as possible, the best first."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Things described by the same fields: what is alike in all, and where they differ."""

    of: Sequence[str]
    """What is described: environments, experiments."""
    alike: Mapping[str, str]
    differing: Mapping[str, Sequence[str]]
    """By field, the value in each of ``of``; an empty text where it has none."""


@dataclass(frozen=True, slots=True)
class CheckCount:
    """How runs judged themselves in one respect."""

    name: str
    severity: str
    failed: int
    """Of all runs."""
    seen: str
    """What one of the runs that failed it saw, or one that passed."""
    hint: str | None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How the runs of a campaign were measured."""

    environments: Facts
    effective: Mapping[str, Facts]
    """What engines made of what was declared, by backend; described are groups, by their labels."""
    checks: Sequence[CheckCount]
    """Those that failed first."""
    warnings: Sequence[tuple[str, int]]
    """What runners warned of, and in how many of the runs that were read."""
    read: int
    """How many results were read whole: of these the configurations and the warnings are."""


def circumstances_of(
    table: RunTable, groups: Sequence[Group], labels: Mapping[str, str]
) -> tuple[Circumstances, list[RunResult]]:
    """How runs were measured, and the results that were read whole for it.

    Args:
        table: of the campaign.
        groups: the best first; of very many runs, those of the first are read.
        labels: of the groups that runs are of, by run_id.
    """
    results = list(_readable(table, _chosen(table, groups)))
    first: dict[str, RunResult] = {}
    for result in results:
        first.setdefault(labels[result.run_id], result)
    backends = dict.fromkeys(result.backend for result in first.values())
    effective = {
        backend: facts({label: one.effective_config for label, one in first.items() if one.backend == backend})
        for backend in backends
    }
    used: dict[str, dict[str, None]] = {}
    for environment, backend in zip(table.frame["environment_id"], table.frame["backend"], strict=True):
        used.setdefault(environment, {})[backend] = None
    environments = {
        result.environment.environment_id: environment_of(result, used[result.environment.environment_id])
        for result in reversed(results)
    }
    warnings = Counter(warning for result in results for warning in dict.fromkeys(result.warnings))
    circumstances = Circumstances(
        facts(dict(reversed(environments.items()))), effective, _checks(table, results), warnings.most_common(),
        len(results),
    )  # fmt: skip
    return circumstances, results


def facts(described: Mapping[str, Mapping[str, Any]]) -> Facts:
    """Nested values flat, under dotted names, told apart into those that are alike in all and those that are not.

    Args:
        described: the values of each thing by its name; nulls are left out.
    """
    flat = {name: dict(_flat("", values)) for name, values in described.items()}
    fields = dict.fromkeys(field for values in flat.values() for field in values)
    alike, differing = {}, {}
    for field in fields:
        values = [values.get(field, "") for values in flat.values()]
        if len(set(values)) == 1:
            alike[field] = values[0]
        else:
            differing[field] = values
    return Facts(list(described), alike, differing)


def told(field: str, values: Sequence[str]) -> list[str]:
    """A field's values as people read them: bytes in larger units, unless values that differ would read alike.

    Args:
        field: its name, which says its unit.
        values: as they were found; an empty text where there is none.
    """
    if not field.endswith("_bytes"):
        return list(values)
    read = [_in_large_units(value) for value in values]
    return read if len(set(read)) == len(set(values)) else list(values)


def _in_large_units(text: str) -> str:
    if not (text.isascii() and text.isdecimal()):
        return text
    size = int(text)
    power = min(max(size.bit_length() - 1, 0) // 10, len(_BYTES) - 1)
    return f"{size / 2 ** (10 * power):.{1 if power else 0}f} {_BYTES[power]}"


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from _flat(f"{name}.", value)
        elif isinstance(value, str):
            yield name, value
        elif value is not None:
            yield name, json.dumps(value, ensure_ascii=False, default=str)


def environment_of(result: RunResult, backends: Iterable[str]) -> dict[str, Any]:
    """What a run found on its machine, and the backends that it carried."""
    seen = result.environment.model_dump(mode="json", exclude={"environment_id", "gpus"})
    gpus = {f"gpu {place}": gpu for place, gpu in enumerate(result.environment.gpus)}
    return {"backends": ", ".join(backends)} | seen | gpus


def _chosen(table: RunTable, groups: Sequence[Group]) -> list[tuple[str, int]]:
    """The runs that are read whole, at most :data:`MOST_READ`, in the order of the ranking."""
    if len(table.frame) <= MOST_READ:
        return list(zip(table.frame["experiment_id"], table.frame["cycle"], strict=True))
    suspect = table.frame[table.frame["verdict"] != "good"].head(MOST_READ // 10)
    apart = table.frame.drop_duplicates("environment_id").head(MOST_READ // 10)
    wanted = dict.fromkeys(
        run for frame in (apart, suspect) for run in zip(frame["experiment_id"], frame["cycle"], strict=True)
    )
    for group in groups:
        if len(wanted) >= MOST_READ:
            break
        wanted |= dict.fromkeys(_runs_of(group)[:1])
    return list(wanted)


def _runs_of(group: Group) -> list[tuple[str, int]]:
    return list(zip(group.frame["experiment_id"], group.frame["cycle"], strict=True))


def _readable(table: RunTable, runs: Iterable[tuple[str, int]]) -> Iterator[RunResult]:
    folder = CampaignFolder(table.folder)
    for experiment_id, cycle in runs:
        try:
            yield load_result(folder.run_folder(experiment_id, cycle))
        except InputError:  # it is among the table's faults, or was taken away since
            continue


def _checks(table: RunTable, results: Sequence[RunResult]) -> list[CheckCount]:
    failed = Counter(name for names in table.frame["failed_checks"] for name in names.split())
    told: dict[str, CheckCount] = {}
    for check in sorted((check for result in results for check in result.checks), key=lambda check: check.passed):
        count = CheckCount(check.name, check.severity, failed[check.name], check.observed, check.hint)
        told.setdefault(check.name, count)
    for name in failed:
        told.setdefault(name, CheckCount(name, "", failed[name], "", None))
    return sorted(told.values(), key=lambda one: (-one.failed, one.name))
