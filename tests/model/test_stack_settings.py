"""What changes when a manifest says something else of its whole stack."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.model import SettingEdit, StackSettings, setting_edits, with_settings
from provisioner.model.limits import Allowance, Bound, Limits
from tests.state.strategies import stack_settings

PLAIN = StackSettings(
    limits=Limits(), key_envs={"gemini": None}, publish="handles.json", state="0" * 64
)


def edits(after: StackSettings) -> list[tuple[str, str | None, str | None]]:
    return [(one.key, one.before, one.after) for one in setting_edits(PLAIN, after)]


def bound(amount: str) -> Bound:
    return Bound(Decimal(amount), "ctxprov.yaml:1:1")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"publish": None}, [("publish", "handles.json", None)]),
        ({"state": "1" * 64}, [("state", f"sha256:{'0' * 64}", f"sha256:{'1' * 64}")]),
        (
            {"limits": Limits(delete=Allowance(count=bound("3")))},
            [("limits.delete", "50% of 5 or more", "3 caches")],
        ),
        (
            {"limits": Limits(rent_per_hour=bound("1.50"))},
            [("limits.rent_per_hour", None, "1.5 USD")],
        ),
        (
            {"key_envs": {"gemini": None, "eu": "GEMINI_API_KEY_EU"}},
            [("providers.eu", None, "gemini, key_env GEMINI_API_KEY_EU")],
        ),
    ],
)
def test_what_is_an_edit(
    change: dict[str, object], expected: list[tuple[str, str | None, str | None]]
) -> None:
    """Limits, keys, the place of handles and the address of the state are edits, by key."""
    assert edits(replace(PLAIN, **change)) == expected


def test_nothing_on_record() -> None:
    """A state of an earlier ctxprov takes the settings over, and that is no edit."""
    assert setting_edits(None, PLAIN) == ()


def test_one_hash_for_an_edit() -> None:
    """The hash of an edit covers stack, key and after, and not what was there before."""
    edit = SettingEdit(key="publish", before="a", after="b")

    assert edit.digest("demo") == replace(edit, before="c").digest("demo")
    others = [replace(edit, after="c"), replace(edit, key="state")]
    digests = {edit.digest("demo.prod"), *(one.digest("demo") for one in (edit, *others))}
    assert len(digests) == 4


@given(before=stack_settings, after=stack_settings, chosen=st.sets(st.integers(0, 30)))
def test_some_of_the_edits(before: StackSettings, after: StackSettings, chosen: set[int]) -> None:
    """Taking over some edits leaves exactly the others, and taking over all leaves none."""
    found = setting_edits(before, after)
    keys = {edit.key for at, edit in enumerate(found) if at in chosen}

    left = setting_edits(with_settings(before, after, keys), after)

    assert {edit.key for edit in left} == {edit.key for edit in found} - keys
    assert setting_edits(with_settings(before, after, {edit.key for edit in found}), after) == ()
