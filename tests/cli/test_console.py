"""One console writes: what goes through it keeps its order, drops progress and never waits."""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner import cli
from provisioner.cli.console import Streams

SOURCES = sorted(Path(cli.__file__).parent.glob("*.py"))
_WRITES = re.compile(
    r"click\.(echo|secho|prompt|confirm|pause)\b|\bprint\(|sys\.std(out|err)\.write"
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_nothing_else_writes(path: Path) -> None:
    """No command writes past the console."""
    assert not _WRITES.search(path.read_text())


@given(st.lists(st.tuples(st.booleans(), st.text(max_size=5)), max_size=20))
def test_both_streams_keep_their_order(pieces: list[tuple[bool, str]]) -> None:
    """What is written to one file by way of both streams arrives in the order of writing."""
    both = io.StringIO()
    console = Streams(both, both)
    for is_out, text in pieces:
        (console.out if is_out else console.err).put_text(text)

    assert console.finish()
    assert both.getvalue() == "".join(text for _, text in pieces).encode(errors="replace").decode()
    console.close()


def test_progress_is_dropped_and_results_are_not() -> None:
    """Where the reader pauses, progress does not pile up; results wait and arrive."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream, os.fdopen(reader) as end:
        console = Streams(stream, None)
        for number in range(100_000):
            console.progress(f"line {number}\n", aside=False)
        console.out.put_text("result\n" * 20_000)
        console.out.put_text("the end")
        shown = ""
        while not shown.endswith("the end"):
            shown += os.read(end.fileno(), 1 << 16).decode()
        assert console.finish()
        console.close()

    assert shown.count("result") == 20_000
    assert shown.count("line") < 100_000


def test_a_library_that_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """What a library prints goes the same way, with the results of the command around it."""
    with Streams(sys.stdout, sys.stderr) as console:
        print("one")  # noqa: T201  # as a library would
        console.out.put_text("two\n")
        assert console.finish()

    assert capsys.readouterr().out == "one\ntwo\n"
