"""As much of Google Cloud Storage as a state needs: objects with generations, in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class Bucket:
    """The objects of one bucket; a generation is how often an object was written."""

    objects: dict[str, bytes] = field(default_factory=dict)
    generations: dict[str, int] = field(default_factory=dict)
    url: str = ""

    def get(self, name: str) -> tuple[int, bytes, str]:
        if name not in self.objects:
            return 404, f"No such object: states/{name}".encode(), "0"
        return 200, self.objects[name], str(self._generation(name))

    def put(self, body: bytes, expected: str) -> tuple[int, bytes, str]:
        """Store a multipart upload if its object still has the *expected* generation."""
        boundary = body.partition(b"\r\n")[0]
        described, content = (
            part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")
            for part in body.split(boundary)[1:3]
        )
        name = json.loads(described)["name"]
        if str(self._generation(name)) != expected:
            return 412, b"the condition does not hold", "0"
        self.generations[name] = self._generation(name) + 1
        self.objects[name] = content
        answer = {"generation": str(self.generations[name])}
        return 200, json.dumps(answer).encode(), answer["generation"]

    def _generation(self, name: str) -> int:
        return self.generations.get(name, 1 if name in self.objects else 0)


@contextmanager
def google_server(objects: dict[str, bytes]) -> Iterator[Bucket]:
    """A server with one bucket on a free port of this machine, for as long as the block lasts."""
    bucket, alone = Bucket(dict(objects)), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = unquote(urlsplit(self.path).path.partition("/o/")[2])
            self._answer(*(bucket.get(name) if name else (200, b"{}", "0")))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            query = parse_qs(urlsplit(self.path).query)
            with alone:
                answer = bucket.put(body, query["ifGenerationMatch"][0])
            self._answer(*answer)

        def do_DELETE(self) -> None:
            name = unquote(urlsplit(self.path).path.partition("/o/")[2])
            with alone:
                bucket.objects.pop(name, None)
            self._answer(204, b"", "0")

        def _answer(self, status: int, body: bytes, generation: str) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.send_header("x-goog-generation", generation)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        bucket.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield bucket
        finally:
            server.shutdown()
            thread.join()
