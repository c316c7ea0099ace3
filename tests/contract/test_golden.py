"""What was written once must be read for ever. Never change a golden file; a new version adds its own."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator.campaign.expand import Funnel, expand
from orchestrator.errors import InputError
from orchestrator.report.tables import run_details, summary
from orchestrator.results.frozen import thaw
from orchestrator.results.reading import load_result, read_failure, read_host_report
from orchestrator.results.table import as_table
from runners.contract.host import HOST_SCHEMA_VERSION, HostReport
from runners.contract.identity import canonical_json, experiment_from
from runners.contract.paths import CAMPAIGN, CONTRACT_VERSION, FAILURE, HOST, RESULT, FailureKind
from runners.contract.request import Experiment, RunRequest
from runners.contract.result import SCHEMA_VERSION, RunResult
from runners.contract.upgrade import upgraded_request, upgraded_result
from tests.builders import experiment, identity

GOLDEN = Path(__file__).parent / "golden"
RESULTS = sorted(GOLDEN.glob("result*.json"))
REQUESTS = sorted(GOLDEN.glob("request*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_a_result_of_every_version_ever_written_is_read_and_shown(path: Path) -> None:
    result = load_result(path)
    assert summary(as_table(Path("golden"), [result])).rows
    assert len(run_details(result)) == 4


def test_there_is_a_golden_result_and_request_of_this_version() -> None:
    assert any(path.name.endswith(f".v{SCHEMA_VERSION}.json") for path in RESULTS)
    assert any(path.name.endswith(f".v{CONTRACT_VERSION}.json") for path in REQUESTS)


def test_a_result_means_what_it_meant() -> None:
    result = load_result(GOLDEN / "result.v1.json")
    assert (result.cycle, result.attempt, result.verdict, result.energy_method) == (2, 3, "good", "nvml")
    assert (result.energy_j, result.energy_low_j, result.energy_high_j) == (1024.0, 1000.0, 1050.0)
    assert result.experiment.model == "demo:smollm2-135m"
    assert result.experiment.options.batch_size == 8
    assert result.started_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert result.ttft_s is not None
    assert result.ttft_s.p99 == 0.04
    assert [check.passed for check in result.checks] == [True, False]
    assert [mark.phase for mark in result.marks][-2:] == ["window", "teardown"]
    assert result.files["counters.parquet"].size_bytes == 10


@pytest.mark.parametrize("version", [1, 2])
def test_what_was_not_measured_stays_unmeasured(version: int) -> None:
    result = load_result(GOLDEN / f"result-unmeasured.v{version}.json")
    assert (result.energy_j, result.ttft_s, result.memory_peak_bytes, result.throttle) == (None, None, None, None)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_reading_and_writing_loses_nothing(path: Path, tmp_path: Path) -> None:
    result = load_result(path)
    (tmp_path / RESULT).write_text(result.model_dump_json())
    assert load_result(tmp_path) == result
    declared = upgraded_result(json.loads(path.read_text()))
    assert kept_of(result.model_dump(mode="json"), declared) == declared


def kept_of(found: Any, declared: Any) -> Any:
    """What was declared, as far as it is found again; fields that only a later version has are left out."""
    if isinstance(declared, dict) and isinstance(found, dict):
        return {name: kept_of(value, declared[name]) for name, value in found.items() if name in declared}
    if isinstance(declared, list) and isinstance(found, list) and len(declared) == len(found):
        return [kept_of(one, other) for one, other in zip(found, declared, strict=True)]
    return found


@pytest.mark.parametrize(
    ("golden", "model"),
    [
        (f"result.v{SCHEMA_VERSION}.json", RunResult),
        (f"request.v{CONTRACT_VERSION}.json", RunRequest),
        (f"host.v{HOST_SCHEMA_VERSION}.json", HostReport),
    ],
)
def test_the_golden_file_of_this_version_says_something_of_every_field(golden: str, model: type[BaseModel]) -> None:
    assert said_nothing_of(json.loads((GOLDEN / golden).read_text()), model) == set()


def said_nothing_of(document: dict[str, Any], model: type[BaseModel]) -> set[str]:
    """The fields that a document leaves out, those of the models in it included."""
    missing = {f"{model.__name__}.{name}" for name in model.model_fields if name not in document}
    for name, value in model.model_validate_json(json.dumps(document)):
        for part, declared in zip(*map(listed, (value, document.get(name))), strict=False):
            if isinstance(part, BaseModel):
                missing |= said_nothing_of(declared, type(part))
    return missing


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def changed(name: str, to: Path, **changes: Any) -> Path:
    to.write_text(json.dumps({**json.loads((GOLDEN / name).read_text()), **changes}))
    return to


def test_a_result_of_the_second_version_means_what_it_meant() -> None:
    result = load_result(GOLDEN / "result.v2.json")
    assert (result.energy_basis, result.energy_period_s, result.energy_periods, result.rounds) == (
        "counter",
        0.1,
        128.0,
        4,
    )
    assert sum(gpu.energy_j or 0 for gpu in result.gpus) == result.energy_j == 6400.0
    assert result.baseline_power_w == sum(gpu.baseline_power_w or 0 for gpu in result.gpus)
    assert result.baseline is not None
    assert result.baseline.seen_power_w is not None
    assert [source.kind for source in result.sources] == ["gpu", "gpu", "cpu", "machine"]
    assert (result.sources[0].power_limit_w, result.sources[0].resolution_j) == (875.0, 0.001)
    assert (result.warmup.cv, result.warmup.converged) == (0.0144, True)
    assert [check.hint is None for check in result.checks] == [check.passed for check in result.checks]


def test_a_result_of_the_fourth_version_says_how_it_was_run_and_an_older_one_is_silent() -> None:
    result = load_result(GOLDEN / "result.v4.json")
    assert (result.order, result.concurrency_on_host) == ("interleaved", 2)
    assert result.gap is not None
    assert (result.gap.between, result.gap.duration_s, result.gap.ended_by) == ("cycles", 21.5, "cool")
    assert result.cold_start is False
    assert result.cold_start_steps is not None
    assert "stayed in the page cache" in (result.cold_start_steps.why_not or "")
    assert [(said.source, said.level, said.count) for said in result.engine_messages] == [
        ("torch", "warning", 2),
        ("vllm", "error", 1),
    ]
    older = load_result(GOLDEN / "result.v3.json")
    assert (older.cold_start_steps, older.gap, older.order) == (None, None, None)
    assert older.engine_messages == []


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("host*.json")), ids=lambda path: path.name)
def test_what_the_host_saw_is_read_in_every_version(path: Path, tmp_path: Path) -> None:
    (tmp_path / HOST).write_text(path.read_text())
    report = read_host_report(tmp_path)
    assert report is not None
    assert [other.pid for other in report.others] == [4711]
    assert len(report.neighbours) == (path.name == "host.v2.json")


def test_a_newer_result_is_refused_whatever_else_is_in_it(tmp_path: Path) -> None:
    newer = changed("result.v1.json", tmp_path / RESULT, schema_version=SCHEMA_VERSION + 1, energy_j="moved", new=1)
    with pytest.raises(InputError, match=f"schema version {SCHEMA_VERSION + 1}, and this program knows") as caught:
        load_result(newer)
    assert "update orchestrate" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"energy_total_j": 1.0}, "energy_total_j"),
        ({"warmup": {"iterations": 1, "durations_s": [], "x": 1}}, "warmup.x"),
    ],
)
def test_an_unknown_field_is_refused_by_name(change: dict[str, Any], named: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f": {named}: "):
        load_result(changed("result.v1.json", tmp_path / RESULT, **change))


@pytest.mark.parametrize("field", [*json.loads((GOLDEN / "result.v1.json").read_text())])
def test_a_field_that_is_missing_is_named_unless_it_has_a_default(field: str, tmp_path: Path) -> None:
    declared = json.loads((GOLDEN / "result.v1.json").read_text())
    del declared[field]
    (tmp_path / RESULT).write_text(json.dumps(declared))
    optional = {
        "schema_version",
        "cold_start",
        "concurrency_on_host",
        "baseline_power_w",
        "energy_adjusted_j",
        "flops",
        "flops_method",
    }
    if field in optional:
        load_result(tmp_path)
    else:
        with pytest.raises(InputError, match=rf": {field}: "):
            load_result(tmp_path)


def test_a_failure_is_read(tmp_path: Path) -> None:
    failure = read_failure(GOLDEN / "failure.v1.json")
    assert failure is not None
    assert (failure.kind, failure.hint) == (FailureKind.OUT_OF_MEMORY, "lower batch_size")
    assert read_failure(changed("failure.v1.json", tmp_path / FAILURE, schema_version=2)) is None


def test_a_request_of_every_version_ever_written_is_carried_out_as_it_was_meant() -> None:
    for path in REQUESTS:
        written = upgraded_request(json.loads(path.read_text()))
        request = RunRequest.model_validate_json(json.dumps(written))
        assert kept_of(request.model_dump(mode="json"), written) == written
        assert request.experiment_id == identity(request.experiment)


def test_a_request_of_the_first_version_asks_for_what_was_done_then() -> None:
    written = json.loads((GOLDEN / "request.v1.json").read_text())
    request = RunRequest.model_validate(upgraded_request(written))
    assert (request.image_digest, request.baseline, request.experiment.workload.prompts) == (None, None, 16)
    assert (request.measurement.baseline_s, request.measurement.loaded_idle_s) == (0.0, 0.0)
    assert (request.measurement.warmup.iterations, request.measurement.min_window_s) == (1, None)
    silent = RunRequest.model_validate(upgraded_request({**written, "measurement": {}}))
    assert silent.measurement.warmup.iterations == 1
    assert json.loads((GOLDEN / "request.v1.json").read_text()) == written


@pytest.mark.parametrize(("version", "experiments"), [(1, 25), (2, 25)])
def test_a_frozen_campaign_expands_into_the_experiments_it_was_frozen_with(version: int, experiments: int) -> None:
    frozen = thaw(GOLDEN / f"campaign.v{version}.json")
    funnel = Funnel()
    identities = [planned.experiment_id for planned in expand(frozen.campaign, funnel)]
    assert funnel.experiments == frozen.experiments == experiments
    digest = hashlib.sha256("".join(f"{name}\n" for name in identities).encode()).hexdigest()
    assert digest == frozen.experiments_sha256


def test_what_a_campaign_was_before_its_file_changed_is_read_too() -> None:
    (earlier,) = thaw(GOLDEN / "campaign.v2.json").earlier
    before = thaw(GOLDEN / "campaign.v1.json")
    assert (earlier.campaign, earlier.experiments_sha256) == (before.campaign, before.experiments_sha256)
    assert before.revision == 0


@pytest.mark.parametrize(
    ("change", "named"),
    [({"schema_version": 3}, "schema_version"), ({"surprise": 1}, "surprise"), ({"campaign": {}}, "file")],
)
def test_a_campaign_that_cannot_be_understood_is_refused(change: dict[str, Any], named: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"is not a frozen campaign: .*{named}") as caught:
        thaw(changed("campaign.v1.json", tmp_path / CAMPAIGN, **change))
    assert "another version" in (caught.value.hint or "")


PINNED = {
    "simulated-model-1-dfe81dbd9b7613dc": experiment(),
    "simulated-model-8-ce67deca53e908d3": experiment(batch_size=8, spread=0.1, power_w=5),
    "simulated-mine-1-f4a4f32c8cd8a477": experiment("simulated", "./models/mine", {"input_tokens": 7}),
    "pytorch-model-bfloat16-1-ea036cc2fcf21ff8": experiment("pytorch"),
    "pytorch-smollm2-135m-float32-8-487c234278334601": experiment(
        "pytorch",
        "demo:smollm2-135m",
        {"prompts": 16, "input_tokens": 32, "output_tokens": 32},
        dtype="float32",
        batch_size=8,
    ),
    "pytorch-bfloat16-1-01e71d24c47d3c8f": experiment(
        "pytorch",
        "org/é",
        {"dataset": "p.jsonl", "dataset_sha256": "ab" * 32},
        do_sample=True,
        temperature=0.7,
        top_k=5,
    ),
}
"""An experiment_id names folders of results: were it to change, every campaign begun would start anew."""


@pytest.mark.parametrize("pinned", PINNED)
def test_experiment_ids_never_change(pinned: str) -> None:
    assert identity(PINNED[pinned]) == pinned


def test_canonical_json_of_the_first_version_is_read() -> None:
    canonical = (
        '{"model":"org/model","model_sha256":null,'
        '"options":{"backend":"simulated","batch_size":1,"fail":null,"fail_attempts":null,'
        '"load_s":0.0,"power_w":100.0,"spread":0.05,"tokens_per_s":1000.0},"version":1,"workload":{"column":"prompt",'
        '"dataset":"builtin","dataset_sha256":null,"input_tokens":null,"output_tokens":64,"prompts":32,"split":"train"}}'
    )
    read: Experiment = experiment_from(canonical)
    assert read == experiment()
    assert canonical_json(read) == canonical
