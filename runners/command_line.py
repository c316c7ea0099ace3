"""From the flags of a run by hand to what it asks for. The flags are made from the contract's models."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from runners.contract import fingerprint
from runners.contract.flags import FlagError, Section, declared_by, flags_of
from runners.contract.messages import nearest
from runners.contract.names import PART_FILES, check_dataset, check_model, is_local, is_prompt_file
from runners.contract.options import OPTIONS, BackendOptions
from runners.contract.request import Experiment, Measurement, Workload
from runners.contract.rules import broken_rule

_PROGRAM = "python -m runners"
_TITLES: dict[Section, str] = {
    "options": "parameters of the backend",
    "workload": "what is asked of it",
    "measurement": "how it is measured",
    "warmup": "how it is measured",
    "request": "how it is measured",
}
_ABOUT = (
    "Carries one run out and leaves its files in results/adhoc/runs/<experiment_id>/c001, or the next cycle that is"
    " free. The figures go to standard output, the log to standard error and into that folder."
)
_REQUESTS = (
    "With --request PATH/request.json instead of flags, the run is as the request says, in the request's folder."
)


class Asked(NamedTuple):
    """What the flags ask for."""

    experiment: Experiment
    measurement: Measurement
    seed: int
    model_path: Path | None
    dataset_path: Path | None
    option_paths: dict[str, Path]


def read(arguments: list[str]) -> Asked:
    """What a command line asks for. With ``--help``, or where it is no command line, the process ends here.

    Raises:
        FlagError: a flag or its value is wrong, or the values do not go together.
    """
    chosen, rest = _parser().parse_known_args(arguments)
    given = {key: text for key, text in vars(chosen).items() if text is not None}
    backend, model = given.pop("backend"), given.pop("model", None)
    if rest:
        _refuse(backend, rest[0])
    if model is None:
        raise FlagError("name a model with --model", "for a first try: --model demo:smollm2-135m")
    declared = declared_by(backend, given)
    model_path = _model_path(backend, model)
    dataset_path = _dataset_path(declared.workload.get("dataset", Workload().dataset))
    workload = {**declared.workload, "dataset_sha256": _known_by("--dataset", dataset_path, fingerprint.of_file)}
    options = OPTIONS[backend].model_validate(declared.options)
    option_paths = dict(_option_paths(options))
    experiment = Experiment(
        model=model,
        model_sha256=_known_by("--model", model_path, fingerprint.of_model),
        workload=Workload.model_validate(workload),
        options=options,
        input_sha256={
            field: _content(_flag(field), path, fingerprint.of_model) for field, path in option_paths.items()
        },
    )
    if rule := broken_rule(experiment):
        raise FlagError(f"breaks the rule {rule.name}: {rule.reason}", "change the parameters that the rule names")
    measurement = Measurement.model_validate(declared.measurement)
    return Asked(experiment, measurement, declared.seed, model_path, dataset_path, option_paths)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        usage=f"{_PROGRAM} BACKEND --model MODEL [--FLAG VALUE ...]",
        description=_ABOUT,
        epilog=_REQUESTS,
        formatter_class=_Help,
        allow_abbrev=False,
    )
    backends = parser.add_subparsers(dest="backend", required=True, title="backends", prog=_PROGRAM)
    for backend, options in OPTIONS.items():
        own = backends.add_parser(
            backend,
            help=options.SUMMARY,
            usage=f"{_PROGRAM} {backend} --model MODEL [--FLAG VALUE ...]",
            description=f"The backend {backend}: {options.SUMMARY}. {_ABOUT}",
            epilog=_REQUESTS,
            formatter_class=_Help,
            allow_abbrev=False,
        )
        own.add_argument("--model", help=Experiment.model_fields["model"].description)
        groups = {title: own.add_argument_group(title) for title in _TITLES.values()}
        for flag in flags_of(backend).values():
            groups[_TITLES[flag.section]].add_argument(flag.name, metavar="VALUE", help=flag.help.replace("%", "%%"))
    return parser


class _Help(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32)


def _refuse(backend: str, argument: str) -> NoReturn:
    name = argument.partition("=")[0]
    known = ["--model", *(flag.name for flag in flags_of(backend).values())]
    if name.startswith("-"):
        raise FlagError(f"{backend} has no parameter {name}", nearest(name, known))
    raise FlagError(f"unexpected argument {argument!r}", f"{_PROGRAM} {backend} --help lists the flags")


def _model_path(backend: str, model: str) -> Path | None:
    """Where a local model lies; None where the model is no folder, or none is loaded."""
    file = OPTIONS[backend].MODEL_FILE
    if file is None:
        _require_name("--model", model)
        return None
    return _local_model("--model", model, (file,))


def _option_paths(options: BackendOptions) -> Iterator[tuple[str, Path]]:
    """Where the local models lie that options name, by option."""
    for field in options.MODEL_FIELDS:
        model = getattr(options, field)
        path = _local_model(_flag(field), model, PART_FILES) if model is not None else None
        if path:
            yield field, path


def _require_name(flag: str, model: str) -> None:
    if wrong := check_model(model):
        message, hint = wrong
        raise FlagError(f"{flag}: {message}", hint)


def _local_model(flag: str, model: str, holds: Sequence[str]) -> Path | None:
    """Where a local model lies, a file of one of these patterns in it; None where the model is no folder."""
    _require_name(flag, model)
    if not is_local(model):
        return None
    path = _absolute(flag, model)
    if not any(any(path.glob(pattern)) for pattern in holds):
        hint = "name the folder that save_pretrained() or a download made; in a container, mount it below /inputs"
        raise FlagError(f"{flag}: {path} holds no {' or '.join(holds)}, so it is no model for what is to load it", hint)
    return path


def _dataset_path(dataset: str) -> Path | None:
    """Where a prompt file lies; None where the dataset is no file."""
    if wrong := check_dataset(dataset):
        message, hint = wrong
        raise FlagError(f"--dataset: {message}", hint)
    return _absolute("--dataset", dataset) if is_prompt_file(dataset) else None


def _absolute(flag: str, name: str) -> Path:
    try:
        return Path(name).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a symlink loop, an unknown user, a NUL
        raise FlagError(f"{flag}: {name!r} leads nowhere: {error}", "name it by its absolute path") from None


def _flag(field: str) -> str:
    return "--" + field.replace("_", "-")


def _known_by(flag: str, path: Path | None, fingerprint_of: Callable[[Path], str]) -> str | None:
    return None if path is None else _content(flag, path, fingerprint_of)


def _content(flag: str, path: Path, fingerprint_of: Callable[[Path], str]) -> str:
    try:
        return fingerprint_of(path)
    except OSError as error:
        hint = "check its name and its permissions; in a container, mount it below /inputs"
        raise FlagError(f"{flag}: {path} cannot be read: {error.strerror}", hint) from None
