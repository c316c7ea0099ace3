import math
from collections.abc import Iterator

import numpy as np
import pytest

from orchestrator.analysis.interval import interval_of
from tests.bench.stats import __main__ as bench
from tests.bench.stats.harness import NOISES, Claim, Noise, made_group, seeded


@pytest.mark.parametrize(
    ("seen", "holds"), [(0.95, True), (0.93, True), (0.9299, False), (0.9701, False), (math.nan, False)]
)
def test_a_claim_holds_within_its_bounds(seen: float, holds: bool) -> None:
    claim = Claim("coverage", seen, 0.93, 0.97)
    assert claim.holds is holds
    assert ("**missed**" in str(claim)) is not holds


def test_a_figure_without_bounds_is_shown_and_held_to_nothing() -> None:
    assert Claim("runs needed", 12.5, share=False).holds
    assert str(Claim("runs needed", 12.5, share=False)) == "| runs needed | 12.5 | – |  |"


def test_a_missed_claim_fails_the_bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def claims() -> Iterator[Claim]:
        yield Claim("held", 0.95, 0.93)
        yield Claim("not held", 0.90, 0.93)

    monkeypatch.setattr(bench, "parts", lambda: {"made": claims})
    assert bench.main([]) == 1
    assert "1 claim missed" in capsys.readouterr().out
    assert bench.main(["other"]) == 2


def test_every_simulation_is_found() -> None:
    assert {"interval", "drift", "within", "summary"} <= set(bench.parts())


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
def test_noise_has_the_moments_that_are_claimed(noise: Noise) -> None:
    drawn = noise(seeded("moments"), (200_000,))
    assert drawn.mean() == pytest.approx(0, abs=0.02)
    assert drawn.std() == pytest.approx(1, abs=0.1)


def test_a_seed_depends_on_its_words_alone() -> None:
    assert seeded("a", 1).random() == seeded("a", 1).random() != seeded("a", 2).random()


def test_a_made_group_has_a_run_a_cycle() -> None:
    frame = made_group("one", np.array([1.0, 2.0, 3.0]), first_cycle=2).frame
    assert list(frame["cycle"]) == [2, 3, 4]
    assert frame["ttft_s.p95"].isna().all()


@pytest.mark.parametrize("cycles", [5, 20])
def test_intervals_hold_the_truth_about_as_often_as_they_say(cycles: int) -> None:
    """In short; ``make bench-stats`` in full."""
    values = np.exp(0.03 * NOISES["normal"](seeded("short", cycles), (400, cycles)))
    found = [interval for row in values if (interval := interval_of(row))]
    assert 0.91 < np.mean([interval.low <= 1 <= interval.high for interval in found]) < 0.98
