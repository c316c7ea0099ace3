"""One parameter: what a scalar, a list or a range that stands for it means, checked by the model that has it. Pure."""

from __future__ import annotations

import typing
from functools import cache
from typing import Any

from pydantic import ValidationError

from orchestrator.campaign.document import FieldPath
from orchestrator.campaign.findings import Finding
from orchestrator.campaign.ranges import RangeError, range_values
from runners.contract.json_value import takes_mapping
from runners.contract.messages import validation_messages
from runners.contract.model import ContractModel
from runners.contract.options import OPTIONS
from runners.contract.request import Workload


class Parameter:
    """One field of a model: how a value of it is checked, and whether it is a list or a mapping by nature."""

    def __init__(self, model: type[ContractModel], name: str) -> None:
        annotation = model.model_fields[name].annotation
        self._model, self._name = model, name
        self._is_list = _mentions(annotation, (list,))
        self._takes_mapping = takes_mapping(annotation)
        self._takes_number = _mentions(annotation, (int, float))
        self.takes_float = _mentions(annotation, (float,))

    @property
    def takes_range(self) -> bool:
        """Whether a mapping is a range of its values."""
        return self._takes_number and not self._is_list and not self._takes_mapping

    def values(self, declared: Any, path: FieldPath, findings: list[Finding]) -> tuple[Any, ...]:
        """The values of a scalar (one) or an axis (several); what is wrong goes to the findings."""
        if self.is_range(declared):
            return self._range(declared, path, findings)
        if not self._is_axis(declared):
            return (self._checked(declared, path, findings),)
        if not declared:
            findings.append(Finding(path, "an axis without values", "give at least one, or leave the key out"))
        return tuple(self._checked(value, (*path, index), findings) for index, value in enumerate(declared))

    def value(self, declared: Any, path: FieldPath, findings: list[Finding]) -> Any:
        """The one value that is declared where no axis may stand."""
        if self.is_range(declared) or self._is_axis(declared):
            message = "a point of a group has one value of each parameter, and this is an axis"
            findings.append(Finding(path, message, "write a point for each value, or take it out of the group"))
            return None
        return self._checked(declared, path, findings)

    def is_range(self, declared: Any) -> bool:
        """Whether what is declared is a range, rather than a value that is a mapping."""
        return isinstance(declared, dict) and not self._takes_mapping

    def _is_axis(self, declared: Any) -> bool:
        return isinstance(declared, list) and (
            not self._is_list or (bool(declared) and all(isinstance(value, list) for value in declared))
        )

    def _range(self, declared: dict[str, Any], path: FieldPath, findings: list[Finding]) -> tuple[Any, ...]:
        if not self.takes_range:
            hint = "write one value, or a list of them"
            findings.append(Finding(path, "takes neither a mapping nor a range", hint))
            return ()
        try:
            values = range_values(declared)
        except RangeError as fault:
            findings.append(Finding((*path, *fault.place), fault.message, fault.hint))
            return ()
        refused: list[Finding] = []
        checked = []
        for value in values:
            checked.append(self._checked(value, path, refused))
            if refused:
                among = f"{value!r}, one of the range's values: "
                findings.append(Finding(path, among + refused[0].message, refused[0].hint))
                return ()
        return tuple(checked)

    def _checked(self, value: Any, path: FieldPath, findings: list[Finding]) -> Any:
        if self.is_range(value):
            findings.append(
                Finding(path, "a range or a group does not stand in a list", "write the range by itself, or its values")
            )
            return None
        try:
            return getattr(self._model.model_validate({self._name: value}), self._name)
        except ValidationError as error:
            findings.extend(Finding((*path, *inner), message) for (_, *inner), message in validation_messages(error))
            return None


def _mentions(annotation: Any, kinds: tuple[type, ...]) -> bool:
    origin = typing.get_origin(annotation)
    if annotation in kinds or origin in kinds:
        return True
    return any(_mentions(argument, kinds) for argument in typing.get_args(annotation) if origin is not dict)


@cache
def _parameters(model: type[ContractModel]) -> dict[str, Parameter]:
    return {name: Parameter(model, name) for name in model.model_fields}


def parameters_of(backend: str) -> dict[str, Parameter]:
    """What a backend can be told, by name."""
    return {name: parameter for name, parameter in _parameters(OPTIONS[backend]).items() if name != "backend"}


def workload_parameters() -> dict[str, Parameter]:
    """What can be asked of every engine, by name."""
    return {name: parameter for name, parameter in _parameters(Workload).items() if name != "dataset_sha256"}
