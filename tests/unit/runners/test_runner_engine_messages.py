"""What engines warn of: told by the formats that they write, counted, and each thing once."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runners import logs
from runners.contract.result import EngineMessage
from runners.engine_messages import Said, merged, told_in
from runners.logs import WarningCollector

WRITTEN = {
    "2026-11-22 18:11:51,378 WARNING vllm.engine.arg_utils: The global random seed is set to 0.": (
        "vllm",
        "warning",
        "The global random seed is set to 0.",
    ),
    "2026-11-22 18:11:51,378 ERROR runners: process 1: Traceback": ("runners", "error", "process 1: Traceback"),
    "(EngineCore_DP0 pid=123) WARNING 11-22 10:00:00 [core.py:12] No plugins": ("vllm", "warning", "No plugins"),
    "ERROR 11-22 10:00:00 [core.py:12] it broke": ("vllm", "error", "it broke"),
    "[W1122 18:11:53.204979054 utils.cpp:41] Warning: numa_migrate_pages failed. errno: 1 (function init)": (
        "torch",
        "warning",
        "Warning: numa_migrate_pages failed. errno: 1 (function init)",
    ),
    "W1122 18:11:52.880000 15 torch/_library/triton.py:53] Triton not available": (
        "torch",
        "warning",
        "Triton not available",
    ),
    "[rank1]:[E1122 18:11:53.204979054 ProcessGroupNCCL.cpp:616] Watchdog caught": (
        "torch",
        "error",
        "Watchdog caught",
    ),
    "[11/22/2026-10:00:00] [TRT-LLM] [W] Using default gpus_per_node: 1": (
        "tensorrt_llm",
        "warning",
        "Using default gpus_per_node: 1",
    ),
    "[TensorRT-LLM][ERROR] Assertion failed": ("tensorrt_llm", "error", "Assertion failed"),
    "host:12:34 [0] NCCL WARN Cuda failure 'invalid argument'": ("nccl", "warning", "Cuda failure 'invalid argument'"),
    "/v/lib/python3.12/site-packages/torch/x.py:12: UserWarning: odd": ("torch", "warning", "UserWarning: odd"),
    "loading 10 %\r loading 99 %\rWARNING 11-22 10:00:00 [a.py:1] late": ("vllm", "warning", "late"),
}


@pytest.mark.parametrize("line", WRITTEN)
def test_a_line_of_each_format_is_told_with_its_source(line: str) -> None:
    assert list(told_in(["an ordinary line", f"{line}\n", '  "warning": true,'])) == [Said(*WRITTEN[line])]


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-22 18:11:51,378 INFO vllm: WARNING: none",
        "the WARNING 11-22 10:00:00 of yesterday",
        "INFO 11-22 10:00:00 [a.py:1] WARNING",
        "",
        "[" * 100_000,
        "(a pid=1) " * 10_000,
    ],
)
def test_other_lines_are_no_messages(line: str) -> None:
    assert list(told_in([line])) == []


def test_what_the_log_has_of_this_process_is_not_said_twice() -> None:
    collected = [EngineMessage(source="vllm", level="warning", text="first line and the rest", count=2)]
    told = [Said("vllm", "warning", "first line")] * 3 + [
        Said("torch", "warning", "new"),
        Said("torch", "warning", "new"),
        Said("vllm", "error", "first line"),
        Said("runners", "warning", "ours"),
        Said("vllm", "warning", ""),
    ]
    assert [(m.source, m.level, m.text, m.count) for m in merged(collected, told)] == [
        ("vllm", "warning", "first line and the rest", 3),
        ("torch", "warning", "new", 2),
        ("vllm", "error", "first line", 1),
    ]


def test_each_line_is_counted_with_the_message_that_it_begins() -> None:
    texts = ["request 1 late", "request 1 late and lost", "request 10 late", "request 2 late"]
    collected = [EngineMessage(source="vllm", level="warning", text=text, count=1) for text in reversed(texts)]
    told = [Said("vllm", "warning", text) for text in (*texts, "request 2 late", "request 3")]
    counts = {message.text: message.count for message in merged(collected, told)}
    assert counts == {**dict.fromkeys(texts, 1), "request 2 late": 2, "request 3": 1}


def record(name: str, level: int, text: str) -> logging.LogRecord:
    return logging.LogRecord(name, level, "f", 1, text, None, None)


def test_messages_have_a_source_a_level_and_a_count_and_ours_stay_warnings(tmp_path: Path) -> None:
    collector = WarningCollector()
    for _ in range(3):
        collector.handle(record("transformers.generation", logging.WARNING, "flags\nare ignored"))
    collector.handle(record("torch.distributed", logging.CRITICAL, "lost"))
    collector.handle(record("runners", logging.WARNING, "the baseline does not hold"))
    log = tmp_path / "runner.log"
    log.write_text("WARNING 11-22 10:00:00 [a.py:1] of a child\n")
    assert [m.model_dump() for m in collector.messages(log)] == [
        {"source": "transformers", "level": "warning", "text": "flags are ignored", "count": 3},
        {"source": "torch", "level": "error", "text": "lost", "count": 1},
        {"source": "vllm", "level": "warning", "text": "of a child", "count": 1},
    ]
    assert collector.own() == ["runners: the baseline does not hold"]
    assert len(collector.messages(tmp_path / "gone")) == 2


def test_a_record_that_cannot_be_formatted_does_no_harm_to_who_wrote_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger = logging.getLogger("careless")
    logger.propagate = False
    logger.addHandler(collector := WarningCollector())
    try:
        logger.warning("%d tokens", "many")
        logger.warning("sound")
    finally:
        logger.removeHandler(collector)
    assert [message.text for message in collector.messages(Path("none"))] == ["sound"]


def test_a_flood_is_cut_and_said_to_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    collector = WarningCollector()
    for number in range(5000):
        collector.handle(record("torch", logging.WARNING, f"step {number} is slow"))
    assert len(collector._counts) == 1000
    with caplog.at_level(logging.WARNING, "runners"):
        assert len(collector.messages(tmp_path / "runner.log")) == 50
    assert "950 further messages" in caplog.text


def test_a_secret_in_the_log_of_a_child_does_not_reach_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    log = tmp_path / "runner.log"
    log.write_bytes(b"\xff\xfe\nERROR 11-22 10:00:00 [a.py:1] 401 with hf_secret\n" + b"x" * 5)
    (message,) = WarningCollector().messages(log)
    assert message.text == "401 with [HF_TOKEN]"


LOUD = """
import logging, os, sys
from runners.logs import configure, warnings_only
collector = configure(echo=1)
engine = logging.getLogger("vllm.engine")
engine.info("told while loading %s", "hf_secret")
engine.debug("too much")
logging.getLogger("runners").debug("ours in detail")
with warnings_only():
    engine.info("told in the window")
    engine.warning("wrong in the window")
engine.info("told after it")
print("verbosity", os.environ["TRANSFORMERS_VERBOSITY"], file=sys.stderr)
"""


def test_the_log_has_what_engines_say_but_in_the_window_only_what_is_wrong(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOUD],
        capture_output=True,
        text=True,
        check=True,
        env={name: value for name, value in os.environ.items() if name != "TRANSFORMERS_VERBOSITY"}
        | {"HF_TOKEN": "hf_secret"},
    )
    said = [line.partition(" ")[2].partition(" ")[2] for line in done.stderr.splitlines()[:-1]]
    assert said == [
        "INFO vllm.engine: told while loading [HF_TOKEN]",
        "DEBUG runners: ours in detail",
        "WARNING vllm.engine: wrong in the window",
        "INFO vllm.engine: told after it",
    ]
    assert done.stderr.splitlines()[-1] == "verbosity info"
    assert done.stdout == "warning: wrong in the window\n", "a person is told of what is wrong, and of what we say"


def test_logging_is_as_it_was_after_a_window_that_failed() -> None:
    with pytest.raises(ValueError), logs.warnings_only():
        raise ValueError
    assert logging.root.manager.disable == logging.NOTSET
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("runners.test")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.info("heard")
    logger.removeHandler(handler)
    assert stream.getvalue() == "heard\n"
