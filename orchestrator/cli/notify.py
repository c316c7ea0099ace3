"""``orchestrate notify [FILE]``."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.options import json_option, project_option
from orchestrator.errors import EXIT_DONE, EXIT_MACHINE, InputError


@click.command("notify")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@project_option
@json_option
def command(file: Path | None, project_dir: str | None, as_json: bool) -> int:
    """Send a test notice to the webhook that is told when the campaign in FILE ends, or any campaign.

    Exits with 0 if it was taken, with 3 if not.
    """
    from dataclasses import asdict

    from orchestrator.campaign.load import load_campaign
    from orchestrator.campaign.settings import declared, settle
    from orchestrator.cli.console import print_json, tries
    from orchestrator.cli.interrupts import caught_signals
    from orchestrator.execution.notices import environment_of, send, trial
    from orchestrator.execution.readiness import settled
    from orchestrator.notify.webhook import ENV_SECRET, ENV_URL, webhook_of
    from orchestrator.system.project import find_project

    project = find_project(project_dir)
    if file is None:
        settings = settle({"user config": declared(("notify", project.config.notify))}).settings
    else:
        settings = settled(load_campaign(file), project).settings
    webhook = webhook_of(settings.notify, environment_of(project))
    if webhook is None:
        raise InputError(
            "there is no webhook to tell",
            hint=f"set {ENV_URL} in the environment or in .env, or notify.webhook_url in a campaign file or the user"
            " config",
        )
    with caught_signals() as interrupts:
        notified = send(webhook, trial(), interrupts.came)
    if interrupts.signal:
        return 128 + interrupts.signal
    if as_json:
        print_json({**asdict(notified), "signed": webhook.secret is not None})
    else:
        signed = "signed" if webhook.secret else f"not signed: {ENV_SECRET} is not set"
        outcome = f"taken ({signed})" if notified.delivered else "not taken"
        click.echo(f"{webhook.shown}: {outcome}; {tries(notified.attempts)}")
    return EXIT_DONE if notified.delivered else EXIT_MACHINE
