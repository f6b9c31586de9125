"""The API of a forge: the token goes to one host, and every failure is a line."""

from __future__ import annotations

import pytest

from provisioner.errors import CtxprovError, Refused
from provisioner.review.forge import needed, only
from tests.ci.forge import Forge, Said, served
from tests.cli.cli_harness import GEMINI, Stage
from tests.cli.review_job import planned

A = f"a: {{{GEMINI}, content: a.md}}"


def test_under_a_long_talk(stage: Stage, forge: Forge) -> None:
    """Our comment is found behind more than one page of others."""
    forge.said += [Said("somebody", "Nice.") for _ in range(230)]
    file = planned(stage, A)
    stage.run("comment", str(file))
    assert "up to date" in stage.run("comment", str(file)).out

    assert len(forge.said) == 231
    assert len(forge.writes()) == 1


def test_a_broken_forge(stage: Stage, forge: Forge) -> None:
    """A forge that is out of order is one harmless line."""
    forge.broken = True
    result = stage.run("comment", str(planned(stage, A)))

    assert result.status == 1
    assert "502" in result.err
    assert "::error::" not in result.err


def test_a_forge_that_points_elsewhere(stage: Stage, forge: Forge) -> None:
    """The token goes to the forge that the job's environment names, and to no other host."""
    other = type(forge)()
    with served(other):
        forge.elsewhere = other.url
        result = stage.run("comment", str(planned(stage, A)))

    assert result.status == 1
    assert "307" in result.err
    assert other.calls == []


def test_a_variable_that_is_not_set() -> None:
    """A variable that a job lacks is named with what to do; an empty one is as good as none."""
    assert needed({"TOKEN": "x"}, "TOKEN") == "x"
    with pytest.raises(CtxprovError, match=r"TOKEN is not set\. Every job"):
        needed({}, "TOKEN")
    with pytest.raises(CtxprovError, match=r"TOKEN is not set\. Make one\."):
        needed({"TOKEN": ""}, "TOKEN", "Make one.")


def test_one_review_alone() -> None:
    """A commit of no request for review, or of several, is refused with their numbers."""
    assert only([7], "merged abc") == 7
    for numbers, listed in (([], "none"), ([7, 8], "7, 8")):
        with pytest.raises(Refused, match=f"should have merged abc, and there is: {listed}"):
            only(numbers, "merged abc")
