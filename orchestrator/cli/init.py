"""``orchestrate init [DIR]``."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.errors import EXIT_DONE, InputError


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace files that differ; the old ones are kept as NAME.orig.")
def command(folder: Path, force: bool) -> int:
    """Make DIR a project, by default the current folder: compose files, images, a first campaign, results/, .env.

    What is there and right is left as it is. What is there and differs is left too, and named; the exit code is
    then 2. In .env only those keys are added that it does not set.
    """
    from orchestrator.system.config import CONFIG_FILE, load_user_config
    from orchestrator.system.docker import NoDocker, find_docker
    from orchestrator.system.gpu import list_gpus
    from orchestrator.system.project import Project
    from orchestrator.system.project_env import ENV_FILE, complete_env, wanted_env
    from orchestrator.system.project_files import QUICKSTART, place, project_files

    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder = folder.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"{folder} cannot be made a project: {getattr(error, 'strerror', None) or error}") from None
    project = Project(folder, load_user_config(folder / CONFIG_FILE))
    placed = place(folder, project_files(folder), replace=force)
    project.prepare()
    docker = find_docker()
    added = []
    if not isinstance(docker, NoDocker):
        added = complete_env(folder, wanted_env(docker, list_gpus(), project.results))

    for line in _summary(placed.written):
        click.echo(f"wrote {line}")
    for path in placed.kept:
        click.echo(f"kept {path}")
    if added:
        click.echo(f"added to {ENV_FILE}: {', '.join(added)}")
    if not placed.written and not placed.kept and not added:
        click.echo("nothing to write")
    if placed.differing:
        raise InputError(
            "\n".join(
                f"{path} differs from what orchestrate brings; it was left as it is" for path in placed.differing
            ),
            hint="`orchestrate init --force` replaces them, and keeps the old ones as NAME.orig",
        )
    click.echo(f"{folder} is a project. Next:")
    if folder != Path.cwd():
        click.echo(f"  cd {folder}")
    if isinstance(docker, NoDocker):
        click.echo(f"  {docker.hint}, then `orchestrate init` again: {docker.reason}, so {ENV_FILE} was not written")
    else:
        click.echo("  docker compose build pytorch         its image, for runs in containers")
    click.echo("  orchestrate doctor                   what of all that a run may need is here")
    click.echo(f"  orchestrate campaign {QUICKSTART}")
    return EXIT_DONE


def _summary(written: list[Path]) -> list[str]:
    """A line a file, and one for all the sources of the runners."""
    from orchestrator.system.project_files import RUNNERS

    sources = [path for path in written if path.is_relative_to(RUNNERS)]
    lines = [str(path) for path in written if path not in sources]
    return [*lines, f"{RUNNERS}/ ({len(sources)} files)"] if sources else lines
