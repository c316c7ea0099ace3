"""The two-level grammar: what each list and scalar of a campaign file means for each backend. Pure.

Every value is checked once, by itself, against the backend's own model, so that a wrong one is named
with its place; the combinations are made later, lazily, in :mod:`orchestrator.campaign.expand`.
"""

from __future__ import annotations

import math
import typing
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from orchestrator.campaign.document import FieldPath, field_name
from orchestrator.campaign.schema import CampaignFile
from runners.contract.json_value import takes_mapping
from runners.contract.messages import nearest, validation_messages
from runners.contract.model import ContractModel
from runners.contract.names import check_model
from runners.contract.options import OPTIONS
from runners.contract.request import Workload

Axes = tuple[tuple[str, tuple[Any, ...]], ...]
"""Each parameter with the values that it takes."""


@dataclass(frozen=True, slots=True)
class Grid:
    """One backend's axes."""

    path: FieldPath
    """Where a point was written out: ``("experiments", 3)``; empty for a grid of axes."""
    backend: str
    models: tuple[str, ...]
    workload: Axes
    options: Axes

    @property
    def source(self) -> str:
        """Where it was declared, in words: ``grid``, or ``experiments[3]``."""
        return field_name(self.path) or "grid"

    @property
    def points(self) -> int:
        """How many combinations it declares."""
        return len(self.models) * math.prod(len(values) for _, values in (*self.workload, *self.options))


MAX_RUNS = 10_000_000

_Declared = dict[str, tuple[FieldPath, Any]]
"""Parameters with the place each was declared at."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An issue, with the place in the file as a path."""

    path: FieldPath
    message: str
    hint: str | None = None


class _Parameter:
    """One field of a model: how a value of it is checked, and whether it is a list or a mapping by nature."""

    def __init__(self, model: type[ContractModel], name: str) -> None:
        info = model.model_fields[name]
        annotation: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
        self._adapter = TypeAdapter[Any](annotation, config=ConfigDict(strict=True, allow_inf_nan=False))
        self.is_list = _is_list(info.annotation)
        self._takes_mapping = takes_mapping(info.annotation)

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
        if isinstance(value, dict) and not self._takes_mapping:
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


@cache
def _parameters(model: type[ContractModel]) -> dict[str, _Parameter]:
    return {name: _Parameter(model, name) for name in model.model_fields}


def _options_of(backend: str) -> dict[str, _Parameter]:
    return {name: parameter for name, parameter in _parameters(OPTIONS[backend]).items() if name != "backend"}


def _workload_parameters() -> dict[str, _Parameter]:
    return {name: parameter for name, parameter in _parameters(Workload).items() if name != "dataset_sha256"}


def resolve_grids(file: CampaignFile) -> tuple[list[Grid], list[Finding]]:
    """All that a campaign declares, as grids, and what is wrong with it.

    The grids are complete only where no finding is an error.
    """
    findings: list[Finding] = []
    if not file.backends and not file.experiments:
        findings.append(Finding((), "nothing to run", "name backends with their parameters, or list experiments"))
    _check_shared(file, findings)
    shared = _placed(file.shared, ("shared",))
    workload = _placed(file.workload, ("workload",))
    models = _models(file.model, ("model",), findings)
    workload_axes = _axes("a workload", _workload_parameters(), workload, findings)
    grids = []
    for backend, own in file.backends.items():
        if backend not in OPTIONS:
            findings.append(_unknown_backend(backend, ("backends", backend)))
            continue
        known = _options_of(backend)
        declared = {name: placed for name, placed in shared.items() if name in known}
        declared |= _placed(own or {}, ("backends", backend))
        grids.append(Grid((), backend, models, workload_axes, _options(backend, known, declared, findings)))
    for index, point in enumerate(file.experiments):
        grid = _explicit(point, ("experiments", index), shared, workload, models, findings)
        if grid:
            grids.append(grid)
    runs = sum(grid.points for grid in grids) * file.cycles
    if runs > MAX_RUNS:
        findings.append(Finding((), f"declares {runs:,} runs, and at most {MAX_RUNS:,} are taken", "narrow its axes"))
    return grids, list(dict.fromkeys(findings))


def _unknown_backend(backend: object, path: FieldPath) -> Finding:
    if backend is None:
        return Finding(path, "names no backend", nearest("", OPTIONS))
    return Finding(path, f"unknown backend {backend!r}", nearest(str(backend), OPTIONS))


def _placed(declared: dict[str, Any], path: FieldPath) -> _Declared:
    return {name: ((*path, name), value) for name, value in declared.items()}


def _check_shared(file: CampaignFile, findings: list[Finding]) -> None:
    """Each shared value against every backend that has it, also where that overrides it."""
    named = [*file.backends, *(point.get("backend") for point in file.experiments)]
    used = [name for name in OPTIONS if name in named]
    known = {name for backend in used for name in _options_of(backend)}
    for name, value in file.shared.items():
        if used and name not in known:
            message = "no backend of this campaign has this parameter"
            findings.append(Finding(("shared", name), message, nearest(name, known)))
        refused: dict[Finding, list[str]] = {}
        having = [backend for backend in used if name in _options_of(backend)]
        for backend in having:
            found: list[Finding] = []
            _options_of(backend)[name].values(value, ("shared", name), found)
            for finding in found:
                refused.setdefault(finding, []).append(backend)
        findings += [_of_some(finding, refusing, having) for finding, refusing in refused.items()]


def _of_some(finding: Finding, refusing: list[str], having: list[str]) -> Finding:
    """A fault in a shared value, with the backends that find it where others do not."""
    if refusing == having:
        return finding
    hint = finding.hint or "give each backend its own value under backends:"
    return Finding(finding.path, f"{', '.join(refusing)}: {finding.message}", hint)


def _axes(owner: str, known: dict[str, _Parameter], declared: _Declared, findings: list[Finding]) -> Axes:
    axes = []
    for name, (path, value) in declared.items():
        if name in known:
            told_already: list[Finding] = []
            axes.append((name, known[name].values(value, path, told_already if path[0] == "shared" else findings)))
        else:
            findings.append(Finding(path, f"{owner} has no such parameter", nearest(name, known)))
    return tuple(axes)


def _options(backend: str, known: dict[str, _Parameter], declared: _Declared, findings: list[Finding]) -> Axes:
    """A backend's own axes; names of models in them are looked at, too."""
    axes = _axes(backend, known, declared, findings)
    for name, values in axes:
        if name in OPTIONS[backend].MODEL_FIELDS:
            _models([value for value in values if value is not None], declared[name][0], findings, axis=False)
    return axes


def _models(
    declared: str | list[str], path: FieldPath, findings: list[Finding], *, axis: bool = True
) -> tuple[str, ...]:
    models = declared if isinstance(declared, list) else [declared]
    for index, model in enumerate(models):
        problem = check_model(model)
        if problem:
            place = (*path, index) if axis and isinstance(declared, list) else path
            findings.append(Finding(place, *problem))
    return tuple(models)


def _explicit(
    point: dict[str, Any],
    path: FieldPath,
    shared: _Declared,
    workload: _Declared,
    models: tuple[str, ...],
    findings: list[Finding],
) -> Grid | None:
    """A point somebody wrote out: what it does not name comes from the fixed values above it."""
    backend = point.get("backend")
    if not isinstance(backend, str) or backend not in OPTIONS:
        findings.append(_unknown_backend(backend, (*path, "backend")))
        return None
    for name, kind in (("model", str), ("workload", dict)):
        if name in point and not isinstance(point[name], kind):
            findings.append(Finding((*path, name), f"is not one {name}"))
            return None
    if "model" in point:
        models = _models(point["model"], (*path, "model"), findings)
    workload = workload | _placed(point.get("workload", {}), (*path, "workload"))
    workload_axes = _axes("a workload", _workload_parameters(), workload, findings)
    known = _options_of(backend)
    declared = {name: placed for name, placed in shared.items() if name in known}
    declared |= _placed({name: value for name, value in point.items() if name not in _NOT_OPTIONS}, path)
    options = _options(backend, known, declared, findings)
    for name, values in (("model", models), *((f"workload.{name}", axis) for name, axis in workload_axes), *options):
        if len(values) > 1:
            message = "an experiment is one point, and this is an axis"
            findings.append(Finding((*path, name), message, "name one value here, or use backends: for a grid"))
    return Grid(path, backend, models, workload_axes, options)


_NOT_OPTIONS = ("backend", "model", "workload")
