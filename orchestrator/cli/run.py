"""``orchestrate run``: one experiment from flags, which are generated from the contract's models."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from orchestrator.cli.options import running_options
from orchestrator.errors import EXIT_DONE, InputError
from orchestrator.messages import nearest, validation_messages
from runners.contract.request import OPTIONS, ContractModel, Measurement, Workload

_NOT_FLAGS = {"backend", "dataset_sha256", "warmup"}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _flags(models: dict[str, type[ContractModel]]) -> list[click.Option]:
    """An option a field; one that only some of the models have says which."""
    owners: dict[str, list[str]] = {}
    for owner, model in models.items():
        for name in model.model_fields:
            if name not in _NOT_FLAGS:
                owners.setdefault(name, []).append(owner)
    options = []
    for name, having in owners.items():
        text = models[having[0]].model_fields[name].description or ""
        default = models[having[0]].model_fields[name].default
        shown = f" [default: {default}]" if default is not None else ""
        only = f" [{', '.join(having)}]" if len(having) < len(models) else ""
        options.append(click.Option([_flag(name)], metavar="VALUE", help=f"{text}{shown}{only}"))
    return options


def _parsed(model: type[ContractModel], given: dict[str, str]) -> dict[str, Any]:
    """The values given as text, as the model has them."""
    try:
        return model.model_validate_strings(given).model_dump(include=set(given))
    except ValidationError as error:
        faults = [f"{_flag(str(path[0]))}: {message}" for path, message in validation_messages(error)]
        raise InputError("\n".join(faults), hint="`orchestrate run --help` lists the flags") from None


def _taken(model: type[ContractModel], values: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None and name in model.model_fields}


def _refuse_foreign(backend: str, given: Iterable[str]) -> None:
    known = OPTIONS[backend].model_fields
    for name in given:
        if name not in known:
            flags = [_flag(field) for field in known if field not in _NOT_FLAGS]
            raise InputError(f"{backend} has no parameter {_flag(name)}", hint=nearest(_flag(name), flags))


@click.command("run")
@click.argument("file", required=False)
@click.option("--backend", metavar="NAME", help=f"Engine: {', '.join(OPTIONS)}.")
@click.option("--model", metavar="MODEL", help="demo:NAME, a Hugging Face id (ORG/NAME[@REVISION]), or a folder.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed for sampling.")
@click.option("--gpu", "gpus", type=click.IntRange(0), multiple=True, help="GPU to use; may be repeated.")
@click.option("--timeout-s", type=float, default=3600.0, show_default=True, help="Stop the run after this long.")
@click.option(
    "--silence-timeout-s", type=float, default=900.0, show_default=True, help="Stop it after this long in silence."
)
@click.option("--warmup-iterations", type=click.IntRange(0), default=1, show_default=True, help="Batches to warm up.")
@running_options
def command(
    file: str | None,
    backend: str | None,
    model: str | None,
    seed: int,
    gpus: tuple[int, ...],
    timeout_s: float,
    silence_timeout_s: float,
    warmup_iterations: int,
    project_dir: str | None,
    quiet: bool,
    verbose: bool,
    as_json: bool,
    **values: str | None,
) -> int:
    """Run one experiment once; its run folder lands in results/adhoc/."""
    from orchestrator.cli.console import print_table, watching
    from orchestrator.cli.interrupts import caught_signals
    from orchestrator.execution.single import run_experiment
    from orchestrator.report.tables import run_details
    from orchestrator.system.project import find_project

    if file is not None:
        if Path(file).suffix in (".yaml", ".yml"):
            raise InputError(f"{file} is a campaign file", hint=f"orchestrate campaign {file}")
        raise InputError(f"unexpected argument {file!r}", hint="`orchestrate run --help` lists the flags")
    if backend is None or backend not in OPTIONS:
        missing = "name a backend with --backend" if backend is None else f"unknown backend {backend!r}"
        raise InputError(missing, hint=nearest(backend or "", OPTIONS))
    if model is None:
        raise InputError("name a model with --model", hint="for a first try: --model demo:smollm2-135m")
    given = {name: value for name, value in values.items() if value is not None}
    elsewhere = {*Workload.model_fields, *Measurement.model_fields}
    own = {name: value for name, value in given.items() if name not in elsewhere}
    _refuse_foreign(backend, own)
    options = _parsed(OPTIONS[backend], own)
    measurement = _parsed(Measurement, _taken(Measurement, values))
    with caught_signals() as interrupts, watching(quiet=quiet, verbose=verbose, as_json=as_json) as observer:
        published = run_experiment(
            backend,
            model,
            workload=_parsed(Workload, _taken(Workload, values)),
            measurement={**measurement, "warmup": {"iterations": warmup_iterations}},
            gpus=list(gpus) or None,
            seed=seed,
            timeout_s=timeout_s,
            silence_timeout_s=silence_timeout_s,
            project=find_project(project_dir),
            on_event=observer,
            should_stop=interrupts.came,
            **options,
        )
    if not (quiet or as_json):
        for table in run_details(published.result):
            print_table(table)
        click.echo(f"Files: {published.folder}")
    return EXIT_DONE


command.params += _flags({"workload": Workload})
command.params += _flags({"measurement": Measurement})
command.params += _flags(dict(OPTIONS))
