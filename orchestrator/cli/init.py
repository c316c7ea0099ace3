"""``orchestrate init [DIR]``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.errors import EXIT_DONE, EXIT_MACHINE, InputError

if TYPE_CHECKING:
    from orchestrator.cli.questions import Plan
    from orchestrator.system.doctor.finding import Finding
    from orchestrator.system.environment import Environment


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option(
    "--non-interactive", is_flag=True, help="Ask nothing and take the defaults, as where there is no terminal."
)
@click.option("--force", is_flag=True, help="Replace files that differ; the old ones are kept as NAME.orig.")
def command(folder: Path, non_interactive: bool, force: bool) -> int:
    """Make DIR a project, by default the current folder: a first campaign, settings, compose files, images, .env.

    Looks at this machine and asks a few things; each question has a default. The answers become campaigns/first.yaml,
    a campaign that runs here, and .orchestrate.yaml, the user config. These two are never replaced. Of the other
    files, what is there and right is left as it is; what differs is left too, and named: the exit code is then 2. In
    .env only those keys are added that it does not set. Nothing is written before the last question is answered.

    At last it shows what `orchestrate doctor` does. Exits with 3 if something is missing or broken that the first
    campaign needs; an image that is still to be built is not: the campaign asks whether to build it.
    """
    from orchestrator.cli.asking import can_ask
    from orchestrator.cli.console import print_table
    from orchestrator.cli.doctor import tables_of
    from orchestrator.cli.questions import ask, default_plan
    from orchestrator.system.config import CONFIG_FILE, load_user_config
    from orchestrator.system.docker import NoDocker
    from orchestrator.system.doctor.examine import examine
    from orchestrator.system.environment import detect
    from orchestrator.system.gpu import list_gpus
    from orchestrator.system.project import Project
    from orchestrator.system.project_env import ENV_FILE, complete_env, wanted_env
    from orchestrator.system.project_files import place, project_files
    from orchestrator.system.wizard import FIRST

    folder = _resolved(folder)
    config = load_user_config(folder / CONFIG_FILE)
    files = project_files(folder)
    environment = detect(folder)
    asking = not non_interactive and can_ask()
    if not asking and not non_interactive:
        click.echo("there is no terminal to ask at: the defaults are taken, as with --non-interactive", err=True)
    plan = ask(environment, folder, config) if asking else default_plan(environment, folder)

    _make(folder)
    placed = place(folder, files, replace=force)
    written = [*placed.written, *_write_own(folder, plan)]
    project = Project(folder, load_user_config(folder / CONFIG_FILE))
    project.prepare()
    docker = environment.docker
    added = []
    if not isinstance(docker, NoDocker):
        added = complete_env(folder, wanted_env(docker, list_gpus(), project.results))

    for line in _summary(written):
        click.echo(f"wrote {line}")
    for path in placed.kept:
        click.echo(f"kept {path}")
    for said in plan.said:
        click.echo(said)
    if added:
        click.echo(f"added to {ENV_FILE}: {', '.join(added)}")
    if not written and not placed.kept and not added:
        click.echo("nothing to write")
    if placed.differing:
        raise InputError(
            "\n".join(
                f"{path} differs from what orchestrate brings; it was left as it is" for path in placed.differing
            ),
            hint="`orchestrate init --force` replaces them, and keeps the old ones as NAME.orig",
        )
    findings = examine(folder)
    for table in tables_of(findings):
        print_table(table)
    click.echo(f"{folder} is a project. Next:")
    if folder != Path.cwd():
        click.echo(f"  cd {folder}")
    if isinstance(docker, NoDocker):
        click.echo(f"  {docker.hint}, then `orchestrate init` again: {docker.reason}, so {ENV_FILE} was not written")
    for backend in _to_build(plan, environment):
        click.echo(f"  docker compose build {backend:<15}  its image, for runs in containers")
    click.echo(f"  orchestrate campaign {FIRST}")
    lacking = _lacking(plan, environment, findings)
    for finding in lacking:
        click.echo(f"missing for the first campaign: {finding.name}: {finding.seen}; {finding.advice}", err=True)
    return EXIT_MACHINE if lacking else EXIT_DONE


def _resolved(folder: Path) -> Path:
    """The folder to be, where one can be.

    Raises:
        InputError: none can.
    """
    try:
        resolved = folder.resolve()
        for path in (resolved, *resolved.parents):
            if path.is_symlink() or path.exists():
                if not path.is_dir():
                    raise NotADirectoryError(20, "Not a directory")
                break
    except (OSError, RuntimeError, ValueError) as error:
        raise _unmakeable(folder, error) from None
    return resolved


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unmakeable(folder, error) from None


def _unmakeable(folder: Path, error: Exception) -> InputError:
    return InputError(f"{folder} cannot be made a project: {getattr(error, 'strerror', None) or error}")


def _write_own(folder: Path, plan: Plan) -> list[Path]:
    """Write what the answers became, and the schemas that editors check it by; those are always this version's."""
    from orchestrator.campaign.json_schema import campaign_schema
    from orchestrator.system.config import CONFIG_FILE, user_config_schema
    from orchestrator.system.project_files import place, refresh
    from orchestrator.system.wizard import CAMPAIGN_SCHEMA, CONFIG_SCHEMA, FIRST

    schemas = {CAMPAIGN_SCHEMA: campaign_schema(), CONFIG_SCHEMA: user_config_schema()}
    files = {path: (json.dumps(schema, indent=1) + "\n").encode() for path, schema in schemas.items()}
    written = refresh(folder, files)
    if plan.first is not None:
        written += place(folder, {FIRST: plan.first.encode()}, replace=False, whole=False).written
    if plan.config is not None:
        placed = place(folder, {Path(CONFIG_FILE): plan.config.encode()}, replace=True, whole=False)
        written += placed.written
        plan.said += [f"kept {path}" for path in placed.kept]
    return written


def _to_build(plan: Plan, environment: Environment) -> list[str]:
    """The backend whose image is worth building next: that of the first campaign, or one to try containers with."""
    if not environment.containers:
        return []
    way = plan.answers.offer if plan.answers else None
    backend = way.backend if way and way.way == "container" else "pytorch"
    return [] if backend in (environment.images or {}) else [backend]


def _lacking(plan: Plan, environment: Environment, findings: Sequence[Finding]) -> list[Finding]:
    """What the first campaign needs and has not."""
    from orchestrator.system.doctor.finding import Finding, Status
    from orchestrator.system.wizard import DEMO_HINT, DEMO_MODEL, SIMULATED

    if plan.answers is None:
        return []
    offer = plan.answers.offer
    needed = {"disk: results"} | ({f"backend {offer.backend}"} if offer.way == "process" else {"Docker", "compose"})
    lacking = [
        finding for finding in findings if finding.name in needed and finding.status in (Status.MISSING, Status.BROKEN)
    ]
    here = offer.way == "process" and offer.backend != SIMULATED
    if here and plan.answers.model == DEMO_MODEL and not environment.demo_model:
        lacking.append(Finding("model", Status.MISSING, f"{DEMO_MODEL} is not installed here", DEMO_HINT))
    return lacking


def _summary(written: list[Path]) -> list[str]:
    """A line a file, and one for all the sources of the runners."""
    from orchestrator.system.project_files import RUNNERS

    sources = [path for path in written if path.is_relative_to(RUNNERS)]
    lines = [str(path) for path in written if path not in sources]
    return [*lines, f"{RUNNERS}/ ({len(sources)} files)"] if sources else lines
