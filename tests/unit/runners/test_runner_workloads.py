"""Prompts: where they come from, what is wrong with them, and their exact length."""

import hashlib
import sys
import types
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.errors import BadRequestError
from runners.workloads.builtin import PROMPTS
from runners.workloads.lengths import fit
from runners.workloads.source import texts_of, varied
from runners.workloads.supply import Supply


def words(text: str) -> list[int]:
    return [hash(word) % 1000 for word in text.split()]


def file_request(make_request, path: Path, content: bytes, **workload):
    path.write_bytes(content)
    return make_request({"dataset": "prompts.jsonl", **workload}, dataset_path=str(path))


def test_objects_and_strings_in_any_script(make_request, tmp_path: Path) -> None:
    content = '\ufeff{"prompt": "Grüße, 世界 🌍"}\n\n"bare \\"string\\""\r\n'.encode()
    texts = texts_of(file_request(make_request, tmp_path / "p.jsonl", content))
    assert texts[:2] == ["Grüße, 世界 🌍", 'bare "string"']
    assert texts[2] not in texts[:2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b'"ok"\n{"prompt": \n', "line 2: not valid JSON"),
        (b'"ok"\n{"text": "x", "id": 3}\n', "line 2: no field 'prompt' .the fields are: text, id"),
        (b'"ok"\n{"prompt": 3}\n', "line 2: the prompt is int"),
        (b'"ok"\n["x"]\n', "line 2: the prompt is list"),
        (b'"ok"\n' + b"[" * 200_000 + b"\n", "line 2: the JSON is nested too deeply"),
        (b'"ok"\n' + b'{"prompt":' * 200_000 + b"\n", "line 2: the JSON is nested too deeply"),
        (b'"ok"\n"  "\n', "line 2: the prompt is empty"),
        (b'"ok"\n"\xff\xfe"\n', "line 2: not valid UTF-8"),
        (b'"ok"\n"\\ud800"\n', "line 2: .*surrogate"),
        (b'"only one"\n', "has 1 prompts, and workload.prompts asks for 2"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(make_request, tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(BadRequestError, match=message):
        texts_of(file_request(make_request, tmp_path / "p.jsonl", content))


def test_a_missing_file_is_a_bad_request(make_request, tmp_path: Path) -> None:
    with pytest.raises(BadRequestError, match="cannot read the prompts"):
        texts_of(make_request({"dataset": "x.jsonl"}, dataset_path=str(tmp_path / "x.jsonl")))


def test_a_file_that_changed_is_refused(make_request, tmp_path: Path) -> None:
    before, after = b'"a"\n"b"\n', b'"a"\n"c"\n'
    planned = hashlib.sha256(before).hexdigest()
    assert texts_of(file_request(make_request, tmp_path / "p.jsonl", before, dataset_sha256=planned))[:2] == ["a", "b"]
    with pytest.raises(BadRequestError, match="changed since the campaign was planned"):
        texts_of(file_request(make_request, tmp_path / "p.jsonl", after, dataset_sha256=planned))


def test_a_file_of_one_line_serves_one_prompt_and_a_different_warmup(make_request, tmp_path: Path) -> None:
    texts = texts_of(file_request(make_request, tmp_path / "p.jsonl", b'"Hello"', prompts=1))
    assert texts[0] == "Hello"
    assert len(texts) == 2
    assert texts[1] != "Hello"


@given(st.integers(1, 300), st.integers(1, 80))
def test_variations_are_distinct(measured: int, batch: int) -> None:
    texts = varied(PROMPTS, measured, measured + batch)
    assert len(set(texts)) == measured + batch


def test_a_warmup_text_is_never_a_measured_one() -> None:
    texts = varied(["a", "a", "b", "a", "c"], 3, 5)
    assert texts[:3] == ["a", "a", "b"]
    assert not set(texts[3:]) & set(texts[:3])


@given(st.lists(st.text("abcd ", min_size=3).filter(str.strip), min_size=1, max_size=8), st.integers(2, 40))
def test_prompts_have_exactly_the_length_and_differ(texts: list[str], length: int) -> None:
    vocabulary = {word: number for number, word in enumerate(sorted({w for t in texts for w in t.split()}))}
    try:
        prompts = fit(texts, 1, length, [77], lambda text: [vocabulary[word] for word in text.split()])
    except BadRequestError:
        stream = [vocabulary[word] for text in texts for word in text.split()]
        laps = stream * (2 + length)
        assert len({tuple(laps[n : n + length - 1]) for n in range(len(stream))}) < len(texts)
        return
    every = prompts.measured + prompts.warmup
    assert {len(prompt) for prompt in every} == {length}
    assert len({tuple(prompt) for prompt in every}) == len(texts)
    assert all(prompt[0] == 77 for prompt in every)


def test_as_they_come_only_the_prefix_is_added() -> None:
    prompts = fit(["a b c", "d"], 1, None, [9], lambda text: [ord(word) for word in text.split()])
    assert (prompts.measured, prompts.warmup) == ([[9, 97, 98, 99]], [[9, 100]])


def test_a_length_that_the_prefix_fills_is_refused() -> None:
    with pytest.raises(BadRequestError, match="the tokenizer itself takes 2"):
        fit(["a"], 1, 2, [1, 2], words)


def test_a_text_without_tokens_is_refused() -> None:
    with pytest.raises(BadRequestError, match="no tokens"):
        fit(["x"], 1, None, [], lambda text: [])


class Engine:
    """What makes token ids of words."""

    prefix = (77,)

    def encode(self, text: str) -> list[int]:
        return [zlib.crc32(word.encode()) for word in text.split()]


FILE = "".join(f'"{letter} prompt about {letter}, of some length"\n' for letter in "abcdefghijklmnopqrst").encode()


@pytest.mark.parametrize("input_tokens", [None, 9, 40])
@pytest.mark.parametrize("dataset", ["builtin", "file", "short file"])
def test_every_round_has_fresh_prompts_and_the_same_ones_however_many_rounds_there_are(
    make_request, tmp_path: Path, dataset: str, input_tokens: int | None
) -> None:
    """Of each dataset, one that is used up by the first round included."""
    workload = {"prompts": 6, "input_tokens": input_tokens}
    if dataset == "builtin":
        request = make_request(workload, {"batch_size": 4})
    else:
        content = FILE if dataset == "file" else b"".join(FILE.splitlines(keepends=True)[:7])
        path = tmp_path / "p.jsonl"
        path.write_bytes(content)
        request = make_request({**workload, "dataset": "p.jsonl"}, {"batch_size": 4}, dataset_path=str(path))
    engine = Engine()
    made = {}
    for rounds in (0, 1, 3, 12):
        supply = Supply(request)
        first = supply.first(engine)
        made[rounds] = [first.warmup, first.measured, *supply.further(engine, first, rounds)]
        assert [len(one) for one in made[rounds][1:]] == [6] * (1 + rounds)
        every = [tuple(prompt) for one in made[rounds] for prompt in one]
        assert len(set(every)) == len(every) == 4 + 6 * (1 + rounds)
        assert input_tokens is None or {len(prompt) for prompt in every} == {input_tokens}
    assert made[0] == made[1][:2] == made[3][:2] == made[12][:2]
    again = Supply(request)
    assert made[3][2:] == again.further(engine, again.first(engine), 3)
    assert made[12][2:5] == made[3][2:]


def test_a_dataset_too_poor_for_so_many_rounds_says_so(make_request, tmp_path: Path) -> None:
    class Stammering(Engine):
        def encode(self, text: str) -> list[int]:
            return [len(word) % 2 for word in text.split()]

    (tmp_path / "p.jsonl").write_bytes(b'"a bb a"\n')
    request = make_request(
        {"prompts": 1, "dataset": "p.jsonl", "input_tokens": 4}, dataset_path=str(tmp_path / "p.jsonl")
    )
    supply = Supply(request)
    first = supply.first(Stammering())
    with pytest.raises(BadRequestError, match="different prompts of 3 tokens") as caught:
        supply.further(Stammering(), first, 40)
    assert "fewer prompts" in caught.value.hint


def hub(monkeypatch: pytest.MonkeyPatch, load) -> None:
    """A stand-in for the library `datasets`, which needs the network."""
    module = types.ModuleType("datasets")
    module.load_dataset = load
    module.exceptions = types.SimpleNamespace(DatasetsError=type("DatasetsError", (Exception,), {}))
    monkeypatch.setitem(sys.modules, "datasets", module)


def test_a_missing_column_of_the_hub_names_the_columns(make_request, monkeypatch: pytest.MonkeyPatch) -> None:
    hub(monkeypatch, lambda name, split, streaming: iter([{"text": "a", "label": 1}]))
    with pytest.raises(BadRequestError, match="the columns are: text, label"):
        texts_of(make_request({"dataset": "hf:org/name"}))


def test_a_dataset_that_is_not_there_names_the_token(make_request, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, split: str, streaming: bool):
        raise FileNotFoundError(f"Dataset '{name}' doesn't exist on the Hub")

    hub(monkeypatch, load)
    with pytest.raises(BadRequestError, match="org/name") as caught:
        texts_of(make_request({"dataset": "hf:org/name"}))
    assert "HF_TOKEN" in caught.value.hint
