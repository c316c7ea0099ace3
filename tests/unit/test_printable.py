"""What others wrote, as it may be shown."""

from __future__ import annotations

import json

import pytest

from orchestrator.printable import harmless, in_json, on_one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("a\u202eb\u2066c\u200fd", "a\\u202eb\\u2066c\\u200fd"),
        ("\x9b\r\ud800\uffff\u2028", "\\x9b\\r\\ud800\\uffff\\u2028"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 👩\u200d💻 模型", None),  # joiners are part of the words
        ("a\tb\nc", None),
    ],
)
def test_controls_are_seen_and_letters_are_left_alone(text: str, shown: str | None) -> None:
    assert harmless(text) == (text if shown is None else shown)


def test_a_name_stays_on_its_line() -> None:
    assert on_one_line("a\tb\nc\x00") == "a\\tb\\nc\\x00"


def test_json_means_the_same() -> None:
    value = {"\u202e": "\x1b\x9b\ud800 模型"}
    written = in_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(written) == value
    assert not set(written) & {"\u202e", "\x9b", "\ud800"}
