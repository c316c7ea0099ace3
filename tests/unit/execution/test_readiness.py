"""What keeps a campaign from being started on a machine, before anything is started or written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.campaign.axes import Grid
from orchestrator.campaign.schema import Dispatching
from orchestrator.dispatch.local import LocalDispatcher
from orchestrator.errors import FileError, InputError, MachineError
from orchestrator.execution import readiness
from orchestrator.execution.readiness import argument_issues, campaign_issues, ready
from orchestrator.system.config import UserConfig
from orchestrator.system.project import Project
from runners.contract.description import Description, Engine, EngineField
from runners.contract.options import OPTIONS
from runners.contract.request import Gpu
from tests.builders import campaign

SAID = Description(
    contract_version=3,
    backend="vllm",
    options_sha256="0",
    engine=Engine(version="vllm 9", fields={"engine_args": {"block_size": EngineField(type="int")}}),
)


@dataclass
class Describing:
    """A dispatcher as far as it is asked what a backend says of itself."""

    said: Description | None
    asked: list[tuple[str, bool]] = field(default_factory=list)

    def description(self, backend: str, *, ask: bool = True) -> Description | None:
        self.asked.append((backend, ask))
        return self.said


def passing(monkeypatch: pytest.MonkeyPatch, **arguments: object) -> None:
    """Whatever the campaign, it passes these arguments on to vLLM."""
    grid = Grid((), "vllm", ("org/model",), (), (("engine_args", (arguments,)),))
    monkeypatch.setattr(readiness, "resolve_grids", lambda _: ([grid], []))


def test_too_few_gpus_are_refused_unless_forced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OPTIONS["vllm"], "MODULES", ("json",))
    wanting = campaign(tmp_path, backends={"vllm": {"tensor_parallel_size": 2}})
    assert [issue.severity for issue in campaign_issues(wanting)] == ["error"]
    project = Project(tmp_path, UserConfig())
    dispatcher = LocalDispatcher(["vllm"], tmp_path / "attempts")
    with pytest.raises(FileError, match="works on 2 GPUs"):
        ready(wanting, project, dispatcher)
    assert not project.results.exists()
    assert ready(wanting, project, dispatcher, force=True).campaign == wanting


def test_an_engine_is_asked_only_if_something_is_passed_on_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    dispatcher = Describing(SAID)
    assert argument_issues(campaign(), dispatcher) == []  # type: ignore[arg-type]
    assert dispatcher.asked == []
    passing(monkeypatch, block_size=16)
    assert argument_issues(campaign(), dispatcher) == []  # type: ignore[arg-type]
    assert dispatcher.asked == [("vllm", True)]


def test_what_it_does_not_know_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    passing(monkeypatch, blok_size=16)
    (issue,) = argument_issues(campaign(), Describing(SAID))  # type: ignore[arg-type]
    assert (issue.severity, issue.field) == ("error", "backends.vllm.engine_args.blok_size")


def test_where_it_may_not_be_asked_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    passing(monkeypatch, blok_size=16)
    dispatcher = Describing(None)
    (issue,) = argument_issues(campaign(), dispatcher, ask=False)  # type: ignore[arg-type]
    assert issue.severity == "warning"
    assert "passed on to vllm are checked before the first run, not now" in issue.message
    assert dispatcher.asked == [("vllm", False)]


def test_here_an_engine_that_is_broken_is_refused_when_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('no libcudart')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    dispatcher = LocalDispatcher(["pytorch"], tmp_path)
    assert dispatcher.description("pytorch", ask=False) is None
    with pytest.raises(MachineError, match="has no engine that works: ImportError: no libcudart"):
        dispatcher.description("pytorch")


def gpus(*names: str) -> list[Gpu]:
    return [Gpu(index=index, uuid=f"GPU-{index}", name=name) for index, name in enumerate(names)]


@pytest.mark.parametrize(
    ("named", "present", "wanted", "slots"),
    [
        (None, gpus(*["H200"] * 4), 1, 4),
        ([0, 1], gpus(*["H200"] * 4), 1, 2),
        (None, gpus(*["H200"] * 5), 2, 2),
        (None, gpus(*["H200"] * 2), 2, 1),
    ],
)
def test_as_many_at_once_as_there_are_sets_of_gpus(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    named: list[int] | None,
    present: list[Gpu],
    wanted: int,
    slots: int,
) -> None:
    monkeypatch.setattr(OPTIONS["vllm"], "MODULES", ("json",))
    monkeypatch.setattr(readiness, "list_gpus", lambda: present)
    monkeypatch.setattr(readiness, "visible_gpus", lambda *_: None)
    declared = campaign(
        tmp_path, backends={"vllm": {"tensor_parallel_size": wanted}}, parallel="per-gpu", gpus=named, cycles=4
    )
    bench = ready(declared, Project(tmp_path, UserConfig()), LocalDispatcher(["vllm"], tmp_path / "attempts"))
    assert bench.slots == slots
    assert len(bench.gpus) == len(named or present)


@pytest.mark.parametrize("present", [[], gpus("H200", "H200")], ids=["no GPU", "none that is simulated"])
def test_several_at_once_need_gpus_to_be_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, present: list[Gpu]
) -> None:
    monkeypatch.setattr(readiness, "list_gpus", lambda: present)
    declared = campaign(tmp_path, parallel="per-gpu")
    with pytest.raises(MachineError, match="get no GPU here"):
        ready(declared, Project(tmp_path, UserConfig()), LocalDispatcher(["simulated"], tmp_path / "attempts"))


def test_several_at_once_share_no_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "list_gpus", lambda: gpus("Simulated H100", "Simulated H100"))
    dispatcher = LocalDispatcher(["simulated"], tmp_path / "attempts")
    dispatcher.dispatching = Dispatching("compose", "persistent")
    declared = campaign(tmp_path, parallel="per-gpu", gpus=[0, 1], cycles=2)
    with pytest.raises(InputError, match="persistent container"):
        ready(declared, Project(tmp_path, UserConfig()), dispatcher)
