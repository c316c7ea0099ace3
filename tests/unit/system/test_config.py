from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from orchestrator.errors import FileError, InputError
from orchestrator.system.config import UserConfig, load_user_config, user_config_schema


def test_the_defaults_where_there_is_no_file_or_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("# nothing\n")
    assert load_user_config(tmp_path / "missing") == load_user_config(tmp_path / "empty") == UserConfig()


def test_what_is_set_holds(tmp_path: Path) -> None:
    (tmp_path / "c").write_text(
        "results_dir: /data\ncpu_tdp_w: 65\ndispatch: compose\ncontainer_strategy: persistent\n"
    )
    assert load_user_config(tmp_path / "c") == UserConfig(
        results_dir="/data", cpu_tdp_w=65.0, dispatch="compose", container_strategy="persistent"
    )


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("a: 1\nresult_dir: x\n", 1, "a: unknown key"),
        ("\nresult_dir: x\n", 2, "did you mean 'results_dir'?"),
        ("gaps:\n  cycles: 1\n", 2, "gaps.cycles: unknown key (did you mean 'cycle_s'?)"),
        ("gaps: {cyle_s: 1}\n", 1, "gaps.cyle_s: unknown key (did you mean 'cycle_s'?)"),
        ("gaps: []\n", 1, "gaps: "),
        ("gaps:\n", 1, "gaps: "),
        ("notify:\n  webhook_secret: x\n", 2, "set ORCHESTRATE_WEBHOOK_SECRET in the environment"),
        ("\nhf_token: x\n", 2, "set HF_TOKEN in the environment"),
        ("failures: {retries: 1.5}\n", 1, "failures.retries: input should be a valid integer"),
        ("results_dir: ~nobody-has-this-name/r\n", 1, "leads nowhere"),
        ("results_dir: loop/r\n", 1, "leads nowhere"),
        ("gaps:\n  cycle_s: -1\n", 2, "gaps.cycle_s: input should be greater than or equal to 0, not -1"),
        ("notify: [a]\n", 1, "notify: input should be a mapping of keys"),
        ("failures:\n  retris: 1\n  breaker: x\n", 2, "failures.retris: unknown key (did you mean 'retries'?)"),
        ("results_dir: 3\n", 1, "results_dir"),
        ("results_dir: ''\n", 1, "results_dir"),
        ("cpu_tdp_w: 0\n", 1, "cpu_tdp_w"),
        ("cpu_tdp_w: .nan\n", 1, "cpu_tdp_w"),
        ("cpu_tdp_w: '65'\n", 1, "cpu_tdp_w"),
        ("dispatch: slurm\n", 1, "dispatch: input should be 'auto', 'local' or 'compose', not 'slurm'"),
        ("container_strategy: both\n", 1, "container_strategy: input should be 'ephemeral' or 'persistent'"),
        ("- a\n", 1, "is a mapping"),
        ("a: [\n", 2, "not valid YAML"),
        ("cpu_tdp_w: 1\ncpu_tdp_w: 2\n", 2, "stands twice"),
    ],
)
def test_nothing_runs_with_settings_that_were_not_understood(
    tmp_path: Path, text: str, line: int | None, told: str
) -> None:
    (tmp_path / "c").write_text(text)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(FileError) as caught:
        load_user_config(tmp_path / "c")
    assert told in str(caught.value)
    assert caught.value.issues[0].line == line
    assert caught.value.path == tmp_path / "c"


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_user_config(tmp_path)


def test_each_fault_is_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("gaps:\n  cyle_s: 1\n  experiment_s: x\ndispatch: 3\nfoo: 1\n")
    with pytest.raises(FileError) as caught:
        load_user_config(tmp_path / "c")
    told = [(issue.line, issue.field) for issue in caught.value.issues]
    assert told == [(2, "gaps.cyle_s"), (3, "gaps.experiment_s"), (4, "dispatch"), (5, "foo")]


def test_a_link_that_leads_nowhere_is_not_taken_for_no_config(tmp_path: Path) -> None:
    (tmp_path / "c").symlink_to("gone")
    with pytest.raises(InputError, match="there is no file"):
        load_user_config(tmp_path / "c")


def test_the_schema_refuses_what_the_loader_refuses(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    check = jsonschema.Draft202012Validator(user_config_schema())
    for text, right in {
        "{}": True,
        "gaps: {experiment_s: 5}\nfailures: {breaker: null}": True,
        "gaps: {cyle_s: 1}": False,
        "dispatch: slurm": False,
        "ask_above_kwh: -1": False,
    }.items():
        (tmp_path / "c").write_text(text)
        assert check.is_valid(yaml.safe_load(text)) is right, text
        if right:
            load_user_config(tmp_path / "c")
        else:
            with pytest.raises(FileError):
                load_user_config(tmp_path / "c")
