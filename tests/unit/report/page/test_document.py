from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zlib
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from orchestrator.printable import harmless
from orchestrator.report.answers import Asked, answers_of
from orchestrator.report.circumstances import told
from orchestrator.report.markdown import as_markdown
from orchestrator.report.page.document import as_html
from runners.contract.paths import FAILURE, AttemptName, FailureKind
from runners.contract.result import Check, EngineMessage, RunFailure, RunResult
from tests.browser.reported import made, written
from tests.builders import experiment, identity
from tests.made import Point, made_results, points

HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(2)">\u202e\u0645\u0631'


class Seen(HTMLParser):
    """What elements a page has, with their attributes and what stands in them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[str | None, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs).get("id"), ""))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)

    def island(self, identity: str) -> Any:
        return json.loads(dict(self.scripts)[identity])


def page(folder: Path) -> str:
    return as_html(answers_of(folder))


def hostile_points() -> list[Point]:
    return [
        Point(experiment(model=HOSTILE, batch_size=1), 0.3),
        Point(experiment(model="org/ok", batch_size=2), 0.5),
    ]


def test_names_are_data_never_markup(tmp_path: Path) -> None:
    seen = Seen(page(made(tmp_path, "c", hostile_points(), 3)))
    assert [identity for identity, _ in seen.scripts] == ["charts", "series", "power-spec", "chart-script", None]
    assert not [tag for tag, _ in seen.elements if tag == "img"]
    assert not [name for _, attributes in seen.elements for name in attributes if name.startswith("on")]
    charts = json.dumps(seen.island("charts"), ensure_ascii=False).replace('\\"', '"').replace("\\\\", "\\")
    assert harmless(HOSTILE) in charts
    assert "\u202e" not in charts


def test_the_policy_lets_these_scripts_run_and_nothing_else(tmp_path: Path) -> None:
    seen = Seen(page(made(tmp_path, "c", points([0.3, 0.5]), 3)))
    (policy,) = (one["content"] for tag, one in seen.elements if one.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in policy
    run = [code for identity, code in seen.scripts if identity is None]
    run.append(zlib.decompress(base64.b64decode(seen.island("chart-script")), -zlib.MAX_WBITS).decode())
    hashes = {base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for code in run}
    assert {f"'sha256-{one}'" for one in hashes} == set(rules["script-src"].split())


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    seen = Seen(page(made(tmp_path, "c", points([0.3, 0.5]), 3)))
    loaded = [value for _, attributes in seen.elements for name in ("src", "href") if (value := attributes.get(name))]
    assert all(value.startswith(("#", "data:")) for value in loaded)


def test_every_link_of_the_navigation_leads_somewhere_and_no_id_is_twice(tmp_path: Path) -> None:
    seen = Seen(page(made(tmp_path, "c", points([0.3, 0.5, 0.7]), 3)))
    identities = [one["id"] for _, one in seen.elements if "id" in one]
    assert len(set(identities)) == len(identities)
    links = {one["href"] for tag, one in seen.elements if tag == "a"}
    assert {link.removeprefix("#") for link in links if link} <= {identity for identity in identities if identity}
    assert {"#in-short", "#ranking", "#latency", "#power-over-time", "#checks", "#left-out", "#runs"} <= links


def test_the_power_of_every_run_is_there_and_can_be_decoded(tmp_path: Path) -> None:
    seen = Seen(page(made(tmp_path, "c", points([0.3, 0.5]), 3)))
    series = seen.island("series")
    assert len(series) == 6
    run = json.loads(zlib.decompress(base64.b64decode(next(iter(series.values()))), -zlib.MAX_WBITS))
    assert [trace[0] for trace in run["traces"]] == ["GPU-1", "GPU-2"]
    _, step_w, times, watts = run["traces"][0]
    assert sum(times) / 1000 == 54.858
    assert 60 <= sum(watts) * step_w <= 300
    assert {phase["phase"] for phase in run["phases"]} >= {"measured window", "prefill", "decode"}
    assert "400 of 600 samples, the extremes kept" in run["facts"]


def test_a_campaign_without_results_has_a_page_without_charts(tmp_path: Path) -> None:
    seen = Seen(page(written(tmp_path, "c", [])))
    assert [identity for identity, _ in seen.scripts] == ["charts", None]
    assert seen.island("charts") == {}


def test_simulated_figures_say_so_at_the_top(tmp_path: Path) -> None:
    text = page(written(tmp_path, "c", made_results("c", points([0.3, 0.5]), 3)))
    assert re.search(r'class="banner"[^>]*>Figures are not measured: simulated\.<', text)
    measured = page(written(tmp_path, "d", made_results("d", points([0.3, 0.5], "pytorch"), 3)))
    assert 'class="banner"' not in measured


def test_the_campaign_file_and_the_command_that_repeats_it_are_there(tmp_path: Path) -> None:
    text = page(written(tmp_path, "c", made_results("c", points([0.3, 0.5]), 3)))
    assert "orchestrate campaign c.yaml --dispatch local" in text
    assert "name: c\nmodel: org/model\n" in text


def section_of(page: str, identity: str) -> str:
    """The text of a section."""
    _, _, rest = page.partition(f'id="{identity}"')
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", rest.partition("</section>")[0])).split())


def with_messages(folder: Path) -> Path:
    """A campaign whose engines said something known, something else, and failed in a known way."""
    known = {"source": "torch", "level": "warning", "text": "Triton <b>not</b> available"}
    news = {"source": "vllm", "level": "error", "text": "the cache is broken"}
    made_up = made_results("c", points([0.3, 0.5]), 3, engine_messages=[known])
    made_up[0] = made_up[0].model_copy(update={"engine_messages": [EngineMessage.model_validate(news)]})
    place = written(folder, "c", made_up)
    attempt = place / "attempts" / str(AttemptName(identity(experiment(batch_size=9)), 1, 1))
    attempt.mkdir(parents=True)
    said = "Triton <b>not</b> available"
    failure = RunFailure(run_id=None, kind=FailureKind.ENGINE_FAILED, message=said, at=datetime.now(UTC))
    (attempt / FAILURE).write_text(failure.model_dump_json())
    (folder / "issues.yaml").write_text(
        "- id: no-triton\n  pattern: Triton <b>not\n  status: wip\n  note: a note <i>\n  url: https://example.org/1\n"
    )
    return place


def test_messages_of_engines_say_in_how_many_runs_and_what_they_are_known_as(tmp_path: Path) -> None:
    told = page(with_messages(tmp_path))
    text = section_of(told, "messages")
    assert "1 of 2 messages no known issue explains." in text
    assert "the cache is broken vllm error 1 unknown —" in text
    assert "Triton <b>not</b> available torch warning 5 no-triton wip: is worked on a note <i> ( more of it )" in text
    assert '<a href="https://example.org/1" rel="noreferrer"' in told
    assert "<b>not" not in told
    assert "Known as no-triton (wip): a note <i>" in section_of(told, "left-out")
    assert "Engines complained of 1 error that no known issue explains." in section_of(told, "in-short")
    assert 'href="#messages"' in told


def test_without_messages_there_is_no_section_of_them(tmp_path: Path) -> None:
    assert 'id="messages"' not in page(written(tmp_path, "c", made_results("c", points([0.3, 0.5]), 3)))


def test_the_first_screen_says_what_wins_by_how_much_how_surely_and_at_what_latency(tmp_path: Path) -> None:
    told = page(written(tmp_path, "c", made_results("c", points([0.6, 0.3, 0.9]), 5)))
    headline = told[told.index('<dl class="headline">') : told.index("</dl>")]
    text = " ".join(html.unescape(re.sub("<[^>]*>", " ", headline)).split())
    assert text.startswith(
        "Lowest energy per output token (simulated) batch_size 2 Energy per output token (simulated) 0.29"
    )
    assert "95 % interval 0.2" in text
    assert re.search(
        r"By how much 5\d % less than batch_size 1 , the first that is told apart "
        r"95 % interval [45]\d % to [56]\d %, of all at once 6\d % less than the last",
        text,
    )
    assert "Told apart from 2 of 2 others at 95" in text
    assert re.search(r"TTFT p50 \(simulated\) \d+(\.\d+)? ms", text)


def test_where_higher_is_better_the_lead_is_more(tmp_path: Path) -> None:
    folder = written(tmp_path, "c", made_results("c", points([0.6, 0.3]), 5))
    told = as_html(answers_of(folder, Asked(metric="output_tokens_per_s")))
    headline = " ".join(html.unescape(re.sub("<[^>]*>", " ", told[told.index("<dl") : told.index("</dl>")])).split())
    assert headline.startswith("Highest output rate")
    assert re.search(r"By how much (9\d|1\d\d) % more than batch_size 1", headline)


def test_without_a_winner_there_are_sentences_only(tmp_path: Path) -> None:
    told = page(written(tmp_path, "c", made_results("c", points([0.3, 0.5]), 1)))
    assert "<dl" not in told
    assert "of a single run no interval can be claimed" in section_of(told, "in-short")


def test_what_a_failed_check_saw_is_told_and_why_runs_are_suspect(tmp_path: Path) -> None:
    def judged(result: RunResult) -> RunResult:
        spoilt = result.cycle == 3
        seen = "python computed" if spoilt else "nobody"
        check = Check(name="alone", passed=not spoilt, severity="critical", observed=seen, hint="end it")
        return result.model_copy(update={"checks": [check], "verdict": "suspect" if spoilt else "good"})

    told = page(written(tmp_path, "c", list(map(judged, made_results("c", points([0.3, 0.5]), 4)))))
    assert "alone 2 suspect python computed end it" in section_of(told, "checks")
    assert "2 runs: suspect ( alone failed in 2)" in section_of(told, "left-out")


def everywhere(result: RunResult) -> RunResult:
    """A result with markup in every text that a machine or an engine may have put there."""
    where = result.environment.model_copy(update={"cpu": HOSTILE, "hostname": HOSTILE, "variables": {HOSTILE: HOSTILE}})
    checks = [
        check.model_copy(update={"passed": False, "observed": HOSTILE, "hint": HOSTILE}) for check in result.checks
    ]
    sources = [one.model_copy(update={"name": HOSTILE}) for one in result.sources]
    message = EngineMessage(source=HOSTILE, level="error", text=HOSTILE)
    said = {
        "engine_messages": [message],
        "warnings": [HOSTILE + "\u2028"],
        "effective_config": {HOSTILE: HOSTILE},
        "environment": where,
    }
    return result.model_copy(update={**said, "checks": checks, "sources": sources})


def test_what_machines_and_engines_say_is_data_too(tmp_path: Path) -> None:
    made_up = [everywhere(result) for result in made_results("c", points([0.3, 0.5]), 3)]
    folder = written(tmp_path, "c", made_up)
    attempt = folder / "attempts" / str(AttemptName(identity(experiment(batch_size=9)), 1, 1))
    attempt.mkdir(parents=True)
    failure = RunFailure(run_id=None, kind=FailureKind.OUT_OF_MEMORY, message=HOSTILE, at=datetime.now(UTC))
    (attempt / FAILURE).write_text(failure.model_dump_json())
    (folder / "runs" / identity(experiment(batch_size=7)) / "c001").mkdir(parents=True)
    (folder / "runs" / identity(experiment(batch_size=7)) / "c001" / "result.json").write_text(HOSTILE)
    text = page(folder)
    seen = Seen(text)
    assert text.count(html.escape(harmless(HOSTILE))) >= 6
    assert "\u202e" not in text
    assert not [tag for tag, _ in seen.elements if tag == "img"]
    assert not [name for _, attributes in seen.elements for name in attributes if name.startswith("on")]
    assert [identity for identity, _ in seen.scripts][-2:] == ["chart-script", None]
    assert all("<" not in text and "\u2028" not in text for identity, text in seen.scripts if identity)


def test_bytes_of_the_machine_are_told_in_gib_and_in_full_beside() -> None:
    assert told("memory_bytes", ["135084810240", ""]) == ["125.8 GiB", ""]
    assert told("gpu 0.memory_bytes", ["1023", "2097152"]) == ["1023 B", "2.0 MiB"]
    unlike = ["135084810240", "135084810241"]
    assert told("memory_bytes", unlike) == unlike
    assert told("driver", ["570"]) == ["570"]
    assert told("memory_bytes", ["[1, 2]"]) == ["[1, 2]"]


def test_the_memory_of_the_machine_is_readable(tmp_path: Path) -> None:
    results = made_results("c", points([0.3, 0.5]), 3)
    memory = results[0].environment.memory_bytes
    answers = answers_of(written(tmp_path, "c", results))
    (read,) = told("memory_bytes", [str(memory)])
    assert f'<span title="{memory}">{read}</span>' in as_html(answers)
    assert f"- memory_bytes: {read}" in as_markdown(answers)
