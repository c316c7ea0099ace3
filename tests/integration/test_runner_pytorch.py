"""The real engine with the real demo model, on the CPU."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from runners.contract.result import RunResult

pytestmark = pytest.mark.engine

MODEL = "demo:smollm2-135m"
WORKLOAD = {"prompts": 3, "output_tokens": 8, "input_tokens": 24}
OPTIONS = {"backend": "pytorch", "dtype": "float32", "batch_size": 2}


def run(runner, workload=None, options=None, code: int = 0, model: str = MODEL, **fields) -> RunResult | None:
    runner.write(WORKLOAD | (workload or {}), OPTIONS | (options or {}), model=model, **fields)
    assert runner.run("pytorch") == code, runner.log()
    return None if code else RunResult.model_validate_json((runner.folder / "result.json").read_text())


def shas(runner) -> list[str]:
    return pq.read_table(runner.folder / "requests.parquet").column("output_sha256").to_pylist()


def test_a_real_run_is_what_was_asked_and_twice_the_same(make_runner) -> None:
    first, second = make_runner("first"), make_runner("second")
    result = run(first, options={"attn_implementation": "eager"})
    again = run(second, options={"attn_implementation": "sdpa"})

    requests = pq.read_table(first.folder / "requests.parquet").to_pylist()
    assert {(row["input_tokens"], row["output_tokens"]) for row in requests} == {(24, 8)}
    assert len({row["output_sha256"] for row in requests}) > 1
    assert shas(first) == shas(second), "greedy answers in float32 do not depend on the attention kernel"

    assert 0 < result.ttft_s.p50 < result.e2e_s.p50
    assert result.itl_s.mean == pytest.approx(result.tpot_s.mean, rel=1e-6)
    assert result.energy_j > 0
    assert result.energy_prefill_j + result.energy_decode_j <= result.energy_j * (1 + 1e-9)
    assert result.energy_method in ("estimated", "rapl")
    assert result.memory_peak_bytes >= result.memory_model_bytes > 135e6 * 4
    config = result.effective_config
    assert (config["dtype"], config["attn_implementation"], config["device"]) == ("float32", "eager", "cpu")
    assert again.effective_config["attn_implementation"] == "sdpa"
    assert 130e6 < config["parameters"] < 140e6
    assert (config["generation"]["min_new_tokens"], config["generation"]["max_new_tokens"]) == (8, 8)
    assert config["compiled_graphs"] == 0
    assert result.environment.libraries["torch"]
    assert result.warnings == []
    assert all(event["event"] in ("phase", "progress") for event in first.events())


_LOAD = """
import json, os, sys
from runners.backends.create import create
from runners.contract.request import RunRequest
from runners.meters.process import resident_bytes

if sys.argv[2] == "mapped":
    import runners.backends.pytorch_load
    runners.backends.pytorch_load.make_resident = lambda model: None
signs = []
backend = create(RunRequest.model_validate_json(sys.argv[1]), lambda: signs.append(1))
backend.prepare()
before = resident_bytes(os.getpid())
backend.load()
after = resident_bytes(os.getpid())
model = backend._replica._loaded.model
print(json.dumps({
    "grown": after - before,
    "weights": sum(parameter.nbytes for parameter in model.parameters()),
    "tied": model.lm_head.weight is model.model.embed_tokens.weight,
    "outputs": backend.generate([backend.encode("The capital of France is")]).outputs,
    "signs": len(signs),
}))
"""


def loaded(runner, how: str, **options) -> dict:
    runner.write({"prompts": 1, "output_tokens": 12}, {"backend": "pytorch", **options}, model=MODEL)
    request = (runner.folder / "request.json").read_text()
    command = [sys.executable, "-c", _LOAD, request, how]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=90).stdout)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_after_the_load_the_weights_are_in_memory_once(runner, dtype: str) -> None:
    found = loaded(runner, "resident", dtype=dtype)
    assert 130e6 < found["weights"] / (2 if dtype == "bfloat16" else 4) < 140e6
    assert 0.98 * found["weights"] <= found["grown"] < 1.5 * found["weights"]
    assert found["tied"]
    if dtype == "bfloat16":
        mapped = loaded(runner, "mapped", dtype=dtype)
        assert mapped["grown"] < 0.8 * mapped["weights"], "the checkpoint is mapped: else this test shows nothing"
        assert found["outputs"] == mapped["outputs"]


def test_padding_does_not_change_an_answer(make_runner, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text(
        "\n".join(map(json.dumps, ["The capital of France is", "One two three four five six seven eight nine"]))
    )
    workload = {"prompts": 2, "input_tokens": None, "dataset": "prompts.jsonl"}
    alone, together = make_runner("alone"), make_runner("together")
    run(alone, workload, {"batch_size": 1}, dataset_path=str(prompts))
    run(together, workload, {"batch_size": 2}, dataset_path=str(prompts))
    assert shas(alone) == shas(together)


def test_bfloat16_sampling_and_settings_reach_the_engine(runner) -> None:
    options = {
        "dtype": "bfloat16",
        "do_sample": True,
        "temperature": 0.7,
        "top_k": 9,
        "top_p": 0.8,
        "repetition_penalty": 1.3,
    }
    config = run(runner, options=options, seed=5).effective_config
    assert config["dtype"] == "bfloat16"
    generation = config["generation"]
    assert {name: generation[name] for name in options if name != "dtype"} == {
        k: options[k] for k in options if k != "dtype"
    }


@pytest.mark.parametrize("beams", [1, 2])
def test_every_step_of_a_batch_is_a_sign_of_life(runner, beams: int) -> None:
    assert loaded(runner, "resident", num_beams=beams)["signs"] == 12


def test_beams_have_no_token_times(runner) -> None:
    result = run(runner, options={"num_beams": 2})
    assert (result.ttft_s, result.energy_prefill_j) == (None, None)
    assert result.e2e_s is not None
    assert result.output_tokens == 24


def test_a_gpu_that_is_not_there_is_a_bad_request(runner) -> None:
    run(runner, options={"device": "cuda"}, code=2)
    assert "no GPU" in runner.json("failure.json")["message"]


def test_an_answer_longer_than_the_context_is_a_bad_request(runner) -> None:
    run(runner, {"output_tokens": 9000}, code=2)
    assert "8192 positions" in runner.json("failure.json")["message"]


@pytest.mark.parametrize(
    ("model", "fields", "hint"),
    [
        ("demo:none", {}, "demo:smollm2-135m"),
        ("folder", {"model_path": "/nonexistent"}, "save_pretrained"),
        ("nobody/nothing", {}, "HF_TOKEN"),
    ],
)
def test_a_model_that_is_not_there(runner, monkeypatch: pytest.MonkeyPatch, model: str, fields, hint: str) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    run(runner, code=10, model=model, **fields)
    failure = runner.json("failure.json")
    assert failure["kind"] == "model_not_found"
    assert hint in failure["hint"]


def test_fewer_gpus_than_processes_are_a_bad_request(runner) -> None:
    gpus = [{"index": 0, "uuid": "GPU-0", "name": "H200"}]
    run(runner, options={"data_parallel_size": 2, "batch_size": 1}, code=2, gpus=gpus)
    assert "need 2 GPUs, and the run was given 1" in runner.json("failure.json")["message"]
