"""Known issues: the list of this package, a project's own, and what is wrong with one, by file, line and field."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import FileError, InputError
from orchestrator.results.known_issues import (
    SHIPPED,
    bounded_pattern,
    issue_of,
    issue_of_failure,
    known_issues,
    read_issues,
)
from runners.contract.result import EngineMessage

MINE = """\
- id: our-nan
  source: torch
  pattern: "NaN in layer \\\\d+"
  status: wip
  note: the kernel is being mended
  url: https://example.org/1
  since: torch 2.13
"""
SEEN = {
    ("vllm", "Triton is not installed. triton-cpu is expected on x86 CPUs."): "vllm-no-triton-on-cpu",
    ("vllm", "libiomp is not found in LD_PRELOAD. For best performance, please follow"): "vllm-no-tcmalloc",
    ("vllm", "FutureWarning: `torch.distributed.reduce_op` is deprecated, please use"): "torch-reduce-op",
    ("torch", "Warning: numa_set_membind failed. errno: 1 (function init_cpu_memory_env)"): "numa-not-permitted",
}


def said(text: str, source: str = "torch") -> EngineMessage:
    return EngineMessage(source=source, level="warning", text=text)


def test_the_list_of_this_package_is_right_and_knows_what_engines_say_here() -> None:
    shipped = read_issues(SHIPPED)
    assert len({issue.id for issue in shipped}) == len(shipped) > 5
    for (source, text), name in SEEN.items():
        found = issue_of(said(text, source), shipped)
        assert found is not None
        assert found.id == name
    assert issue_of(said("CUDA error: an illegal memory access"), shipped) is None


def test_a_projects_own_issues_come_first_and_take_the_place_of_ours(tmp_path: Path) -> None:
    assert known_issues(tmp_path) == read_issues(SHIPPED)
    (tmp_path / "issues.yaml").write_text(MINE + MINE.replace("our-nan", "torch-no-triton"))
    issues = known_issues(tmp_path)
    assert [issue.id for issue in issues[:2]] == ["our-nan", "torch-no-triton"]
    assert len(issues) == len(read_issues(SHIPPED)) + 1
    assert issue_of(said("a NaN in layer 12!"), issues) == issues[0]
    assert issue_of(said("a NaN in layer 12!", "vllm"), issues) is None, "it is said by another package"
    assert issue_of_failure("RuntimeError:\n a NaN  in layer 12", issues) == issues[0]
    assert issue_of_failure("x" * 5000 + " NaN in layer 12", issues) == issues[0], "the end of a failure counts too"
    assert issue_of_failure(None, issues) is None


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("issues: []", ["issues.yaml:1: known issues are a list"]),
        (MINE + MINE, [r"issues.yaml:8: \[1\].id: our-nan stands twice \(first on line 1\)"]),
        (MINE.replace("wip", "soon"), [r"issues.yaml:4: \[0\].status: .*'wip', 'wontfix' or 'external'"]),
        (MINE.replace("  note", "  notes"), [r":5: \[0\].notes: unknown key \(.*note", r"\[0\].note: "]),
        (MINE.replace("NaN in layer \\\\d+", "(NaN"), [r"issues.yaml:3: \[0\].pattern: .*no regular expression"]),
        (MINE.replace("NaN in layer \\\\d+", "(N+)+"), [r"issues.yaml:3: \[0\].pattern: .*a group is repeated"]),
        (MINE.replace("https://example.org/1", "file:///etc"), [r"issues.yaml:6: \[0\].url"]),
        (MINE.replace("our-nan", "Our NaN"), [r"issues.yaml:1: \[0\].id"]),
        ("- just text", [r"issues.yaml:1: \[0\]"]),
        ("- [", ["issues.yaml:1: not valid YAML"]),
        ("- id: 1", [r"\[0\].id", r"\[0\].pattern", r"\[0\].status", r"\[0\].note"]),
    ],
)
def test_what_is_wrong_is_told_by_file_line_and_field(text: str, faults: list[str], tmp_path: Path) -> None:
    (tmp_path / "issues.yaml").write_text(text)
    with pytest.raises(FileError) as caught:
        known_issues(tmp_path)
    for fault in faults:
        assert re.search(fault, str(caught.value)), str(caught.value)


def test_an_empty_file_has_none_and_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "issues.yaml").write_text("# none yet\n")
    assert known_issues(tmp_path) == read_issues(SHIPPED)
    (tmp_path / "issues.yaml").unlink()
    (tmp_path / "issues.yaml").mkdir()
    with pytest.raises(InputError, match="it is no file"):
        known_issues(tmp_path)


ENDLESS = [
    "(a+)+$",
    "(a|aa)*$",
    "(?:a{1,9}){1,9}$",
    "a*" * 3 + "$",
    "a?" * 25 + "a" * 25,
    "(aa|aa)" * 30 + "b",
    "a?" * 6 + "[ab]*[ab]*[yz]",
]


@pytest.mark.parametrize("pattern", ENDLESS)
def test_a_pattern_that_may_take_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="may take"):
        bounded_pattern(pattern)


@pytest.mark.parametrize("pattern", ["a.*b", "(foo|bar) is \\d+", "(?i:Warning)", "[a-z]{3}(x)?", "^\\S+ failed$"])
def test_ordinary_patterns_are_taken(pattern: str) -> None:
    assert bounded_pattern(pattern) == pattern


_pieces = st.sampled_from(
    ["a", "aa", ".", "[ab]", "a*", ".*", "a+?", "a?", "(a|aa)", "(a)", "a{2,5}", "|", "(?=a*)", "b"]
)


@given(st.lists(_pieces, min_size=1, max_size=8).map("".join))
def test_whatever_is_taken_comes_to_an_end(pattern: str) -> None:
    """Not timed, but one that took for ever would never pass."""
    try:
        bounded_pattern(pattern)
    except ValueError:
        return
    before = time.process_time()
    re.search(pattern, "a" * 500)
    assert time.process_time() >= before
