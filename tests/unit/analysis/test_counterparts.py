"""Groups of several experiments are compared by those that they have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.analysis.compare import compare_groups
from orchestrator.analysis.counterparts import counterparts
from orchestrator.analysis.groups import Group, groups_of
from orchestrator.results.table import as_table
from tests.builders import experiment
from tests.made import Point, lognormal, made_results

METRIC = "energy_per_output_token_j"


def by_dtype(*without: tuple[str, int]) -> tuple[Group, Group]:
    """Two dtypes, of which the second takes 10 % less at each batch size; joules fall steeply with that."""
    sizes = ((1, 8.0), (8, 2.0), (32, 0.5))
    of = [
        Point(experiment("pytorch", dtype=dtype, batch_size=size), joules * factor, noise=lognormal(1e-3))
        for dtype, factor in (("float32", 1.0), ("bfloat16", 0.9))
        for size, joules in sizes
        if (dtype, size) not in without
    ]
    a, b = groups_of(as_table(Path("made"), made_results("made", of, 4)), ["dtype"])
    return a, b


def test_what_failed_in_one_group_only_is_left_out_of_the_other() -> None:
    whole = counterparts(*by_dtype())
    assert (whole.without, whole.unlike) == (0, False)
    lacking = counterparts(*by_dtype(("float32", 32)))
    assert (lacking.without, lacking.unlike) == (1, False)
    assert sorted(lacking.b.frame["pytorch.batch_size"].unique()) == [1, 8]
    for pair in (whole, lacking):
        (found,) = compare_groups([(pair.a, pair.b)], [METRIC])
        assert found.ratio is not None
        assert found.ratio.estimate == pytest.approx(0.9, rel=2e-3)


def test_backends_share_what_they_call_alike() -> None:
    of = [
        Point(experiment(backend, dtype=dtype), 1.0)
        for backend in ("pytorch", "vllm")
        for dtype in ("float32", "bfloat16")
    ]
    table = as_table(Path("made"), made_results("made", of[:-1], 3))
    pair = counterparts(*groups_of(table, ["backend"]))
    assert (pair.without, pair.unlike) == (1, False)
    assert set(pair.a.frame["pytorch.dtype"]) == {"float32"}


def test_groups_without_anything_in_common_are_said_to_be_unlike() -> None:
    of = [Point(experiment("pytorch", batch_size=size), 1.0) for size in (1, 8)]
    of += [Point(experiment("vllm", max_num_seqs=size), 1.0) for size in (64, 128)]
    pair = counterparts(*groups_of(as_table(Path("made"), made_results("made", of, 3)), ["backend"]))
    assert pair.unlike
    assert len(pair.a.frame) == 6


def test_one_experiment_beside_another_is_as_it_is() -> None:
    of = [Point(experiment("pytorch", batch_size=size), 1.0) for size in (1, 8)]
    a, b = groups_of(as_table(Path("made"), made_results("made", of, 3)))
    assert counterparts(a, b).a is a
