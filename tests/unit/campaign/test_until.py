"""``until:`` in campaign files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from orchestrator.campaign.json_schema import campaign_schema
from orchestrator.campaign.load import campaign_from_mapping, load_campaign
from orchestrator.campaign.until import Until
from orchestrator.errors import FileError
from orchestrator.execution.inventory import look_into

BASE: dict[str, Any] = {"name": "base", "model": "org/m", "backends": {"simulated": {"batch_size": [1, 2]}}}
UNTIL = {"metric": "energy_per_output_token_j", "relative_half_width": 0.02, "min_cycles": 4, "max_cycles": 30}
VALIDATOR = jsonschema.Draft202012Validator(campaign_schema())


def refused(**changes: Any) -> list[tuple[str | None, str, str | None]]:
    with pytest.raises(FileError) as caught:
        campaign_from_mapping({**BASE, **changes})
    return [(issue.field, issue.message, issue.hint) for issue in caught.value.issues]


def test_it_says_how_often_in_place_of_cycles() -> None:
    file = campaign_from_mapping({**BASE, "until": UNTIL}).file
    assert file.until == Until(**UNTIL)  # type: ignore[arg-type]
    assert file.most_cycles == 30
    assert campaign_from_mapping({**BASE, "cycles": 7}).file.most_cycles == 7
    assert str(file.until) == "energy_per_output_token_j is known to ± 2 %"


def test_beside_cycles_it_is_refused() -> None:
    declared = {**BASE, "cycles": 3, "until": UNTIL}
    assert refused(cycles=3, until=UNTIL) == [
        ("cycles", "stands beside until, which says how often itself", "leave one of them out")
    ]
    assert not VALIDATOR.is_valid(declared)
    assert VALIDATOR.is_valid({**BASE, "until": UNTIL})


def test_null_is_as_if_it_were_not_there() -> None:
    declared = {**BASE, "cycles": 3, "until": None}
    assert campaign_from_mapping(declared).file.most_cycles == 3
    assert VALIDATOR.is_valid(declared)


@pytest.mark.parametrize(
    ("change", "field", "told"),
    [
        ({"metric": "energy_per_outptu_token_j"}, "until.metric", "did you mean 'energy_per_output_token_j'?"),
        ({"metric": "ttft_s"}, "until.metric", "ttft_s."),
        ({"metric": 3}, "until.metric", ""),
        ({"relative_half_width": 0}, "until.relative_half_width", ""),
        ({"relative_half_width": 2}, "until.relative_half_width", ""),
        ({"min_cycles": 2}, "until.min_cycles", ""),
        ({"max_cycles": 1_000_001}, "until.max_cycles", ""),
        ({"half_width": 0.1}, "until.half_width", "did you mean 'relative_half_width'?"),
    ],
)
def test_what_is_wrong_is_named_by_its_place_and_so_by_the_schema(
    change: dict[str, Any], field: str, told: str
) -> None:
    ((place, _, hint),) = refused(until={**UNTIL, **change})
    assert place == field
    assert told in (hint or "")
    assert not VALIDATOR.is_valid({**BASE, "until": {**UNTIL, **change}})


def test_the_least_cannot_be_more_than_the_most() -> None:
    ((place, message, _),) = refused(until={**UNTIL, "min_cycles": 31})
    assert (place, message) == ("until", "min_cycles 31 is more than max_cycles 30")


def test_too_many_runs_are_told_by_the_most_that_there_can_be() -> None:
    until = {**UNTIL, "max_cycles": 1_000_000}
    backends = {"simulated": {"batch_size": {"min": 1, "max": 20}}}
    ((_, message, _),) = refused(until=until, backends=backends)
    assert message == "declares 20,000,000 runs, and at most 10,000,000 are taken"


def test_a_file_that_extends_another_changes_single_keys_of_it(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("until: {metric: ttft_s.p95, relative_half_width: 0.1, max_cycles: 9}\n")
    (tmp_path / "own.yaml").write_text(
        "extends: base.yaml\nname: own\nmodel: org/m\nbackends: {simulated: {}}\nuntil: {relative_half_width: 0.05}\n"
    )
    assert load_campaign(tmp_path / "own.yaml").file.until == Until(
        metric="ttft_s.p95", relative_half_width=0.05, min_cycles=5, max_cycles=9
    )


def test_one_experiment_that_is_repeated_until_it_is_known_is_a_campaign(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "name: own\nmodel: org/m\nbackends: {simulated: {}}\nuntil: {metric: load_s, relative_half_width: 0.1}"
    )
    entry = look_into(path)
    assert (entry.kind, entry.cycles, entry.right) == ("campaign", 60, True)
