"""What was declared for a run, flat, and in which of it the runs of a table differ. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runners.contract.options import OPTIONS
from runners.contract.result import RunResult

_HIDDEN = frozenset({"workload.dataset_sha256"})


def parameters(result: RunResult) -> dict[str, Any]:
    """What was declared for a run, flat, under dotted names: ``pytorch.batch_size``.

    Each argument that is passed on has a name of its own, ``vllm.engine_args.max_model_len``; what it holds in turn,
    and any list, is JSON as text.
    """
    experiment = result.experiment
    declared: dict[str, Any] = {"model": experiment.model}
    declared |= {f"workload.{name}": value for name, value in experiment.workload.model_dump().items()}
    for name, value in experiment.options.model_dump(exclude={"backend"}).items():
        declared |= _flat(f"{experiment.backend}.{name}", value)
    return declared


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in which runs differ."""

    name: str
    """Its dotted name, without the backend: backends share a column where they share the name."""
    title: str

    def shown(self, result: RunResult) -> str:
        """Its value as text: nothing where the backend has no such parameter, a dash where it was left open."""
        return _cell(self.name, result.backend, _by_name(result))


def varied_parameters(results: Sequence[RunResult]) -> list[Parameter]:
    """The parameters in which the runs differ, in the order they are declared.

    A parameter that only some backends have counts among these; one that is passed on, among all that pass on. Where
    nothing but the defaults of the backends differs, nothing was varied.
    """
    declared = [(result.backend, _by_name(result)) for result in results]
    names = dict.fromkeys(name for _, point in declared for name in point if name not in _HIDDEN)
    varied = [
        name
        for name in names
        if len({_cell(name, *point) for point in declared} - {""}) > 1
        and not all(is_default(backend, name, point[name]) for backend, point in declared if name in point)
    ]
    short = [name.rpartition(".")[2] for name in varied]
    return [Parameter(name, last if short.count(last) == 1 else name) for name, last in zip(varied, short, strict=True)]


def shown(value: Any) -> str:
    """A parameter's value as text."""
    if value is None:
        return "—"
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_default(backend: str, name: str, value: Any) -> bool:
    """Whether a value is the default of a backend's own parameter; None: it was left open."""
    info = OPTIONS[backend].model_fields.get(name) if name != "backend" else None
    return info is not None and bool(value == _compact(info.get_default(call_default_factory=True)))


def _by_name(result: RunResult) -> Mapping[str, Any]:
    prefix, declared = f"{result.backend}.", parameters(result)
    return {"backend": result.backend} | {name.removeprefix(prefix): value for name, value in declared.items()}


def _cell(name: str, backend: str, declared: Mapping[str, Any]) -> str:
    if name in declared:
        return shown(declared[name])
    option, dot, _ = name.partition(".")
    return "—" if dot and option in OPTIONS[backend].model_fields else ""


def _flat(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {f"{name}.{key}": _compact(inner) for key, inner in value.items()}
    return {name: _compact(value)}


def _compact(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return value
