"""A strict stand-in for the Hugging Face hub: some repositories, served as its protocol has it, and nothing else."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, NamedTuple

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Repository(NamedTuple):
    """A folder that is served under a name."""

    name: str
    folder: Path
    token: str | None = None
    """Without it the repository is gated; None: it is open."""
    kind: Literal["models", "datasets"] = "models"
    revisions: Sequence[str] = ("main", COMMIT)
    size_told: int | None = None
    """The most that it says of a file's size before it sends it; None: the truth."""

    @property
    def prefix(self) -> str:
        """What stands before its name in the addresses of its files."""
        return f"/{self.name}" if self.kind == "models" else f"/{self.kind}/{self.name}"


class Hub:
    """Serves repositories; remembers what it was asked and what it did not know."""

    def __init__(self, repositories: Sequence[Repository]) -> None:
        self.repositories = repositories
        self.url = ""
        self.served: list[str] = []
        self.unknown: list[str] = []

    def answer(self, path: str, authorization: str | None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a request."""
        path, _, query = path.partition("?")
        for repository in self.repositories:
            api = f"/api/{repository.kind}/{repository.name}"
            if path == api or path.startswith((f"{api}/", f"{repository.prefix}/resolve/")):
                about = path == api or path.startswith(f"{api}/revision/")  # which the hub tells everybody
                if repository.token and not about and authorization != f"Bearer {repository.token}":
                    refused = {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to this model is restricted."}
                    return 401, refused, b"{}"
                found = self._answer(repository, path, api, sizes="blobs=" in query)
                if found:
                    return found
        self.unknown.append(path)
        return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"

    def _answer(
        self, repository: Repository, path: str, api: str, *, sizes: bool
    ) -> tuple[int, dict[str, str], bytes] | None:
        files = sorted(repository.folder.iterdir())
        json_type = {"Content-Type": "application/json"}
        if path in (api, *(f"{api}/revision/{revision}" for revision in repository.revisions)):
            siblings: list[dict[str, object]] = [{"rfilename": file.name} for file in files]
            if sizes:
                siblings = [
                    {"rfilename": file.name, "size": repository.size_told or file.stat().st_size} for file in files
                ]
            about = {"_id": "1", "id": repository.name, "sha": COMMIT, "private": False, "siblings": siblings}
            gated = "manual" if repository.token else False
            return 200, json_type, json.dumps({**about, "gated": gated}).encode()
        if path.startswith(f"{api}/revision/"):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        if path == f"{api}/auth-check":
            return 200, json_type, b"{}"
        if path == f"{api}/tree/{COMMIT}":
            tree = [
                {
                    "type": "file",
                    "path": file.name,
                    "size": repository.size_told or file.stat().st_size,
                    "oid": git_oid(file),
                }
                for file in files
            ]
            return 200, json_type, json.dumps(tree).encode()
        missing = 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, b"{}"
        if path.startswith(f"{api}/tree/{COMMIT}/"):
            return missing  # no repository here has folders
        revision, _, name = path.removeprefix(f"{repository.prefix}/resolve/").partition("/")
        if revision not in ("main", COMMIT):
            return None
        file = repository.folder / name
        if not file.is_file():
            return missing
        self.served.append(file.name)
        size = str(min(repository.size_told or file.stat().st_size, file.stat().st_size))
        about_file = {"ETag": f'"{git_oid(file)}"', "X-Repo-Commit": COMMIT, "Content-Length": size}
        return 200, about_file, file.read_bytes()


def git_oid(file: Path) -> str:
    """The name that git gives a file's content."""
    body = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


@contextmanager
def serving(*repositories: Repository) -> Iterator[Hub]:
    """The hub at work on a port of this machine."""
    hub = Hub(repositories)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            status, headers, body = hub.answer(self.path, self.headers.get("Authorization"))
            self.send_response(status)
            told = {"Content-Length": str(len(body))} | (headers if self.command == "HEAD" else {})
            for key, value in {**headers, **told}.items():
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
