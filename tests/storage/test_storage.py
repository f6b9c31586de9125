"""What an address means before any backend is asked, and what every backend promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provisioner.errors import StateError
from provisioner.storage import StoredFile, is_remote, open_backend, oversize, split_file
from tests.storage.clock import AT_NOW


@pytest.mark.parametrize(
    ("address", "path"),
    [("state", "state"), ("../state", "../state"), (".", ""), ("a b/c", "a b/c"), ("s3", "s3")],
)
def test_a_path_is_a_folder(tmp_path: Path, address: str, path: str) -> None:
    """A path is relative to the folder it was said in, unless it is absolute."""
    backend = open_backend(address, root=tmp_path, environ={}, runtime=AT_NOW)
    absolute = open_backend(str(tmp_path / "x"), root=Path("/else"), environ={}, runtime=AT_NOW)

    assert backend.where("demo.json") == str(tmp_path / path / "demo.json")
    assert absolute.where("demo.json") == str(tmp_path / "x" / "demo.json")
    assert not is_remote(address)


@pytest.mark.parametrize("address", ["ftp://host/x", "s4://bucket", "git:main", "c:state"])
def test_an_unknown_kind(tmp_path: Path, address: str) -> None:
    """What is neither a path nor a known kind is refused, and the kinds are listed."""
    with pytest.raises(StateError, match="s3://BUCKET"):
        open_backend(address, root=tmp_path, environ={}, runtime=AT_NOW)


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("s3:/x", "s3://BUCKET/PREFIX"),
        ("s3:", "s3://BUCKET/PREFIX"),
        ("az:x", "az://CONTAINER/PREFIX"),
        ("gs:/x", "gs://BUCKET/PREFIX"),
        ("gs://", "gs://BUCKET/PREFIX"),
        ("git+branch:", "git+branch:NAME"),
        ("git+branch://x", "git+branch:NAME"),
        ("https:/x", "https://HOST/PATH"),
    ],
)
def test_a_known_kind_misspelt(tmp_path: Path, address: str, form: str) -> None:
    """What begins like a backend is no folder of that name, and the error shows its form."""
    with pytest.raises(StateError, match=re.escape(form)):
        open_backend(address, root=tmp_path, environ={}, runtime=AT_NOW)


@pytest.mark.parametrize("address", ["C:\\state", "c:/state"])
def test_a_drive(address: str) -> None:
    assert not is_remote(address)


@pytest.mark.parametrize(
    ("address", "place", "name"),
    [
        ("handles.json", ".", "handles.json"),
        ("out/handles.json", "out", "handles.json"),
        ("s3://bucket/deep/handles.json", "s3://bucket/deep", "handles.json"),
        ("s3://bucket/handles.json", "s3://bucket", "handles.json"),
        ("git+branch:live/handles.json", "git+branch:live", "handles.json"),
    ],
)
def test_a_file(address: str, place: str, name: str) -> None:
    """The address of a file is that of its backend and its name there."""
    assert split_file(address) == (place, name)


@pytest.mark.parametrize("address", ["s3://bucket", "s3://bucket/", "git+branch:live"])
def test_no_file(address: str) -> None:
    """An address that names no file where one is needed says what to add."""
    with pytest.raises(StateError, match=r"add /handles\.json"):
        split_file(address)


@pytest.mark.parametrize(
    ("size", "sentence"), [(1_234, "has 1,234 bytes"), (None, "has too many bytes")]
)
def test_a_file_beyond_the_limit(size: int | None, sentence: str) -> None:
    """A file too large is refused with its place, its size if that is known, and the limit."""
    assert str(oversize("s3://bucket/a.json", size, 1_000)).startswith(
        f"s3://bucket/a.json {sentence}, and at most 1,000 are read."
    )


def test_content_is_not_shown() -> None:
    """A file that was read shows its version alone."""
    assert "secret" not in repr(StoredFile(content=b"secret", version="1"))
