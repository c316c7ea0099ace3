"""The project's folder: where ``results/`` and ``.state/`` are."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import InputError, MachineError
from orchestrator.system.config import CONFIG_FILE, UserConfig, load_user_config

COMPOSE = "compose.yaml"
COMPOSE_GPU = "compose.gpu.yaml"
STATE = ".state"
MANIFEST = "manifest.db"
RESULTS_INDEX = "results.index"
_HOME_VARIABLE = "ORCHESTRATE_HOME"
_OUR_NAME = re.compile(rb"""^name:[ \t]*(["']?)orchestrate\1(?:[ \t]+#.*)?[ \t\r]*$""", re.MULTILINE)
_HEAD_BYTES = 65_536
_IGNORE_ALL = "# made by orchestrate\n*\n"


@dataclass(frozen=True)
class Project:
    """A project's folder with the user config that holds in it."""

    folder: Path
    config: UserConfig

    @property
    def results(self) -> Path:
        """Where results lie."""
        return (self.folder / Path(self.config.results_dir).expanduser()).resolve()

    @property
    def state(self) -> Path:
        """Where manifests lie."""
        return self.folder / STATE

    def state_dir(self, campaign: str) -> Path:
        """The folder of one campaign's manifest and lock."""
        return self.state / campaign

    def manifest(self, campaign: str) -> Path:
        """One campaign's manifest."""
        return self.state_dir(campaign) / MANIFEST

    def results_index(self, campaign: str) -> Path:
        """What is kept of one campaign's results, so that its table is quickly made."""
        return self.state_dir(campaign) / RESULTS_INDEX

    def prepare(self) -> None:
        """Create results/ and .state/, ignored by git; a folder that is there is left as it is.

        Raises:
            MachineError: they cannot be written.
        """
        for folder in (self.results, self.state):
            try:
                make_ignored(folder)
            except OSError as error:
                raise MachineError(
                    f"{folder} cannot be written: {error.strerror}",
                    hint="check its permissions, or name another folder with --project-dir",
                ) from None
            if not os.access(folder, os.W_OK | os.X_OK):
                raise MachineError(
                    f"{folder} cannot be written: permission denied",
                    hint="check its permissions, or name another folder with --project-dir",
                )


def make_ignored(folder: Path) -> None:
    """Create a folder that git ignores; one that is there is left as it is.

    Raises:
        OSError: it cannot be made.
    """
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text(_IGNORE_ALL, encoding="utf-8")


def git_commit(folder: Path) -> str:
    """The commit that is checked out in a folder; empty if that cannot be told."""
    command = ["git", "-C", str(folder), "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def find_project(named: str | Path | None = None) -> Project:
    """The project's folder, as :func:`find_folder` finds it, with its user config.

    Raises:
        InputError: the folder named is not there, or its user config is wrong.
    """
    folder = find_folder(named)
    return Project(folder, load_user_config(folder / CONFIG_FILE))


def find_folder(named: str | Path | None = None) -> Path:
    """The project's folder: the one named, else ORCHESTRATE_HOME, else found upwards from here.

    A folder is a project's if it holds ``.orchestrate.yaml``, our ``compose.yaml``, or the ``.state/`` of an earlier
    campaign; where no folder upwards does, the current one becomes the project.

    Raises:
        InputError: the folder named is not there.
    """
    explicit = named or os.environ.get(_HOME_VARIABLE)
    if explicit:
        source = "--project-dir" if named else _HOME_VARIABLE
        try:
            folder = Path(explicit).expanduser().resolve()
            found = folder.is_dir()
        except (OSError, RuntimeError, ValueError) as error:  # an unknown user, a symlink loop, a NUL
            raise InputError(f"{source}: {error}") from None
        if not found:
            raise InputError(f"{source}: there is no folder {folder}")
        return folder
    try:
        here = Path.cwd()
    except FileNotFoundError:
        raise InputError("the current folder is gone", hint="cd to one that exists, or use --project-dir") from None
    return next((path for path in (here, *here.parents) if is_project(path)), here)


def is_project(folder: Path) -> bool:
    """Whether a folder says that it is a project's."""
    if (folder / CONFIG_FILE).is_file() or is_our_compose(folder / COMPOSE):
        return True
    state = folder / STATE
    return state.is_dir() and any(state.glob(f"*/{MANIFEST}"))


def is_our_compose(file: Path) -> bool:
    """Whether a compose file says that it is of orchestrate; only a line is looked for, nothing is parsed."""
    if not file.is_file():
        return False
    try:
        with file.open("rb") as opened:
            return _OUR_NAME.search(opened.read(_HEAD_BYTES)) is not None
    except OSError:
        return False
