"""What images said of themselves, kept for the next time in ``.state/images.json``, and whether it suits this host.

The file is a cache: whatever goes wrong with it costs the time of asking anew, and no more.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final, Literal, NamedTuple

from filelock import FileLock, Timeout
from pydantic import ValidationError

from orchestrator.files import write_durably
from orchestrator.system.project import make_ignored
from runners.contract.description import Description
from runners.contract.model import ContractModel
from runners.contract.options import OPTIONS, OPTIONS_RULES
from runners.contract.options.fingerprint import options_sha256
from runners.contract.paths import CONTRACT_VERSION

IMAGES: Final = "images.json"
_KEPT = 64
_PATIENCE_S = 5.0


class Misfit(NamedTuple):
    """Why runs cannot be started in an image, and what mends it."""

    reason: str
    hint: str


def misfit(backend: str, said: Description) -> Misfit | None:
    """What keeps a runner that describes itself so from carrying out this host's runs of a backend; None: nothing."""
    build = f"build it anew: docker compose build {backend}"
    if said.contract_version != CONTRACT_VERSION:
        reason = (
            f"speaks version {said.contract_version} of the contract, and this orchestrate version {CONTRACT_VERSION}"
        )
        return Misfit(reason, build)
    if said.backend != backend:
        return Misfit(f"is of the backend {said.backend}", "see which image the compose files name for this service")
    if said.options_sha256 != options_sha256(OPTIONS[backend], OPTIONS_RULES[backend]):
        return Misfit(f"has other parameters of {backend} than this orchestrate", build)
    if said.engine is None:
        return Misfit(f"has no engine that works: {said.engine_error or 'it does not say why'}", build)
    return None


class _File(ContractModel):
    schema_version: Literal[1] = 1
    images: dict[str, Description]
    """By key; the last one that was asked stands last."""


class Descriptions:
    """The cache of a project. An image never changes: another one has another id.

    Args:
        state: the project's folder for such.
    """

    def __init__(self, state: Path) -> None:
        self._file = state / IMAGES

    def find(self, image: str, *, cuda: bool | None = None) -> Description | None:
        """What an image said.

        Args:
            image: its id.
            cuda: whether it was asked with GPUs at hand, without which an engine may not even start; None: either.
        """
        kept = self._read()
        ways = (True, False) if cuda is None else (cuda,)
        return next((kept[key] for key in (_key(image, cuda=way) for way in ways) if key in kept), None)

    def keep(self, image: str, said: Description, *, cuda: bool) -> None:
        """Remember what an image said, unless its engine failed, which may have been for a passing reason."""
        if said.engine is None:
            return
        with contextlib.suppress(OSError, Timeout):
            make_ignored(self._file.parent)
            with FileLock(f"{self._file}.lock", timeout=_PATIENCE_S):
                key = _key(image, cuda=cuda)
                others = {known: description for known, description in self._read().items() if known != key}
                newest = dict([*others.items(), (key, said)][-_KEPT:])
                write_durably(self._file, _File(images=newest).model_dump_json(indent=2) + "\n")

    def _read(self) -> dict[str, Description]:
        """What is kept; nothing where the file is broken, or from another version."""
        try:
            return _File.model_validate_json(self._file.read_bytes()).images
        except (OSError, ValidationError):
            return {}


def _key(image: str, *, cuda: bool) -> str:
    return f"{image} {'cuda' if cuda else 'cpu'}"
