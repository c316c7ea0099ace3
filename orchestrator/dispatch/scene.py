"""Where the runs of a campaign take place, and where a container sees it."""

from __future__ import annotations

import hashlib
import os
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
    campaign_folder: Path
    """Where the campaign file lies."""
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


def mount_input(path: Path) -> InputMount:
    """How a container gets to see a file or a folder with all that lies behind its symbolic links.

    A model in the hub's cache is a folder of links to files beside it, so the folder alone is empty inside.

    Raises:
        InputError: an absolute link, which leads elsewhere in a container, or links that lead all over the disk.
    """
    path = path.resolve()
    source = path
    if path.is_dir():
        links = [entry for entry in path.rglob("*") if entry.is_symlink()]
        for link in links:
            if os.path.isabs(os.readlink(link)):  # noqa: PTH115, PTH117 - the link's own text counts
                raise InputError(
                    f"{link} is a link by an absolute path, which leads nowhere in a container",
                    hint="make it relative, or put the file itself there (cp -L)",
                )
        source = Path(os.path.commonpath([path, *(link.resolve() for link in links)]))
        if source == Path(source.anchor):
            raise InputError(
                f"the links in {path} lead to files with no folder in common", hint="copy the model: cp -rL"
            )
    digest = hashlib.sha256(os.fsencode(source)).hexdigest()[:12]
    target = INPUTS_MOUNT / digest / source.name
    return InputMount(source, str(target), str(target / path.relative_to(source).as_posix()))
