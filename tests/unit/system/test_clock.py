"""This machine's zone, with its summer time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.errors import InputError
from orchestrator.system.clock import local_zone

ZONES = Path("/usr/share/zoneinfo")
here = pytest.mark.skipif(not (ZONES / "Europe/Berlin").exists(), reason="this machine has no zones")


def offsets(environ: dict[str, str], localtime: Path) -> list[timedelta | None]:
    zone = local_zone(environ, localtime)
    return [datetime(2026, month, 1, 12, tzinfo=UTC).astimezone(zone).utcoffset() for month in (1, 7)]


BERLIN = [timedelta(hours=1), timedelta(hours=2)]


@here
def test_the_machines_zone_as_a_link_and_as_a_copy(tmp_path: Path) -> None:
    link, copy = tmp_path / "link", tmp_path / "copy"
    link.symlink_to(ZONES / "Europe/Berlin")
    copy.write_bytes((ZONES / "Europe/Berlin").read_bytes())
    assert offsets({}, link) == offsets({}, copy) == BERLIN
    assert str(local_zone({}, link)) == "Europe/Berlin"


@here
@pytest.mark.parametrize(
    "named", ["Europe/Berlin", ":Europe/Berlin", f"{ZONES}/Europe/Berlin", f":{ZONES}/Europe/Berlin"]
)
def test_tz_names_another(named: str, tmp_path: Path) -> None:
    assert offsets({"TZ": named}, tmp_path / "none") == BERLIN


def test_no_zone_is_utc(tmp_path: Path) -> None:
    nothing = [timedelta(0), timedelta(0)]
    assert offsets({}, tmp_path / "none") == offsets({"TZ": ""}, tmp_path / "none") == nothing


@pytest.mark.parametrize(
    "named", ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "CET-1CEST,M3.5.0,M10.5.0/3", "\ud800"]
)
def test_what_is_no_zone_is_refused(named: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no time zone that is known here"):
        local_zone({"TZ": named}, tmp_path / "none")
