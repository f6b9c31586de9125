"""Shared options: what their values mean, and what is wrong usage."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.cli.options import (
    FORMATS,
    Out,
    document,
    duration,
    expanded,
    moment,
    share,
    takes_stdout,
    the_only,
    with_json,
)
from provisioner.times import HORIZON
from tests.builders import HOUR, NOW


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Two stacks, and a folder that is none."""
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    for name in ("one", "two"):
        (tmp_path / name / "ctxprov.yaml").touch()
    return tmp_path


def test_patterns(folders: Path) -> None:
    """A pattern stands for the stacks that it matches, sorted, each once; a folder for itself."""
    one, two, three = (folders / name for name in ("one", "two", "three"))

    assert expanded([folders / "*"]) == (one, two)
    assert expanded([two, folders / "*"]) == (two, one)
    assert expanded([three]) == (three,)
    assert expanded([folders / "absent"]) == (folders / "absent",)
    assert expanded([]) == (Path(),)
    with pytest.raises(click.UsageError, match="matches no folder"):
        expanded([folders / "th*"])


def test_a_folder_named_like_a_pattern(folders: Path) -> None:
    """A folder that exists is taken as it is, even if its name reads like a pattern."""
    odd = folders / "[one]"
    odd.mkdir()

    assert expanded([odd]) == (odd,)


def test_the_only(folders: Path) -> None:
    """A NAME goes with one stack, however it is given."""
    assert the_only([folders / "one", folders / "o*"]) == folders / "one"
    with pytest.raises(click.UsageError, match="give -C once"):
        the_only([folders / "*"])


@pytest.mark.parametrize(
    ("text", "span"), [("90m", 1.5 * HOUR), ("1d12h", 36 * HOUR), ("3650d", 3650 * 24 * HOUR)]
)
def test_durations(text: str, span: timedelta) -> None:
    """A duration is read by its units, up to ten years."""
    assert duration().convert(text, None, None) == span


@pytest.mark.parametrize(
    ("text", "reason"),
    [("soon", "such as 90m"), ("59m", "at least 1h"), ("3651d", "at most 3650d")],
)
def test_no_durations(text: str, reason: str) -> None:
    """What is no duration, or is beyond a bound, is wrong usage that names the bound."""
    with pytest.raises(click.BadParameter, match=reason):
        duration(at_least=HOUR).convert(text, None, None)


@given(st.integers(0, 100))
def test_shares(percent: int) -> None:
    """A percentage is a number from 0 to 1, with or without its sign."""
    expected = percent / 100

    assert share.convert(f"{percent}%", None, None) == expected
    assert share.convert(str(percent), None, None) == expected


@pytest.mark.parametrize("text", ["", "%", "-1%", "101%", "5.5%", "5%%", "half"])
def test_no_shares(text: str) -> None:
    """Anything but a whole percentage from 0 to 100 is wrong usage."""
    with pytest.raises(click.BadParameter, match="is no percentage"):
        share.convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("plan.json", Out("json", "plan.json")),
        ("plan.md", Out("markdown", "plan.md")),
        ("plan.txt", Out("text", "plan.txt")),
        ("plan.html", Out("html", "plan.html")),
        ("json=plan", Out("json", "plan")),
        ("text=a=b.json", Out("text", "a=b.json")),
        ("github=-", Out("github", "-")),
    ],
)
def test_documents(text: str, out: Out) -> None:
    """The format is what stands before the first `=`, else what the suffix says."""
    assert document.convert(text, None, None) == out


@pytest.mark.parametrize("text", ["plan.pdf", "plan", "json=", "pdf=plan.json", "-"])
def test_no_documents(text: str) -> None:
    """What names no format is wrong usage, which lists the formats."""
    with pytest.raises(click.BadParameter, match=", ".join(FORMATS)):
        document.convert(text, None, None)


def test_one_document_on_standard_output() -> None:
    """Two documents never mix on standard output; annotations go beside one."""
    annotations, page = Out("github", "-"), Out("markdown", "-")

    assert with_json([annotations], as_json=True) == (annotations, Out("json", "-"))
    assert with_json([page], as_json=False) == (page,)
    assert not takes_stdout([annotations, Out("json", "plan.json")])
    assert takes_stdout([annotations, page])
    with pytest.raises(click.UsageError, match="Only one document"):
        with_json([page], as_json=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+6h", 6 * HOUR),
        ("+1d12h", 36 * HOUR),
        ("+3650d", HORIZON),
        ("2026-01-01T12:00:00Z", NOW),
        ("2026-01-01T13:00:00+01:00", NOW),
    ],
)
def test_moments(text: str, expected: datetime | timedelta) -> None:
    """A span begins with a plus; anything else is a moment with its offset."""
    assert moment.convert(text, None, None) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("6h", "is neither"),
        ("tomorrow", "is neither"),
        ("2026-01-01T12:00:00", "is neither"),
        ("+3651d", "is more than"),
        ("9999-12-31T23:59:59Z", "is more than"),
    ],
)
def test_no_moments(text: str, reason: str) -> None:
    """What is no moment, or lies beyond the horizon, is wrong usage with the text in it."""
    with pytest.raises(click.BadParameter, match=reason) as refusal:
        moment.convert(text, None, None)

    assert text in refusal.value.message
