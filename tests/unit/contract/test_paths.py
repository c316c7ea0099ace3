from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.contract import paths
from runners.contract.paths import AttemptName, cycle_name, parse_attempt_name, parse_cycle_name, short_run_id

_identities = st.from_regex(r"[a-z0-9][a-z0-9-]{0,70}", fullmatch=True)


@given(st.integers(1, 10**7))
def test_cycle_names_come_back(cycle: int) -> None:
    assert parse_cycle_name(cycle_name(cycle)) == cycle


@given(st.builds(AttemptName, _identities, st.integers(1, 10**6), st.integers(1, 10**6)))
def test_attempt_names_come_back(name: AttemptName) -> None:
    assert parse_attempt_name(str(name)) == name


@given(st.one_of(st.text(), st.from_regex(r"[a-z0-9-]{1,8}\.c\d{1,5}\.a\d{1,3}", fullmatch=True)))
def test_no_two_folders_stand_for_one_attempt(name: str) -> None:
    parsed = parse_attempt_name(name)
    assert parsed is None or str(parsed) == name


@pytest.mark.parametrize(
    "name", ["c1", "c01", "c0001", "C001", "c001 ", "c001\n", "c-01", "c\u0660\u0660\u0661", "", "001", "c001.a1"]
)
def test_names_of_no_cycle(name: str) -> None:
    assert parse_cycle_name(name) is None


@pytest.mark.parametrize(
    "name", ["x.c001", "x.c001.a", ".c001.a1", "X.c001.a1", "x.c0001.a1", "x.c001.a01", "a/x.c001.a1", "x.c001.a1.tmp"]
)
def test_names_of_no_attempt(name: str) -> None:
    assert parse_attempt_name(name) is None


def test_short_names_keep_the_head_of_the_hash() -> None:
    assert short_run_id("simulated-model-1-141eef4badd90907", 3) == "141eef4b.c003"


def test_every_kind_but_the_hosts_own_has_an_exit_code_of_its_own() -> None:
    codes = paths.EXIT_CODES
    judged_by_the_host = {
        paths.FailureKind.TIMEOUT,
        paths.FailureKind.SILENT,
        paths.FailureKind.CRASHED,
        paths.FailureKind.INVALID_RESULT,
    }
    assert set(paths.FailureKind) - set(codes) == judged_by_the_host
    assert len(set(codes.values())) == len(codes)
    assert all(code not in (0, 1) and not re.search("[^0-9]", str(code)) for code in codes.values())
