"""The local dispatcher with real processes: what it starts it can end, whatever they do against it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from orchestrator.dispatch import local, processes
from orchestrator.dispatch.base import Attempt
from orchestrator.dispatch.local import LocalAttempt, LocalDispatcher, runner_argv, runner_environment
from orchestrator.errors import MachineError
from runners.contract.options import OPTIONS
from runners.contract.paths import ENV_ATTEMPT, REQUEST, AttemptName
from runners.contract.request import Gpu

_T = TypeVar("_T")

NAME = AttemptName("simulated-model-1-0123456789abcdef", 1, 1)
ATTEMPTS = Path("/nowhere/attempts")
NOBODY = AttemptName("simulated-model-1-0123456789abcdef", 2, 1)

CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
# A runner that ignores SIGTERM and has two children that do too, one of them in a session of its own.
STUBBORN = f"""
import json, os, pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
children = [
    subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdout=subprocess.PIPE, start_new_session=away)
    for away in (False, True)
]
for child in children:
    child.stdout.readline()
folder = pathlib.Path(sys.argv[-1]).parent
(folder / "pids.new").write_text(json.dumps([os.getpid(), *(child.pid for child in children)]))
(folder / "pids.new").rename(folder / "pids")
"""
STAYS = STUBBORN + "time.sleep(60)\n"


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(look: Callable[[], _T], deadline_s: float = 20) -> _T:
    end_s = time.monotonic() + deadline_s
    while not (found := look()):
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.01)
    return found


def pids(folder: Path) -> list[int]:
    until((folder / "pids").exists)
    return json.loads((folder / "pids").read_text())


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[Attempt]:
    folder = tmp_path / "attempts" / str(NAME)
    folder.mkdir(parents=True)
    yield Attempt(NAME, folder, "simulated", "base", 3, ())
    for _, process in [found for found in processes.marks() if found[1] == str(folder)]:
        process.kill()


@pytest.fixture
def run_instead(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    monkeypatch.setattr(local, "STOP_GRACE_S", 0.2)

    def replace(script: str) -> None:
        monkeypatch.setattr(local, "runner_argv", lambda python, _, request: [python, "-c", script, str(request)])

    return replace


def test_the_command_line_names_the_request_and_nothing_else(attempt: Attempt) -> None:
    request = attempt.folder / REQUEST
    assert runner_argv("python", "vllm", request) == ["python", "-m", "runners", "vllm", "--request", str(request)]


def test_a_secret_travels_in_the_environment_only(attempt: Attempt) -> None:
    notices = {"ORCHESTRATE_WEBHOOK_URL": "https://host/token", "ORCHESTRATE_WEBHOOK_SECRET": "hush"}
    environment = runner_environment(attempt, {"HF_TOKEN": "hf_secret", "PATH": "/bin", **notices})
    assert environment["HF_TOKEN"] == "hf_secret"
    assert environment["PATH"] == "/bin"
    assert not environment.keys() & notices.keys()
    assert "hf_secret" not in " ".join(runner_argv("python", attempt.backend, attempt.folder / REQUEST))


@pytest.mark.parametrize(("uuids", "visible"), [((), ""), (("GPU-b",), "GPU-b"), (("GPU-b", "GPU-a"), "GPU-b,GPU-a")])
def test_a_runner_sees_the_gpus_it_was_given_only(attempt: Attempt, uuids: tuple[str, ...], visible: str) -> None:
    gpus = tuple(Gpu(index=index, uuid=uuid, name="GPU") for index, uuid in enumerate(uuids))
    given = Attempt(NAME, attempt.folder, "simulated", "base", 3, gpus)
    inherited = {"CUDA_VISIBLE_DEVICES": "0,1,2,3"}
    assert runner_environment(given, inherited)["CUDA_VISIBLE_DEVICES"] == visible


def test_the_environment_carries_the_campaigns_context(attempt: Attempt) -> None:
    assert runner_environment(attempt, {}) == {
        "ORCHESTRATE_ATTEMPT": str(attempt.folder),
        "ORCHESTRATE_CAMPAIGN_ID": "base",
        "ORCHESTRATE_CAMPAIGN_NAME": "base",
        "ORCHESTRATE_CYCLE": "1",
        "ORCHESTRATE_CYCLES": "3",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONSAFEPATH": "1",
    }


@pytest.mark.parametrize(
    ("script", "code"), [("pass", 0), ("raise SystemExit(12)", 12), ("import os; os.kill(os.getpid(), 9)", -9)]
)
def test_exit_codes(attempt: Attempt, run_instead: Callable[[str], None], script: str, code: int) -> None:
    run_instead(script)
    live = LocalDispatcher([], ATTEMPTS).start(attempt)
    assert until(lambda: live.wait(5))
    assert live.ending().exit_code == code
    assert live.wait(0)


def test_what_a_runner_says_before_it_opens_its_own_log_is_in_there_too(
    attempt: Attempt, run_instead: Callable[[str], None]
) -> None:
    run_instead(
        "import pathlib, sys\n"
        "print('lost')\n"
        "pathlib.Path(sys.argv[-1]).with_name('runner.log').open('a').write('its own\\n')\n"
        "print('cannot start', file=sys.stderr)\n"
        "sys.stdin.read()\n"
    )
    assert LocalDispatcher([], ATTEMPTS).start(attempt).wait(20)
    assert (attempt.folder / "runner.log").read_text() == "its own\ncannot start\n"
    assert not (attempt.folder / "events.jsonl").exists()


def test_a_gentle_stop_lets_the_runner_say_goodbye(
    attempt: Attempt, run_instead: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_instead(
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))\n"
        "(pathlib.Path(sys.argv[-1]).parent / 'ready').touch()\n"
        "time.sleep(60)"
    )
    monkeypatch.setattr(local, "STOP_GRACE_S", 20)
    live = LocalDispatcher([], ATTEMPTS).start(attempt)
    until((attempt.folder / "ready").exists)
    live.stop()
    assert live.ending().exit_code == 130


def test_stop_ends_a_tree_that_ignores_sigterm_and_moves_away(
    attempt: Attempt, run_instead: Callable[[str], None]
) -> None:
    run_instead(STAYS)
    live = LocalDispatcher([], ATTEMPTS).start(attempt)
    tree = pids(attempt.folder)
    assert all(map(is_alive, tree))
    live.stop()
    assert not any(map(is_alive, tree))
    assert live.ending().exit_code == -9
    live.stop()


def test_what_a_runner_leaves_behind_ends_with_it(attempt: Attempt, run_instead: Callable[[str], None]) -> None:
    run_instead(STUBBORN)
    live = LocalDispatcher([], ATTEMPTS).start(attempt)
    _, *children = pids(attempt.folder)
    assert live.wait(20)
    assert live.ending().exit_code == 0
    assert not any(map(is_alive, children))


def test_a_runner_whose_orchestrator_was_killed_is_found_and_stopped(
    attempt: Attempt, run_instead: Callable[[str], None]
) -> None:
    run_instead("")
    orchestrator = (
        "import os, pathlib, sys\n"
        "from orchestrator.dispatch import local\n"
        "from orchestrator.dispatch.base import Attempt\n"
        "from runners.contract.paths import parse_attempt_name\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "local.runner_argv = lambda python, _, request: [python, '-c', sys.argv[2], str(request)]\n"
        "attempt = Attempt(parse_attempt_name(folder.name), folder, 'simulated', 'base', 3, ())\n"
        "local.LocalDispatcher([], attempt.folder.parent).start(attempt)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", orchestrator, attempt.folder, STAYS], check=False)
    tree = pids(attempt.folder)

    (found,) = LocalDispatcher([], ATTEMPTS).find_live(attempt.folder.parent)
    assert found.name == NAME
    assert not found.wait(0.05)
    assert found.age_s < 60
    found.stop()
    assert found.ending().exit_code is None
    assert not any(map(is_alive, tree))
    assert LocalDispatcher([], ATTEMPTS).find_live(attempt.folder.parent) == []


def test_one_found_alive_has_ended_even_if_nobody_reaps_it(attempt: Attempt) -> None:
    careless = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', ''])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", careless], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        found = LocalAttempt(NAME, attempt.folder, psutil.Process(int(parent.stdout.readline())))
        try:
            assert until(lambda: found.wait(0.05))
            assert found.ending().exit_code is None
        finally:
            parent.kill()


def test_remains_of_a_dead_runner_are_ended_even_one_that_leads_a_session(attempt: Attempt) -> None:
    environment = {**os.environ, ENV_ATTEMPT: str(attempt.folder)}
    argv = [sys.executable, "-c", STUBBORN, str(attempt.folder / REQUEST)]
    subprocess.run(argv, env=environment, check=True, start_new_session=True)
    leader, *children = pids(attempt.folder)
    assert not is_alive(leader)
    assert all(map(is_alive, children))

    assert LocalDispatcher([], ATTEMPTS).find_live(attempt.folder.parent) == []
    assert not any(map(is_alive, children))


def test_a_child_that_cleaned_its_environment_is_ended_with_its_group(attempt: Attempt) -> None:
    careless = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], env={})\n"
        "print(child.pid, flush=True)\n"
    )
    argv = [sys.executable, "-c", careless]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True) as runner:
        assert runner.stdout
        child = int(runner.stdout.readline())
        assert LocalAttempt(NAME, attempt.folder, psutil.Process(runner.pid), runner).wait(10)
    assert until(lambda: not is_alive(child))


def test_others_are_left_alone(attempt: Attempt, tmp_path: Path) -> None:
    elsewhere = tmp_path / "other" / "attempts" / str(NOBODY)
    environment = {**os.environ, ENV_ATTEMPT: str(elsewhere)}
    argv = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(argv, env=environment, start_new_session=True) as other:
        until(lambda: any(mark == str(elsewhere) for _, mark in processes.marks()))
        assert LocalDispatcher([], ATTEMPTS).find_live(attempt.folder.parent) == []
        own = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
        LocalAttempt(NAME, attempt.folder, psutil.Process(own.pid), own).stop()
        assert other.poll() is None
        other.kill()


def test_a_backend_that_is_not_installed_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OPTIONS["pytorch"], "MODULES", ("no_such_engine", "json"))
    with pytest.raises(MachineError, match="pytorch needs no_such_engine, not installed here") as caught:
        LocalDispatcher(["simulated", "pytorch"], ATTEMPTS).check([])
    assert "pip install" in (caught.value.hint or "")
    LocalDispatcher(["simulated"], ATTEMPTS).check([])


def test_its_own_processes_are_the_runner_and_whatever_it_started(
    attempt: Attempt, run_instead: Callable[[str], None]
) -> None:
    """Also a child in a session of its own; but not we, nor one that is not there."""
    run_instead(STAYS)
    live = LocalDispatcher([], ATTEMPTS).start(attempt)
    runner, child, away = pids(attempt.folder)
    assert live.owned([runner, child, away, os.getpid(), os.getppid(), 2**22 + 1]) == {runner, child, away}
    live.stop()
