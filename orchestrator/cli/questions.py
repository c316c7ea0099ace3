"""What `orchestrate init` asks, and what it takes where nobody is asked; nothing is written here."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from orchestrator.errors import FileError, InputError
from orchestrator.system.config import CONFIG_FILE, UserConfig
from orchestrator.system.environment import Environment
from orchestrator.system.wizard import (
    DEMO_MODEL,
    FIRST,
    SIMULATED,
    Answers,
    NotMergedError,
    Wanted,
    asks_for_gpus,
    can_do_without_gpu,
    config_text,
    first_campaign,
    gpus_named,
    merged_text,
    model_named,
    offer_named,
    offers,
    scalar,
    setting_of,
    value_named,
)

_T = TypeVar("_T")
_URL_VARIABLE = "ORCHESTRATE_WEBHOOK_URL"


@dataclass(slots=True)
class Plan:
    """What is to be written."""

    first: str | None = None
    """The first campaign; None: there is one already."""
    config: str | None = None
    """The user config; None: it stays as it is."""
    answers: Answers | None = None
    said: list[str] = field(default_factory=list)
    """What there is to say about it."""


def default_plan(environment: Environment, folder: Path) -> Plan:
    """What is written where nobody is asked."""
    plan = Plan()
    if not _there(folder / FIRST):
        _settle_first(plan, Answers(offers(environment)[0]))
    if not _there(folder / CONFIG_FILE):
        plan.config = config_text({})
    return plan


def ask(environment: Environment, folder: Path, config: UserConfig) -> Plan:
    """Ask what there is to decide; nothing where both files are there and are to stay.

    Args:
        environment: the machine.
        folder: the project's.
        config: the user config that holds in it.

    Raises:
        Abort: the user gave up, or there is no more input.
    """
    plan = Plan()
    click.echo("A few questions. Enter takes what stands in brackets.", err=True)
    click.echo("Ctrl-C leaves everything as it is.", err=True)
    if not _there(folder / FIRST):
        _settle_first(plan, _first(environment))
    backend = plan.answers.offer.backend if plan.answers else None
    if not _there(folder / CONFIG_FILE):
        plan.config = config_text(_settings(environment, config, backend).settings)
    elif not click.confirm(f"There is a {CONFIG_FILE}. Keep it as it is?", default=True, err=True):
        _merge(plan, folder, _settings(environment, config, backend))
    return plan


def _first(environment: Environment) -> Answers:
    offered = offers(environment)
    click.echo("\nThe first campaign. Backends that can be begun with here:", err=True)
    for number, choice in enumerate(offered, start=1):
        click.echo(f"  {number}  {choice.backend:<10}  {choice.words}", err=True)
    offer = _asked("Backend", offered[0].backend, lambda text: offer_named(text, offered))
    answers = Answers(offer)
    if offer.backend != SIMULATED:
        # Every image holds the demo model.
        known = environment.demo_model or offer.way == "container"
        click.echo(f"Model: {DEMO_MODEL}, an id of the Hugging Face hub (ORG/NAME), or a folder.", err=True)
        model = _asked("Model", DEMO_MODEL if known else "", lambda text: model_named(text, offer.backend))
        answers = replace(answers, model=model)
    if asks_for_gpus(offer.backend, environment.gpus):
        cpu = can_do_without_gpu(offer.backend)
        for gpu in environment.gpus:
            click.echo(f"  GPU {gpu.index}: {gpu.name}", err=True)
        words = "GPUs (indices such as 0,2, all, or cpu)" if cpu else "GPUs (indices such as 0,2, or all)"
        first = str(environment.gpus[0].index)
        gpus = _asked(words, first, lambda text: gpus_named(text, environment.gpus, cpu=cpu))
        answers = replace(answers, gpus=gpus or (), on_cpu=gpus is None)
    return answers


def _settings(environment: Environment, config: UserConfig, backend: str | None) -> Wanted:
    """Settings that the user wants to be other than they are."""
    wanted = Wanted()

    def about(name: str, question: str) -> Any:
        before = setting_of(config, name)
        value = _asked(question, "" if before is None else scalar(before), lambda text: value_named(text, name))
        wanted.add(name, value, config)
        return value

    click.echo("\nSettings of this machine, for all campaigns.", err=True)
    about("gaps.experiment_s", "Pause before each run, to let the machine cool, in seconds")
    about("gaps.cycle_s", "Pause before each cycle, in seconds")
    if not environment.rapl and not (environment.gpus and backend != "llamacpp"):
        click.echo("The CPU's energy cannot be measured here. It is estimated from its full power.", err=True)
        about("cpu_tdp_w", "That power in watts, from its data sheet (empty: 10 W a logical core)")
    if os.environ.get(_URL_VARIABLE):
        click.echo(f"{_URL_VARIABLE} is set: it is told when a campaign ends.", err=True)
    else:
        click.echo(f"A secret address does not belong here, but into the environment:\n{_URL_VARIABLE}", err=True)
    url = about("notify.webhook_url", "Webhook to call when a campaign ends (empty: none)")
    if url or os.environ.get(_URL_VARIABLE):
        for name, question in (
            ("notify.on_complete", "Call it when a campaign is complete?"),
            ("notify.on_failure", "Call it when runs failed?"),
        ):
            wanted.add(name, click.confirm(question, default=setting_of(config, name), err=True), config)
    return wanted


def _settle_first(plan: Plan, answers: Answers) -> None:
    plan.answers = answers
    plan.first = first_campaign(answers)
    if answers.offer.backend == SIMULATED:
        plan.said.append(f"{FIRST} uses the backend simulated: it measures nothing. Install an engine to measure")


def _merge(plan: Plan, folder: Path, wanted: Wanted) -> None:
    """Change the user config that is there, its comments left in place, or say what to change."""
    if not wanted.settings:
        return
    try:
        text = (folder / CONFIG_FILE).read_text(encoding="utf-8-sig")
        plan.config = merged_text(text, wanted.settings)
    except (NotMergedError, FileError):
        lines = [f"  {name}: {scalar(value)}" for name, value in wanted.settings.items()]
        plan.said += [f"{CONFIG_FILE} was left as it is: change in it yourself", *lines]
    except OSError as error:
        raise InputError(f"{folder / CONFIG_FILE} cannot be read: {error.strerror}") from None


def _asked(question: str, default: str, parse: Callable[[str], _T]) -> _T:
    """An answer; a wrong one is told why, and asked for again."""

    def parsed(text: str) -> _T:
        try:
            return parse(text)
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    answer: _T = click.prompt(question, default=default, value_proc=parsed, show_default=bool(default), err=True)
    return answer


def _there(path: Path) -> bool:
    return os.path.lexists(path)
