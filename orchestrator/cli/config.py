"""``orchestrate config``, and ``show``, ``validate``, ``list`` and ``schema`` below it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.options import json_option, project_option
from orchestrator.errors import EXIT_DONE, EXIT_WRONG_INPUT

if TYPE_CHECKING:
    from orchestrator.execution.effective import Setting
    from orchestrator.execution.inventory import Entry
    from orchestrator.report.tables import Table
    from orchestrator.system.environment import Environment

_URL_VARIABLE = "ORCHESTRATE_WEBHOOK_URL"


@click.group("config", invoke_without_command=True)
@json_option
@project_option
@click.pass_context
def command(context: click.Context, as_json: bool, project_dir: str | None) -> int:
    """Show this machine's GPUs and backends, and the settings that hold; or check and list files.

    It only looks. What is broken here `orchestrate doctor` says.
    """
    if context.invoked_subcommand is not None:
        # What was given before the subcommand holds for it too.
        given = {"as_json": as_json or None, "project_dir": project_dir}
        said = {name: value for name, value in given.items() if value is not None}
        context.default_map = {context.invoked_subcommand: said}
        return EXIT_DONE
    from orchestrator.cli.console import print_json, print_table
    from orchestrator.execution.effective import effective
    from orchestrator.system.environment import detect
    from orchestrator.system.project import find_project

    project = find_project(project_dir)
    environment = detect(project.folder)
    settings = effective(project.config)
    if as_json:
        print_json(
            {
                "project": project.folder,
                "gpus": [{"index": gpu.index, "name": gpu.name, "uuid": gpu.uuid} for gpu in environment.gpus],
                "gpu_fault": environment.gpu_fault,
                "backends": _backends_json(environment),
                "settings": _settings_json(settings),
            }
        )
        return EXIT_DONE
    click.echo(f"project: {project.folder}")
    print_table(_gpu_table(environment))
    print_table(_backend_table(environment))
    print_table(_setting_table("Settings", settings))
    return EXIT_DONE


@command.command("show", short_help="Show every setting, and where it was set.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "gap_experiment_s",
    "--gap-experiment",
    type=click.FloatRange(0, 86_400),
    metavar="SECONDS",
    help="As `orchestrate campaign` takes it.",
)
@click.option(
    "gap_cycle_s",
    "--gap-cycle",
    type=click.FloatRange(0, 86_400),
    metavar="SECONDS",
    help="As `orchestrate campaign` takes it.",
)
@json_option
@project_option
def show_settings(
    file: Path | None,
    gap_experiment_s: float | None,
    gap_cycle_s: float | None,
    as_json: bool,
    project_dir: str | None,
) -> int:
    """Show every setting, and where it was set: default, user config, file, flag; later ones go before earlier ones.

    With FILE, a campaign file, show what holds for that campaign.
    """
    from orchestrator.campaign.load import load_campaign
    from orchestrator.cli.console import print_json, print_table
    from orchestrator.execution.effective import effective
    from orchestrator.system.project import find_project

    project = find_project(project_dir)
    campaign = load_campaign(file) if file else None
    given = {"experiment_s": gap_experiment_s, "cycle_s": gap_cycle_s}
    flags = {"gaps": {name: seconds for name, seconds in given.items() if seconds is not None}}
    settings = effective(project.config, campaign.file if campaign else None, flags)
    if as_json:
        print_json(_settings_json(settings))
    else:
        title = f"Settings for campaign {campaign.name}" if campaign else f"Settings in {project.folder}"
        print_table(_setting_table(title, settings))
    return EXIT_DONE


@command.command("validate", short_help="Check campaign files and the user config.")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@json_option
@project_option
def validate(paths: Sequence[Path], as_json: bool, project_dir: str | None) -> int:
    """Check campaign files and the user config, and tell everything that is wrong; nothing is run.

    PATH is a file, or a folder, of which all YAML files that look like ours are checked. Without any, the project's
    user config and its folder campaigns/ are. Exits with 2 if anything is wrong.
    """
    from orchestrator.cli.console import print_json

    entries = _entries(paths, project_dir)
    if as_json:
        print_json([_entry_json(entry) for entry in entries])
    else:
        for entry in entries:
            _say(entry)
        if not entries:
            click.echo("there is nothing to check")
    return EXIT_DONE if all(entry.right for entry in entries) else EXIT_WRONG_INPUT


@command.command("list", short_help="List campaign and experiment files.")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@json_option
@project_option
def list_files(folder: Path | None, as_json: bool, project_dir: str | None) -> int:
    """List the campaign and experiment files in FOLDER, by default the project's campaigns/.

    An experiment is a file in which nothing varies and nothing is repeated: one run.
    """
    from orchestrator.cli.console import print_json, print_table
    from orchestrator.execution.inventory import look_into, yaml_files
    from orchestrator.report.tables import Column, Table
    from orchestrator.system.project import find_folder

    if folder is None:
        project = find_folder(project_dir)
        folder = project / "campaigns" if (project / "campaigns").is_dir() else project
    entries = [look_into(path, named=False) for path in yaml_files(folder)]
    shown = [entry for entry in entries if entry.kind in ("campaign", "experiment", "base") or not entry.right]
    if as_json:
        print_json([_entry_json(entry) for entry in shown])
        return EXIT_DONE
    if not shown:
        click.echo(f"there is no campaign file in {folder}; `orchestrate init` writes a first one")
        return EXIT_DONE
    columns = [Column("file"), Column("kind"), Column("name"), Column("runs", numeric=True), Column("")]
    rows = [
        [
            entry.path.name,
            entry.kind if entry.kind != "other" else "?",
            entry.name or "",
            entry.runs,
            "ok" if entry.right else "broken",
        ]
        for entry in shown
    ]
    broken = any(not entry.right for entry in shown)
    notes = [f"`orchestrate config validate {folder}` says what is wrong"] if broken else []
    print_table(Table(f"Campaign files in {folder}", columns, rows, notes))
    return EXIT_DONE


@command.command("schema", short_help="Print the JSON Schema of a file, for editors.")
@click.option("--user-config", is_flag=True, help="Of the user config, not of a campaign file.")
def schema(user_config: bool) -> int:
    """Print the JSON Schema of a campaign file, by which an editor completes and checks it."""
    from orchestrator.campaign.json_schema import campaign_schema
    from orchestrator.cli.console import print_json
    from orchestrator.system.config import user_config_schema

    print_json(user_config_schema() if user_config else campaign_schema())
    return EXIT_DONE


def _entries(paths: Sequence[Path], project_dir: str | None) -> list[Entry]:
    from orchestrator.execution.inventory import look_into, yaml_files
    from orchestrator.system.config import CONFIG_FILE
    from orchestrator.system.project import find_folder

    if not paths:
        project = find_folder(project_dir)
        paths = [path for path in (project / CONFIG_FILE, project / "campaigns") if os.path.lexists(path)]
    entries = []
    for path in paths:
        if path.is_dir():
            found = [look_into(file, named=False) for file in yaml_files(path)]
            entries += [entry for entry in found if entry.kind != "other" or not entry.right]
        else:
            entries.append(look_into(path))
    return entries


def _say(entry: Entry) -> None:
    for issue in entry.issues:
        warning = "" if issue.severity == "error" else "warning: "
        click.echo(f"{warning}{issue.describe(entry.path)}")
    if entry.right:
        held = f", {entry.runs} run{'' if entry.runs == '1' else 's'}" if entry.runs else ""
        checked = ": checked with the campaigns that extend it" if entry.kind == "base" else ""
        click.echo(f"{entry.path}: ok ({entry.kind}{held}{checked})")


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "path": entry.path,
        "kind": entry.kind,
        "name": entry.name,
        "experiments": entry.experiments,
        "cycles": None if entry.experiments is None else entry.cycles,
        "ok": entry.right,
        "issues": [asdict(issue) for issue in entry.issues],
    }


def _gpu_table(environment: Environment) -> Table:
    from orchestrator.report.tables import Column, Table

    columns = [Column("index", numeric=True), Column("name"), Column("UUID")]
    if environment.gpus:
        return Table("GPUs", columns, [[str(gpu.index), gpu.name, gpu.uuid] for gpu in environment.gpus])
    seen = environment.gpu_fault or "none: runs use the CPU"
    return Table("GPUs", [Column("", prose=True)], [[seen]])


def _backend_table(environment: Environment) -> Table:
    from orchestrator.report.tables import Column, Table

    rows = [[row["name"], row["what"], row["here"], row["image"]] for row in _backend_rows(environment)]
    return Table("Backends", [Column("backend"), Column("engine"), Column("here"), Column("image")], rows)


def _backend_rows(environment: Environment) -> list[dict[str, str]]:
    from orchestrator.system.docker import NoDocker
    from runners.contract.options import OPTIONS

    rows = []
    for name, options in OPTIONS.items():
        missing = environment.missing[name]
        if isinstance(environment.docker, NoDocker):
            image = f"unknown: {environment.docker.reason}"
        elif environment.images is None:
            image = "unknown: compose does not answer"
        else:
            image = environment.images.get(name, "not built")
        here = f"no {' and '.join(missing)}" if missing else "installed" if options.MODULES else "needs nothing"
        rows.append({"name": name, "what": options.SUMMARY, "here": here, "image": image})
    return rows


def _backends_json(environment: Environment) -> list[dict[str, Any]]:
    from runners.contract.options import OPTIONS

    return [
        {
            "name": name,
            "engine": options.SUMMARY,
            "installed": environment.installed(name),
            "missing": list(environment.missing[name]),
            "image": None if environment.images is None else environment.images.get(name),
        }
        for name, options in OPTIONS.items()
    ]


def _setting_table(title: str, settings: Sequence[Setting]) -> Table:
    from orchestrator.report.tables import Column, Table

    rows = [[setting.name, _written(setting.value), setting.source] for setting in settings]
    notes = [f"{_URL_VARIABLE} is set in the environment"] if os.environ.get(_URL_VARIABLE) else []
    return Table(title, [Column("setting"), Column("value", prose=True), Column("from")], rows, notes)


def _written(value: Any) -> str:
    """A value as YAML has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _settings_json(settings: Sequence[Setting]) -> list[dict[str, Any]]:
    return [setting._asdict() for setting in settings]
