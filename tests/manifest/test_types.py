"""What is read of a manifest knows its place, and its settings are one value."""

from __future__ import annotations

from pathlib import Path

from provisioner.manifest import load_manifest
from tests.stacks import HEAD, write

MANIFEST = """\
version: 1
stack: demo
defaults:
  gemini: {model: gemini-3.8-flash, ttl: 12h}
caches:
  a: {provider: gemini, content: a.md}
"""


def test_the_nearest_place(tmp_path: Path) -> None:
    """A key of an entry stands where it is declared last; an absent one where the entry is."""
    entry = load_manifest(write(tmp_path, MANIFEST)).caches["a"]

    lines = {key: entry.at(key).problem("").line for key in ("content", "ttl", "protect")}
    assert lines == {"content": 6, "ttl": 4, "protect": 6}


def test_a_problem_of_the_stack(tmp_path: Path) -> None:
    """A problem of a key that is left out stands at the beginning of the file."""
    manifest = load_manifest(write(tmp_path, f"{MANIFEST}publish: handles.json\n"))

    assert manifest.problem("publish", "is odd").line == 7
    assert manifest.problem("state", "is odd").line == 1
    assert manifest.problem("state", "is odd").where == "state"


def test_the_state_that_is_named_by_default(tmp_path: Path) -> None:
    """Naming the default place of the state changes no setting; another place does."""
    silent, default, other = (
        load_manifest(write(tmp_path, MANIFEST + line)).settings
        for line in ("", "state: state\n", "state: elsewhere\n")
    )

    assert silent == default
    assert silent.state != other.state


def test_kinds(tmp_path: Path) -> None:
    """An entry's kind is the type of its provider, under any name."""
    manifest = load_manifest(
        write(
            tmp_path,
            f"{HEAD}providers: {{eu: {{type: gemini}}}}\n"
            "caches:\n"
            "  a: {provider: eu, model: gemini-3.8-flash, ttl: 12h, content: a.md}\n"
            "  n: {provider: claude, model: claude-sonnet-5-5, content: n.md}\n",
        )
    )

    assert {name: entry.kind for name, entry in manifest.caches.items()} == {
        "a": "gemini",
        "n": "claude",
    }
