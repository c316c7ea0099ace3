"""A project's ``.env``, from which compose takes whom results belong to and whether containers see GPUs."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.errors import InputError, MachineError
from orchestrator.files import replace_durably
from orchestrator.system.docker import Docker
from orchestrator.system.dotenv import complete, entries
from orchestrator.system.ids import ids_for
from orchestrator.system.project import COMPOSE, COMPOSE_GPU
from runners.contract.request import Gpu

ENV_FILE = ".env"


def wanted_env(docker: Docker, gpus: Sequence[Gpu], results: Path) -> dict[str, str]:
    """What a project's ``.env`` should set on this machine.

    Args:
        docker: the engine.
        gpus: the machine's.
        results: the folder that containers write in.
    """
    owner = ids_for(results, docker)
    real = any(not gpu.simulated for gpu in gpus)
    files = [COMPOSE, COMPOSE_GPU] if real and docker.nvidia else [COMPOSE]
    return {"PUID": str(owner.uid), "PGID": str(owner.gid), "COMPOSE_FILE": os.pathsep.join(files)}


def compose_files(folder: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The compose files of a project, as compose itself finds them by COMPOSE_FILE and COMPOSE_PATH_SEPARATOR.

    Args:
        folder: the project's; its ``.env`` is read.
        environ: what is set beside ``.env``, and wins over it.

    Raises:
        InputError: ``.env`` is no file.
        MachineError: it may not be read.
    """
    variables = {**read_env(folder), **environ}
    separator = variables.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
    return tuple((variables.get("COMPOSE_FILE") or COMPOSE).split(separator))


def read_env(folder: Path) -> dict[str, str]:
    """What a project's ``.env`` sets; nothing where there is none.

    Raises:
        InputError: it is no file.
        MachineError: it may not be read.
    """
    return entries(_read(folder / ENV_FILE))


def complete_env(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """Add to a project's ``.env`` what it does not set yet, or make it; nothing in it is ever changed.

    The file is replaced whole or not at all; it keeps its mode and owner, and a symbolic link stays one.

    Returns:
        The keys that were added.

    Raises:
        InputError: it is no file.
        MachineError: it may not be read or written.
    """
    path = folder / ENV_FILE
    before = _read(path)
    after = complete(before, wanted)
    if after != before:
        try:
            _replace(path.resolve(), after.encode(errors="surrogateescape"))
        except OSError as error:
            raise MachineError(
                f"{path} cannot be written: {error.strerror}", hint="check the permissions of the folder"
            ) from None
    return [key for key in wanted if key not in entries(before)]


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="surrogateescape")
    except FileNotFoundError:
        return ""
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, and should be a file", hint="move it away") from None
    except OSError as error:
        raise MachineError(f"{path} cannot be read: {error.strerror}", hint="check its permissions") from None


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    before = path.stat() if path.exists() else None
    try:
        # Tokens may stand in it: the draft is never more open than the file.
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if before else 0o666)
        with os.fdopen(descriptor, "wb") as file:
            if before:
                with contextlib.suppress(PermissionError):
                    os.fchown(file.fileno(), before.st_uid, before.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            file.write(content)
        replace_durably(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
