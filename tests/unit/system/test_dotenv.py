from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.system.dotenv import COMMENT, complete, entries
from tests.unit.system.docker_states import use_real_engine

WANTED = {"PUID": "1000", "PGID": "1001"}
ADDED = f"{COMMENT}\nPUID=1000\nPGID=1001\n"

SET = {
    "PUID=5\n": "5",
    "PUID=5": "5",
    "  PUID=5\n": "5",
    "PUID = 5\n": "5",
    "export PUID=5\n": "5",
    "\texport\tPUID=5\n": "5",
    "PUID='5'\n": "5",
    'PUID="5" # mine\n': "5",
    "PUID=5 # mine\n": "5",
    "PUID=5\r\nOTHER=x\r\n": "5",
    "PUID: 5\n": "5",
    "PUID=\n": "",
    "PUID=4\nPUID=5\n": "5",
    "\ufeffPUID=5\n": "5",
    "TEXT='two\nlines'\nPUID=5\n": "5",
    "# don't\nPUID=5\n": "5",
}


@pytest.mark.parametrize("text", SET)
def test_a_key_that_is_set_stays_as_it_is(text: str) -> None:
    assert entries(text)["PUID"] == SET[text]
    done = complete(text, WANTED)
    assert done.startswith(text)
    assert done.count("PUID") == text.count("PUID")
    assert entries(done) == {**entries(text), "PGID": "1001"}


@pytest.mark.parametrize("text", [text for text, value in SET.items() if value])
def test_compose_reads_it_as_we_do(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_real_engine(monkeypatch)
    monkeypatch.delenv("PUID", raising=False)
    (tmp_path / "compose.yaml").write_text("services: {a: {image: 'a:${PUID}-${PGID}'}}\n")
    (tmp_path / ".env").write_bytes(complete(text, WANTED).encode())
    argv = ["docker", "compose", "config", "--format", "json"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, check=True)
    assert json.loads(done.stdout)["services"]["a"]["image"] == f"a:{SET[text]}-1001"


@pytest.mark.parametrize(
    "text",
    [
        "# PUID=5\n",
        "#PUID=5\n",
        "MY_PUID=5\nPUID_2=5\n",
        "TEXT='two\nPUID=5\nlines'\n",
        'TEXT="two \\"\nPUID=5\nlines"\n',
        "TEXT=x PUID=5\n",
        "puid=5\n",
    ],
)
def test_what_only_looks_like_the_key_does_not_set_it(text: str) -> None:
    assert "PUID" not in entries(text)
    assert complete(text, WANTED) == text + ADDED


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("", ADDED),
        ("A=1", "A=1\n" + ADDED),
        ("A=1\n\n", "A=1\n\n" + ADDED),
        ("A=1\r\n", "A=1\r\n" + ADDED.replace("\n", "\r\n")),
        ("A=1\r\nB=2", "A=1\r\nB=2\r\n" + ADDED.replace("\n", "\r\n")),
        ("PGID=7\n", f"PGID=7\n{COMMENT}\nPUID=1000\n"),
        ("PUID\nPGID=7\n", "PUID\nPGID=7\n"),
        ("PUID\r\nPGID=7", "PUID\r\nPGID=7"),
    ],
)
def test_what_is_missing_is_appended_under_one_comment(text: str, completed: str) -> None:
    assert complete(text, WANTED) == completed


@given(st.text(st.sampled_from(list("AP=:'\"\\# \t\r\n\ufeffé0")) | st.characters(), max_size=60))
def test_any_text_is_left_whole_and_completed_once(text: str) -> None:
    done = complete(text, WANTED)
    assert done.startswith(text)
    assert complete(done, WANTED) == done
