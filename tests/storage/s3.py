"""S3, by moto's server in a thread of this process."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import httpx

if TYPE_CHECKING:
    from moto.server import ThreadedMotoServer

BUCKET = "states"


@dataclass
class S3:
    """A server with one bucket, which may go away and come back with all that it had."""

    server: ThreadedMotoServer
    port: int

    @property
    def environ(self) -> Mapping[str, str]:
        """What a program must know to use it."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }

    def stop(self) -> None:
        self.server.stop()

    def start(self) -> None:
        self.server = _started(self.port)


@contextmanager
def served_s3() -> Iterator[S3]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = _started(0)
    s3 = S3(server, server.get_host_and_port()[1])
    server_url = s3.environ["AWS_ENDPOINT_URL"]
    # What an earlier server of this process was given is there still.
    httpx.post(f"{server_url}/moto-api/reset", trust_env=False).raise_for_status()
    httpx.put(f"{server_url}/{BUCKET}", trust_env=False).raise_for_status()
    yield s3
    s3.stop()


def _started(port: int) -> ThreadedMotoServer:
    from moto.server import ThreadedMotoServer  # noqa: PLC0415  # a second, for those who need it

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    inner = server._server  # noqa: SLF001  # it has no door for an application
    assert inner
    inner.app = _one_at_a_time(inner.app)
    return server


def _one_at_a_time(app: WSGIApplication) -> WSGIApplication:
    """As S3 does with writes of one object; moto may let another in between condition and write."""
    alone = Lock()

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        with alone:
            return [*app(environ, start_response)]

    return serve
