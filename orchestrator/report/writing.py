"""The report and its main chart as files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from orchestrator.errors import InputError
from orchestrator.files import write_durably
from orchestrator.report.answers import ALL, Answers, Asked, answers_of
from orchestrator.report.charts.drawing import as_png, as_svg
from orchestrator.report.markdown import as_markdown
from orchestrator.report.page.answering import charts_of
from orchestrator.report.page.document import as_html
from orchestrator.system.project import Project

Form = Literal["html", "markdown"]
NAMES: Final[dict[Form, str]] = {"html": "report.html", "markdown": "report.md"}
_PICTURES: Final = (".png", ".svg")


def form_of(wanted: Form | None, target: Path | None) -> Form:
    """The form that was asked for, or that the file's name tells; HTML else."""
    told: Form = "markdown" if target and target.suffix.lower() in (".md", ".markdown") else "html"
    return wanted or told


def check_target(target: Path, endings: tuple[str, ...] = ()) -> None:
    """See that a file can be there, before anything is computed for it.

    Raises:
        InputError: its folder is not there, it is a folder, or its name does not end as it has to.
    """
    if endings and target.suffix.lower() not in endings:
        raise InputError(f"{target} has to end in {' or '.join(endings)}", hint="its ending says what is drawn")
    if target.is_dir():
        raise InputError(f"{target} is a folder", hint="name a file in it")
    if not target.parent.is_dir():
        raise InputError(f"there is no folder {target.parent}", hint="make it first, or name another file")


def check_picture(target: Path) -> None:
    """The same for a picture.

    Raises:
        InputError: likewise.
    """
    check_target(target, _PICTURES)


def write_report(
    campaign: str | Path,
    target: str | Path,
    asked: Asked = ALL,
    *,
    form: Form | None = None,
    picture: str | Path | None = None,
    project: Project | None = None,
) -> Answers:
    """Write what a campaign tells as one file, and give it back as data.

    >>> write_report("quickstart", "quickstart.html")      # doctest: +SKIP

    Args:
        campaign: its name, or the path of its results folder.
        target: the file.
        asked: what about.
        form: of it; None: Markdown where the file's name ends so, else HTML.
        picture: where to draw the main chart too: a ``.png`` or ``.svg`` file.
        project: where a name is looked for; found from the current folder if not given.

    Raises:
        InputError: there is no such campaign, or what is asked for is not in it; or a file cannot be there.
    """
    target, picture = Path(target), Path(picture) if picture is not None else None
    check_target(target)
    if picture is not None:
        check_picture(picture)
    answers = answers_of(campaign, asked, project=project)
    if picture is not None:
        write_picture(answers, picture)
    write_durably(target, rendered(answers, form_of(form, target), target, picture))
    return answers


def rendered(answers: Answers, form: Form, target: Path | None = None, picture: Path | None = None) -> str:
    """The report as text.

    Args:
        answers: what it tells.
        form: of it.
        target: the file it is for; None: none, so links begin at the current folder.
        picture: of the main chart, which Markdown links to.
    """
    if form == "html":
        return as_html(answers)
    beside = target.parent if target else Path()
    return as_markdown(answers, quote(os.path.relpath(picture, beside)) if picture else None)


def write_picture(answers: Answers, target: Path) -> None:
    """Draw the main chart into a PNG or an SVG file.

    Raises:
        InputError: there is nothing to draw.
    """
    chart = next((chart for chart in charts_of(answers) if chart.marks), None)
    if chart is None:
        raise InputError(
            f"campaign {answers.campaign} has nothing to draw", hint="`orchestrate report` without --chart says why"
        )
    if target.suffix.lower() == ".svg":
        write_durably(target, as_svg(chart))
    else:
        target.write_bytes(as_png(chart))
