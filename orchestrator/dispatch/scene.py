"""Where the runs of a campaign take place, and where a container sees it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator.errors import InputError
from runners.contract.paths import ATTEMPTS

RESULTS_MOUNT = PurePosixPath("/results")
INPUTS_MOUNT = PurePosixPath("/inputs")


@dataclass(frozen=True, slots=True)
class Scene:
    """The folders that runs of a campaign read and write on this host, all resolved."""

    project: Path
    results: Path
    campaign: str
    inputs: tuple[Path, ...] = ()
    """Local models and prompt files."""

    @property
    def attempts(self) -> Path:
        """Where attempts work."""
        return self.results / self.campaign / ATTEMPTS

    def in_container(self, path: Path) -> str:
        """A path below the results folder, as a container sees it."""
        return str(RESULTS_MOUNT / path.relative_to(self.results).as_posix())


@dataclass(frozen=True, slots=True)
class InputMount:
    """A local model or a prompt file, as it is mounted read-only into a container."""

    source: Path
    """What is mounted: the path itself, or the folder above it that holds all that its links lead to."""
    target: str
    seen_as: str
    """Where the input is then found."""


def mount_input(path: Path, kept: Sequence[Path] = ()) -> InputMount:
    """How a container gets to see a file or a folder with all that lies behind its symbolic links.

    A model in the hub's cache is a folder of links to files beside it, so the folder alone is empty inside.

    Args:
        path: a file or a folder.
        kept: folders that are not to be mounted whole because of some link.

    Raises:
        InputError: a link that leads elsewhere in a container, or links that lead all over the disk.
    """
    path = path.resolve()
    source = path
    if path.is_dir():
        ends = [_end_of(entry) for entry in path.rglob("*") if entry.is_symlink()]
        source = Path(os.path.commonpath([path, *ends]))
        if source != path and any(folder.is_relative_to(source) for folder in (Path(source.anchor), *kept)):
            raise InputError(
                f"links in {path} lead so far away that all of {source} would have to be mounted",
                hint="copy the model: cp -rL",
            )
    digest = hashlib.sha256(os.fsencode(source)).hexdigest()[:12]
    target = INPUTS_MOUNT / digest / source.name
    return InputMount(source, str(target), str(target / path.relative_to(source).as_posix()))


def _end_of(link: Path) -> Path:
    """Where a link leads, each step of the way by a relative path.

    Raises:
        InputError: a step is by an absolute path, or through a folder that is itself a link.
    """
    step, seen = link, {link}
    while step.is_symlink():
        text = os.readlink(step)  # noqa: PTH115 - the link's own text counts
        if os.path.isabs(text):  # noqa: PTH117
            raise InputError(
                f"{link} is a link by an absolute path, which leads nowhere in a container",
                hint="make it relative, or put the file itself there (cp -L)",
            )
        step = Path(os.path.normpath(step.parent / text))
        if step in seen or step.parent != step.parent.resolve():
            raise InputError(
                f"{link} leads in a circle, or through a folder that is itself a link", hint="put the file itself there"
            )
        seen.add(step)
    return step
