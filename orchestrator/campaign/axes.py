"""The two-level grammar: what each list, range, group and scalar of a campaign file means for each backend. Pure.

Every value is checked once, by itself, against the backend's own model, so that a wrong one is named
with its place; the combinations are made later, lazily, in :mod:`orchestrator.campaign.expand`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.campaign.document import FieldPath, field_name
from orchestrator.campaign.findings import Finding
from orchestrator.campaign.groups import TOGETHER, Placed, Section, apart, combined, section_of
from orchestrator.campaign.parameters import Parameter, parameters_of, workload_parameters
from orchestrator.campaign.schema import CampaignFile
from runners.contract.messages import nearest
from runners.contract.names import check_model
from runners.contract.options import OPTIONS

Axes = tuple[tuple[str, tuple[Any, ...]], ...]
"""Each parameter with the values that it takes."""
Groups = tuple[tuple[str, ...], ...]
"""Which of them vary together."""

MAX_RUNS = 10_000_000


@dataclass(frozen=True, slots=True)
class Grid:
    """One backend's axes."""

    path: FieldPath
    """Where a point was written out: ``("experiments", 3)``; empty for a grid of axes."""
    backend: str
    models: tuple[str, ...]
    workload: Axes
    options: Axes
    workload_groups: Groups = ()
    option_groups: Groups = ()

    @property
    def source(self) -> str:
        """Where it was declared, in words: ``grid``, or ``experiments[3]``."""
        return field_name(self.path) or "grid"

    @property
    def points(self) -> int:
        """How many combinations it declares."""
        dimensions = [*_dimensions(self.workload, self.workload_groups), *_dimensions(self.options, self.option_groups)]
        return len(self.models) * math.prod(_size(dimension) for dimension in dimensions)

    def workload_points(self, *names: str) -> Iterator[dict[str, Any]]:
        """Each combination of the workload's axes; of those alone that are named, if some are."""
        axes = tuple((name, values) for name, values in self.workload if not names or name in names)
        return product(axes, self.workload_groups)

    def option_points(self) -> Iterator[dict[str, Any]]:
        """Each combination of the backend's own axes."""
        return product(self.options, self.option_groups)


def product(axes: Axes, groups: Groups) -> Iterator[dict[str, Any]]:
    """Each combination, one at a time; parameters of a group take their values side by side."""
    dimensions = []
    for dimension in _dimensions(axes, groups):
        names, columns = zip(*dimension, strict=True)
        rows = zip(*columns, strict=True)
        dimensions.append([tuple(zip(names, row, strict=True)) for row in rows])
    for point in itertools.product(*dimensions):
        yield dict(itertools.chain.from_iterable(point))


def _size(dimension: Axes) -> int:
    return len(dimension[0][1])


def _dimensions(axes: Axes, groups: Groups) -> list[Axes]:
    """Axes by themselves, then those of each group as one."""
    grouped = {name for group in groups for name in group}
    alone = [((name, values),) for name, values in axes if name not in grouped]
    zipped = [tuple((name, values) for name, values in axes if name in group) for group in groups]
    return [*alone, *(dimension for dimension in zipped if dimension)]


def resolve_grids(file: CampaignFile) -> tuple[list[Grid], list[Finding]]:
    """All that a campaign declares, as grids, and what is wrong with it.

    The grids are complete only where no finding is an error.
    """
    findings: list[Finding] = []
    if not file.backends and not file.experiments:
        findings.append(Finding((), "nothing to run", "name backends with their parameters, or list experiments"))
    shared = section_of(file.shared, ("shared",), findings)
    workload = section_of(file.workload, ("workload",), findings)
    _check_shared(file, shared, findings)
    models = _models(file.model, ("model",), findings)
    workload_axes = _axes("a workload", workload_parameters(), workload, findings)
    grids = []
    for backend, own in file.backends.items():
        if backend not in OPTIONS:
            findings.append(_unknown_backend(backend, ("backends", backend)))
            continue
        known = parameters_of(backend)
        own_section = section_of(own or {}, ("backends", backend), findings)
        section = combined(backend, known, shared, own_section, findings)
        options = _options(backend, known, section, findings)
        grids.append(Grid((), backend, models, workload_axes, options, _groups(workload), _groups(section)))
    for index, point in enumerate(file.experiments):
        grid = _explicit(point, ("experiments", index), shared, workload, models, findings)
        if grid:
            grids.append(grid)
    runs = sum(grid.points for grid in grids) * file.most_cycles
    if runs > MAX_RUNS:
        findings.append(Finding((), f"declares {runs:,} runs, and at most {MAX_RUNS:,} are taken", "narrow its axes"))
    return grids, list(dict.fromkeys(findings))


def _unknown_backend(backend: object, path: FieldPath) -> Finding:
    if backend is None:
        return Finding(path, "names no backend", nearest("", OPTIONS))
    return Finding(path, f"unknown backend {backend!r}", nearest(str(backend), OPTIONS))


def _groups(section: Section) -> Groups:
    return tuple(group.parameters for group in section.groups.values())


def _check_shared(file: CampaignFile, shared: Section, findings: list[Finding]) -> None:
    """Each shared value against every backend that has it, also where that overrides it."""
    named = [*file.backends, *(point.get("backend") for point in file.experiments)]
    used = [name for name in OPTIONS if name in named]
    known = {name for backend in used for name in parameters_of(backend)}
    for name, places in _places(shared).items():
        if used and name not in known:
            message = "no backend of this campaign has this parameter"
            findings.append(Finding(places[0].path, message, nearest(name, [*known, TOGETHER])))
        refused: dict[Finding, list[str]] = {}
        having = [backend for backend in used if name in parameters_of(backend)]
        for backend in having:
            found: list[Finding] = []
            _values(parameters_of(backend)[name], places, name in shared.grouped, found)
            for finding in found:
                refused.setdefault(finding, []).append(backend)
        findings += [_of_some(finding, refusing, having) for finding, refusing in refused.items()]


def _of_some(finding: Finding, refusing: list[str], having: list[str]) -> Finding:
    """A fault in a shared value, with the backends that find it where others do not."""
    if refusing == having:
        return finding
    hint = finding.hint or "give each backend its own value under backends:"
    return Finding(finding.path, f"{', '.join(refusing)}: {finding.message}", hint)


def _places(section: Section) -> dict[str, list[Placed]]:
    """Each parameter of a section, with what is declared of it: in a group a value for each point."""
    places = {name: [placed] for name, placed in section.plain.items()}
    for group in section.groups.values():
        for name in group.parameters:
            places[name] = [Placed((*group.path, n, name), point[name]) for n, point in enumerate(group.points)]
    return places


def _values(parameter: Parameter, places: Sequence[Placed], grouped: bool, findings: list[Finding]) -> tuple[Any, ...]:
    if grouped:
        return tuple(parameter.value(value, path, findings) for path, value in places)
    return parameter.values(places[0].value, places[0].path, findings)


def _axes(owner: str, known: dict[str, Parameter], section: Section, findings: list[Finding]) -> Axes:
    axes = []
    for name, places in _places(section).items():
        if name in known:
            told_already: list[Finding] = []
            shared = places[0].path[0] == "shared"
            values = _values(known[name], places, name in section.grouped, told_already if shared else findings)
            axes.append((name, values))
        elif places[0].path[0] != "shared":
            hint = nearest(name, [*known, TOGETHER])
            findings.append(Finding(places[0].path, f"{owner} has no such parameter", hint))
    return tuple(axes)


def _options(backend: str, known: dict[str, Parameter], section: Section, findings: list[Finding]) -> Axes:
    """A backend's own axes; names of models in them are looked at, too."""
    axes = _axes(backend, known, section, findings)
    places = _places(section)
    for name, values in axes:
        if name in OPTIONS[backend].MODEL_FIELDS:
            models = [value for value in values if value is not None]
            _models(models, places[name][0].path, findings, axis=False)
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
    shared: Section,
    workload: Section,
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
    known = parameters_of(backend)
    own = {name: value for name, value in point.items() if name not in _NOT_OPTIONS}
    asked = point.get("workload", {})
    for declared, place in ((own, path), (asked, (*path, "workload"))):
        if TOGETHER in declared:
            findings.append(Finding((*place, TOGETHER), "an experiment is one point, and this is an axis", _ONE_POINT))
            return None
    told: list[Finding] = []
    workload_axes = _axes("a workload", workload_parameters(), _over(workload, asked, (*path, "workload")), told)
    above = apart(shared, own)
    kept = Section({name: placed for name, placed in above.plain.items() if name in known})
    options = _options(backend, known, _over(kept, own, path), told)
    # What is above it was judged where it stands.
    findings += [finding for finding in told if finding.path[: len(path)] == path]
    for name, values in (("model", models), *((f"workload.{name}", axis) for name, axis in workload_axes), *options):
        if len(values) > 1:
            findings.append(Finding((*path, name), "an experiment is one point, and this is an axis", _ONE_POINT))
    return Grid(path, backend, models, workload_axes, options)


def _over(above: Section, own: dict[str, Any], path: FieldPath) -> Section:
    return Section(apart(above, own).plain | {name: Placed((*path, name), value) for name, value in own.items()})


_NOT_OPTIONS = ("backend", "model", "workload")
_ONE_POINT = "name one value here, or use backends: for a grid"
