"""
A document of a newer ctxprov asks for an upgrade, at every depth; one in another encoding is read.

The readers are those of the product: each document has one for every caller.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from provisioner.catalog import load_catalog
from provisioner.errors import ManifestError, PublishError, StateError, StateNewer
from provisioner.handles import handles_bytes, parse_published, publish
from provisioner.manifest import load_manifest
from provisioner.model.facts import Scope
from provisioner.runtime import SYSTEM
from provisioner.state.history import PastRun, history_bytes, parse_history
from provisioner.state.state_file import parse_state, state_bytes
from provisioner.storage.lease import free_bytes, is_free
from provisioner.storage.local import LocalBackend
from provisioner.storage.lock_owner import LockOwner, lock_owner_bytes, parse_lock_owner
from provisioner.times import moment_text
from tests.builders import HOUR, NOW, annotation, desired, noted, recorded, retiring, state

STATE = state_bytes(
    state(
        recorded(desired("manual")),
        noted(annotation("policy")),
        retiring=[retiring(desired("manual"))],
        providers={"gemini": Scope(endpoint="https://example.test/v1beta", keys=("ab" * 8,))},
        serial=7,
    )
)
HANDLES = handles_bytes(
    state(recorded(desired("manual")), retiring=[retiring(desired("manual"))]), hidden=(), now=NOW
)
RUN = PastRun(
    run="r1",
    who="me@here",
    operation="apply",
    at=moment_text(NOW),
    commit=None,
    job=None,
    fingerprint=None,
    outcome="well",
    kept=None,
)
HISTORY = history_bytes("demo", (RUN,))
LOCK = lock_owner_bytes(
    LockOwner(id="a1", who="me@here", pid=1, operation="apply", since=NOW, until=NOW + HOUR)
)
MODEL = {
    "provider": "gemini",
    "name": "gemini-3.8-flash",
    "min_tokens": 7,
    "explicit_caching": True,
    "retires_on": None,
    "sources": ["ours"],
    "prices": [],
}


def read_state(raw: bytes) -> object:
    return parse_state(raw, where="it", stack="demo")


def read_history(raw: bytes) -> object:
    return parse_history(raw, where="it")


def read_handles(raw: bytes) -> object:
    return parse_published(raw, where="it")[0]


READERS: Mapping[str, tuple[bytes, Callable[[bytes], object]]] = {
    "state": (STATE, read_state),
    "history": (HISTORY, read_history),
    "handles": (HANDLES, read_handles),
    "lock": (LOCK, parse_lock_owner),
    "free": (free_bytes("a1", NOW, ended=False), is_free),
}


_OPEN = ("providers", "caches", "retiring", "pieces")
"""Where keys are names, so that one more is one more entry."""


def with_one_key_more(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """The document with a key that is new, at each of its depths; and where."""
    document = json.loads(raw)
    for at in list(_objects(document, "")):
        other = json.loads(raw)
        for where, value in _objects(other, ""):
            if where == at[0]:
                value["warmed_at"] = "2027-01-01T00:00:00Z"
        yield at[0], json.dumps(other).encode()


def _objects(value: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: ANN401  # JSON
    if isinstance(value, dict) and where.rpartition(".")[2] not in _OPEN:
        yield where, value
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in pairs:
        if isinstance(one, dict | list):
            yield from _objects(one, f"{where}.{key}".strip("."))


@pytest.mark.parametrize("name", ["state", "history"])
def test_one_key_more(name: str) -> None:
    """What ctxprov acts on is refused whole, names the key, and is not to be moved or forced."""
    raw, read = READERS[name]
    depths = dict(with_one_key_more(raw))
    assert {"", "caches.manual", "caches.manual.settings"} <= depths.keys() or name == "history"
    for where, more in depths.items():
        with pytest.raises(StateNewer, match=r"^it was written by a newer ctxprov") as newer:
            read(more)
        assert f"{where}.warmed_at: this key is unknown".lstrip(".") in str(newer.value)
        assert "Upgrade ctxprov" in str(newer.value)
        assert "move" not in str(newer.value)
        assert "force" not in str(newer.value)


@pytest.mark.parametrize("name", ["handles", "lock", "free"])
def test_one_key_more_to_look_at(name: str) -> None:
    """An application keeps its handles, and a run sees a lock, with keys that are new to them."""
    raw, read = READERS[name]
    for _, more in with_one_key_more(raw):
        assert read(more) == read(raw)


@pytest.mark.parametrize(
    ("name", "error"), [("state", StateNewer), ("history", StateNewer), ("handles", PublishError)]
)
def test_a_higher_version(name: str, error: type[Exception]) -> None:
    """A document with a higher version and any other key asks for an upgrade."""
    raw, read = READERS[name]
    with pytest.raises(error, match=r"newer ctxprov.*its version is 2.*Upgrade ctxprov"):
        read(json.dumps({**json.loads(raw), "version": 2, "caches": 7}).encode())


def test_a_newer_state_says_whose() -> None:
    """The version that wrote a state is named, where the state names it."""
    raw = json.dumps({**json.loads(STATE), "ctxprov_version": "9.1.0", "more": 1}).encode()
    with pytest.raises(StateNewer, match=r"by a newer ctxprov 9\.1\.0: more: this key is unknown"):
        read_state(raw)


def test_newer_handles_are_left(tmp_path: Path) -> None:
    """Handles that a newer ctxprov published are not written over."""
    newer = json.dumps({**json.loads(HANDLES), "version": 2}).encode()
    (tmp_path / "handles.json").write_bytes(newer)
    with pytest.raises(PublishError, match="Upgrade ctxprov"):
        publish(LocalBackend(tmp_path, SYSTEM), "handles.json", HANDLES, is_ours=lambda: True)
    assert (tmp_path / "handles.json").read_bytes() == newer


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", READERS)
def test_another_encoding(name: str, encoding: str) -> None:
    """What a shell or an editor encoded again says what it message before."""
    raw, read = READERS[name]
    assert read(raw.decode().encode(encoding)) == read(raw)


@pytest.mark.parametrize("name", ["state", "history", "handles"])
def test_half_of_another_encoding(name: str) -> None:
    """A document that breaks its encoding off is named with the encoding and what to do."""
    raw, read = READERS[name]
    with pytest.raises((StateError, PublishError), match="begins as UTF-16 and breaks off: save"):
        read(raw.decode().encode("utf-16")[:-1])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_models(tmp_path: Path, encoding: str) -> None:
    """A file of models is read in every encoding that its bytes tell."""
    path = tmp_path / "models.json"
    path.write_text(json.dumps({"version": 1, "models": [MODEL]}), encoding=encoding)

    model = load_catalog(path).find("gemini", "gemini-3.8-flash")

    assert model
    assert model.min_tokens == 7


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"version": 2, "models": 1}, "was written by a newer ctxprov: its version is 2"),
        ({"version": 1, "models": [], "x": 1}, "if it was written for a newer ctxprov, upgrade"),
        ({"version": 1, "models": [{**MODEL, "x": 1}]}, "for a newer ctxprov, upgrade"),
    ],
)
def test_newer_models(tmp_path: Path, document: object, message: str) -> None:
    """A file of models for a newer ctxprov says so."""
    path = tmp_path / "models.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ManifestError, match=message):
        load_catalog(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_manifest(tmp_path: Path, encoding: str) -> None:
    """A manifest that an editor encoded again declares what it declared."""
    text = f"version: 1\r\nstack: demo\r\ncaches:\r\n  {ENTRY}\r\n"
    (tmp_path / "ctxprov.yaml").write_bytes(text.encode(encoding))
    (tmp_path / "a.md").write_text("word")

    assert [*load_manifest(tmp_path).caches] == ["a"]


ENTRY = "a: {provider: claude, model: claude-sonnet-5-5, content: a.md}  # für später"


def test_runs_of_before() -> None:
    """A history in another encoding keeps its runs when one is added."""
    runs = parse_history(HISTORY.decode().encode("utf-16"), where="it")
    assert history_bytes("demo", (*runs, replace(RUN, run="r2"))) == history_bytes(
        "demo", (RUN, replace(RUN, run="r2"))
    )
