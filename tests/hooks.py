"""A web server of the tests' own, that behaves as badly as it is told to."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Post:
    """One that came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Hook:
    """The server: what came in, and what it does about each in turn; the last for ever."""

    behaviours: list[Behaviour]
    posts: list[Post] = field(default_factory=list)
    url: str = ""
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def origin(self) -> str:
        return self.url.rpartition("/")[0]

    def behave(self, handler: BaseHTTPRequestHandler) -> None:
        number = min(len(self.posts), len(self.behaviours)) - 1
        self.behaviours[number](handler)


@contextmanager
def served(*behaviours: Behaviour) -> Iterator[Hook]:
    """Serve for as long as the context lasts."""
    hook = Hook(list(behaviours) or [answers(200)])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            hook.posts.append(Post(self.path, dict(self.headers.items()), body))
            self.close_connection = True
            with suppress(OSError):
                hook.behave(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.hook = hook  # type: ignore[attr-defined]
    hook.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield hook
    finally:
        hook.closing.set()
        server.shutdown()
        socketserver.TCPServer.server_close(server)


def answers(status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Behaviour:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def closing_of(handler: BaseHTTPRequestHandler) -> threading.Event:
    return handler.server.hook.closing  # type: ignore[attr-defined, no-any-return]


def says_nothing(handler: BaseHTTPRequestHandler) -> None:
    closing_of(handler).wait()


def drips_headers(handler: BaseHTTPRequestHandler) -> None:
    """A byte now and then, so that no read ever times out."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not closing_of(handler).wait(0.05):
        handler.wfile.write(b".")


def drips_body(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not closing_of(handler).wait(0.05):
        handler.wfile.write(b".")


def endless_body(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not closing_of(handler).is_set():
        handler.wfile.write(bytes(2**20))


def endless_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not closing_of(handler).is_set():
        handler.wfile.write(b"X-Much: " + b"x" * 1000 + b"\r\n")


def garbage(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\x00\xff SSH-2.0 not the web\r\n\r\n")


def hangs_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def hangs_up_midway(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 20")
    handler.connection.shutdown(socket.SHUT_RDWR)


def nobodys_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
