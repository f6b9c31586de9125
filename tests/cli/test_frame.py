"""What goes by the record runs even if the manifest is wrong about caches."""

from __future__ import annotations

import pytest

from tests.cli.cli_harness import Stage


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("next .", "Run at"),
        ("drift .", "No drift"),
        ("show -C .", "m-one"),
        ("show m-one -C . --live", "cachedContents/"),
        ("output -C .", "m-two"),
        ("output m-one -C . --format env", "cachedContents/"),
        ("state list -C .", "m-one"),
        ("state show m-two -C .", "texts/two.md"),
        ("state mv m-two m-three -C .", "m-three"),
        ("state history -C .", "apply"),
        ("state migrate elsewhere -C .", "is a copy"),
        ("lock status -C .", "No run holds"),
        ("keepalive .", "ctxprov validate lists them"),
    ],
)
def test_by_the_state_alone(
    fileless: Stage, monkeypatch: pytest.MonkeyPatch, command: str, arguments: str
) -> None:
    """What goes by the record needs none of the files that its caches came of."""
    monkeypatch.chdir(fileless.root)
    result = fileless.run(*command.split())

    assert (result.status, result.err) == (0, "")
    assert arguments in result.out


@pytest.mark.parametrize("command", ["plan .", "apply . --auto-approve", "explain m-one -C ."])
def test_never_read_as_delete(
    fileless: Stage, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """What goes by the manifest refuses one whose files are gone, and deletes nothing."""
    monkeypatch.chdir(fileless.root)
    result = fileless.run(*command.split())

    assert result.status == 1
    assert "names nothing that is there" in result.err
    assert len(fileless.live()) == 2
