"""Every command, with every descriptor that is closed, full or left, and in poor encodings."""

from __future__ import annotations

import pytest

from tests.cli.cli_harness import LONG, Stage
from tests.cli.test_descriptors import APPLY, A, edited, redirected

COMMANDS = (
    ("plan", "-v"),
    ("plan", "--out", "json=plan.json"),
    APPLY,
    ("keepalive",),
    ("drift",),
    ("show",),
    ("explain", "a"),
    ("list",),
    ("output",),
    ("next",),
    ("forecast", "--every", "1h"),
    ("render", "plan.json"),
    ("comment", "plan.json"),
    ("state", "history"),
    ("destroy", "--auto-approve"),
)
WAYS = {
    "closed": ">&-",
    "no error": "2>&-",
    "none at all": "<&- >&- 2>&-",
    "full": ">/dev/full",
    "full error": "2>/dev/full",
    "left": "| true",
}


@pytest.mark.parametrize("way", WAYS)
def test_every_command(stage: Stage, way: str) -> None:
    """Every command has the status of its work, or of an account that is not whole."""
    for arguments in COMMANDS:
        stage.write(A, a=LONG)
        stage.apply()
        usual, shown = redirected(stage, "", *arguments)
        stage.apply()
        status, _ = redirected(stage, WAYS[way], *arguments)
        assert status in _expected(way, arguments, usual, shown), arguments
        assert len(stage.live()) == len(stage.handles()) == (arguments[0] != "destroy"), arguments


def _expected(way: str, arguments: tuple[str, ...], usual: int, shown: str) -> set[int]:
    """What the status may be; where it hangs on who is faster, and on which stream is written."""
    if way == "left":  # of a pipe the shell tells the status of the reader
        return {0}
    is_lost = way.startswith("full") and bool(shown)
    is_for_nothing = arguments == ("output",) and way in {"closed", "none at all"}
    return {usual, 1} if is_lost else {1} if is_for_nothing else {usual}


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
def test_every_command_in_poor_encodings(stage: Stage, encoding: str) -> None:
    """No command fails for a character that its terminal does not have."""
    for arguments in COMMANDS:
        edited(stage)
        usual, _ = redirected(stage, "", *arguments)
        edited(stage)
        assert redirected(stage, "", *arguments, PYTHONIOENCODING=encoding)[0] == usual, arguments
