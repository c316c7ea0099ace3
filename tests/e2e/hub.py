"""A strict stand-in for the Hugging Face hub: one model, served as the hub's protocol has it, and nothing else."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Serves a folder as a gated model; remembers what it was asked and what it refused."""

    def __init__(self, name: str, folder: Path, token: str) -> None:
        self.name = name
        self.folder = folder
        self.token = token
        self.url = ""
        self.served: list[str] = []
        self.unknown: list[str] = []

    def answer(self, path: str, authorization: str | None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a request."""
        path = path.partition("?")[0]
        if authorization != f"Bearer {self.token}":
            return 401, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to this model is restricted."}, b"{}"
        if path in (f"/api/models/{self.name}/revision/{revision}" for revision in ("main", COMMIT)):
            siblings = [{"rfilename": file.name} for file in sorted(self.folder.iterdir())]
            found = {"_id": "1", "id": self.name, "sha": COMMIT, "private": False, "siblings": siblings}
            return 200, {"Content-Type": "application/json"}, json.dumps(found).encode()
        if path == f"/api/models/{self.name}/tree/{COMMIT}":
            tree = [
                {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": git_oid(file)}
                for file in sorted(self.folder.iterdir())
            ]
            return 200, {"Content-Type": "application/json"}, json.dumps(tree).encode()
        prefix = f"/{self.name}/resolve/{COMMIT}/"
        file = self.folder / path.removeprefix(prefix)
        if path.startswith(prefix) and file.is_file():
            self.served.append(file.name)
            body = file.read_bytes()
            return 200, {"ETag": f'"{git_oid(file)}"', "X-Repo-Commit": COMMIT}, body
        self.unknown.append(path)
        return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"


def git_oid(file: Path) -> str:
    """The name that git gives a file's content."""
    body = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


@contextmanager
def serving(name: str, folder: Path, token: str) -> Iterator[Hub]:
    """The hub at work on a port of this machine."""
    hub = Hub(name, folder, token)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            status, headers, body = hub.answer(self.path, self.headers.get("Authorization"))
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_GET = do_HEAD = _answer  # noqa: N815 (the names that http.server looks for)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
