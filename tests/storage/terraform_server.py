"""
A server that manages Terraform states, as GitLab and Gitea do, in the memory of a test.

It keeps what Terraform's HTTP protocol says: GET, POST and DELETE of a state, and a lock with
LOCK and UNLOCK on the state's own address or with POST and DELETE one level below.  Like Gitea
it takes nothing but a state of Terraform's fourth format, and like both only from the
lock owner.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from provisioner.storage.lock_owner import LockOwner
from provisioner.storage.terraform_format import lock_bytes

Reply = tuple[int, bytes, dict[str, str]]
Fault = Callable[["Request"], Reply | None]


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    body: bytes
    headers: dict[str, str]


@dataclass(slots=True)
class States:
    """What the server keeps, and how a test makes it misbehave."""

    states: dict[str, list[bytes]] = field(default_factory=dict)
    locks: dict[str, dict[str, Any]] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    before: Fault = lambda _: None
    """May answer in the server's stead."""
    after: Fault = lambda _: None
    """May answer after the server has done its work; status 0 closes the connection."""
    echoes: bool = False
    """
    Like GitLab, keep of a lock its id, a user and a time, and repeat the rest to who asks.

    A state that was locked and never written is there, without content.
    """
    url: str = ""
    _locked_once: set[str] = field(default_factory=set)
    _alone: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Request) -> Reply:
        with self._alone:
            self.requests.append(request)
            fault = self.before(request)
            if fault:
                return fault
            reply = self._checked(request)
            return self.after(request) or reply

    def _checked(self, request: Request) -> Reply:
        if self.users and not self._knows(request.headers.get("authorization", "")):
            return _said(401, "who are you?")
        given = request.headers.get("content-md5")
        if request.body and given != _md5(request.body):
            return _said(400, "the body is not what was sent")
        target = urlsplit(request.path)
        path = unquote(target.path)
        below = path.removesuffix("/lock")
        match request.method:
            case "LOCK":
                return self._lock(path, request.body)
            case "UNLOCK":
                return self._unlock(path, request.body)
            case "POST" if below != path:
                return self._lock(below, request.body)
            case "DELETE" if below != path:
                return self._unlock(below, request.body)
            case "GET" if path in self.states:
                return 200, self.states[path][-1], {"content-type": "application/json"}
            case "GET" if self.echoes and path in self._locked_once:
                return 204, b"", {}
            case "GET":
                return _said(404, "there is no such state")
            case _:
                return self._change(request, path, parse_qs(target.query).get("ID", [None])[0])

    def _change(self, request: Request, path: str, lock_id: str | None) -> Reply:
        held = self.locks.get(path, {}).get("ID")
        if held != lock_id:
            return 423, json.dumps(self.locks.get(path, {})).encode(), {}
        match request.method:
            case "POST" if _is_state(request.body):
                self.states.setdefault(path, []).append(request.body)
                return 200, b"", {}
            case "DELETE" if path in self.states:
                del self.states[path]
                return 200, b"", {}
            case "DELETE":
                return _said(404, "there is no such state")
            case _:
                return _said(400, "this is no state")

    def _knows(self, header: str) -> bool:
        kind, _, words = header.partition(" ")
        username, _, password = base64.b64decode(words).decode().partition(":")
        return kind == "Basic" and self.users.get(username) == password

    def _lock(self, path: str, body: bytes) -> Reply:
        if path in self.locks and self.echoes:
            kept = {key: self.locks[path][key] for key in ("ID", "Created")}
            told = {**json.loads(body), **kept, "Who": "the-user"}
            return 409, json.dumps(told).encode(), {}
        if path in self.locks:
            return 423, json.dumps(self.locks[path]).encode(), {}
        self.locks[path] = json.loads(body)
        self._locked_once.add(path)
        return 200, b"", {}

    def _unlock(self, path: str, body: bytes) -> Reply:
        if self.locks.get(path, {}).get("ID") != json.loads(body)["ID"]:
            return 409, json.dumps(self.locks.get(path, {})).encode(), {}
        del self.locks[path]
        return 200, b"", {}


def locked_by(who: LockOwner) -> dict[str, Any]:
    """What the server knows of a lock whose owner is *who*."""
    words: dict[str, Any] = json.loads(lock_bytes(who, path=""))
    return words


@contextmanager
def terraform_server() -> Iterator[States]:
    """A server on a free port of this machine, for as long as the block lasts."""
    states = States()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {key.lower(): value for key, value in self.headers.items()}
            request = Request(self.command, self.path, self.rfile.read(length), headers)
            status, body, more = states.answer(request)
            self.close_connection = status == 0
            if status == 0:
                return
            self.send_response(status)
            for key, value in ({"content-length": str(len(body))} | more).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = do_LOCK = do_UNLOCK = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        states.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield states
        finally:
            server.shutdown()
            thread.join()


def _said(status: int, words: str) -> Reply:
    return status, json.dumps({"message": words}).encode(), {"content-type": "application/json"}


def _md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _is_state(body: bytes) -> bool:
    match json.loads(body):
        case {
            "version": 4,
            "terraform_version": str(version),
            "serial": int(serial),
            "lineage": str(lineage),
            "resources": [*_],
            "outputs": {**_rest},
        }:
            return bool(version and serial and lineage)
        case _:
            return False
