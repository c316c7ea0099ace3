"""What engines and the libraries below them warn of: records of this process, and what others left in the log.

Engines' further processes and libraries in C++ write to standard error, which is the log. Their lines are told by the
formats in which vLLM, PyTorch, TensorRT-LLM, NCCL and Python write; what has none of these is in the log alone.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

from runners.contract.result import EngineMessage

OURS: Final = "runners"
"""The source of what this package warns of."""
MOST_CHARACTERS: Final = 500

Level = Literal["warning", "error"]


class Said(NamedTuple):
    """One thing said once."""

    source: str
    level: Level
    text: str


_RANK: Final = r"(?:\[rank\d+\]:\s*)?(?:\([\w ]+ pid=\d+\) )?"
_FORMATS: Final[tuple[tuple[str | None, re.Pattern[str]], ...]] = (
    # Ours, of a process that an engine forked or of a worker of our own.
    (None, re.compile(r"[\d-]{10} [\d:]{8},\d{3} (?P<level>WARNING|ERROR|CRITICAL) (?P<source>[\w.]+): (?P<text>.*)")),
    ("vllm", re.compile(_RANK + r"(?P<level>WARNING|ERROR|CRITICAL) [\d-]{5} [\d:]{8} (?:\[[^\]]*\] )?(?P<text>.*)")),
    # Of its C++ with brackets around, of its own loggers in Python without.
    (
        "torch",
        re.compile(_RANK + r"\[?(?P<level>[WEF])\d{4} [\d:]{8}\.\d+ (?:\d+ )?[^\s:]+:\d+\] (?P<text>.*)"),
    ),
    ("tensorrt_llm", re.compile(r"\[[\d/]{10}-[\d:]{8}\] \[TRT-LLM\] \[(?P<level>[WEF])\] (?P<text>.*)")),
    ("tensorrt_llm", re.compile(r"\[TensorRT-LLM\]\[(?P<level>WARNING|ERROR)\] (?P<text>.*)")),
    ("nccl", re.compile(r"\S+:\d+:\d+ \[\d+\] NCCL (?P<level>WARN) (?P<text>.*)")),
    # Of a process whose warnings nobody redirects.
    ("python", re.compile(r"(?P<path>/\S+\.py):\d+: (?P<text>\w*Warning: .*)")),
)
_MOST_OF_A_LINE: Final = 4096


def told_in(lines: Iterable[str]) -> Iterator[Said]:
    """The warnings and errors among the lines of a log; of those with several lines the first."""
    for line in lines:
        line = line.rpartition("\r")[2][:_MOST_OF_A_LINE].rstrip("\n")  # what a progress bar wrote over is gone
        for source, pattern in _FORMATS:
            if match := pattern.match(line):
                found = match.groupdict()
                named = found.get("source") or source or OURS
                if path := found.get("path"):
                    named = package_of(path)
                yield Said(named.partition(".")[0], _level(found.get("level") or "W"), one_line(found["text"]))
                break


def merged(collected: Iterable[EngineMessage], told: Iterable[Said]) -> list[EngineMessage]:
    """What was collected in this process, and after it what only the log has.

    The log has the records of this process too, so the greater count is the whole one.
    """
    found = {(message.source, message.level, message.text): message for message in collected}
    ordered = sorted(found)
    lines = Counter(said for said in told if said.source != OURS and said.text)
    counts: Counter[tuple[str, Level, str]] = Counter()
    for said, count in lines.items():
        counts[_whole(said, ordered)] += count
    for key, count in counts.items():
        source, level, text = key
        count = max(count, found[key].count if key in found else 0)
        found[key] = EngineMessage(source=source, level=level, text=text, count=count)
    return list(found.values())


def _whole(said: Said, ordered: Sequence[tuple[str, Level, str]]) -> tuple[str, Level, str]:
    """The collected message, of those in order, that a line of the log begins; else what the line says."""
    place = bisect_left(ordered, said)
    if place < len(ordered) and ordered[place][:2] == said[:2] and ordered[place][2].startswith(said.text):
        return ordered[place]
    return said.source, said.level, said.text


def one_line(text: str) -> str:
    """A text on one line, no longer than a message may be."""
    return " ".join(text.split())[:MOST_CHARACTERS]


def package_of(filename: str) -> str:
    """The package that a source file belongs to."""
    parts = filename.replace("\\", "/").split("/")
    for folder in ("site-packages", "dist-packages"):
        if folder in parts[:-1]:
            return parts[parts.index(folder) + 1].removesuffix(".py")
    return OURS if OURS in parts else "python"


def _level(word: str) -> Level:
    return "warning" if word.startswith("W") else "error"
