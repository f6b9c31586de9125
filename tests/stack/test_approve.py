"""A reviewed plan, its fingerprint or a function approves; no value approves every plan."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from provisioner.errors import CtxprovError, Refused
from provisioner.stack.approve import Approve, approval_given
from provisioner.stack.results import StackPlan
from tests.render.fixtures import PLAN, view

SHOWN = StackPlan(document=view(PLAN))
DOCUMENT = SHOWN.as_json()
STACK = SHOWN.stack
DIGITS = SHOWN.fingerprint


@pytest.mark.parametrize(
    "approve",
    [SHOWN, DOCUMENT.encode(), json.loads(DOCUMENT), f"{DIGITS}\n".encode()],
    ids=["plan", "bytes", "mapping", "text in bytes"],
)
def test_documents(approve: Approve) -> None:
    """Each form of one plan approves its fingerprint."""
    approval = approval_given(approve, stack=STACK)

    assert approval
    assert approval.fingerprint == DIGITS


def test_a_fingerprint() -> None:
    """A fingerprint is approved whole, and what `approved` prints brings each edit."""
    approval = approval_given(f"{DIGITS},{'b' * 64}", stack=STACK)

    assert approval
    assert approval.fingerprint == DIGITS
    assert approval.digests == {"b" * 64}


def test_a_file(tmp_path: Path) -> None:
    """A path is a file with a plan in JSON, or with what `approved` printed."""
    path = tmp_path / "plan.json"
    for text in (DOCUMENT, f"{DIGITS}\n"):
        path.write_text(text)
        approval = approval_given(path, stack=STACK)
        assert approval
        assert approval.fingerprint == DIGITS
    with pytest.raises(CtxprovError, match="cannot be read: No such file"):
        approval_given(tmp_path / "absent.json", stack=STACK)


def test_a_function() -> None:
    """A function is no approval yet: it is asked about the plan that is performed."""
    assert approval_given(lambda _plan: True, stack=STACK) is None


@pytest.mark.parametrize(
    ("approve", "sentence"),
    [
        (None, "apply() needs approve=: give a plan that was reviewed"),
        (True, "approve is True, and no value approves every plan: give a plan"),
        (False, "approve is False, and no value approves every plan"),
        (7, "approve is int, which approves nothing: give a plan"),
    ],
)
def test_no_blanket_approval(approve: Any, sentence: str) -> None:  # noqa: ANN401  # of wrong types
    """What approves nothing is a TypeError that says what to give."""
    with pytest.raises(TypeError, match=re.escape(sentence)):
        approval_given(approve, stack=STACK)


def test_a_coroutine() -> None:
    """A function that was called already is a TypeError that says so."""

    async def approve(_plan: StackPlan) -> bool:
        return True

    called: Any = approve(SHOWN)
    with pytest.raises(TypeError, match="give the function and do not call it"):
        approval_given(called, stack=STACK)
    called.close()


def test_a_mapping_that_is_no_json() -> None:
    """A mapping that JSON cannot hold is a TypeError that names the argument."""
    with pytest.raises(TypeError, match="approve is a mapping that is not JSON: Object of type"):
        approval_given({"rows": object()}, stack=STACK)


@pytest.mark.parametrize("text", ["yes", DIGITS[:12], "plan.json", DOCUMENT])
def test_a_text_that_is_none(text: str) -> None:
    """A text that is no approval is a ValueError, also the path and the JSON of a plan."""
    with pytest.raises(ValueError, match="give all 64 digits"):
        approval_given(text, stack=STACK)


def test_another_document() -> None:
    """A plan of another stack is refused, and what is no plan is named."""
    with pytest.raises(Refused, match=f"is a plan of the stack {STACK}, not of other"):
        approval_given(SHOWN, stack="other")
    with pytest.raises(CtxprovError, match="is not a plan of this version"):
        approval_given({"format_version": 1}, stack=STACK)
