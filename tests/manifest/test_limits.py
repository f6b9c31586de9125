"""Limits are read with their places, exactly, and never guessed."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from provisioner.manifest import load_manifest
from provisioner.model.limits import HALF, Bound, Limits
from tests.stacks import HEAD, complaints, write


def limits(root: Path, text: str) -> Limits:
    return load_manifest(write(root, f"{HEAD}limits: {text}\ncaches: {{}}\n")).limits


def test_what_is_said(tmp_path: Path) -> None:
    """Every bound is exact and knows its line and column; text and number are one amount."""
    found = limits(
        tmp_path,
        "{delete: {count: 3, percent: 20}, replace: {percent: 100}, "
        "rent_per_hour: 0.10, rent_total_per_30_days: 250}",
    )

    assert found.delete.count == Bound(Decimal(3), None)
    assert found.delete.percent == Bound(Decimal(20), None)
    assert found.replace.percent == Bound(Decimal(100), None)
    assert found.rent_per_hour == Bound(Decimal("0.10"), None)
    assert found.rent_total == Bound(Decimal(250), None)
    assert found.delete.count.where == f"{tmp_path}/ctxprov.yaml:3:19"
    assert limits(tmp_path, '{rent_per_hour: "2"}').rent_per_hour == Bound(Decimal(2), None)


@pytest.mark.parametrize("text", ["{}", "{rent_per_hour: 1}"])
def test_what_is_not_said(tmp_path: Path, text: str) -> None:
    """Half of five or more may be deleted or replaced, and money has no limit."""
    found = limits(tmp_path, text)

    assert (found.delete, found.replace) == (HALF, HALF)
    assert found.rent_total is None


def test_one_key_is_the_whole_word(tmp_path: Path) -> None:
    """Who names a count means no percentage."""
    found = limits(tmp_path, "{delete: {count: 3}}").delete

    assert (found.percent, found.of_at_least) == (None, 0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{delte: {count: 1}}", "10: limits.delte: is not a key here; did you mean delete?"),
        ("{delete: {}}", "10: limits.delete: is empty; it must be count, percent, or both"),
        (
            "{delete: {percent: 101}}",
            "19: limits.delete.percent: must be a whole number from 0 to 100, not 101",
        ),
        (
            "{replace: {count: -1}}",
            "20: limits.replace.count: must be a whole number that is not negative, not -1",
        ),
        *(
            (
                f"{{rent_per_hour: {amount}}}",
                f"10: limits.rent_per_hour: must be an amount of USD such as 2 or 0.50, not {told}",
            )
            for amount, told in (("-1", "-1"), ("$2", "'$2'"), ("1e3", "'1e3'"), ("true", "true"))
        ),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str, complaint: str) -> None:
    """A bound that is none is told at its key."""
    write(tmp_path, f"{HEAD}limits: {text}\ncaches: {{}}\n")

    assert complaints(tmp_path) == [f"ctxprov.yaml:3:{complaint}"]


def test_fragments_have_none(tmp_path: Path) -> None:
    """Limits are those of the stack: a fragment cannot loosen them."""
    files: dict[str, str | bytes] = {"x.ctxprov.yaml": "version: 1\ncaches: {}\nlimits: {}\n"}
    write(tmp_path, HEAD, files)

    assert complaints(tmp_path) == [
        "x.ctxprov.yaml:3:1: limits: must be left out here: ctxprov.yaml alone holds it"
    ]


def test_an_environment_has_its_own(tmp_path: Path) -> None:
    """Its limits win one by one, and are found where they stand."""
    text = (
        f"{HEAD}limits: {{rent_per_hour: 1, delete: {{count: 1, percent: 9}}}}\n"
        "environments:\n  dev:\n  prod:\n    limits: {rent_per_hour: 20, delete: {count: 5}}\n"
        "caches: {}\n"
    )
    prod = load_manifest(write(tmp_path, text), environment="prod").limits
    dev = load_manifest(tmp_path, environment="dev").limits

    assert prod.rent_per_hour == Bound(Decimal(20), None)
    assert prod.delete.percent is None
    assert prod.delete.count == Bound(Decimal(5), None)
    assert prod.delete.count.where == f"{tmp_path}/ctxprov.yaml:7:42"
    assert prod.replace == HALF
    assert dev.rent_per_hour == Bound(Decimal(1), None)
    assert dev.delete.percent == Bound(Decimal(9), None)
