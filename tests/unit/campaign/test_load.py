"""Campaign files that are wrong: each fault named with its line, its field, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.campaign.load import campaign_from_mapping, load_campaign
from orchestrator.errors import FileError, InputError, Issue

BASE = """\
name: base
model: org/model
backends:
  simulated: {batch_size: [1, 2]}
"""


def issues(text: str | bytes) -> tuple[Issue, ...]:
    path = Path("campaign.yaml")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FileError) as caught:
        load_campaign(path)
    assert all(f"{path}:" in line for line in str(caught.value).splitlines())
    return caught.value.issues


def load(text: str | bytes) -> None:
    path = Path("campaign.yaml")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    load_campaign(path)


UNKNOWN = {
    "cycels: 3": (5, "cycels", "did you mean 'cycles'?"),
    "Cycles: 3": (5, "Cycles", "did you mean 'cycles'?"),
    "zzz: 3": (5, "zzz", "known: backends, cycles"),
    "shared: {batchsize: 1}": (5, "shared.batchsize", "did you mean 'batch_size'?"),
    "shared: {dtype: float32}": (5, "shared.dtype", "known: batch_size"),
    "shared: {togther: {}}": (5, "shared.togther", "did you mean 'together'?"),
    "workload: {promts: 1}": (5, "workload.promts", "did you mean 'prompts'?"),
    "workload: {dataset_sha256: x}": (5, "workload.dataset_sha256", "did you mean 'dataset'?"),
    "measurement: {sample_hx: 5}": (5, "measurement.sample_hx", "did you mean 'sample_hz'?"),
    "measurement: {warmup: {iteration: 5}}": (5, "measurement.warmup.iteration", "did you mean 'iterations'?"),
    "experiments: [{backend: simulated, spred: 1}]": (5, "experiments[0].spred", "did you mean 'spread'?"),
    "gaps: {cycle: 5}": (5, "gaps.cycle", "did you mean 'cycle_s'?"),
    "failures: {retry: 5}": (5, "failures.retry", "did you mean 'retries'?"),
    "notify: {url: x}": (5, "notify.url", "known: on_complete, on_failure, webhook_url"),
    "schedule:\n  at: 22:00\n  evry: 24h": (7, "schedule.evry", "did you mean 'every'?"),
    "experiments:\n  - {backend: simulatd}": (6, "experiments[0].backend", "did you mean 'simulated'?"),
    "experiments:\n  - batch_size: 1": (6, "experiments[0].backend", "known: llamacpp, pytorch"),
    "experiments: [{backend: simulated, workload: {promts: 1}}]": (
        5,
        "experiments[0].workload.promts",
        "did you mean 'prompts'?",
    ),
}


@pytest.mark.parametrize("added", UNKNOWN)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(added: str) -> None:
    line, field, hint = UNKNOWN[added]
    (issue,) = issues(BASE + added)
    assert (issue.line, issue.field) == (line, field)
    assert hint in (issue.hint or "")


def test_unknown_parameter_and_backend_in_backends() -> None:
    found = issues("name: a\nmodel: org/m\nbackends:\n  simulated: {batchsize: 1}\n  pytroch: {}\n")
    assert [(i.line, i.field, i.hint) for i in found] == [
        (4, "backends.simulated.batchsize", "did you mean 'batch_size'?"),
        (5, "backends.pytroch", "did you mean 'pytorch'?"),
    ]


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_file() -> None:
    found = issues("name: A\nmodel: demo:none\ncycles: 0\nseed: x\nzzz: {}\nbackends: {}\n")
    assert [issue.line for issue in found] == [1, 3, 4, 5]


WRONG_VALUES = {
    "cycles: '3'": "cycles",
    "cycles: true": "cycles",
    "cycles: 3.0": "cycles",
    "cycles: null": "cycles",
    "cycles: {}": "cycles",
    "cycles: [1]": "cycles",
    "cycles: 0": "cycles",
    "cycles: 1000000000000": "cycles",
    "cycles: " + "9" * 4000: "cycles",
    "seed: -1": "seed",
    "seed: 9223372036854775808": "seed",
    "order: random": "order",
    "order: backwards": "order",
    "gpus: []": "gpus",
    "gpus: [-1]": "gpus[0]",
    "gpus: 0": "gpus",
    "gpus: ['0']": "gpus[0]",
    "timeout_s: 0": "timeout_s",
    "timeout_s: .inf": "timeout_s",
    "timeout_s: .nan": "timeout_s",
    "timeout_s: 1e400": "timeout_s",
    "timeout_s: '60'": "timeout_s",
    "timeout_s: " + "9" * 4000: "timeout_s",
    "measurement: {sample_hz: .nan}": "measurement.sample_hz",
    "measurement: {sample_hz: 1e9}": "measurement.sample_hz",
    "measurement: []": "measurement",
    "measurement: {warmup: 3}": "measurement.warmup",
    "measurement: {warmup: {iterations: yes}}": "measurement.warmup.iterations",
    "gaps: []": "gaps",
    "gaps: 5": "gaps",
    "gaps: {cycle_s: -1}": "gaps.cycle_s",
    "gaps: {cycle_s: 5s}": "gaps.cycle_s",
    "gaps: {until_cool: yes}": "gaps.until_cool",
    "failures: none": "failures",
    "failures: {retries: -1}": "failures.retries",
    "failures: {retries: 1.5}": "failures.retries",
    "failures: {breaker: 0}": "failures.breaker",
    "failures: {backoff_s: .inf}": "failures.backoff_s",
    "notify: [a]": "notify",
    "notify: {webhook_url: ''}": "notify",
    "notify: {on_failure: 1}": "notify.on_failure",
    "schedule: 22:00": "schedule",
    "schedule: {at: 24:00}": "schedule.at",
    "schedule: {at: 22}": "schedule.at",
    "schedule: {at: '22:00\\n'}": "schedule.at",
    "schedule: {at: '٢٢:00'}": "schedule.at",
    "schedule: {every: 24}": "schedule.every",
    "schedule: {every: 24 h}": "schedule.every",
    "schedule: {every: 0h}": "schedule.every",
    "schedule: {every: 367d}": "schedule.every",
    "schedule: {every: 1.5h}": "schedule.every",
    "schedule: {between: 22:00}": "schedule.between",
    "schedule: {between: 22:00-22:00}": "schedule.between",
    "schedule: {between: [22:00, 06:00]}": "schedule.between",
    "parallel: yes": "parallel",
    "force_cold_start: 1": "force_cold_start",
    "workload: []": "workload",
    "workload: {prompts: 0}": "workload.prompts",
    "workload: {prompts: [1, 2.5]}": "workload.prompts[1]",
    "workload: {prompts: {from: 1, to: 3}}": "workload.prompts",
    "workload: {output_tokens: null}": "workload.output_tokens",
    "workload: {prompts: []}": "workload.prompts",
    "workload: {dataset: ''}": "workload.dataset",
    "workload: {dataset: 3}": "workload.dataset",
    "shared: []": "shared",
    "shared: {power_w: '1'}": "shared.power_w",
    "shared: {spread: .nan}": "shared.spread",
    "shared: {spread: -.inf}": "shared.spread",
    "shared: {tokens_per_s: 1e400}": "shared.tokens_per_s",
    "shared: {tokens_per_s: []}": "shared.tokens_per_s",
    "shared: {tokens_per_s: [[1]]}": "shared.tokens_per_s[0]",
    "shared: {fail: no}": "shared.fail",
    "shared: {spread: {from: 0}}": "shared.spread",
    "experiments: {}": "experiments",
    "experiments: [3]": "experiments[0]",
    "experiments: [{backend: simulated, model: 3}]": "experiments[0].model",
    "experiments: [{backend: simulated, model: [a/b]}]": "experiments[0].model",
    "experiments: [{backend: simulated, workload: 3}]": "experiments[0].workload",
    "experiments: [{backend: simulated, batch_size: [1, 2]}]": "experiments[0].batch_size",
    "experiments: [{backend: [simulated]}]": "experiments[0].backend",
    "silence_timeout_s: -5": "silence_timeout_s",
}


@pytest.mark.parametrize("added", WRONG_VALUES, ids=lambda added: added[:60])
def test_a_wrong_value_is_refused_by_field(added: str) -> None:
    (issue,) = issues(BASE + added)
    assert (issue.line, issue.field) == (5, WRONG_VALUES[added])
    assert len(issue.describe(None)) < 400


@pytest.mark.parametrize(
    "value", ["", "~", "3", "[]", "{a: b}", "''", "[org/m, 3]", "'a b'", "demo:unknown", "a/b/c/d"]
)
def test_wrong_models(value: str) -> None:
    (issue,) = issues(BASE.replace("org/model", value))
    assert issue.line == 2
    assert issue.field.startswith("model")


@pytest.mark.parametrize("value", ['"gpt2\\n"', "../../..@x", "gpt2é", "a/..", "-rf", "org/m@../x"])
def test_models_that_only_look_like_one(value: str) -> None:
    (issue,) = issues(BASE.replace("org/model", value).replace("simulated: {batch_size: [1, 2]}", "pytorch: {}"))
    assert (issue.line, issue.field) == (2, "model")


@pytest.mark.parametrize(
    "name",
    [
        "Base",
        "bäse",
        "a/b",
        "..",
        ".",
        "adhoc",
        "a" * 65,
        "''",
        "-a",
        "a_b",
        "'a b'",
        '"a\\n"',
        "a.b",
        "12",
        "~",
        "[a]",
    ],
)
def test_bad_names(name: str) -> None:
    (issue,) = issues(BASE.replace("base", name))
    assert (issue.line, issue.field) == (1, "name")


@pytest.mark.parametrize("name", ["a", "0", "a" * 64, "a-b-", "2026-01-02"])
def test_good_names(name: str) -> None:
    assert campaign_from_mapping({"name": name, "model": "m", "backends": {"simulated": None}}).name == name


@pytest.mark.parametrize("key", ["name", "model"])
def test_missing_keys(key: str) -> None:
    text = "".join(line for line in BASE.splitlines(keepends=True) if not line.startswith(key))
    (issue,) = issues(text)
    assert issue.field == key
    assert "required" in issue.message


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]", "- a\n- b\n", "text", "3", "~", "\ufeff"])
def test_a_campaign_is_a_mapping(text: str) -> None:
    (issue,) = issues(text)
    assert "is a mapping" in issue.message


@pytest.mark.parametrize("backends", ["{}", "{}\nexperiments: []"])
def test_nothing_to_run(backends: str) -> None:
    (issue,) = issues(f"name: a\nmodel: m\nbackends: {backends}\n")
    assert "nothing to run" in issue.message


@pytest.mark.parametrize("backends", ["[]", "[simulated]", "simulated", "~", "{simulated: [1]}", "{simulated: fast}"])
def test_backends_of_the_wrong_shape(backends: str) -> None:
    (issue,) = issues(f"name: a\nmodel: m\nbackends: {backends}\n")
    assert issue.line == 3
    assert issue.field.startswith("backends")


def test_a_shared_axis_leaves_an_explicit_experiment_open() -> None:
    (issue,) = issues(BASE + "shared: {tokens_per_s: [1, 2]}\nexperiments:\n  - {backend: simulated, batch_size: 1}\n")
    assert (issue.line, issue.field) == (7, "experiments[0].tokens_per_s")
    assert "is one point" in issue.message


@pytest.mark.parametrize("key", ["model", "workload.prompts"])
def test_an_axis_above_leaves_an_explicit_experiment_open(key: str) -> None:
    above = {"model": "model: [org/a, org/b]", "workload.prompts": "model: org/a\nworkload: {prompts: [1, 2]}"}[key]
    found = issues(f"name: a\n{above}\nexperiments: [{{backend: simulated}}]\n")
    assert [issue.field for issue in found] == [f"experiments[0].{key}"]


def test_an_explicit_experiment_that_breaks_a_rule_is_refused_with_its_line() -> None:
    (issue,) = issues(BASE + "experiments:\n  - {backend: simulated}\n  - {backend: simulated, batch_size: 33}\n")
    assert (issue.line, issue.field) == (7, "experiments[1]")
    assert "batch-exceeds-prompts" in issue.message


def test_duplicate_keys() -> None:
    (issue,) = issues(BASE + "name: other\n")
    assert (issue.line, issue.field) == (5, "name")
    assert "first on line 1" in issue.message


@pytest.mark.parametrize("encoded", [BASE.encode("utf-8-sig"), BASE.replace("\n", "\r\n").encode()])
def test_a_byte_order_mark_and_windows_line_ends_are_read(encoded: bytes) -> None:
    load(encoded)


@pytest.mark.parametrize(
    ("content", "line"), [(BASE.encode() + b"x: \xff\n", 5), (BASE.encode("utf-16"), 1), (b"\xed\xa0\x80", 1)]
)
def test_not_utf8(content: bytes, line: int) -> None:
    (issue,) = issues(content)
    assert (issue.line, issue.message) == (line, "not UTF-8 text")


def test_a_file_too_large_is_not_read() -> None:
    (issue,) = issues(b"#" * (3 * 2**20))
    assert "larger than 2 MiB" in issue.message


def test_files_that_cannot_be_read() -> None:
    Path("loop").symlink_to("loop")
    Path("file").touch()
    for path in (".", "file/below", "loop", "missing.yaml", "x" * 300):
        with pytest.raises(InputError, match=r"there is no file|cannot be read"):
            load_campaign(path)


def local_model(path: str) -> str:
    return f"name: a\nmodel: {path}\nbackends: {{pytorch: {{}}}}\n"


BAD_PLACES = {
    "./missing": "there is no model folder",
    "./file": "there is no model folder",
    "./empty": "holds no config.json",
    "../outside": "leads out of",
    "./empty/../../outside": "leads out of",
    "./link": "leads out of",
    "./loop": "leads nowhere",
    "~nobody-of-this-name/model": "leads nowhere",
    "./" + "x" * 300: "cannot be read",
    "/nowhere/at/all": "there is no model folder",
    "./file/below": "there is no model folder",
}


@pytest.fixture
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    for folder in (outside, inside, inside / "empty"):
        folder.mkdir()
    (outside / "config.json").write_text("{}")
    (outside / "prompts.jsonl").write_text("{}\n")
    (inside / "file").touch()
    (inside / "link").symlink_to(outside)
    (inside / "linked.jsonl").symlink_to(outside / "prompts.jsonl")
    (inside / "loop").symlink_to("loop")
    (inside / "loop.jsonl").symlink_to("loop.jsonl")
    (inside / "folder.jsonl").mkdir()
    monkeypatch.chdir(inside)


@pytest.mark.usefixtures("_places")
@pytest.mark.parametrize("place", BAD_PLACES)
def test_local_models_that_are_not_there(place: str) -> None:
    (issue,) = issues(local_model(place))
    assert (issue.line, issue.field) == (2, "model")
    assert BAD_PLACES[place] in issue.message


@pytest.mark.usefixtures("_places")
def test_a_local_model_may_lie_elsewhere_by_its_absolute_path(tmp_path: Path) -> None:
    load(local_model(str(tmp_path / "outside")))


@pytest.mark.usefixtures("_places")
@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("missing.jsonl", "there is no prompt file"),
        ("folder.jsonl", "there is no prompt file"),
        ("prompts.csv", "unknown dataset"),
        ("alpaca", "unknown dataset"),
        ("../outside/prompts.jsonl", "leads out of"),
        ("linked.jsonl", "leads out of"),
        ("loop.jsonl", "leads nowhere"),
        ("~nobody-of-this-name/x.jsonl", "leads nowhere"),
        ("x" * 300 + ".jsonl", "cannot be read"),
    ],
)
def test_prompt_files_that_are_not_there(dataset: str, message: str) -> None:
    (issue,) = issues(BASE + f"workload: {{dataset: {dataset}}}\n")
    assert (issue.line, issue.field) == (5, "workload.dataset")
    assert message in issue.message


@pytest.mark.usefixtures("_places")
def test_the_content_of_prompt_files_is_taken_in(tmp_path: Path) -> None:
    Path("own.jsonl").write_text("{}\n")
    other = tmp_path / "outside" / "prompts.jsonl"
    loaded = campaign_from_mapping(
        {
            "name": "a",
            "model": "m",
            "workload": {"prompts": 1, "dataset": ["builtin", "own.jsonl", "hf:some/set"]},
            "backends": {"simulated": None},
            "experiments": [{"backend": "simulated", "workload": {"dataset": str(other)}}],
        }
    )
    assert set(loaded.dataset_sha256) == {"own.jsonl", str(other)}
    assert loaded.dataset_sha256["own.jsonl"] == loaded.dataset_sha256[str(other)]


def test_a_prompt_file_that_is_too_short_is_refused_with_its_line() -> None:
    Path("own.jsonl").write_text('"a"\n\n"b"\n')
    (issue,) = issues(BASE + "workload: {dataset: own.jsonl, prompts: [2, 3]}\n")
    assert (issue.line, issue.field) == (5, "workload.dataset")
    assert "holds 2 prompts, and workload.prompts asks for 3" in issue.message


def test_a_gpu_that_is_named_twice_is_refused() -> None:
    (issue,) = issues(BASE + "gpus: [0, 0]\n")
    assert (issue.line, issue.field) == (5, "gpus")
    assert "named twice" in issue.message


@pytest.mark.parametrize(
    ("measurement", "field", "message"),
    [
        ("{baseline_s: 60}", "measurement.baseline_s", "baseline_s = 60 s do not fit into timeout_s = 60 s"),
        ("{loaded_idle_s: 61}", "measurement.loaded_idle_s", "loaded_idle_s = 61 s do not fit"),
        (
            "{baseline_s: 20, loaded_idle_s: 41}",
            "measurement.loaded_idle_s",
            "baseline_s + loaded_idle_s = 61 s do not fit into timeout_s = 60 s",
        ),
    ],
)
def test_idle_times_as_long_as_a_run_may_take_are_refused(measurement: str, field: str, message: str) -> None:
    (issue,) = issues(BASE + f"timeout_s: 60\nmeasurement: {measurement}\n")
    assert (issue.line, issue.field) == (6, field)
    assert message in issue.message
    assert issue.hint
    load(BASE + "timeout_s: 60\nmeasurement: {baseline_s: 20, loaded_idle_s: 39}\n")


def test_a_campaign_that_rules_leave_nothing_of_is_refused_with_its_line() -> None:
    (issue,) = issues("name: a\nmodel: m\nworkload: {prompts: 1}\nbackends:\n  simulated: {batch_size: [2, 3]}\n")
    assert issue.line == 4
    assert "batch-exceeds-prompts (2)" in issue.message


def test_texts_that_yaml_1_1_would_misread_reach_the_fields_as_text() -> None:
    (issue,) = issues(BASE + "workload: {prompts: 1_000}\n")
    assert "'1_000'" in issue.message
    assert campaign_from_mapping({"name": "no", "model": "on", "backends": {"simulated": None}}).file.model == "on"


def test_a_mapping_from_python_is_held_to_the_same_grammar() -> None:
    with pytest.raises(FileError, match="did you mean 'cycles'"):
        campaign_from_mapping({"name": "a", "model": "m", "backends": {"simulated": {}}, "cycels": 3})


@pytest.mark.parametrize("every", ["60s", "90s", "30m", "24h", "7d", "366d"])
@pytest.mark.parametrize("between", ["22:00-06:00", "06:00-22:00", "00:00-23:59"])
def test_schedules_are_read(every: str, between: str) -> None:
    load(BASE + f"schedule: {{every: {every}, between: {between}}}\n")


def test_what_is_wrong_in_several_sections_is_told_at_once_with_its_lines() -> None:
    found = issues(BASE + "gaps:\n  cycle_s: x\n  experiment: 3\nfailures: {retries: -1}\nschedule:\n  at: noon\n")
    assert [(issue.line, issue.field) for issue in found] == [
        (6, "gaps.cycle_s"),
        (7, "gaps.experiment"),
        (8, "failures.retries"),
        (10, "schedule.at"),
    ]


def test_what_a_file_holds_moves_no_cursor_and_breaks_no_line() -> None:
    (issue,) = issues(BASE + r'"\e[31mcycles\n\u202e": 3')
    assert issue.describe(None).startswith("\\x1b[31mcycles\\n\\u202e: unknown key")


def test_faults_without_number_are_told_in_lines_that_can_be_read() -> None:
    path = Path("campaign.yaml")
    path.write_text(BASE + "".join(f"{'k' * 900}{number}: 1\n" for number in range(1, 251)))
    with pytest.raises(FileError) as caught:
        load_campaign(path)
    lines = str(caught.value).splitlines()
    assert len(caught.value.issues) == 250
    assert len(lines) == 101
    assert lines[-1] == "… and 150 more"
    assert max(map(len, lines)) < 1000


def test_a_campaign_whose_very_many_points_are_all_dropped_is_read_without_looking_at_each() -> None:
    axes = "{batch_size: {min: 2, max: 10001}, power_w: {min: 1, max: 900}}"
    load(f"name: a\nmodel: m\nworkload: {{prompts: 1}}\nbackends: {{simulated: {axes}}}\n")


def test_a_mapping_from_python_that_holds_itself_is_refused() -> None:
    declared: dict[str, object] = {"name": "a", "model": "m"}
    declared["shared"] = declared
    with pytest.raises(FileError, match="nested more than 50 levels deep"):
        campaign_from_mapping(declared)
