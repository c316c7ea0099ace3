from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.system.hub import Wanted, in_cache
from orchestrator.system.weights import count_parameters, read_config, weight_files
from runners.contract.names import HUB_FILES

COMMIT = "a" * 40
MODEL = Wanted("org/m", None, HUB_FILES)


def safetensors(path: Path, tensors: dict[str, tuple[str, list[int]]]) -> Path:
    """A file as the format has it: the length of a header, the header, and (here left out) the numbers."""
    header = {
        name: {"dtype": dtype, "shape": shape, "data_offsets": [0, 0]} for name, (dtype, shape) in tensors.items()
    }
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    return path


def test_parameters_are_counted_by_type_over_all_files(tmp_path: Path) -> None:
    one = safetensors(tmp_path / "1.safetensors", {"a": ("BF16", [2, 3]), "b": ("F32", [])})
    two = safetensors(tmp_path / "2.safetensors", {"c": ("BF16", [4])})
    assert count_parameters([one, two]) == {"BF16": 10, "F32": 1}


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 8, (4).to_bytes(8, "little") + b"nope", (2).to_bytes(8, "little") + b"[]", b"\0" * 9]
)
def test_a_file_that_is_none_counts_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    assert count_parameters([tmp_path / "x.safetensors"]) == {}
    assert count_parameters([tmp_path]) == {}


@pytest.mark.parametrize("shape", [[-3], [1.5], [True], [10**400], [2**40, 2**40], [2] * 60, "ab"])
def test_a_tensor_of_no_size_counts_nothing(tmp_path: Path, shape: list[int]) -> None:
    assert count_parameters([safetensors(tmp_path / "x.safetensors", {"a": ("BF16", shape)})]) == {}


def test_the_real_library_writes_what_is_counted(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    real = pytest.importorskip("safetensors.numpy")
    real.save_file(
        {"a": numpy.zeros((3, 5), numpy.float32), "b": numpy.zeros(7, numpy.float16)}, tmp_path / "m.safetensors"
    )
    assert count_parameters([tmp_path / "m.safetensors"]) == {"F32": 15, "F16": 7}


def test_a_second_copy_and_parts_are_no_weights_to_load() -> None:
    names = ["model-1.safetensors", "model-2.safetensors", "consolidated.safetensors", "vae/x.safetensors", "README.md"]
    assert weight_files(names) == ["model-1.safetensors", "model-2.safetensors"]
    assert weight_files(["consolidated.safetensors"]) == ["consolidated.safetensors"]


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000])
def test_a_configuration_that_is_none_is_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    assert read_config(tmp_path) == {}
    assert read_config(tmp_path / "nowhere") == {}


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    folder = tmp_path / "models--org--m"
    made = folder / "snapshots" / COMMIT
    made.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    (made / "config.json").write_text('{"hidden_size": 64}')
    safetensors(made / "model-1.safetensors", {"a": ("BF16", [8])})
    return made


def test_what_is_whole_in_the_cache_is_known(tmp_path: Path, snapshot: Path) -> None:
    found = in_cache(MODEL, tmp_path)
    assert found is not None
    assert (found.parameters, found.config) == ({"BF16": 8}, {"hidden_size": 64})
    assert found.weights_bytes == (snapshot / "model-1.safetensors").stat().st_size
    assert in_cache(MODEL._replace(revision=COMMIT), tmp_path) is not None
    assert in_cache(MODEL._replace(revision="v2"), tmp_path) is None


def test_a_part_that_is_missing_makes_it_not_whole(tmp_path: Path, snapshot: Path) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    assert in_cache(MODEL, tmp_path) is None
    safetensors(snapshot / "model-2.safetensors", {"b": ("BF16", [1])})
    assert in_cache(MODEL, tmp_path) is not None


def test_a_file_that_was_never_finished_is_not_there(tmp_path: Path, snapshot: Path) -> None:
    (snapshot / "model-1.safetensors").unlink()
    (snapshot / "model-1.safetensors").symlink_to("../../blobs/gone")
    assert in_cache(MODEL, tmp_path) is None


@pytest.mark.parametrize("ref", ["", "../../..", "\x00", "nowhere", "ü"])
def test_a_broken_reference_leads_nowhere(tmp_path: Path, snapshot: Path, ref: str) -> None:
    (tmp_path / "models--org--m" / "refs" / "main").write_text(ref)
    assert in_cache(MODEL, tmp_path) is None
