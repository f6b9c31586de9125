"""
Stand-ins, on loopback, for the few calls of GitHub's and of GitLab's API that a comment takes.

Both have one project, `acme/bots` or 42, and in it the request for review 7, to main.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

TOKEN = "made-up-token"


@dataclass
class Said:
    """A comment under request 7."""

    author: str
    text: str


@dataclass
class Forge(ABC):
    """What a forge knows, and what was asked of it."""

    url: str = ""
    broken: bool = False
    hurried: bool = False
    """Whether it was asked too often."""
    elsewhere: str = ""
    """Where every request is redirected to, if set."""
    merged: bool = False
    said: list[Said] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)

    us: ClassVar[str]
    """Who writes with our token."""

    @property
    @abstractmethod
    def environ(self) -> dict[str, str]:
        """What a job has: that of request 7, or of the commit abc on main."""

    @abstractmethod
    def answer(self, method: str, path: list[str], query: dict[str, str], body: Any) -> Any:  # noqa: ANN401  # JSON
        """The answer to a request; None if there is no such thing."""

    def texts(self) -> list[str]:
        return [one.text for one in self.said]

    def writes(self) -> list[str]:
        return [call for call in self.calls if not call.startswith("GET")]

    def shown(self, index: int) -> Any:  # noqa: ANN401  # JSON
        one = self.said[index]
        login = {"login": one.author, "id": one.author}
        return {"id": index + 1, "user": login, "author": login, "body": one.text}

    def page(self, query: dict[str, str]) -> Any:  # noqa: ANN401  # JSON
        size, number = int(query["per_page"]), int(query["page"])
        return [self.shown(i) for i in range(len(self.said))][size * (number - 1) : size * number]

    def add(self, text: str) -> Any:  # noqa: ANN401  # JSON
        self.said.append(Said(self.us, text))
        return self.shown(-1)

    def edit(self, id_: str, text: str) -> Any:  # noqa: ANN401  # JSON
        self.said[int(id_) - 1].text = text
        return self.shown(int(id_) - 1)


@dataclass
class GitHub(Forge):
    us = "github-actions[bot]"
    open: list[dict[str, Any]] = field(default_factory=list)
    """Open pull requests, each with the `label` that it is found by."""

    @property
    def environ(self) -> dict[str, str]:
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.url,
            "GITHUB_REPOSITORY": "acme/bots",
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_SHA": "abc",
            "GITHUB_REF_NAME": "main",
        }

    def answer(self, method: str, path: list[str], query: dict[str, str], body: Any) -> Any:  # noqa: ANN401  # JSON
        match method, path:
            case "GET", ["repos", "acme", "bots", "issues", "7", "comments"]:
                return self.page(query)
            case "POST", ["repos", "acme", "bots", "issues", "7", "comments"]:
                return self.add(body["body"])
            case "PATCH", ["repos", "acme", "bots", "issues", "comments", id_]:
                return self.edit(id_, body["body"])
            case "GET", ["repos", "acme", "bots", "pulls"]:
                return [one for one in self.open if one["label"] == query["head"]]
            case "GET", ["repos", "acme", "bots", "commits", _, "pulls"]:
                at = "2026-11-26T12:00:00Z" if self.merged else None
                return [{"number": 7, "merged_at": at, "base": {"ref": "main"}}]
            case _:
                return None


@dataclass
class GitLab(Forge):
    us = "project_42_bot"
    head: str = "abc"
    """The commit at the head of request 7."""

    @property
    def environ(self) -> dict[str, str]:
        return {
            "GITLAB_CI": "true",
            "CI_API_V4_URL": f"{self.url}/api/v4",
            "CI_PROJECT_ID": "42",
            "CI_MERGE_REQUEST_IID": "7",
            "GITLAB_TOKEN": TOKEN,
            "CI_COMMIT_SHA": "abc",
            "CI_COMMIT_BRANCH": "main",
        }

    def answer(self, method: str, path: list[str], query: dict[str, str], body: Any) -> Any:  # noqa: ANN401  # JSON
        match method, path[2:]:
            case "GET", ["user"]:
                return {"id": self.us}
            case "GET", ["projects", "42", "merge_requests", "7"]:
                return {"sha": self.head}
            case "GET", ["projects", "42", "merge_requests", "7", "notes"]:
                return self.page(query)
            case "POST", ["projects", "42", "merge_requests", "7", "notes"]:
                return self.add(body["body"])
            case "PUT", ["projects", "42", "merge_requests", "7", "notes", id_]:
                return self.edit(id_, body["body"])
            case "GET", ["projects", "42", "repository", "commits", "abc", "merge_requests"]:
                state = "merged" if self.merged else "opened"
                return [{"iid": 7, "state": state, "target_branch": "main"}]
            case _:
                return None


@contextmanager
def served(forge: Forge) -> Iterator[None]:
    """Serve *forge* at the url that its settings name."""

    class Handler(BaseHTTPRequestHandler):
        def serve(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            forge.calls.append(f"{self.command} {self.path}")
            forge.tokens |= {self.headers[key] for key in ("authorization", "private-token")}
            status, document = self.reply(body)
            raw = json.dumps(document).encode()
            self.send_response(status)
            if forge.elsewhere:
                self.send_header("location", forge.elsewhere + self.path)
            if forge.hurried:
                self.send_header("retry-after", "60")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def reply(self, body: Any) -> tuple[int, Any]:  # noqa: ANN401  # JSON
            if forge.broken:
                return 502, {"message": "::error::out of order"}
            if forge.hurried:
                return 403, {"message": "You have exceeded a secondary rate limit"}
            if forge.elsewhere:
                return 307, {}
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            result = forge.answer(self.command, parts.path.strip("/").split("/"), query, body)
            if result is None:  # on GitHub, also who we are: the token of a job may not ask
                return 403, {"message": "Resource not accessible by integration"}
            return 200, result

        do_GET = do_POST = do_PATCH = do_PUT = serve  # noqa: N815  # as http.server wants it

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    forge.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
