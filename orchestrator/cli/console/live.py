"""The live view: lines that stay, above a bar and what is at work, which are drawn anew four times a second."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from orchestrator.cli.console.at_work import AtWork
from orchestrator.cli.console.terminal import fitted, fitted_end, hanging
from orchestrator.cli.console.words import PlainLines
from orchestrator.execution.events import CampaignEvent
from orchestrator.execution.preflight.estimate import duration

_SHORTEST_BAR = 10
_LONGEST_BAR = 40
_SPARED_LINES = 4
"""Of the terminal's height, for what stays above."""


class LiveLines(PlainLines):
    """The lines that stay, above what moves."""

    counts_down = True

    def __init__(self, console: Console, *, verbose: bool) -> None:
        super().__init__(verbose=verbose)
        self._console = console
        self._at_work = AtWork()
        # transient: nothing of it stays once the campaign has ended.
        self._live = Live(_View(self._at_work), console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> LiveLines:
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, event: CampaignEvent) -> None:
        """Print what stays of an event, and take in what changes the rest."""
        # Not before the first event: until then a question may be asked.
        self._live.start()
        super().show(event)
        self._at_work.heed(event)

    def _print(self, line: str) -> None:
        self._console.print(hanging(line))


class _View:
    def __init__(self, at_work: AtWork) -> None:
        self._at_work = at_work

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # One column is left free: a terminal that writes into its last one may begin a line by itself.
        width = max(1, options.max_width - 1)
        height = max(2, console.height - _SPARED_LINES)
        yield _bar(self._at_work, width, ascii_only=options.ascii_only)
        pauses = [Text(fitted(f"  {line}", width)) for line in self._at_work.pauses()]
        live = self._at_work.live()
        room = max(1, height - 1 - min(len(pauses), height // 2))
        shown = live if len(live) <= room else live[: room - 1]
        for run, doing in shown:
            yield _run_line(run, doing, width)
        if len(live) > len(shown):
            yield Text(fitted(f"  … and {len(live) - len(shown)} more at work", width))
        yield from pauses[: height // 2]


def _run_line(run: str, doing: list[str], width: int) -> Text:
    """A run at work: what it does is shown before all of its name is, whose end tells it from others."""
    tail = f" · {' · '.join(doing)}"
    shortest = min(cell_len(run), 14)
    while len(doing) > 1 and 2 + shortest + cell_len(tail) > width:
        doing = doing[:-1]
        tail = f" · {' · '.join(doing)}"
    return Text(fitted(f"  {fitted_end(run, max(shortest, width - 2 - cell_len(tail)))}{tail}", width))


def _bar(at_work: AtWork, width: int, *, ascii_only: bool) -> Text:
    """How far the campaign is; the narrower the terminal, the less of it is told."""
    most = "≤ " * (at_work.at_most and at_work.done < at_work.runs and not ascii_only)
    parts = [f"{at_work.done}/{most}{at_work.runs} runs", _clock(at_work.elapsed_s)]
    if at_work.left_s is not None:
        parts.append(f"{'at most' if at_work.at_most else 'about'} {duration(at_work.left_s)} left")
    if at_work.energy:
        parts.append(at_work.energy)
    name = fitted(at_work.campaign, max(8, width // 3))
    room = width - cell_len(name) - 2
    while len(parts) > 1 and cell_len(" · ".join(parts)) > room - _SHORTEST_BAR:
        parts.pop()
    told = " · ".join(parts)
    length = min(_LONGEST_BAR, room - cell_len(told))
    if length < 3:
        return Text(fitted(f"{name} {told}", width))
    full, empty = ("#", "-") if ascii_only else ("━", "─")
    filled = length * at_work.done // max(1, at_work.runs)
    return Text.assemble(f"{name} ", (full * filled, "green"), (empty * (length - filled), "bright_black"), f" {told}")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
