"""Engines that TensorRT built, kept for the next run: each under a key of all that it was built from."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from runners.contract.folders import sync
from runners.errors import EngineError

CACHE_VARIABLE = "ORCHESTRATE_TRT_ENGINES"
_PARTS = "orchestrate.json"
_CONFIG = "config.json"


class Platform(NamedTuple):
    """What an engine is built on; it runs on nothing else. The driver is not among it: an engine outlives that."""

    tensorrt_llm: str
    tensorrt: str
    cuda: str
    gpus: tuple[str, ...]
    """Name and compute capability of each GPU, in order."""


def engine_key(model: str, arguments: Mapping[str, Any], platform: Platform) -> str:
    """What an engine is kept under: SHA-256 over all that changes a build.

    Args:
        model: what tells the model from any other: its fingerprint, or its name and commit on the hub.
        arguments: what it is built with.
        platform: what it is built on.
    """
    return hashlib.sha256(_parts(model, arguments, platform).encode()).hexdigest()


def engines_folder(environment: Mapping[str, str]) -> Path:
    """Where this user's engines are kept; nobody else may put one there, since to load an engine is to run code."""
    root = environment.get(CACHE_VARIABLE)
    if root:
        return Path(root) / str(os.getuid())
    cache = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "orchestrate" / "trt-engines"


def kept_engine(
    root: Path,
    model: str,
    arguments: Mapping[str, Any],
    platform: Platform,
    files: Sequence[str],
    build: Callable[[Path], None],
) -> Path:
    """The folder of an engine, built first if it is not kept yet. Of several that ask, one builds and the others wait.

    Args:
        root: where engines are kept.
        model: see :func:`engine_key`.
        arguments: likewise.
        platform: likewise.
        files: what a whole engine holds besides its configuration.
        build: writes the engine into the folder that it is given, which does not exist.

    Raises:
        EngineError: what was built is not whole.
    """
    key = engine_key(model, arguments, platform)
    folder = root / key
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (root / f".{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _build_atomically(folder, files, build, _parts(model, arguments, platform))
    return folder


def built_config(folder: Path) -> dict[str, Any]:
    """What an engine says of itself: its ``config.json``.

    Raises:
        EngineError: it cannot be read.
    """
    try:
        config: dict[str, Any] = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EngineError(
            f"{folder / _CONFIG} cannot be read: {error}", f"remove {folder}; it is built anew"
        ) from error
    return config


def _parts(model: str, arguments: Mapping[str, Any], platform: Platform) -> str:
    parts = {"model": model, "arguments": arguments, "platform": platform._asdict()}
    return json.dumps(parts, sort_keys=True, indent=1)


def _build_atomically(folder: Path, files: Sequence[str], build: Callable[[Path], None], parts: str) -> None:
    """Builds beside the final folder and renames; all of it is on the disk by then, since that name is trusted."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)  # of a build that died
    try:
        build(temporary)
        missing = [name for name in (_CONFIG, *files) if not (temporary / name).is_file()]
        if missing:
            raise EngineError(f"TensorRT-LLM built no {' and no '.join(missing)}", "runner.log says what it did")
        (temporary / _PARTS).write_text(parts, encoding="utf-8")
        for path in (*temporary.rglob("*"), temporary):
            sync(path)
        temporary.rename(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
