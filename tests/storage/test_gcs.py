"""What Google Cloud Storage says, in its own words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from provisioner.errors import BackendUnreachable, StateError, StateUnreadable
from provisioner.runtime import SYSTEM
from provisioner.storage.gcs import Bucket
from tests.storage.conformance import NAME
from tests.storage.terraform_server import States, terraform_server

NO_BUCKET = b"The specified bucket does not exist."


@pytest.fixture
def server() -> Iterator[States]:
    with terraform_server() as states:
        yield states


def bucket(server: States, address: str) -> Bucket:
    return Bucket(address, server=server.url, authority=lambda _: {}, runtime=SYSTEM)


@pytest.mark.parametrize("address", ["gs://my-bucket", "gs://states/bucket", "gs://states/x"])
def test_an_absent_file(server: States, address: str) -> None:
    """A file that is not there is absent, under any name of bucket and prefix."""
    place = bucket(server, address)
    words = f"No such object: {place.where('bucket.json').removeprefix('gs://')}"
    server.before = lambda _: (404, words.encode(), {"content-type": "text/html; charset=UTF-8"})

    assert place.read("bucket.json") is None


@pytest.mark.parametrize("status", [401, 403])
def test_what_may_not_be_listed_is_out_of_reach(server: States, status: int) -> None:
    """A 404 counts as an absent file only while the bucket itself can be listed."""
    place = bucket(server, "gs://my-bucket/x")
    server.before = lambda request: (
        (200, b'{"kind": "storage#objects"}', {}) if "prefix=" in request.path else None
    )
    place.confirm(NAME)

    server.before = lambda _: (status, b"no", {})
    with pytest.raises(StateUnreadable, match="access was refused"):
        place.confirm(NAME)


@pytest.mark.parametrize(
    "body",
    [NO_BUCKET, b'{"error": {"code": 404, "message": "%s"}}' % NO_BUCKET],
    ids=["text", "json"],
)
def test_no_bucket(server: States, body: bytes) -> None:
    """A bucket that is not there is no absent file."""
    server.before = lambda _: (404, body, {})

    with pytest.raises(StateError, match="gs://my-bucket is not there"):
        bucket(server, "gs://my-bucket/x").read(NAME)


def test_a_write_with_a_garbled_answer_is_looked_up(server: States) -> None:
    """A write is tried again, and looked up, where its answer cannot be read."""
    server.before = lambda _: (200, b"", {"content-encoding": "gzip"})

    with pytest.raises(BackendUnreachable, match="encoding that was not asked for"):
        bucket(server, "gs://states/x").write(NAME, b"one", expected=None)


def test_oversize(server: States) -> None:
    """An answer is read no further than a state may be long."""
    server.before = lambda _: (200, b"four", {"x-goog-generation": "1"})
    place = Bucket(
        "gs://states/x", server=server.url, authority=lambda _: {}, runtime=SYSTEM, largest=3
    )

    with pytest.raises(StateError, match="has too many bytes, and at most 3 are read"):
        place.read(NAME)
