"""The two-level grammar: what each list and scalar of a campaign file means for each backend. Pure.

Every value is checked once, by itself, against the backend's own model, so that a wrong one is named
with its place; the combinations are made later, lazily, in :mod:`orchestrator.campaign.expand`.
"""

from __future__ import annotations

import difflib
import itertools
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from orchestrator.campaign.document import FieldPath, field_name
from orchestrator.campaign.models import check_model
from orchestrator.campaign.schema import Campaign, CampaignFile
from runners.contract.request import OPTIONS, ContractModel, Workload


@dataclass(frozen=True, slots=True)
class Grid:
    """One backend's axes: each parameter with the values that it takes."""

    path: FieldPath
    """Where a point was written out: ``("experiments", 3)``; empty for a grid of axes."""
    backend: str
    models: tuple[str, ...]
    workloads: tuple[Workload, ...]
    options: tuple[tuple[str, tuple[Any, ...]], ...]

    @property
    def source(self) -> str:
        """Where it was declared, in words: ``grid``, or ``experiments[3]``."""
        return field_name(self.path) or "grid"

    @property
    def points(self) -> int:
        """How many combinations it declares."""
        count = len(self.models) * len(self.workloads)
        for _, values in self.options:
            count *= len(values)
        return count


_Declared = dict[str, tuple[FieldPath, Any]]
"""Parameters with the place each was declared at."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An issue, with the place in the file as a path."""

    path: FieldPath
    message: str
    hint: str | None = None
    severity: typing.Literal["error", "warning"] = "error"


class _Parameter:
    """One field of a model: how a value of it is checked, and whether it is a list by nature."""

    def __init__(self, model: type[ContractModel], name: str) -> None:
        info = model.model_fields[name]
        annotation: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
        self._adapter = TypeAdapter[Any](annotation, config=ConfigDict(strict=True, allow_inf_nan=False))
        self.is_list = _is_list(info.annotation)

    def values(self, declared: Any, path: FieldPath, findings: list[Finding]) -> tuple[Any, ...]:
        """The values of a scalar (one) or an axis (several); what is wrong goes to the findings."""
        is_axis = isinstance(declared, list) and (
            not self.is_list or (bool(declared) and all(isinstance(value, list) for value in declared))
        )
        if is_axis and not declared:
            findings.append(Finding(path, "an axis without values", "give at least one, or leave the key out"))
            return ()
        places = [((*path, index), value) for index, value in enumerate(declared)] if is_axis else [(path, declared)]
        return tuple(self._checked(value, place, findings) for place, value in places)

    def _checked(self, value: Any, path: FieldPath, findings: list[Finding]) -> Any:
        if isinstance(value, dict):
            findings.append(
                Finding(path, "ranges and groups of parameters are not supported yet", "write the values as a list")
            )
            return None
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            findings.extend(Finding((*path, *inner), message) for inner, message in validation_messages(error))
            return None


def _is_list(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    return origin is list or any(_is_list(argument) for argument in typing.get_args(annotation) if origin is not dict)


def validation_messages(error: ValidationError) -> Iterator[tuple[FieldPath, str]]:
    """Each fault that pydantic found, as a path and a sentence; unions tell of one fault, not of each arm."""
    faults: dict[FieldPath, str] = {}
    for fault in error.errors(include_url=False):
        path = tuple(part for part in fault["loc"] if not _names_union_arm(part))
        message = fault["msg"][0].lower() + fault["msg"][1:]
        shown = "" if isinstance(fault["input"], dict | list) else f", not {_shown(fault['input'])}"
        faults.setdefault(path, message.removeprefix("value error, ") + shown)
    around = {path[:length] for path in faults for length in range(len(path))}
    yield from ((path, message) for path, message in faults.items() if path not in around)


def _names_union_arm(part: str | int) -> bool:
    return isinstance(part, str) and (part in ("str", "int", "float", "bool") or "[" in part)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known name, or all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


@cache
def _parameters(model: type[ContractModel]) -> dict[str, _Parameter]:
    return {name: _Parameter(model, name) for name in model.model_fields}


def _options_of(backend: str) -> dict[str, _Parameter]:
    return {name: parameter for name, parameter in _parameters(OPTIONS[backend]).items() if name != "backend"}


def _workload_parameters() -> dict[str, _Parameter]:
    return {name: p for name, p in _parameters(Workload).items() if name != "dataset_sha256"}


def resolve_grids(campaign: Campaign) -> tuple[list[Grid], list[Finding]]:
    """All that a campaign declares, as grids, and what is wrong with it.

    The grids are complete only where no finding is an error.
    """
    file = campaign.file
    findings: list[Finding] = []
    if not file.backends and not file.experiments:
        findings.append(Finding((), "nothing to run", "name backends with their parameters, or list experiments"))
    _check_shared(file, findings)
    models = _models(file.model, ("model",), findings)
    workloads = _workloads(campaign, file.workload, ("workload",), findings)
    grids = []
    for backend, own in file.backends.items():
        if backend not in OPTIONS:
            findings.append(Finding(("backends", backend), f"unknown backend {backend!r}", nearest(backend, OPTIONS)))
            continue
        known = _options_of(backend)
        declared: _Declared = {name: (("shared", name), value) for name, value in file.shared.items() if name in known}
        declared |= {name: (("backends", backend, name), value) for name, value in (own or {}).items()}
        grids.append(Grid((), backend, models, workloads, _axes(backend, declared, findings)))
    for index, point in enumerate(file.experiments):
        grid = _explicit(campaign, point, index, models, workloads, findings)
        if grid:
            grids.append(grid)
    return grids, list(dict.fromkeys(findings))


def _check_shared(file: CampaignFile, findings: list[Finding]) -> None:
    used = [name for name in file.backends if name in OPTIONS]
    used += [p["backend"] for p in file.experiments if isinstance(p.get("backend"), str) and p["backend"] in OPTIONS]
    known = {name for backend in used for name in _options_of(backend)}
    for name in file.shared:
        if used and name not in known:
            message = "no backend of this campaign has this parameter"
            findings.append(Finding(("shared", name), message, nearest(name, known)))


def _axes(backend: str, declared: _Declared, findings: list[Finding]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    known = _options_of(backend)
    axes = []
    for name, (path, value) in declared.items():
        if name not in known:
            findings.append(Finding(path, f"{backend} has no such parameter", nearest(name, known)))
            continue
        axes.append((name, known[name].values(value, path, findings)))
    return tuple(axes)


def _models(declared: str | list[str], path: FieldPath, findings: list[Finding]) -> tuple[str, ...]:
    models = declared if isinstance(declared, list) else [declared]
    for index, model in enumerate(models):
        problem = check_model(model)
        if problem:
            place = (*path, index) if isinstance(declared, list) else path
            findings.append(Finding(place, *problem))
    return tuple(models)


def _workloads(
    campaign: Campaign, declared: dict[str, Any], path: FieldPath, findings: list[Finding]
) -> tuple[Workload, ...]:
    known = _workload_parameters()
    axes: dict[str, tuple[Any, ...]] = {}
    before = len(findings)
    for name, value in declared.items():
        if name not in known:
            findings.append(Finding((*path, name), "a workload has no such key", nearest(name, known)))
            continue
        axes[name] = known[name].values(value, (*path, name), findings)
    if len(findings) > before:
        return ()
    return tuple(
        Workload(**point, dataset_sha256=campaign.dataset_sha256.get(point.get("dataset", "")))
        for values in itertools.product(*axes.values())
        for point in [dict(zip(axes, values, strict=True))]
    )


def _explicit(
    campaign: Campaign,
    point: dict[str, Any],
    index: int,
    models: tuple[str, ...],
    workloads: tuple[Workload, ...],
    findings: list[Finding],
) -> Grid | None:
    """A point somebody wrote out: what it does not name comes from the fixed values above it."""
    path: FieldPath = ("experiments", index)
    backend = point.get("backend")
    if not isinstance(backend, str) or backend not in OPTIONS:
        message = "names no backend" if backend is None else f"unknown backend {backend!r}"
        findings.append(Finding((*path, "backend"), message, nearest(str(backend or ""), OPTIONS)))
        return None
    known = _options_of(backend)
    own = {name: value for name, value in point.items() if name not in ("backend", "model", "workload")}
    declared: _Declared = {name: ((*path, name), value) for name, value in own.items()}
    for name, value in campaign.file.shared.items():
        if name in known and name not in own:
            declared[name] = (("shared", name), value)
    axes = _axes(backend, declared, findings)
    if "model" in point:
        models = _models(point["model"], (*path, "model"), findings) if isinstance(point["model"], str) else ()
    if "workload" in point and isinstance(point["workload"], dict):
        workloads = _workloads(campaign, campaign.file.workload | point["workload"], (*path, "workload"), findings)
    for name, values in (("model", models), ("workload", workloads), *axes):
        if len(values) > 1:
            message = "an experiment is one point, and this is an axis"
            findings.append(Finding((*path, name), message, "name one value here, or use backends: for a grid"))
    for name, kind in (("model", str), ("workload", dict)):
        if name in point and not isinstance(point[name], kind):
            findings.append(Finding((*path, name), f"is not one {name}"))
    return Grid(path, backend, models, workloads, axes)
