"""llama.cpp itself with the real demo model: what was asked reaches it, and what it says is kept."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from runners.backends.demo import demo_gguf_folder
from runners.contract.result import RunResult

pytestmark = pytest.mark.engine

DEMO = "smollm2-135m"
DEMO_WARNING = "demo:smollm2-135m is the Q4_1 file of its package here; other backends load it dequantised"
WORKLOAD = {"prompts": 4, "output_tokens": 8, "input_tokens": 24}
OPTIONS = {"backend": "llamacpp", "n_parallel": 2, "n_threads": 1}
"""One thread: several wait for each other by spinning, which takes minutes on a busy machine."""


@pytest.fixture(autouse=True, scope="module")
def _engine() -> None:
    pytest.importorskip("xllamacpp", reason="the extra llamacpp is not installed", exc_type=ImportError)


def run(runner, code: int = 0, model_path: Path | None = None, workload: dict | None = None, **options) -> None:
    local = {"model_path": str(model_path)} if model_path else {}
    model = "./model" if model_path else f"demo:{DEMO}"
    runner.write(WORKLOAD | (workload or {}), OPTIONS | options, model=model, **local)
    assert runner.run("llamacpp") == code, runner.log()


def result(runner) -> RunResult:
    return RunResult.model_validate_json((runner.folder / "result.json").read_text())


def requests(runner) -> list[dict]:
    return pq.read_table(runner.folder / "requests.parquet").to_pylist()


def test_a_real_run_tells_each_request_s_moments_and_what_was_run(runner) -> None:
    run(runner, n_ctx=1024, n_batch=256, n_ubatch=128, cache_type_k="q8_0", flash_attn="on")
    found = result(runner)
    rows = requests(runner)

    assert {(row["input_tokens"], row["output_tokens"]) for row in rows} == {(24, 8)}
    assert all(row["start_s"] <= row["begun_s"] < row["first_token_s"] < row["end_s"] for row in rows)
    third_begun_s = sorted(row["begun_s"] for row in rows)[2]
    assert third_begun_s > min(row["first_token_s"] for row in rows), "two sequences at a time; the third waits"
    assert found.itl_s is not None
    assert found.environment.gpus == []
    assert found.warnings == [DEMO_WARNING]

    config = found.effective_config
    assert (config["quantization"], config["gguf_file"]) == ("Q4_1", "SmolLM2-135M-Instruct.Q4_1.gguf")
    assert 130e6 < config["parameters"] < 140e6
    assert (config["n_parallel"], config["n_ctx_of_a_sequence"]) == (2, 512)
    assert (config["n_batch"], config["n_ubatch"], config["n_threads"]) == (256, 128, 1)
    assert (config["cache_type_k"], config["cache_type_v"], config["flash_attn"]) == ("q8_0", "f16", "on")
    assert config["generation"]["temperature"] == 0
    assert config["generation"]["ignore_eos"] is True
    assert config["generation"]["max_tokens"] == 8


def test_sampling_follows_from_the_seed(make_runner) -> None:
    answers = []
    for name, temperature in (("first", 1.5), ("second", 1.5), ("greedy", 0.0)):
        runner = make_runner(name)
        run(runner, temperature=temperature, n_parallel=1)
        answers.append([row["output_sha256"] for row in requests(runner)])
    assert answers[0] == answers[1] != answers[2]


def test_prompts_that_the_cache_cannot_hold_are_refused(runner) -> None:
    run(runner, code=2, workload={"input_tokens": 250}, n_ctx=512)
    failure = runner.failure()
    assert failure.kind == "bad_request"
    assert "n_ctx" in failure.hint


def test_a_seed_is_never_the_one_by_which_the_engine_draws_its_own() -> None:
    import xllamacpp

    from runners.backends.llamacpp_config import asked_params
    from runners.contract.options.llamacpp import LlamacppOptions

    drawn = xllamacpp.CommonParams().sampling.seed
    assert drawn == 2**32 - 1
    for seed in (drawn, 2**63 - 1):
        assert asked_params(LlamacppOptions(), Path("x.gguf"), 1, seed).sampling.seed != drawn


def test_a_cache_that_the_engine_rounds_up_and_what_does_not_fit_into_it_is_told_of(runner) -> None:
    run(runner, n_ctx=300, n_parallel=1)
    assert result(runner).warnings == [
        "n_batch 2048 was asked for, and the engine uses 512",
        "n_ctx 300 was asked for, and the cache holds 512 tokens",
        DEMO_WARNING,
    ]


def test_a_folder_of_ones_own_with_one_file_or_the_one_that_was_named(make_runner, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (source,) = demo_gguf_folder(DEMO).glob("*.gguf")
    for name in ("a.Q4_1.gguf", "b.Q4_1.gguf"):
        (folder / name).symlink_to(source)

    ambiguous, named = make_runner("ambiguous"), make_runner("named")
    run(ambiguous, code=10, model_path=folder)
    assert "a.Q4_1.gguf, b.Q4_1.gguf" in ambiguous.failure().hint
    run(named, model_path=folder, gguf_file="b.*")
    assert result(named).warnings == []
    assert result(named).effective_config["gguf_file"] == "b.Q4_1.gguf"


def test_a_file_that_is_no_model_is_a_failure_of_the_engine_s(runner, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "x.gguf").write_bytes(b"no model")
    runner.write(WORKLOAD, OPTIONS, model="./model", model_path=str(tmp_path / "model"))
    assert runner.run("llamacpp") != 0
    assert "llama.cpp did not start" in runner.failure().message
    assert runner.folder.with_suffix(".streams").exists()
