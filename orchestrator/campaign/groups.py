"""Sections of parameters, and groups in them that vary together: one axis whose values are points. Pure.

A section is ``workload:``, ``shared:`` or an entry of ``backends:``. Its key ``together:`` names groups, each a list of
points that name the same parameters::

    together:
      precision:
        - {dtype: float32, attn_implementation: eager}
        - {dtype: bfloat16, attn_implementation: sdpa}
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from orchestrator.campaign.document import FieldPath, field_name
from orchestrator.campaign.findings import Finding

TOGETHER: Final = "together"

_FORM: Final = "write together: {NAME: [{PARAMETER: VALUE, …}, …]}"


class Placed(NamedTuple):
    """What is declared, and where."""

    path: FieldPath
    value: Any


@dataclass(frozen=True, slots=True)
class Group:
    """Parameters that vary together."""

    path: FieldPath
    points: tuple[dict[str, Any], ...]

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that every point of it names."""
        return tuple(self.points[0])


@dataclass(frozen=True, slots=True)
class Section:
    """What a mapping of parameters declares: axes by themselves, and groups by their names."""

    plain: dict[str, Placed] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    """Groups of ``shared:`` that it does not want."""

    @property
    def grouped(self) -> dict[str, Group]:
        """Each parameter that is in a group, with its group."""
        return {name: group for group in self.groups.values() for name in group.parameters}


def section_of(declared: dict[str, Any], path: FieldPath, findings: list[Finding]) -> Section:
    """Read a section; what is wrong with its groups goes to the findings, and those are left out."""
    plain = {name: Placed((*path, name), value) for name, value in declared.items() if name != TOGETHER}
    together = declared.get(TOGETHER, {})
    if not isinstance(together, dict):
        findings.append(Finding((*path, TOGETHER), "must be a mapping of groups by their names", _FORM))
        return Section(plain)
    groups: dict[str, Group] = {}
    places = {name: placed.path for name, placed in plain.items()}
    for name, points in together.items():
        place = (*path, TOGETHER, name)
        if points is None or not _is_group(points, place, findings):
            continue
        group = Group(place, tuple(points))
        if twice := [parameter for parameter in group.parameters if parameter in places]:
            message = f"{twice[0]} stands here and in {field_name(places[twice[0]])}"
            findings.append(Finding((*place, 0, twice[0]), message, "leave it out of one of them"))
            continue
        places |= dict.fromkeys(group.parameters, place)
        groups[name] = group
    return Section(plain, groups, frozenset(name for name, points in together.items() if points is None))


def _is_group(points: Any, place: FieldPath, findings: list[Finding]) -> bool:
    if not isinstance(points, list) or not points:
        findings.append(Finding(place, "must be a list of points, each a mapping of parameters", _FORM))
        return False
    for index, point in enumerate(points):
        if not isinstance(point, dict) or not point:
            findings.append(Finding((*place, index), "must be a point: a mapping of parameters to values", _FORM))
            return False
        if point.keys() != points[0].keys():
            differing = next(name for name in [*points[0], *point] if (name in point) != (name in points[0]))
            has, lacks = ("the first point", "this one") if differing in points[0] else ("this point", "the first one")
            message = f"{has} names {differing}, and {lacks} does not"
            findings.append(Finding((*place, index), message, "name the same parameters in every point of a group"))
            return False
    return True


def combined(backend: str, known: Container[str], shared: Section, own: Section, findings: list[Finding]) -> Section:
    """What holds for one backend: its own section over what it takes of the shared one.

    Its own parameters and groups replace shared ones of their names; a shared group is taken whole or not at all.
    """
    plain = {name: placed for name, placed in shared.plain.items() if name in known and name not in own.grouped}
    groups: dict[str, Group] = {}
    for name, group in shared.groups.items():
        if name in own.groups or name in own.left_out:
            continue
        having = [parameter for parameter in group.parameters if parameter in known]
        if not having:
            continue
        if fault := _torn(backend, group, having, own):
            findings.append(fault)
        else:
            groups[name] = group
    return Section(plain | own.plain, groups | own.groups)


def _torn(backend: str, group: Group, having: list[str], own: Section) -> Finding | None:
    """Why a backend cannot take a shared group whole."""
    lacking = [parameter for parameter in group.parameters if parameter not in having]
    name = group.path[-1]
    if lacking:
        message = f"{backend} has {having[0]}, and no {lacking[0]} to vary with it"
        hint = f"under {backend}: write together: {{{name}: null}} to leave it out there, or a group {name} of its own"
        return Finding(group.path, message, hint)
    for parameter in group.parameters:
        place = own.plain[parameter].path if parameter in own.plain else None
        if parameter in own.grouped:
            place = own.grouped[parameter].path
        if place:
            message = f"{parameter} also varies in the group {field_name(group.path)}"
            return Finding(place, message, f"leave it out of one of them, or write a group {name!r} here")
    return None


def apart(section: Section, without: Container[str]) -> Section:
    """A section with its groups as axes of their own, for a point that names what it wants of them."""
    plain = {
        name: Placed(group.path, [point[name] for point in group.points])
        for group in section.groups.values()
        for name in group.parameters
        if name not in without
    }
    return Section(section.plain | plain)
