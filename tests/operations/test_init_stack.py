"""A new stack's files: each made once, under a name that no other stack has."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from provisioner.cli.terminal import program_ports
from provisioner.errors import Refused
from provisioner.manifest import load_manifest
from provisioner.operations.init_stack import init_stack
from provisioner.operations.session import Ports


def ports_with(lines: list[str]) -> Ports:
    """Ports whose tokens are all alike, and whose results are *lines*."""
    ports = program_ports()
    console = replace(ports.console, report=lines.append)
    return replace(ports, console=console, token=lambda count: "ab" * count)


def test_a_name(tmp_path: Path) -> None:
    """The stack has the folder's name and a token, or the name that was asked for."""
    for folder, name in (("My Bot!", None), ("named", "support")):
        init_stack(ports_with([]), tmp_path / folder, name)

    stacks = [load_manifest(tmp_path / folder).stack for folder in ("My Bot!", "named")]
    assert stacks == ["my-bot-ababab", "support"]


def test_what_is_there(tmp_path: Path) -> None:
    """A file that is there stays, each file is reported, and a manifest is never replaced."""
    (tmp_path / ".gitignore").write_text("mine\n")
    lines: list[str] = []

    init_stack(ports_with(lines), tmp_path, None)

    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    assert [line.partition(str(tmp_path))[0] for line in lines] == [
        "wrote ",
        "wrote ",
        "left as it is: ",
        "wrote ",
    ]
    with pytest.raises(Refused, match="exists already"):
        init_stack(ports_with([]), tmp_path, None)
