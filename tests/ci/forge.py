"""A stand-in for the few calls of GitHub's API that a comment takes, on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

BOT = "github-actions[bot]"


@dataclass
class Hub:
    """One repository, `acme/bots`: its comments, and what pull requests there are."""

    url: str = ""
    broken: bool = False
    comments: list[dict[str, Any]] = field(default_factory=list)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)

    def texts(self) -> list[str]:
        return [one["body"] for one in self.comments]

    def writes(self) -> list[str]:
        return [call for call in self.calls if not call.startswith("GET")]

    def say(self, login: str, text: str) -> None:
        id_ = len(self.comments) + 1
        self.comments.append({"id": id_, "user": {"login": login}, "body": text})

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any]:  # noqa: ANN401  # JSON
        if self.broken:
            return 502, {"message": "::error::out of order"}
        parts = urlsplit(target)
        match method, parts.path.strip("/").split("/"):
            case "GET", ["user"]:
                return 403, {"message": "Resource not accessible by integration"}
            case "GET", ["repos", "acme", "bots", "issues", "7", "comments"]:
                page = int(parse_qs(parts.query)["page"][0])
                return 200, self.comments[100 * (page - 1) : 100 * page]
            case "POST", ["repos", "acme", "bots", "issues", "7", "comments"]:
                self.say(BOT, body["body"])
                return 201, self.comments[-1]
            case "PATCH", ["repos", "acme", "bots", "issues", "comments", id_]:
                self.comments[int(id_) - 1]["body"] = body["body"]
                return 200, self.comments[int(id_) - 1]
            case "GET", ["repos", "acme", "bots", "pulls"]:
                wanted = parse_qs(parts.query)["head"]
                return 200, [one for one in self.pulls if [one["label"]] == wanted]
            case "GET", ["repos", "acme", "bots", "commits", _, "pulls"]:
                return 200, self.pulls
            case _:
                return 404, {"message": f"no {method} {target}"}


@contextmanager
def github() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def serve(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            hub.calls.append(f"{self.command} {self.path}")
            hub.tokens.add(self.headers.get("authorization"))
            status, words = hub.answer(self.command, self.path, body)
            raw = json.dumps(words).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PATCH = serve  # noqa: N815  # as http.server wants it

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
