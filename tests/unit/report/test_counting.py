from __future__ import annotations

import pytest

from orchestrator.report.counting import counted, percent


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0231, "2.3 %"), (0.27, "27 %"), (0.994, "99 %"), (0.9962, "99.6 %"), (1.0, "100 %"), (12.5, "1,250 %")],
)
def test_a_share_has_two_digits_and_is_never_made_a_whole(share: float, text: str) -> None:
    assert percent(share) == text


def test_a_number_with_what_it_counts() -> None:
    assert [counted(number, "run") for number in (0, 1, 2000)] == ["0 runs", "1 run", "2,000 runs"]
