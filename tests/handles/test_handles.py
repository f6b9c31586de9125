"""The published document: what is written, over what, and how it is read."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import PublishError
from provisioner.files import DRAFT, schema_bytes
from provisioner.handles import handles_bytes, handles_fields, parse_published, publish
from provisioner.model.facts import State
from provisioner.runtime import SYSTEM
from provisioner.storage.local import LocalBackend
from tests.builders import HOUR, NOW, desired, retiring, state
from tests.handles.fixtures import LEAVING, NOTE, OPENAI, A, held, written


def entries(told: State, *hidden: str, now: datetime = NOW) -> dict[str, object]:
    document = json.loads(handles_bytes(told, hidden=hidden, now=now))
    jsonschema.validate(document, SCHEMA)
    found: dict[str, object] = document["caches"]
    return found


BYTES = f"""\
{{
  "caches": {{
    "n": {{
      "digest": "{NOTE.digest}",
      "expires_at": null,
      "handle": {{
        "cache_control": {{
          "ttl": "1h",
          "type": "ephemeral"
        }},
        "provider": "claude"
      }},
      "model": "claude-sonnet-5-5",
      "previous": null
    }}
  }},
  "generated_at": "2026-01-01T12:00:00Z",
  "stack": "demo",
  "version": 1
}}
"""


SCHEMA = json.loads(schema_bytes("handles"))


def test_the_document() -> None:
    """Every live cache and annotation is there with its handle, model, digest and end."""
    found = entries(state(A, NOTE, OPENAI))

    assert found["a"] == {
        "handle": {
            "provider": "gemini",
            "cache_name": A.id,
            "expires_at": "2026-01-01T18:00:00Z",
        },
        "model": A.model,
        "digest": A.digest,
        "expires_at": "2026-01-01T18:00:00Z",
        "previous": None,
    }
    assert set(found) == {"a", "n", "o"}


def test_the_previous_handle() -> None:
    """The handle of a retiring cache holds the moment until which it lives."""
    (entry,) = entries(state(A, retiring=[LEAVING])).values()

    assert isinstance(entry, dict)
    assert entry["previous"]["handle"]["cache_name"] == LEAVING.id
    assert entry["previous"]["until"] == "2026-01-01T13:00:00Z"


@pytest.mark.parametrize("order", [1, -1])
def test_the_previous_handle_that_lives_longest(order: int) -> None:
    """Of several retiring caches of a name, the one that lives longest is the previous one."""
    longer = retiring(desired("a", "older"), "cachedContents/older", until=NOW + 2 * HOUR)
    (entry,) = entries(state(A, retiring=[LEAVING, longer][::order])).values()

    assert isinstance(entry, dict)
    assert entry["previous"]["handle"]["cache_name"] == longer.id


def test_the_bytes() -> None:
    """The document is indented, sorted, and ends in a line feed, so that it may live in git."""
    assert handles_bytes(state(NOTE), hidden=(), now=NOW).decode() == BYTES


def test_what_is_left_out() -> None:
    """What has expired, what is hidden, and a previous one that is over are left out."""
    assert entries(state(A), now=NOW + 6 * HOUR) == {}
    assert set(entries(state(A, NOTE), "a")) == {"n"}
    (entry,) = entries(state(A, retiring=[LEAVING]), now=NOW + HOUR).values()
    assert isinstance(entry, dict)
    assert entry["previous"] is None


def test_publishing_again(tmp_path: Path) -> None:
    """A file is rewritten only if something other than its date would change."""
    backend, name = LocalBackend(tmp_path, SYSTEM), "handles.json"
    document = handles_bytes(state(A), hidden=(), now=NOW)

    assert publish(backend, name, document, is_ours=held)
    assert not publish(
        backend, name, handles_bytes(state(A), hidden=(), now=NOW + HOUR), is_ours=held
    )
    assert (tmp_path / name).read_bytes() == document
    assert publish(backend, name, handles_bytes(state(A, NOTE), hidden=(), now=NOW), is_ours=held)


def test_a_lock_that_is_lost(tmp_path: Path) -> None:
    """A run that lost its lock replaces no handles, and says so."""
    backend, name = LocalBackend(tmp_path, SYSTEM), "handles.json"
    publish(backend, name, handles_bytes(state(A), hidden=(), now=NOW), is_ours=held)
    document = handles_bytes(state(A, NOTE), hidden=(), now=NOW)
    with pytest.raises(PublishError, match="has lost its lock"):
        publish(backend, name, document, is_ours=lambda: False)
    assert publish(backend, name, document, is_ours=held)


def test_publishing_over_something_else(tmp_path: Path) -> None:
    """The error for a folder in the file's place is one paragraph."""
    with pytest.raises(PublishError, match="cannot be published"):
        publish(LocalBackend(tmp_path.parent, SYSTEM), tmp_path.name, b"{}", is_ours=held)


@pytest.mark.parametrize(
    "content",
    [b"notes", b"{}", b"[]", b'{"version": 1, "stack": "demo", "generated_at": "x"}', b"\xff"],
)
def test_publishing_over_a_foreign_file(tmp_path: Path, content: bytes) -> None:
    """A file that ctxprov did not write stays as it is."""
    path = tmp_path / "handles.json"
    path.write_bytes(content)

    with pytest.raises(PublishError, match="was not written by ctxprov"):
        written(path, A)
    assert path.read_bytes() == content


def test_publishing_over_a_newer_document(tmp_path: Path) -> None:
    """What a newer ctxprov has published stays as it is."""
    path = tmp_path / "handles.json"
    written(path, A)
    newer = path.read_bytes().replace(b'"version": 1', b'"version": 2')
    path.write_bytes(newer)

    with pytest.raises(PublishError, match="newer"):
        written(path, A)
    assert path.read_bytes() == newer


def test_the_fields_of_the_document() -> None:
    """The fields that a command prints are those that are published."""
    fields = handles_fields(state(A, NOTE), hidden=("a",), now=NOW)

    assert fields == json.loads(handles_bytes(state(A, NOTE), hidden=("a",), now=NOW))


def test_publishing_over_an_empty_file(tmp_path: Path) -> None:
    """An empty file is replaced, since nothing is lost by it."""
    path = tmp_path / "handles.json"
    path.touch()
    written(path, A)

    assert parse_published(path.read_bytes(), where="")[0].keys() == {"a"}


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("ctxprov.yaml", "a manifest"),
        ("More.CTXPROV.yml", "a manifest"),
        ("demo.lock", "a state's lock"),
        ("demo.json.lock.json", "a state's lock"),
        (DRAFT, "a draft"),
    ],
)
def test_publishing_under_a_name_of_ours(tmp_path: Path, name: str, what: str) -> None:
    """Handles are published under no name that ctxprov reads as something else."""
    with pytest.raises(PublishError, match=f"has the name of {what}"):
        written(tmp_path / name, A)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"{", "ends in the middle"),
        (b"{x", "is not JSON"),
        (b"\xff", "handles.json "),
        (b"{}", "holds no handles that ctxprov published"),
        (b'{"version": 1, "caches": []}', "holds no handles that ctxprov published"),
        (b'{"version": 0, "caches": {}}', "holds no handles that ctxprov published"),
        (b'{"version": 2, "caches": {}}', "newer"),
    ],
)
def test_a_document_that_is_refused(raw: bytes, why: str) -> None:
    """What holds no handles of this version is refused, with the reason."""
    with pytest.raises(PublishError, match=why):
        parse_published(raw, where="handles.json")


@given(raw=st.binary(max_size=60) | st.from_regex(rb'\{"version": 1, "caches": .{0,20}\}'))
def test_any_file(raw: bytes) -> None:
    """Reading any file ends in handles or in one error."""
    try:
        parse_published(raw, where="handles.json")
    except PublishError as error:
        assert "handles.json" in str(error)  # noqa: PT017  # either way is right
