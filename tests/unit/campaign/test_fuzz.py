"""Campaign files and user configs from a fuzzer: each is read, or refused with file and line or field; none hangs.

500 documents by default; ``make soak`` takes 20,000 (``ORCHESTRATE_FUZZ``).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.campaign.document import parse
from orchestrator.campaign.expand import Funnel, expand
from orchestrator.campaign.kinds import kind_of
from orchestrator.campaign.load import load_campaign
from orchestrator.campaign.schema import CampaignFile
from orchestrator.errors import FileError
from orchestrator.system.config import UserConfig, load_user_config
from runners.contract.options import OPTIONS
from runners.contract.request import Workload

EXAMPLES = int(os.environ.get("ORCHESTRATE_FUZZ", "500"))
HANGS_AFTER_S = 60

Path_ = tuple[str | int, ...]


_folders: dict[str, Path] = {}


def folder_of(test: str, factory: pytest.TempPathFactory) -> Path:
    """One folder a test, since hypothesis takes no fixture anew for each example."""
    if test not in _folders:
        _folders[test] = factory.mktemp(test)
    return _folders[test]


def fuzzed(share: float) -> settings:
    ignored = [
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
        HealthCheck.large_base_example,
    ]
    return settings(
        max_examples=max(1, round(EXAMPLES * share)), deadline=None, database=None, suppress_health_check=ignored
    )


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """Fail where one document takes so long that somebody would think it hangs."""

    def over(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"still at it after {HANGS_AFTER_S} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(HANGS_AFTER_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


_WITHOUT_A_PLACE = ("nested more than", "larger than", "not valid YAML: an escape")


def judge(read: Callable[[Path], Any], path: Path) -> Any:
    """What a file was read as; None where it was refused as it should be."""
    with watched():
        try:
            return read(path)
        except FileError as error:
            refused = error
    shown = str(refused)
    assert len(shown.encode()) < 200_000
    assert refused.issues
    for issue, line in zip(refused.issues, shown.splitlines(), strict=False):
        assert line.startswith((f"{path}:", f"{path.parent}/")), line
        assert issue.message
        assert "extra inputs" not in issue.message, "an unknown key is told with the nearest known one"
        assert issue.line or issue.field or issue.message.startswith(_WITHOUT_A_PLACE), line
        assert len(line) < 5_000
    return None


_odd_text = st.text(st.characters(exclude_categories=[]), max_size=8) | st.sampled_from(
    ["", "\0", "\ud800", "é", "\u202e", "\x1b[31m", "a\nb", "null", "~", "!!int", "22:00", "0o17", "0x1F", "1_000"]
)
_odd_numbers = st.sampled_from(
    [0, -1, 2, 33, 2**31, 2**63, 2**64, 10**400, -(10**30), 0.1, 1e308, 5e-324, float("inf"), float("nan")]
)
_odd = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 70) | _odd_numbers | _odd_text | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_odd_text, inner, max_size=3),
    max_leaves=6,
)


def values_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a parameter, mostly right, from pydantic's schema of its field."""
    if "anyOf" in schema:
        return st.one_of([values_of(each) for each in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "const" in schema:
        return st.just(schema["const"])
    low = schema.get("minimum", schema.get("exclusiveMinimum", -5))
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "integer": st.integers(low, low + 40),
        "number": st.integers(1, 9).map(lambda n: low + n / 10),
        "boolean": st.booleans(),
        "string": st.sampled_from(["org/model", "builtin", "./here", "own.jsonl", "hf:a/b", "x"]),
        "null": st.none(),
        "array": st.lists(st.sampled_from(["a", "b", 3]), max_size=2),
        "object": st.dictionaries(st.sampled_from(["alpha", "beta"]), st.integers() | st.none(), max_size=2),
    }
    return kinds.get(str(schema.get("type")), st.none())


@cache
def parameters(model: type[Any]) -> dict[str, st.SearchStrategy[Any]]:
    properties = model.model_json_schema()["properties"]
    return {name: values_of(schema) for name, schema in properties.items() if name not in ("backend", "dataset_sha256")}


_ranges = st.one_of(
    st.builds(
        lambda low, size, step: {"min": low, "max": low + size, "step": step},
        st.integers(0, 9),
        st.integers(0, 300),
        st.integers(1, 50),
    ),
    st.sampled_from([0.1, 0.25, 1.5]).map(lambda step: {"min": 0.5, "max": 3, "step": step}),
    st.tuples(st.integers(0, 4), st.integers(0, 12)).map(lambda ends: {"log2": [1 << end for end in ends]}),
    st.just({"min": 1, "max": 10**15}),
)


@st.composite
def sections(draw: st.DrawFn, model: type[Any]) -> dict[str, Any]:
    """Parameters of a backend or a workload: scalars, axes, ranges and groups."""
    known = parameters(model)
    names = draw(st.lists(st.sampled_from(sorted(known)), unique=True, max_size=4))
    section: dict[str, Any] = {}
    for name in names:
        value = known[name]
        section[name] = draw(st.one_of(value, value, st.lists(value, min_size=1, max_size=3), _ranges))
    if draw(st.integers(0, 3)) == 0:
        grouped = draw(
            st.lists(st.sampled_from(sorted(known.keys() - section.keys())), unique=True, min_size=1, max_size=3)
        )
        points = st.fixed_dictionaries({name: known[name] for name in grouped})
        section["together"] = {draw(st.sampled_from(["g", "size"])): draw(st.lists(points, min_size=1, max_size=3))}
    return section


_rest = parameters(CampaignFile)
_SCALARS = ("cycles", "order", "seed", "timeout_s", "silence_timeout_s", "force_cold_start", "parallel", "gpus")
_SECTIONS: dict[str, st.SearchStrategy[Any]] = {
    "gaps": st.fixed_dictionaries({}, optional={"cycle_s": st.integers(0, 9), "until_cool": st.booleans()}),
    "failures": st.fixed_dictionaries(
        {}, optional={"retries": st.integers(0, 5), "breaker": st.none() | st.integers(1, 5)}
    ),
    "notify": st.fixed_dictionaries(
        {}, optional={"webhook_url": st.just("http://localhost/"), "on_failure": st.booleans()}
    ),
    "until": st.fixed_dictionaries(
        {"metric": st.sampled_from(["energy_per_output_token_j", "ttft_s.p95"]), "relative_half_width": st.just(0.02)},
        optional={"min_cycles": st.integers(3, 9), "max_cycles": st.integers(5, 60)},
    ),
}


@st.composite
def campaigns(draw: st.DrawFn) -> dict[str, Any]:
    """Campaign files, most of them right."""
    shared_by = draw(st.sampled_from(sorted(OPTIONS)))
    backends = draw(st.lists(st.sampled_from([*sorted(OPTIONS), "simulated"]), unique=True, max_size=3))
    schedule = st.fixed_dictionaries(
        {},
        optional={"at": st.just("22:00"), "every": st.sampled_from(["24h", "59s"]), "between": st.just("22:00-06:00")},
    )
    declared: dict[str, Any] = {
        "name": "fuzzed",
        "model": draw(st.sampled_from(["org/m", ["a/b", "demo:smollm2-135m"]])),
    }
    optional = {
        "workload": sections(Workload),
        "shared": sections(OPTIONS[shared_by]),
        "backends": st.fixed_dictionaries({name: st.none() | sections(OPTIONS[name]) for name in backends}),
        "experiments": st.lists(
            sections(OPTIONS[shared_by]).map(lambda section: {"backend": shared_by, **section}), max_size=2
        ),
        "measurement": st.fixed_dictionaries(
            {}, optional={"baseline_s": st.integers(0, 20), "warmup": st.just({"iterations": 3})}
        ),
        "schedule": schedule,
        "extends": st.sampled_from(["base.yaml", ["base.yaml", "other.yaml"], "missing.yaml", "campaign.yaml"]),
        **_SECTIONS,
        **{name: _rest[name] for name in _SCALARS},
    }
    for name in draw(st.lists(st.sampled_from(sorted(optional)), unique=True, max_size=6)):
        declared[name] = draw(optional[name])
    declared.setdefault("backends", {"simulated": {"batch_size": [1, 2]}})
    return declared


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Where something stands that can be broken."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))


def broken(draw: st.DrawFn, data: Any) -> Any:
    """A document with one thing in it changed: of another type, gone, renamed, or doubled within itself."""
    data = json.loads(json.dumps(data))
    path = draw(st.sampled_from(list(places(data))))
    if not path:
        return draw(st.one_of(st.just(data), _odd))
    around = data
    for part in path[:-1]:
        around = around[part]
    key = path[-1]
    how = draw(st.sampled_from(["replace", "delete", "rename", "nest", "list"]))
    if how == "replace":
        around[key] = draw(_odd)
    elif how == "delete":
        del around[key]
    elif how == "rename" and isinstance(around, dict):
        around[draw(_odd_text | st.sampled_from([f"{key}s", str(key).upper(), str(key)[1:]]))] = around.pop(key)
    elif how == "nest":
        around[key] = {draw(st.sampled_from(["min", "log2", "together", "extends", "x"])): around[key]}
    elif how == "list":
        around[key] = [around[key]] * draw(st.sampled_from([0, 1, 2, 60]))
    return data


def written(data: Any) -> str:
    """YAML, or JSON where YAML has no way to write it."""
    try:
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    except (yaml.YAMLError, UnicodeError):
        return json.dumps(data)


_SPLICES = [
    *[
        "&a ",
        "*a",
        "*b",
        "!!python/object/apply:os.system ",
        "!!binary ",
        "!x ",
        "<<: *a\n",
        "? ",
        "- ",
        "%YAML 1.1\n",
        "---\n",
        "...\n",
    ],
    *[
        "\0",
        "\ufeff",
        "\x85",
        "\u2028",
        "\t",
        "\r",
        "#",
        "|\n",
        ">-\n",
        "'",
        '"',
        "[" * 70,
        "{a: " * 60,
        "9" * 5000,
        "1e999",
        ".nan",
        "-.inf",
    ],
    *[
        "2026-01-02",
        "0o8",
        "010",
        "1:30:00",
        "{",
        "}",
        "]",
        ": ",
        "\n  ",
        "=",
        "~",
        "yes",
        "a: &a [*a]",
        "\\U99999999",
        '"\\ud800"',
    ],
    "x: &x [a, a, a, a]\ny: &y [*x, *x, *x, *x]\nz: &z [*y, *y, *y, *y]\nw: [*z, *z, *z, *z, *z, *z]\n",
]


@st.composite
def documents(draw: st.DrawFn, valid: st.SearchStrategy[dict[str, Any]]) -> bytes:
    """The text of a file: right, wrong in what it says, or wrong as text."""
    data: Any = draw(valid)
    for _ in range(draw(st.sampled_from([0, 1, 1, 2, 3]))):
        data = broken(draw, data)
    text = written(data)
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.sampled_from([0, 0, 1, 5, 10_000]))
        text = text[:at] + draw(st.sampled_from(_SPLICES)) + text[at + cut :]
    raw = text.encode("utf-8", "surrogatepass")
    how = draw(st.sampled_from(["", "", "", "", "", "truncate", "flip", "utf-16"]))
    if how == "truncate":
        raw = raw[: draw(st.integers(0, len(raw)))]
    elif how == "flip" and raw:
        at = draw(st.integers(0, len(raw) - 1))
        raw = raw[:at] + bytes([draw(st.integers(0, 255))]) + raw[at + 1 :]
    elif how == "utf-16":
        raw = text.encode("utf-16", "surrogatepass")
    return raw


@fuzzed(0.6)
@given(documents(campaigns()), documents(campaigns()))
def test_a_campaign_file_is_read_or_refused_with_its_place(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, base: bytes
) -> None:
    folder = folder_of("campaigns", tmp_path_factory)
    (folder / "base.yaml").write_bytes(base)
    (folder / "other.yaml").write_text("extends: base.yaml\ncycles: 2\n")
    (folder / "own.jsonl").write_text('"a"\n' * 50)
    path = folder / "campaign.yaml"
    path.write_bytes(content)
    campaign = judge(load_campaign, path)
    if campaign is not None:
        with watched(), contextlib.suppress(FileError):
            assert list(islice(expand(campaign, Funnel()), 3))


@fuzzed(0.2)
@given(campaigns())
def test_a_campaign_that_is_meant_well_is_refused_for_what_it_says_only(
    tmp_path_factory: pytest.TempPathFactory, declared: dict[str, Any]
) -> None:
    path = folder_of("well", tmp_path_factory) / "campaign.yaml"
    path.write_text(written(declared))
    assert kind_of(parse(path.read_text()).data) != "other"
    judge(load_campaign, path)


_config = st.fixed_dictionaries(
    {},
    optional={
        **{name: value for name, value in parameters(UserConfig).items() if name not in _SECTIONS},
        **_SECTIONS,
    },
)


@fuzzed(0.2)
@given(documents(_config))
def test_a_user_config_is_read_or_refused_with_its_place(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = folder_of("config", tmp_path_factory) / ".orchestrate.yaml"
    path.write_bytes(content)
    judge(load_user_config, path)
