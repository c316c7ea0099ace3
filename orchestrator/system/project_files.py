"""The files that make a folder a project: compose files, images, a first campaign. Made, never overwritten."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import runners
from orchestrator.errors import InputError, MachineError
from orchestrator.system.project import COMPOSE, COMPOSE_GPU

QUICKSTART = Path("campaigns/quickstart.yaml")
RUNNERS = Path("images/runners")
_FILES = (Path(COMPOSE), Path(COMPOSE_GPU), Path(".dockerignore"), QUICKSTART)
_IMAGES = Path("images")
_PACKED = "project_files"


@dataclass(slots=True)
class Placed:
    """What became of a project's files, by their paths in its folder."""

    written: list[Path] = field(default_factory=list)
    differing: list[Path] = field(default_factory=list)
    """There, but not as they should be; left as they are."""
    kept: list[Path] = field(default_factory=list)
    """Old ones that were replaced, under their new names."""


def project_files(folder: Path) -> dict[Path, bytes]:
    """What a project's folder should hold, by path in it.

    The runners' source, from which images are built, goes to ``images/runners``; in a checkout of the repository
    it lies at ``runners`` already.

    Raises:
        InputError: something else is called ``runners`` there, and would end up in the images.
        MachineError: this installation lacks the files.
    """
    source = source_folder()
    files = {path: (source / path).read_bytes() for path in _FILES}
    files |= {_IMAGES / path: content for path, content in _tree(source / _IMAGES).items()}
    if not _is_checkout(folder):
        package = Path(runners.__path__[0])
        files |= {RUNNERS / path: content for path, content in _tree(package).items()}
    return files


def refresh(folder: Path, files: Mapping[Path, bytes]) -> list[Path]:
    """Write files that are made anew by each version and that nobody edits; which were not as they should be.

    Raises:
        MachineError: they cannot be read or written.
    """
    stale = [path for path, content in files.items() if not _holds(folder / path, content)]
    try:
        for path in stale:
            _write(folder / path, files[path])
    except OSError as error:
        raise _unwritable(folder, error) from None
    return stale


def place(folder: Path, files: Mapping[Path, bytes], *, replace: bool, whole: bool = True) -> Placed:
    """Write the files that a project lacks; one that differs is left, or kept as NAME.orig and replaced.

    Args:
        folder: the project's.
        files: by path in it.
        replace: whether one that differs is replaced.
        whole: whether these are all that a project holds, so that further modules of the runners are outdated.

    Raises:
        MachineError: they cannot be read or written.
    """
    placed = Placed()
    try:
        for path, content in files.items():
            target = folder / path
            if target.exists() or target.is_symlink():
                if _holds(target, content):
                    continue
                if not replace:
                    placed.differing.append(path)
                    continue
                placed.kept.append(_move_aside(target).relative_to(folder))
            _write(target, content)
            placed.written.append(path)
        for path in _outdated(folder, files) if whole else ():
            if replace:
                placed.kept.append(_move_aside(folder / path).relative_to(folder))
            else:
                placed.differing.append(path)
    except OSError as error:
        raise _unwritable(folder, error) from None
    return placed


def _unwritable(folder: Path, error: OSError) -> MachineError:
    return MachineError(
        f"{error.filename or folder} cannot be written: {error.strerror}",
        hint="check that the folder may be written, and that no file is where a folder should be",
    )


def source_folder() -> Path:
    """Where the files come with this installation: in the package of a wheel, at the root of a checkout.

    Raises:
        MachineError: it lacks them.
    """
    package = Path(__file__).parents[1]
    for source in (package / _PACKED, package.parent):
        if (source / COMPOSE).is_file():
            return source
    raise MachineError("this installation lacks the files of a project", hint="install llm-orchestrate anew")


def _is_checkout(folder: Path) -> bool:
    own = folder / RUNNERS.name
    if (own / "contract").is_dir():
        return True
    if own.exists():
        raise InputError(
            f"{own} is in the way: images would be built from it", hint="give it another name, or use another folder"
        )
    return False


def _tree(root: Path) -> dict[Path, bytes]:
    """The files below a folder, without what Python or `place` made there."""
    return {
        path.relative_to(root): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and not path.suffix.startswith((".pyc", ".orig"))
    }


def _outdated(folder: Path, files: Iterable[Path]) -> list[Path]:
    """Modules of an earlier version, which would be built into an image beside the present ones."""
    there = {path.relative_to(folder) for path in (folder / RUNNERS).rglob("*.py")}
    return sorted(there.difference(files))


def _holds(target: Path, content: bytes) -> bool:
    return target.is_file() and target.read_bytes() == content


def _move_aside(target: Path) -> Path:
    number, aside = 1, target.with_name(f"{target.name}.orig")
    while aside.exists() or aside.is_symlink():
        number += 1
        aside = target.with_name(f"{target.name}.orig{number}")
    return target.rename(aside)


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.{os.getpid()}.new")  # another process may be writing the same
    draft.write_bytes(content)
    if content.startswith(b"#!"):  # an installation from a zip file may have lost the mode
        draft.chmod(0o755)
    draft.replace(target)
