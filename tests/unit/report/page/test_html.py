from __future__ import annotations

import json
import re

import pytest

from orchestrator.report.page.html import dotted, element, inline_script, joined, json_island, name

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&\u202e\x00\ud800"


def test_text_is_escaped_and_markup_of_ours_is_not() -> None:
    made = element("p", "<b>", element("i", "x"), title='"><b>', hidden=True, data_v="", lang=None)
    assert made == '<p title="&quot;&gt;&lt;b&gt;" hidden data-v="">&lt;b&gt;<i>x</i></p>'


def test_attributes_are_escaped_even_where_they_are_markup() -> None:
    assert element("a", title=element("b")) == '<a title="&lt;b&gt;&lt;/b&gt;"></a>'


def test_what_html_does_not_allow_is_replaced() -> None:
    made = name(HOSTILE)
    assert "\x00" not in made
    assert "<img" not in made
    made.encode()


def test_none_is_nothing() -> None:
    assert joined("a", None, 0) == "a0"


def test_data_for_scripts_cannot_end_their_element() -> None:
    island = json_island("data", {"x": HOSTILE})
    body = re.fullmatch(r'<script type="application/json" id="data">(.*)</script>', island)
    assert body
    assert not set(body[1]) & set("<>&")
    assert json.loads(body[1]) == {"x": HOSTILE}


@pytest.mark.parametrize("code", ["x = '</SCRIPT>'", "<!-- x"])
def test_a_script_that_would_end_its_element_is_refused(code: str) -> None:
    with pytest.raises(ValueError):
        inline_script(code)


def test_a_dotted_name_breaks_where_its_parts_end_and_is_data() -> None:
    assert dotted("vllm.max_num<b>") == "<bdi>vllm.<wbr>max_<wbr>num&lt;b&gt;</bdi>"
