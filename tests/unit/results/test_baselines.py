from __future__ import annotations

import json
import platform
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.results import baselines as module
from orchestrator.results.baselines import BASELINES, Baselines
from runners.contract.baseline import baseline_machine
from runners.contract.result import BaselineReport

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOUR_S = 3600.0


@pytest.fixture(autouse=True)
def boot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_boot_id", lambda: "boot")


def report(*names: str, **changes: Any) -> BaselineReport:
    declared = {
        "power_w": {"gpu:GPU-a": 80.0},
        "machine": baseline_machine(platform.node(), "boot", dict.fromkeys(names or ("gpu:GPU-a",), 700.0)),
        "measured_at": NOW,
        "duration_s": 10.0,
        "age_s": 0.0,
    }
    return BaselineReport(**{**declared, **changes})


def test_what_one_run_measured_the_next_is_given(tmp_path: Path) -> None:
    cache = Baselines(tmp_path)
    assert cache.find(["GPU-a"], HOUR_S, NOW) is None
    cache.keep(report())
    found = Baselines(tmp_path).find(["GPU-a"], HOUR_S, NOW)
    assert found is not None
    assert (found.power_w, found.measured_at, found.duration_s) == ({"gpu:GPU-a": 80.0}, NOW, 10.0)
    assert cache.find(["GPU-b"], HOUR_S, NOW) is None
    assert cache.find([], HOUR_S, NOW) is None


@pytest.mark.parametrize(
    ("age_s", "max_age_s", "given"), [(0, 0, True), (10, 10, True), (11, 10, False), (-1, 10, False), (1, 0, False)]
)
def test_it_is_given_until_it_is_too_old(age_s: float, max_age_s: float, given: bool, tmp_path: Path) -> None:
    cache = Baselines(tmp_path)
    cache.keep(report())
    assert (cache.find(["GPU-a"], max_age_s, NOW + timedelta(seconds=age_s)) is not None) == given


def test_a_newer_one_takes_the_place_of_an_older_one_and_not_the_other_way_round(tmp_path: Path) -> None:
    cache = Baselines(tmp_path)
    for minutes in (0, 2, 1):
        cache.keep(report(measured_at=NOW + timedelta(minutes=minutes), power_w={"gpu:GPU-a": float(minutes)}))
    found = cache.find(["GPU-a"], HOUR_S, NOW + timedelta(minutes=3))
    assert found is not None
    assert found.power_w == {"gpu:GPU-a": 2.0}
    assert len(json.loads((tmp_path / BASELINES).read_text())["baselines"]) == 1


@pytest.mark.parametrize("none", [None, report(age_s=60.0)], ids=["none", "of an earlier run"])
def test_what_this_run_did_not_measure_is_not_kept(none: BaselineReport | None, tmp_path: Path) -> None:
    Baselines(tmp_path).keep(none)
    assert not (tmp_path / BASELINES).exists()


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"schema_version": 9, "baselines": []}']
)
def test_a_broken_file_is_as_none_and_is_replaced(content: bytes, tmp_path: Path) -> None:
    (tmp_path / BASELINES).write_bytes(content)
    cache = Baselines(tmp_path)
    assert cache.find(["GPU-a"], HOUR_S, NOW) is None
    cache.keep(report())
    assert cache.find(["GPU-a"], HOUR_S, NOW) is not None


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for number in range(module._KEPT + 3):
        Baselines(tmp_path).keep(report(f"gpu:GPU-{number}", measured_at=NOW + timedelta(seconds=number)))
    later = NOW + timedelta(minutes=5)
    found = [Baselines(tmp_path).find([f"GPU-{number}"], HOUR_S, later) for number in range(module._KEPT + 3)]
    assert [one is None for one in found] == [True] * 3 + [False] * module._KEPT


def test_several_orchestrators_lose_nothing_of_each_other(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: Baselines(tmp_path).keep(report(f"gpu:GPU-{number}")), range(24)))
    assert all(Baselines(tmp_path).find([f"GPU-{number}"], HOUR_S, NOW) for number in range(24))


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = Baselines(tmp_path / "file")
    cache.keep(report())
    assert cache.find(["GPU-a"], HOUR_S, NOW) is None
