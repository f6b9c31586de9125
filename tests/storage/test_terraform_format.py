"""A file inside a Terraform state, and a lock in Terraform's words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.runtime import SYSTEM
from provisioner.storage.terraform_format import (
    lock_bytes,
    next_state,
    parse_lock,
    parse_state,
    state_bytes,
)
from tests.storage.conformance import ANN


@given(st.lists(st.binary(), min_size=1, max_size=3))
def test_a_state_brings_its_file_back(contents: list[bytes]) -> None:
    """Any bytes survive, and each write follows the one before in the same lineage."""
    state = None
    for serial, content in enumerate(contents, 1):
        state = next_state(content, after=state, runtime=SYSTEM)
        assert parse_state(state_bytes(state)) == state
        assert (state.content(), state.serial) == (content, serial)
        document = json.loads(state_bytes(state))
        assert (document["version"], document["resources"]) == (4, [])


def test_versions_name_a_write() -> None:
    """A version depends on the write and not on the layout of its document."""
    first = next_state(b"one", after=None, runtime=SYSTEM)
    again = next_state(b"one", after=first, runtime=SYSTEM)
    laid_out = json.dumps(json.loads(state_bytes(first)), indent=7).encode()

    assert first.version != again.version != next_state(b"one", after=None, runtime=SYSTEM).version
    parsed = parse_state(laid_out)
    assert parsed
    assert parsed.version == first.version


@pytest.mark.parametrize(
    "change",
    [
        {"version": 3},
        {"serial": "1"},
        {"lineage": None},
        {"outputs": {}},
        {"outputs": {"ctxprov": {"value": 1}}},
        {"outputs": {"ctxprov_base64": {"value": "not base64!"}}},
        {"resources": [{"type": "aws_instance"}]},
    ],
)
def test_another_state_is_none_of_ours(change: dict[str, object]) -> None:
    """What ctxprov has not written is read as nothing."""
    document = json.loads(state_bytes(next_state(b"one", after=None, runtime=SYSTEM)))

    assert parse_state(json.dumps({**document, **change}).encode()) is None
    assert parse_state(b'{"version": 4') is None


@pytest.mark.parametrize(
    "change",
    [
        {"terraform_version": None},
        {"outputs": {"ctxprov": {"value": "one"}}},
        {"outputs": {"ctxprov": {"value": "one", "type": ["string"], "sensitive": False}}},
    ],
)
def test_what_only_terraform_reads_may_differ(change: dict[str, object]) -> None:
    """A server may lay out a state in its own way, as long as the file is in it."""
    document = json.loads(state_bytes(next_state(b"one", after=None, runtime=SYSTEM)))

    state = parse_state(json.dumps({**document, **change}).encode())

    assert state
    assert (state.content(), state.serial) == (b"one", 1)


def test_a_state_shows_no_content() -> None:
    """What stands in a log names the write, and not what it wrote."""
    assert "s3cret" not in repr(next_state(b"s3cret", after=None, runtime=SYSTEM))


def test_a_lock_names_its_owner() -> None:
    """A lock of ours comes back whole."""
    assert parse_lock(lock_bytes(ANN, path="demo")) == ANN


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"ID": 1}'])
def test_a_lock_that_names_no_owner(raw: bytes) -> None:
    """A server that says nothing of a lock leaves its owner without a name and an id."""
    owner = parse_lock(raw)

    assert (owner.id, owner.operation) == ("", "")
    assert "does not name" in owner.who


def test_a_lock_of_a_terraform() -> None:
    """A lock that a Terraform took shows who and since when, and no more than it may."""
    words = {"ID": "b1", "Who": "bob@build", "Operation": "OperationTypeApply", "Info": "x"}
    owner = parse_lock(json.dumps({**words, "Created": "2026-11-22T12:00:00Z"}).encode())

    assert str(owner) == "bob@build (OperationTypeApply) since 2026-11-22T12:00:00Z"
    assert len(parse_lock(json.dumps({"ID": "i" * 999}).encode()).id) == 256
