"""Models and prompts by their Hugging Face names: the real libraries against a stand-in for the hub, and a folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestrator import load_results
from runners.backends.demo import demo_folder
from tests.e2e.commands import Project
from tests.e2e.hub import COMMIT, Repository, serving

pytestmark = pytest.mark.engine

TOKEN = "hf_this_must_stay_secret"
FLAGS = ["--prompts", "2", "--input-tokens", "8", "--output-tokens", "4", "--batch-size", "2", "--dtype", "float32"]
TINY_MODEL = """
import sys
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
shape = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2)
LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=512, **shape)).save_pretrained("tiny")
tokenizer.save_pretrained("tiny")
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one layer that knows nothing, in a folder of its own."""
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-c", TINY_MODEL, demo_folder("smollm2-135m")], cwd=folder, check=True)
    return folder / "tiny"


def test_a_gated_model_comes_from_the_hub_with_a_token_that_no_file_keeps(project: Project, tiny: Path) -> None:
    with serving(Repository("org/tiny", tiny, TOKEN)) as hub:
        hub_environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(project.folder / "hf")}
        command = ["run", "--backend", "pytorch", "--model", "org/tiny@main", *FLAGS]
        refused = project.run(*command, environment=hub_environment, timeout_s=300)
        assert refused.returncode == 1
        assert "model_gated" in refused.stderr
        assert "HF_TOKEN" in refused.stderr
        done = project.run(*command, environment={**hub_environment, "HF_TOKEN": TOKEN}, timeout_s=300)
    assert done.returncode == 0, done.stderr
    assert "model.safetensors" in hub.served
    assert hub.unknown == []
    (result,) = load_results(project.results / "adhoc")
    assert result.effective_config["revision"] == COMMIT
    holding = [path for path in project.folder.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert holding == []


def test_torch_compile_reaches_the_engine(project: Project, tiny: Path) -> None:
    command = ["run", "--backend", "pytorch", "--model", str(tiny), "--torch-compile", "true", *FLAGS]
    done = project.run(*command, timeout_s=400)
    assert done.returncode == 0, done.stderr
    (result,) = load_results(project.results / "adhoc")
    assert result.effective_config["compiled_graphs"] > 0
    assert result.experiment.model_sha256 is not None


def test_prompts_come_from_a_dataset_by_its_name(project: Project) -> None:
    """The library takes a folder of the dataset's name before it asks the hub."""
    rows = [json.dumps({"question": f"What is {number} times seven?"}) for number in range(5)]
    code = (
        "from runners.workloads.hub import rows_of_dataset\n"
        "import itertools, json\n"
        "print(json.dumps(list(itertools.islice(rows_of_dataset('org/sums', 'train', 'question'), 3))))\n"
        "try:\n    next(iter(rows_of_dataset('org/sums', 'train', 'prompt')))\n"
        "except Exception as error:\n    print(error)\n"
    )
    folder = project.folder / "org" / "sums"
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_text("\n".join(rows))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project.folder,
        env={"HF_HUB_OFFLINE": "1", "HF_HOME": str(project.folder / "hf"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    prompts, complaint = done.stdout.splitlines()
    assert json.loads(prompts) == [f"What is {number} times seven?" for number in range(3)]
    assert "has no column 'prompt' (the columns are: question)" in complaint


def served_prompts(folder: Path, column: str) -> Repository:
    """The dataset of the AI Energy Score, with prompts of ours."""
    folder.mkdir()
    pq.write_table(
        pa.table({column: [f"What is {number} times seven?" for number in range(6)]}), folder / "train.parquet"
    )
    return Repository("AIEnergyScore/text_generation", folder, kind="datasets")


ASK = ["run", "--backend", "simulated", "--model", "any", "--dataset", "aienergyscore", "--prompts", "3"]
QUICKLY = ["--output-tokens", "4", "--tokens-per-s", "10000"]


def test_the_prompts_of_the_ai_energy_score_are_downloaded_once(project: Project, tmp_path: Path) -> None:
    with serving(served_prompts(tmp_path / "set", "text")) as hub:
        environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(project.folder / "hf")}
        first = project.run(*ASK, *QUICKLY, environment=environment)
    assert first.returncode == 0, first.stderr
    assert "train.parquet" in hub.served
    again = project.run(*ASK, *QUICKLY, environment={**environment, "HF_HUB_OFFLINE": "1"})
    assert again.returncode == 0, again.stderr
    assert {result.requests for result in load_results(project.results / "adhoc")} == {3}


def test_a_dataset_that_lost_its_column_says_what_it_has(project: Project, tmp_path: Path) -> None:
    with serving(served_prompts(tmp_path / "set", "texts")) as hub:
        environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(project.folder / "hf")}
        done = project.run(*ASK, *QUICKLY, environment=environment)
    assert done.returncode == 1
    assert "bad_request: aienergyscore has no column 'text' (the columns are: texts)" in done.stderr
    assert "use hf:AIEnergyScore/text_generation and name a column of them" in done.stderr
