"""What the Hugging Face hub and its cache say of a model or a dataset, without downloading any of it."""

from __future__ import annotations

import contextlib
import fnmatch
import importlib.util
import json
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from orchestrator.system.weights import WEIGHTS, count_parameters, read_config, weight_files

_ANSWER_S = 3.0
_PATIENCE_S = 6.0
"""For all answers together, name resolution included."""
_MOST_ANSWER_BYTES = 32 * 2**20
_NO_SIZE = 2**60
"""Nothing has so many bytes or parameters."""


class Wanted(NamedTuple):
    """Something of the hub that a campaign names."""

    name: str
    """``ORG/NAME``, without a revision."""
    revision: str | None
    files: tuple[str, ...]
    """Patterns of what is downloaded; empty: only what is read of it is."""
    kind: Literal["model", "dataset"] = "model"

    @property
    def title(self) -> str:
        """As a campaign names it."""
        return f"{self.name}@{self.revision}" if self.revision else self.name


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of it; None where it is not."""

    wanted: Wanted
    state: Literal["cached", "to download", "gated", "missing", "no revision", "unknown"]
    why: str = ""
    """Why it is unknown."""
    download_bytes: int | None = None
    weights_bytes: int | None = None
    parameters: Mapping[str, int] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    without_weights: bool = False
    """Whether nothing that would be downloaded holds weights."""


def cache_folder() -> Path | None:
    """Where the hub's library keeps what it downloads; None where the library is not installed."""
    if importlib.util.find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def room_in(folder: Path) -> int:
    """Bytes that are free where a folder is, or would be.

    Raises:
        OSError: that cannot be seen.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def look_up(wanted: Sequence[Wanted], *, token: str | bool | None = None, cache: Path | None) -> list[Found]:
    """What is known of each, in their order; the hub is asked only of what is not whole in the cache.

    Args:
        wanted: what a campaign names.
        token: for the hub; None: as its library finds one; False: none.
        cache: where downloads are kept; None: that cannot be seen from here.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        return [Found(each, "unknown", "huggingface_hub is not installed here") for each in wanted]
    from huggingface_hub import constants

    found = {each: in_cache(each, cache) if cache else None for each in wanted}
    asked = [each for each, here in found.items() if here is None]
    answers: dict[Wanted, Found] = {}
    if not constants.HF_HUB_OFFLINE:
        # In threads that nobody waits for at the end: a name server may keep silent for longer than any limit of ours.
        threads = [threading.Thread(target=_ask, args=(each, token, cache, answers), daemon=True) for each in asked]
        deadline = time.monotonic() + _PATIENCE_S
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0.0))
    else:
        answers = {each: Found(each, "unknown", "HF_HUB_OFFLINE is set, and it is not in the cache") for each in asked}
    silent = f"the hub did not answer within {_PATIENCE_S:g} s"
    return [found[each] or answers.get(each) or Found(each, "unknown", silent) for each in wanted]


def in_cache(wanted: Wanted, cache: Path) -> Found | None:
    """What the cache holds of it, if that is whole."""
    snapshot = _snapshot(wanted, cache)
    if snapshot is None or wanted.kind != "model":
        return None
    try:
        names = [str(path.relative_to(snapshot)) for path in snapshot.rglob("*") if path.exists() and path.is_file()]
        weights = [name for name in weight_files(names) if _matches(name, wanted.files)]
        if not weights or not all(name in names for name in _shards(snapshot)):
            return None
        size_bytes = sum((snapshot / name).stat().st_size for name in weights)
    except OSError:
        return None
    counted = count_parameters(snapshot / name for name in weights if name.endswith(".safetensors"))
    return Found(
        wanted, "cached", download_bytes=0, weights_bytes=size_bytes, parameters=counted, config=read_config(snapshot)
    )


def _snapshot(wanted: Wanted, cache: Path) -> Path | None:
    """The folder of a revision in the cache, by the layout that the hub documents."""
    folder = cache / f"{wanted.kind}s--{wanted.name.replace('/', '--')}"
    revision = wanted.revision or "main"
    commit = revision
    with contextlib.suppress(OSError):
        commit = (folder / "refs" / revision).read_text(encoding="ascii", errors="replace").strip()
    snapshot = folder / "snapshots" / commit
    return snapshot if commit and snapshot.is_dir() else None


def _shards(snapshot: Path) -> set[str]:
    """The files that the index of a model in several parts names."""
    try:
        told = json.loads((snapshot / "model.safetensors.index.json").read_bytes())
        return {str(name) for name in told["weight_map"].values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return set()


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _ask(wanted: Wanted, token: str | bool | None, cache: Path | None, answers: dict[Wanted, Found]) -> None:
    answers[wanted] = _asked(wanted, token, cache)


def _asked(wanted: Wanted, token: str | bool | None, cache: Path | None) -> Found:
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils import validate_repo_id

    place = f"{wanted.kind}s/{wanted.name}"
    revision = f"/revision/{quote(wanted.revision, safe='')}" if wanted.revision else ""
    try:
        validate_repo_id(wanted.name)
        told = json.loads(_get(place + revision, token, {"blobs": "true"} if wanted.files else {}))
        if told.get("gated"):
            _get(f"{place}/auth-check", token, {})
        return _understood(wanted, told, _snapshot(wanted, cache) if cache else None)
    except GatedRepoError:
        return Found(wanted, "gated")
    except (RepositoryNotFoundError, HFValidationError):
        return Found(wanted, "missing")
    except RevisionNotFoundError:
        return Found(wanted, "no revision")
    except HfHubHTTPError as error:
        status = error.response.status_code
        return Found(wanted, "gated") if status == 403 else Found(wanted, "unknown", f"the hub answers with {status}")
    except _EndlessError as error:
        return Found(wanted, "unknown", str(error))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Found(wanted, "unknown", "the hub's answer cannot be understood")
    except Exception as error:  # noqa: BLE001 (whatever keeps the library from asking, the campaign is not to suffer)
        return Found(wanted, "unknown", f"the hub cannot be asked ({type(error).__name__})")


class _EndlessError(Exception):
    """An answer is too long, in bytes or in time."""


def _get(place: str, token: str | bool | None, params: Mapping[str, str]) -> bytes:
    """What the hub answers; its library would read on for as long as it is sent anything.

    Raises:
        HfHubHTTPError: it refuses.
        _EndlessError: the answer has no end.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    until_s = time.monotonic() + _PATIENCE_S
    url, headers = f"{constants.ENDPOINT}/api/{place}", build_hf_headers(token=token)
    with get_session().stream("GET", url, params=params, headers=headers, timeout=_ANSWER_S) as answer:
        body = bytearray()
        for part in answer.iter_bytes():
            body += part
            if len(body) > _MOST_ANSWER_BYTES or time.monotonic() > until_s:
                raise _EndlessError("the hub's answer has no end")
        code = {name: value for name, value in answer.headers.items() if name.lower().startswith("x-error-")}
        hf_raise_for_status(type(answer)(answer.status_code, headers=code, content=bytes(body), request=answer.request))
    return bytes(body)


def _is_size(told: object) -> bool:
    return type(told) is int and 0 <= told < _NO_SIZE


def _understood(wanted: Wanted, told: dict[str, Any], snapshot: Path | None) -> Found:
    sizes = {
        name: size if _is_size(size := file.get("size")) else None
        for file in told.get("siblings") or ()
        if _matches(name := str(file["rfilename"]), wanted.files)
    }
    found = Found(wanted, "to download")
    if not wanted.files:
        return replace(found, download_bytes=0)
    left = [size for name, size in sizes.items() if snapshot is None or not (snapshot / name).exists()]
    weights = [sizes[name] for name in weight_files(sizes)]
    counts = (told.get("safetensors") or {}).get("parameters") or {}
    return replace(
        found,
        download_bytes=None if None in left else sum(size or 0 for size in left),
        weights_bytes=None if None in weights or not weights else sum(size or 0 for size in weights),
        parameters={str(name): count for name, count in counts.items() if _is_size(count)},
        config=read_config(snapshot) if snapshot else {},
        without_weights=wanted.kind == "model" and bool(sizes) and not any(name.endswith(WEIGHTS) for name in sizes),
    )
