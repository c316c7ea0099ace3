"""What keeps a campaign from being started on a machine, before anything is started or written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.campaign.axes import Grid
from orchestrator.dispatch.local import LocalDispatcher
from orchestrator.errors import FileError, MachineError
from orchestrator.execution import readiness
from orchestrator.execution.readiness import argument_issues, campaign_issues, ready
from orchestrator.system.config import UserConfig
from orchestrator.system.project import Project
from runners.contract.description import Description, Engine, EngineField
from runners.contract.options import OPTIONS
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
