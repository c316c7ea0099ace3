from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.system.doctor import engines
from orchestrator.system.doctor.engines import Engine, backends, find_engine
from orchestrator.system.doctor.finding import Status
from runners.contract.options import OPTIONS


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that the backend pytorch is said to need, empty at first."""
    monkeypatch.setattr(OPTIONS["pytorch"], "MODULES", ("an_engine",))
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    file = folder / "an_engine.py"
    file.touch()
    return file


def status_of(engine: Engine) -> Status:
    (finding,) = backends({"pytorch": engine})
    return finding.status


def test_the_real_engine() -> None:
    pytest.importorskip("torch", reason="the engine is not installed here")
    engine = find_engine("pytorch")
    assert engine.versions.keys() == {"torch", "transformers"}
    assert engine.versions["torch"][0].isdigit()
    assert (engine.missing, engine.error) == ((), None)
    assert status_of(engine) is Status.OK


def test_a_backend_without_an_engine_needs_nothing() -> None:
    assert find_engine("simulated") == Engine()
    (finding,) = backends({"simulated": Engine()})
    assert finding.status is Status.OK


def test_an_engine_that_is_not_installed(module: Path) -> None:
    module.unlink()
    engine = find_engine("pytorch")
    assert engine == Engine(missing=("an_engine",))
    (finding,) = backends({"pytorch": engine})
    assert finding.status is Status.MISSING
    assert "an_engine not installed" in finding.seen
    assert finding.advice.startswith("pip install")


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("raise ImportError('libcudart.so.12: cannot open')", "ImportError: libcudart.so.12: cannot open"),
        ("def broken(", "SyntaxError"),
        ("import a_module_that_is_missing", "ModuleNotFoundError"),
        ("import os; os.kill(os.getpid(), 11)", "killed by signal 11"),
        ("import os; os._exit(0)", "it says nothing"),
        ("import sys; sys.exit('no licence')", "no licence"),
    ],
)
def test_an_engine_that_is_installed_and_broken(source: str, error: str, module: Path) -> None:
    module.write_text(source)
    engine = find_engine("pytorch")
    assert error in str(engine.error)
    assert status_of(engine) is Status.BROKEN


def test_an_engine_that_never_ends_its_import(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_IMPORT_S", 0.5)
    module.write_text("import time; time.sleep(60)")
    assert find_engine("pytorch").error == "importing it takes longer than 0.5 s"


def test_an_engine_that_prints_is_understood(module: Path) -> None:
    module.write_text(
        "import atexit; print('hello', end=''); atexit.register(print, '{}'); __version__ = '1.2'; print('ÿ')"
    )
    assert find_engine("pytorch").versions == {"an_engine": "1.2"}
    assert not (module.parent / "__pycache__").exists()


def test_nothing_is_imported_from_the_current_folder(module: Path) -> None:
    module.write_text("__version__ = '1'")
    Path("json.py").write_text("raise SystemExit('imported')")
    assert find_engine("pytorch").versions == {"an_engine": "1"}
