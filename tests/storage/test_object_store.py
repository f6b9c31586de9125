"""S3 by a server in this process, and what obstore may raise."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from obstore import exceptions

from provisioner.errors import BackendUnreachable, StateError, StateTaken, StateUnreadable
from provisioner.storage import Backend
from provisioner.storage.object_store import ObjectStore, backend_at
from tests.storage.clock import AT_NOW, with_clock
from tests.storage.conformance import NAME, LeaseConformance, Open
from tests.storage.s3 import BUCKET, served_s3


@pytest.fixture(scope="module")
def environ() -> Iterator[Mapping[str, str]]:
    """The settings of a server that speaks S3."""
    with served_s3() as s3:
        yield s3.environ


def at(address: str, environ: Mapping[str, str]) -> Backend:
    return backend_at(address, root=Path(), environ=environ, runtime=AT_NOW, top=None)


class TestS3(LeaseConformance):
    """moto's server."""

    @pytest.fixture
    def open_place(self, environ: Mapping[str, str]) -> Open:
        address = f"s3://{BUCKET}/{uuid4().hex}"

        def open_place(clock: Callable[[], datetime]) -> Backend:
            return backend_at(
                address, root=Path(), environ=environ, runtime=with_clock(clock), top=None
            )

        return open_place


def test_no_bucket(environ: Mapping[str, str]) -> None:
    """A bucket that is not there is no absent file."""
    backend = at("s3://nowhere/x", environ)
    with pytest.raises(StateError, match=r"s3://nowhere is not there .*NoSuchBucket"):
        backend.read(NAME)
    with pytest.raises(StateUnreadable, match=r"s3://nowhere/x/demo\.json .*NoSuchBucket"):
        backend.confirm(NAME)
    with pytest.raises(StateError, match="s3://nowhere is not there"):
        backend.write(NAME, b"one", expected=None)


def test_oversize(environ: Mapping[str, str]) -> None:
    """A file larger than a state can be is refused before it is fetched."""
    store = ObjectStore(f"s3://{BUCKET}/{uuid4().hex}", environ, largest=3)
    store.write(NAME, b"four", expected=None)
    with pytest.raises(StateError, match="has 4 bytes, and at most 3 are read"):
        store.read(NAME)


def test_server_gone() -> None:
    """A server that is gone is unreachable within seconds."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        store = ObjectStore(
            "s3://states",
            {
                "AWS_ENDPOINT_URL": endpoint,
                "AWS_ACCESS_KEY_ID": "id",
                "AWS_SECRET_ACCESS_KEY": "secret",
            },
        )
        with pytest.raises(BackendUnreachable, match=r"s3://states/demo\.json cannot be reached"):
            store.read(NAME)
        with pytest.raises(BackendUnreachable):
            store.write(NAME, b"one", expected=None)


def test_a_probe_leaves_one_file(environ: Mapping[str, str]) -> None:
    """However many runs probe before their first write, one file stays."""
    for number in range(3):
        backend = at(f"s3://{BUCKET}/probed", environ)
        backend.write(f"{number}.json", b"one", expected=None)
    listing = httpx.get(
        f"{environ['AWS_ENDPOINT_URL']}/{BUCKET}?list-type=2&prefix=probed/", trust_env=False
    )
    assert listing.text.count("<Key>") == 3 + 1
    assert "probed/ctxprov-probe.json" in listing.text


@pytest.mark.parametrize(
    "address", ["s3://", "s3:///x", "s3://a b/c", "az://", "s3://key@bucket/x", "s3://host:9/x"]
)
def test_no_address(address: str) -> None:
    with pytest.raises(StateError, match="is no address of a store"):
        at(address, {})


_RAISED = [
    kind
    for kind in vars(exceptions).values()
    if isinstance(kind, type) and issubclass(kind, Exception)
]


@pytest.mark.parametrize("kind", [*_RAISED, FileNotFoundError, ValueError, OSError])
def test_nothing_foreign_escapes(kind: type[Exception]) -> None:
    """Every error of obstore is a StateError that names the place and no signed address."""
    store = ObjectStore("s3://states/x", {})
    said = "Error performing GET https://host/x?sig=SECRET - HTTP error: gone"
    with pytest.raises(StateError) as told, store._translated(NAME):  # noqa: SLF001
        raise kind(said)
    assert "s3://states" in str(told.value)
    assert "SECRET" not in str(told.value)


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("status code: 503 Service Unavailable", BackendUnreachable),
        ("status code: 429 Too Many Requests", BackendUnreachable),
        ("HTTP error: error sending request", BackendUnreachable),
        ("status code: 400 Bad Request: <Code>InvalidArgument</Code>", StateError),
        ("status code: 501 Not Implemented", StateError),
    ],
)
def test_what_may_pass_and_what_may_not(words: str, meaning: type[StateError]) -> None:
    """Only what a retry may cure is unreachable."""
    store = ObjectStore("s3://states/x", {})
    with pytest.raises(StateError) as told, store._translated(NAME):  # noqa: SLF001
        raise exceptions.GenericError(f"Generic S3 error: {words}")
    assert type(told.value) is meaning


def test_refused() -> None:
    """Credentials that are refused are a person's business."""
    store = ObjectStore("az://states/x", {"AZURE_STORAGE_ACCOUNT_NAME": "x"})
    refusal = r"az://states/x/demo\.json: access was refused"
    with pytest.raises(StateUnreadable, match=refusal) as told, store._translated(NAME):  # noqa: SLF001
        raise exceptions.PermissionDeniedError("status code: 403")
    assert not isinstance(told.value, (StateTaken, BackendUnreachable))
