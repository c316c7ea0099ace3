"""``orchestrate run``: one experiment from flags, which are generated from the contract's models."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.options import Running, running_options
from orchestrator.errors import EXIT_DONE, InputError
from runners.contract.flags import FlagError, SharedFlag, all_flags, declared_by
from runners.contract.messages import nearest
from runners.contract.options import OPTIONS


def _option(flag: SharedFlag) -> click.Option:
    only = f" [{', '.join(flag.backends)}]" if len(flag.backends) < len(OPTIONS) else ""
    return click.Option([flag.name], metavar="VALUE", help=flag.help + only)


@click.command("run")
@click.argument("file", required=False)
@click.option("--backend", metavar="NAME", help=f"Engine: {', '.join(OPTIONS)}.")
@click.option("--model", metavar="MODEL", help="demo:NAME, a Hugging Face id (ORG/NAME[@REVISION]), or a folder.")
@click.option("--gpu", "gpus", type=click.IntRange(0), multiple=True, help="GPU to use; may be repeated.")
@click.option("--timeout-s", type=float, default=3600.0, show_default=True, help="Stop the run after this long.")
@click.option(
    "--silence-timeout-s", type=float, default=900.0, show_default=True, help="Stop it after this long in silence."
)
@running_options
def command(
    file: str | None,
    backend: str | None,
    model: str | None,
    gpus: tuple[int, ...],
    timeout_s: float,
    silence_timeout_s: float,
    running: Running,
    **values: str | None,
) -> int:
    """Run one experiment once; its run folder lands in results/adhoc/."""
    from orchestrator.cli.consent import agreed, chosen, heeded
    from orchestrator.cli.console import print_table, watching
    from orchestrator.cli.interrupts import caught_signals
    from orchestrator.execution.readiness import campaign_issues
    from orchestrator.execution.single import carry_out, single_run
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
    try:
        declared = declared_by(backend, given)
    except FlagError as error:
        raise InputError(str(error), hint=error.hint) from None
    campaign = single_run(
        backend,
        model,
        declared.options,
        workload=declared.workload,
        measurement=declared.measurement,
        gpus=list(gpus) or None,
        seed=declared.seed,
        timeout_s=timeout_s,
        silence_timeout_s=silence_timeout_s,
    )
    heeded(campaign_issues(campaign), force=running.force, quiet=running.silent)
    project = find_project(running.project_dir)
    dispatcher = agreed(
        chosen(campaign, project, running),
        yes=running.yes,
        quiet=running.silent,
    )
    with (
        caught_signals() as interrupts,
        watching(running) as observer,
    ):
        published = carry_out(campaign, project, dispatcher, observer, interrupts.came, force=running.force)
    if not running.silent:
        for table in run_details(published.result):
            print_table(table)
        click.echo(f"Files: {published.folder}")
    return EXIT_DONE


command.params += map(_option, all_flags().values())
