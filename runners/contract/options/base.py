"""What the host and the harness ask of every backend's options, whichever engine they are for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from runners.contract.json_value import JsonMapping
from runners.contract.model import ContractModel

OptionsT = TypeVar("OptionsT")

PassedOn = JsonMapping
"""Further arguments of an engine, by its own names."""


class Options(ContractModel):
    """One backend's parameters. A model per backend, in a module of its own beside this one."""

    SUMMARY: ClassVar[str]
    """The engine in a few words."""
    SLUG_FIELDS: ClassVar[tuple[str, ...]]
    """What the readable part of an experiment_id tells."""
    MODULES: ClassVar[tuple[str, ...]]
    """What has to be installed where it runs; empty: it has no engine."""
    INSTALL_HINT: ClassVar[str]
    MODEL_FILE: ClassVar[str | None] = "config.json"
    """Which file, by a pattern, makes a local folder a model; None: no model is loaded."""
    PASSED_ON: ClassVar[tuple[str, ...]] = ()
    """Fields of further arguments (:data:`PassedOn`), whose names the image knows: see :mod:`.description`."""
    MODEL_FIELDS: ClassVar[tuple[str, ...]] = ()
    """Fields that name a further model (``demo:NAME``, one of the hub, a folder), such as an adapter."""

    LATER: ClassVar[frozenset[str]] = frozenset()
    """Fields that were added after the first release of this model; their defaults mean what was done before them."""

    backend: str

    @property
    def may_use_gpu(self) -> bool:
        """Whether the engine takes a GPU where there is one."""
        return True

    @property
    def gpus_needed(self) -> int | None:
        """How many GPUs it works on where it works on GPUs; None: on all that the campaign names."""
        return 1

    def handed_at_once(self, prompts: int) -> int:
        """How many of a round's prompts the engine is handed in one call."""
        raise NotImplementedError

    def worked_on_at_once(self, prompts: int) -> int:
        """How many of them it works on at the same time, at most; the warm-up asks as many."""
        return self.handed_at_once(prompts)


@dataclass(frozen=True)
class OptionsRule(Generic[OptionsT]):
    """A combination of one backend's parameters that makes no sense."""

    name: str
    reason: str
    forbids: Callable[[OptionsT], bool]


AnyRules = tuple[OptionsRule[Any], ...]
