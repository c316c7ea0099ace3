"""failures.md: why a run may give no result."""

from __future__ import annotations

from collections.abc import Iterator

from runners.contract.failures import FAILURES
from runners.contract.paths import EXIT_CODES


def failures() -> Iterator[str]:
    """The page."""
    yield "# Failures of a run\n"
    yield "A run that gives no result has failed in one of these ways. That is recorded in the manifest, with words of"
    yield "the case at hand in `failure.json` of its attempt, and the campaign goes on. `orchestrate status NAME` shows"
    yield "what became of each run, `orchestrate resume NAME` tries failed ones again. Where the results themselves can"
    yield "no longer be written, the campaign stops.\n"
    yield "A kind that may pass by itself is tried again by the campaign. One that tells of an ailing machine counts"
    yield "for the circuit breaker. [Failures in a campaign](../how-to/failures.md) tells how.\n"
    yield "The exit code is that of a runner (`docker compose run`, `python -m runners`); kinds without one are judged"
    yield "by the host.\n"
    yield "| kind | exit code | meaning | what to do | tried again | counts for the breaker |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for kind, explained in FAILURES.items():
        again, counts = ("yes" if marked else "no" for marked in (explained.passing, explained.ailing))
        code = EXIT_CODES.get(kind, "–")
        yield f"| `{kind.value}` | {code} | {explained.meaning} | {explained.hint} | {again} | {counts} |"
