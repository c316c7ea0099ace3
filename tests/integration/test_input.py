"""Wrong input through the whole command: its exit code, no traceback, a place, and nothing written.

Some of the cases go through a process of their own, as a user's do.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import call, cli

BASE = "name: base\nmodel: org/model\nbackends:\n  simulated: {batch_size: [1, 2]}\n"

FILES: dict[str, tuple[str | bytes, list[str]]] = {
    "unknown key": (BASE + "cycels: 3\n", ["c.yaml:5: cycels: unknown key", "did you mean 'cycles'?"]),
    "unknown parameter": (
        BASE.replace("batch_size", "batchsize"),
        ["c.yaml:4: backends.simulated.batchsize", "did you mean 'batch_size'?"],
    ),
    "unknown backend": (BASE.replace("simulated", "simulatd"), ["c.yaml:4: backends.simulatd", "'simulated'"]),
    "text for a number": (BASE + "cycles: many\n", ["c.yaml:5: cycles:", "'many'"]),
    "no number": (BASE + "timeout_s: .nan\n", ["c.yaml:5: timeout_s:"]),
    "too many": (BASE + "cycles: 1000000000000\n", ["c.yaml:5: cycles:", "1000000"]),
    "5000 digits": (BASE + f"seed: {'9' * 5000}\n", ["c.yaml:5: seed:", "can be read"]),
    "no mapping": (BASE + "gaps: [1]\n", ["c.yaml:5: gaps: input should be a mapping of keys\n"]),
    "twice": (BASE + "name: other\n", ["c.yaml:5: name: the key stands twice"]),
    "empty axis": (BASE.replace("[1, 2]", "[]"), ["c.yaml:4: backends.simulated.batch_size: an axis without values"]),
    "empty file": ("", ["c.yaml:1: a campaign is a mapping"]),
    "bad name": (BASE.replace("base", "../up"), ["c.yaml:1: name:", "a-z, 0-9 and -"]),
    "reserved name": (BASE.replace("base", "adhoc"), ["c.yaml:1: name:", "single runs"]),
    "no metric": (BASE + "until: {min_cycles: 5}\n", ["c.yaml:5: until.metric: field required"]),
    "tag": (BASE + "seed: !!python/object/apply:os.getpid []\n", ["c.yaml:5: seed: the tag", "is not allowed"]),
    "bomb": (
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{c}: &{c} [{','.join([f'*{b}'] * 10)}]\n" for b, c in zip("abcdefgh", "bcdefghi", strict=True)),
        ["aliases repeat more than"],
    ),
    "nesting": ("[" * 100_000, ["c.yaml: nested more than"]),
    "NUL": (BASE + "x: a\0b\n", ["c.yaml:5: the character #x0000"]),
    "not UTF-8": (BASE.encode() + b"x: \xff\n", ["c.yaml:5: not UTF-8 text"]),
    "escape of no character": (BASE + 'x: "\\UFFFFFFFF"\n', ["c.yaml: not valid YAML"]),
    "broken rule": (
        BASE + "experiments:\n  - {backend: simulated, batch_size: 99}\n",
        ["c.yaml:6: experiments[0]: breaks the rule batch-exceeds-prompts"],
    ),
    "all dropped": (BASE.replace("[1, 2]", "[98, 99]"), ["no experiment is left", "batch-exceeds-prompts (2)"]),
    "no such model": (
        BASE.replace("simulated", "pytorch").replace("org/model", "./m"),
        ["c.yaml:2: model: there is no"],
    ),
    "escaping dataset": (BASE + "workload: {dataset: ../p.jsonl}\n", ["c.yaml:5: workload.dataset:", "leads out of"]),
}


FOR_REAL = {"unknown key", "5000 digits", "NUL", "not UTF-8", "all dropped", "a path through a file"}


@pytest.mark.parametrize("case", FILES)
def test_a_wrong_file(case: str) -> None:
    content, told = FILES[case]
    Path("c.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    done = (cli if case in FOR_REAL else call)("campaign", "c.yaml")
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert all(part in done.stderr for part in told), done.stderr
    assert len(done.stderr) < 1000
    assert [path.name for path in Path("results").rglob("*") if path.name != ".gitignore"] == []
    assert [path.name for path in Path(".state").rglob("*.db")] == []


RUN = ("run", "--backend", "simulated", "--model", "m")
ARGUMENTS: dict[str, tuple[tuple[str, ...], int, list[str]]] = {
    "a missing file": (("campaign", "missing.yaml"), 2, ["there is no file 'missing.yaml'"]),
    "a folder": (("campaign", "."), 2, ["the folder . holds no campaign file"]),
    "a path through a file": (("campaign", "file/c.yaml"), 2, ["cannot be read"]),
    "a campaign for run": (("run", "c.yaml"), 2, ["hint: orchestrate campaign c.yaml"]),
    "a word for run": (("run", "word"), 2, ["unexpected argument 'word'"]),
    "no backend": (("run", "--model", "m"), 2, ["name a backend", "pytorch, simulated"]),
    "unknown backend": (("run", "--backend", "vlm", "--model", "m"), 2, ["unknown backend 'vlm'"]),
    "no model": (("run", "--backend", "simulated"), 2, ["name a model"]),
    "a wrong value": ((*RUN, "--batch-size", "many"), 2, ["--batch-size:", "'many'"]),
    "a foreign flag": ((*RUN, "--dtype", "float32"), 2, ["simulated has no parameter --dtype"]),
    "a broken rule": ((*RUN, "--batch-size", "9", "--prompts", "1"), 2, ["batch-exceeds-prompts"]),
    "no time": ((*RUN, "--timeout-s", "nan"), 2, ["timeout_s"]),
    "a baseline without end": ((*RUN, "--baseline-s", "50", "--timeout-s", "40"), 2, ["baseline_s = 50 s do not fit"]),
    "an absent GPU": ((*RUN, "--gpu", "99"), 3, ["gpus: 99 not found"]),
    "an unknown command": (("campain",), 2, ["no such command 'campain'; did you mean 'campaign'?"]),
    "an unknown flag": (("campaign", "c.yaml", "--dryrun"), 2, ["--dry-run"]),
    "no argument": (("campaign",), 2, ["Missing argument"]),
    "a missing project": (("status", "--project-dir", "nowhere"), 2, ["--project-dir: there is no folder"]),
    "an unknown campaign": (("status", "other"), 2, ["there is no campaign 'other'"]),
    "nothing to resume by name": (("resume", "other"), 2, ["there is no campaign 'other'"]),
    "no such results": (("results", "list", "other"), 2, ["there is no campaign 'other'"]),
    "no such run": (("results", "show", "other"), 2, ["there is no complete run 'other'"]),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_wrong_arguments(case: str) -> None:
    Path("file").touch()
    arguments, code, told = ARGUMENTS[case]
    done = (cli if case in FOR_REAL else call)(*arguments)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert all(part in done.stderr for part in told), done.stderr
    assert list(Path().glob("results/*/*")) == []


def test_a_wrong_user_config_stops_every_command() -> None:
    Path(".orchestrate.yaml").write_text("result_dir: x\n")
    Path("c.yaml").write_text(BASE)
    for arguments in (("status",), ("campaign", "c.yaml")):
        done = call(*arguments)
        assert done.returncode == 2
        assert ".orchestrate.yaml:1: result_dir: unknown key (did you mean 'results_dir'?)" in done.stderr
