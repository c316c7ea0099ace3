"""Every setting of the user config is applied: one proof for each, and none may be missing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.campaign.settings import Settings
from orchestrator.dispatch import containerised
from orchestrator.dispatch.base import Attempt
from orchestrator.dispatch.containerised import ComposeDispatcher
from orchestrator.dispatch.local import LocalDispatcher
from orchestrator.execution.attempts import Bench
from orchestrator.execution.campaigns import dispatcher_for
from orchestrator.execution.readiness import ready
from orchestrator.execution.single import run_experiment
from orchestrator.system.config import CONFIG_FILE, UserConfig
from orchestrator.system.project import Project, find_project
from runners.contract.paths import AttemptName
from tests.builders import campaign

Proof = Callable[[Path, pytest.MonkeyPatch], None]
PROOFS: dict[str, Proof] = {}


def proves(*names: str) -> Callable[[Proof], Proof]:
    def kept(proof: Proof) -> Proof:
        PROOFS.update(dict.fromkeys(names, proof))
        return proof

    return kept


def project(folder: Path, text: str) -> Project:
    folder.mkdir(exist_ok=True)
    (folder / CONFIG_FILE).write_text(text)
    return find_project(folder)


@pytest.mark.parametrize("name", UserConfig.model_fields)
def test_each_setting_is_applied(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert name in PROOFS, f"nothing proves that {name} does anything: add a proof to this file"
    PROOFS[name](tmp_path, monkeypatch)


def simulated_run(folder: Path, text: str) -> Path:
    """The folder of a run, carried out for real."""
    done = run_experiment(
        "simulated",
        "any/model",
        workload={"prompts": 1, "output_tokens": 2},
        measurement={"warmup": {"iterations": 0}},
        project=project(folder, text),
    )
    return done.folder


@proves("results_dir")
def _results(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = simulated_run(folder / "p", "results_dir: ../elsewhere\n")
    assert run.is_relative_to(folder / "elsewhere" / "adhoc")
    assert not (folder / "p" / "results").exists()


@proves("cpu_tdp_w")
def _cpu_tdp(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = json.loads((simulated_run(folder, "cpu_tdp_w: 65.5\n") / "request.json").read_text())
    assert request["measurement"]["cpu_tdp_w"] == 65.5
    of_file = campaign(folder, measurement={"cpu_tdp_w": 90.0})
    assert bench(folder, "cpu_tdp_w: 65.5\n", of_file).measurement.cpu_tdp_w == 90.0


@proves("dispatch")
def _dispatch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("local", "compose"):
        chosen = dispatcher_for(campaign(folder), project(folder, f"dispatch: {name}\n"))
        assert chosen.dispatching.dispatcher == name
    assert isinstance(
        dispatcher_for(campaign(folder), project(folder, "dispatch: compose\n"), "local"), LocalDispatcher
    )


@proves("container_strategy")
def _strategy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = project(folder, "dispatch: compose\ncontainer_strategy: persistent\n")
    assert dispatcher_for(campaign(folder), found).dispatching.container_strategy == "persistent"
    chosen = dispatcher_for(campaign(folder), found, None, "ephemeral")
    assert chosen.dispatching.container_strategy == "ephemeral"


class Engine:
    """Containers and compose, as a dispatcher sees them; the real ones are tried in tests/docker."""

    environment: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.up: list[str] = []
        self.removed: list[str] = []
        monkeypatch.setattr(containerised.containers, "state_of", lambda _: "running" if self.up else None)
        monkeypatch.setattr(containerised.containers, "id_of", lambda _: str(len(self.up)))
        monkeypatch.setattr(containerised.containers, "remove", self.removed.append)
        monkeypatch.setattr(containerised, "replace", lambda compose, **_: compose)

    def for_run(self, *_: object) -> Engine:
        return self

    def call(self, *arguments: str, environment: object) -> None:
        self.up.append(arguments[-1])

    def start(self, *_: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["true"])


def persistent(folder: Path, text: str, engine: Engine) -> ComposeDispatcher:
    settings = f"dispatch: compose\ncontainer_strategy: persistent\n{text}"
    made = dispatcher_for(campaign(folder), project(folder, settings))
    assert isinstance(made, ComposeDispatcher)
    made._services = cast("Any", engine)
    return made


@proves("warmup_delay_s")
def _warmup_delay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(monkeypatch)
    dispatcher = persistent(folder, "warmup_delay_s: 3000\n", engine)
    works_in = folder / "results" / "base" / "attempts" / "e.c001.a1"
    works_in.mkdir(parents=True)
    attempt = Attempt(AttemptName("e", 1, 1), works_in, "simulated", "base", 1, ())
    first, second = dispatcher.start(attempt), dispatcher.start(attempt)
    assert first.age_s < -1000
    assert not first.wait(0.0)
    assert second.age_s >= 0, "only a container that just came up is left alone"
    first.stop()
    assert len(engine.removed) == 1


@proves("auto_teardown")
def _auto_teardown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(monkeypatch)
    persistent(folder, "auto_teardown: false\n", engine).close()
    assert engine.removed == []
    persistent(folder, "", engine).close()
    assert len(engine.removed) == 1


def bench(folder: Path, text: str, of: Any = None) -> Bench:
    found = project(folder, text)
    of = of or campaign(folder)
    return ready(of, found, dispatcher_for(of, found, "local"))


@proves("gaps", "failures", "notify")
def _settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them reach those who act on them; a campaign file goes before."""
    other: dict[str, dict[str, Any]] = {
        "gaps": {"experiment_s": 1.5, "cycle_s": 2.5, "until_cool": True},
        "failures": {"retries": 7, "backoff_s": 3.5, "breaker": None, "breaker_pause_s": 4.5, "breaker_probes": 9},
        "notify": {"webhook_url": "https://e.org/x", "on_complete": False, "on_failure": False},
    }
    for section, info in Settings.model_fields.items():
        assert other[section].keys() == info.annotation.model_fields.keys()  # type: ignore[union-attr]
    assert bench(folder, json.dumps(other)).settings.model_dump() == other
    of = campaign(folder, gaps={"cycle_s": 0})
    assert bench(folder, json.dumps(other), of).settings.gaps.model_dump() == {**other["gaps"], "cycle_s": 0.0}


@proves("ask_above_hours", "ask_above_kwh", "ask_above_download_gb")
def _limits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read; what is asked is tried where it is asked."""
    text = "ask_above_hours: 0.5\nask_above_kwh: 0\nask_above_download_gb: 2.5\n"
    config = project(folder, text).config
    assert (config.ask_above_hours, config.ask_above_kwh, config.ask_above_download_gb) == (0.5, 0.0, 2.5)
