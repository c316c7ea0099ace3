"""What an attempt is given from earlier runs, and what is kept of it for later ones."""

from __future__ import annotations

import json
import platform
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.campaign.settings import Settings
from orchestrator.dispatch.local import LocalDispatcher
from orchestrator.execution.attempts import Bench, Published, follow, prepare
from orchestrator.results import baselines
from orchestrator.results.baselines import Baselines
from orchestrator.results.folders import CampaignFolder
from runners.contract.baseline import baseline_machine
from runners.contract.host import NO_OTHER_PROCESS
from runners.contract.options.vllm import VllmOptions
from runners.contract.paths import CACHES, HOST, REQUEST, RESULT, AttemptName
from runners.contract.request import Experiment, Gpu, Measurement, RunRequest
from tests.builders import campaign, experiment, finished_attempt, identity
from tests.unit.fakes import FakeAttempt

OF = experiment()
NAME = AttemptName(identity(OF), 1, 1)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(baselines, "_boot_id", lambda: "boot")
    folder = CampaignFolder(tmp_path / "results" / "base")
    folder.make()
    dispatcher = LocalDispatcher(["simulated"], folder.attempts)
    return Bench(campaign(tmp_path), folder, dispatcher, (), Measurement(), Baselines(tmp_path), Settings())


def completed(bench: Bench, name: AttemptName, **changes: Any) -> None:
    """A run that measured a baseline, published."""
    folder = finished_attempt(bench.folder, name)
    report = {
        "power_w": {"package-0": 31.0},
        "machine": baseline_machine(platform.node(), "boot", {"package-0": None}),
        "measured_at": datetime.now(UTC).isoformat(),
        "duration_s": 10.0,
        "age_s": 0.0,
    }
    result = json.loads((folder / RESULT).read_text())
    (folder / RESULT).write_text(json.dumps({**result, "baseline": report, **changes}))
    outcome = follow(bench, FakeAttempt(name), OF, lambda _: None, lambda: False)
    assert isinstance(outcome, Published)


def given(bench: Bench, name: AttemptName) -> RunRequest:
    bench.folder.attempt_folder(name).mkdir()
    prepare(bench, name, OF, order_index=0)
    return RunRequest.model_validate_json((bench.folder.attempt_folder(name) / REQUEST).read_bytes())


def test_the_first_run_is_given_no_baseline_and_the_second_that_of_the_first(bench: Bench) -> None:
    assert given(bench, NAME._replace(attempt=7)).baseline is None
    completed(bench, NAME)
    found = given(bench, NAME._replace(cycle=2)).baseline
    assert found is not None
    assert found.power_w == {"package-0": 31.0}


def test_a_baseline_measured_beside_somebody_else_is_not_passed_on(bench: Bench) -> None:
    check = {"name": NO_OTHER_PROCESS, "passed": False, "severity": "critical", "observed": "process 1", "hint": None}
    completed(bench, NAME, checks=[check])
    assert given(bench, NAME._replace(cycle=2)).baseline is None


def test_on_the_cpu_nobody_watches_gpus(bench: Bench) -> None:
    completed(bench, NAME)
    assert not (bench.folder.run_folder(NAME.experiment_id, 1) / HOST).exists()


GPUS = tuple(Gpu(index=index, uuid=f"GPU-{index}", name="H200") for index in (3, 1, 2))


@pytest.mark.parametrize(
    ("of", "indices"),
    [
        (experiment("pytorch"), [3]),
        (experiment("pytorch", device="cpu"), []),
        (experiment("vllm", tensor_parallel_size=2), [3, 1]),
        (experiment("simulated"), []),
    ],
)
def test_an_attempt_gets_the_gpus_that_it_works_on(bench: Bench, of: Experiment, indices: list[int]) -> None:
    name = AttemptName(identity(of), 1, 1)
    bench.folder.attempt_folder(name).mkdir()
    attempt = prepare(replace(bench, gpus=GPUS), name, of, order_index=0)
    request = RunRequest.model_validate_json((attempt.folder / REQUEST).read_bytes())
    assert [gpu.index for gpu in attempt.gpus] == [gpu.index for gpu in request.gpus] == indices


def test_an_attempt_is_told_where_a_model_lies_that_an_option_names(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option is one that names no model otherwise."""
    monkeypatch.setattr(VllmOptions, "MODEL_FIELDS", ("dtype",))
    (tmp_path / "lora").mkdir()
    (tmp_path / "lora" / "adapter_config.json").write_text("{}")
    options = VllmOptions.model_construct(dtype="./lora")
    of = experiment("vllm").model_copy(update={"options": options, "input_sha256": {"dtype": "0" * 64}})
    bench.folder.attempt_folder(NAME).mkdir()
    with warnings.catch_warnings(action="ignore"):  # pydantic's, of a value that such an option cannot have
        prepare(bench, NAME, of, order_index=0)
    request = json.loads((bench.folder.attempt_folder(NAME) / REQUEST).read_text())
    assert request["option_paths"] == {"dtype": str(tmp_path / "lora")}


def test_caches_of_a_cold_start_that_was_killed_are_removed(bench: Bench) -> None:
    caches = bench.folder.attempt_folder(NAME) / CACHES / "triton_cache_dir"
    caches.mkdir(parents=True)
    (caches / "kernel.so").touch()
    outcome = follow(bench, FakeAttempt(NAME), OF, lambda _: None, lambda: False)
    assert not isinstance(outcome, Published)
    assert [path.name for path in bench.folder.attempt_folder(NAME).iterdir()] == ["failure.json"]


def test_whether_an_attempt_measures_as_the_campaign_does_now(bench: Bench, tmp_path: Path) -> None:
    given(bench, NAME)
    assert bench.measures_as(NAME)
    told = bench.measurement.model_copy(update={"cpu_tdp_w": 65.0})
    assert replace(bench, measurement=told).measures_as(NAME), "what the user config tells of the machine"
    assert not replace(bench, measurement=bench.measurement.model_copy(update={"baseline_s": 3.0})).measures_as(NAME)
    for changed in ({"seed": 7}, {"force_cold_start": True}):
        assert not replace(bench, campaign=campaign(tmp_path, **changed)).measures_as(NAME)
    (bench.folder.attempt_folder(NAME) / REQUEST).write_text("{}")
    assert bench.measures_as(NAME), "nothing speaks against it"
