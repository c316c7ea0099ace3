"""A hub that answers with anything at all: it is told what is known, and nothing is waited or read for without end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from orchestrator.system import hub
from orchestrator.system.hub import Found, Wanted, look_up

WANTED = Wanted("org/m", None, ("*.json", "*.safetensors"))
SOUND: dict[str, Any] = {
    "id": "org/m",
    "siblings": [{"rfilename": "model.safetensors", "size": 10}, {"rfilename": "README.md", "size": 7}],
    "safetensors": {"parameters": {"F32": 2}, "total": 2},
}
CHUNK = b" " * 2**16


@contextmanager
def answering(write: Callable[[BaseHTTPRequestHandler], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub whose every answer is written so."""
    constants = pytest.importorskip("huggingface_hub.constants")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            write(self)

        def log_message(self, *_: Any) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def found(answer: str, monkeypatch: pytest.MonkeyPatch) -> Found:
    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(answer.encode())

    with answering(write, monkeypatch):
        return look_up([WANTED], token=False, cache=None)[0]


def test_a_sound_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = found(json.dumps(SOUND), monkeypatch)
    assert (told.state, told.download_bytes, told.weights_bytes) == ("to download", 10, 10)
    assert told.parameters == {"F32": 2}


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "null",
        "[]",
        "<html>",
        "[" * 100_000,
        json.dumps({**SOUND, "siblings": 5}),
        json.dumps({**SOUND, "siblings": [5]}),
        json.dumps({**SOUND, "siblings": [{"size": 5}]}),
        json.dumps({**SOUND, "safetensors": {"parameters": [1], "total": 1}}),
    ],
)
def test_an_answer_of_another_shape_is_unknown(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = found(answer, monkeypatch)
    assert (told.state, told.why) == ("unknown", "the hub's answer cannot be understood")


@pytest.mark.parametrize("size", [-5, True, "10", 10.5, 10**400, None])
def test_a_size_that_is_none_is_unknown(size: object, monkeypatch: pytest.MonkeyPatch) -> None:
    siblings = [{"rfilename": "model.safetensors", "size": size}]
    told = found(json.dumps({**SOUND, "siblings": siblings}), monkeypatch)
    assert (told.state, told.download_bytes, told.weights_bytes) == ("to download", None, None)


@pytest.mark.parametrize("count", [-5, True, "10", 10**400, None])
def test_a_number_of_parameters_that_is_none_is_left_out(count: object, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = {"F32": count, "BF16": 2}
    told = found(json.dumps({**SOUND, "safetensors": {"parameters": parameters, "total": 2}}), monkeypatch)
    assert told.parameters == {"BF16": 2}


def test_an_answer_without_end_is_not_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()

    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(CHUNK)
        except OSError:
            given_up.set()

    monkeypatch.setattr(hub, "_MOST_ANSWER_BYTES", 2**20)
    with answering(write, monkeypatch):
        told = look_up([WANTED], token=False, cache=None)[0]
        assert given_up.wait(60)
    assert (told.state, told.why) == ("unknown", "the hub's answer has no end")


def test_an_answer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up, over = threading.Event(), threading.Event()

    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while not over.wait(0.05):
                handler.wfile.write(b" ")
        except OSError:
            given_up.set()

    monkeypatch.setattr(hub, "_PATIENCE_S", 0.5)
    with answering(write, monkeypatch):
        told = look_up([WANTED], token=False, cache=None)[0]
        assert given_up.wait(60)
        over.set()
    assert told.state == "unknown"
