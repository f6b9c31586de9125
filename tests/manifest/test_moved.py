"""Old names and new ones, in the manifest."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.manifest import load_manifest
from tests.stacks import FLASH, HEAD, complaints, write

CACHES = f"caches: {{a: {{{FLASH}, content: a}}, b: {{{FLASH}, content: b}}}}\n"


def test_moves(tmp_path: Path) -> None:
    """Several old names may have come to one; only their order counts."""
    text = f"{HEAD}moved: [{{from: x, to: a}}, {{from: y, to: a}}]\n{CACHES}"

    assert load_manifest(write(tmp_path, text)).moved == (("x", "a"), ("y", "a"))


def test_environments(tmp_path: Path) -> None:
    """A move to a cache that another environment has is neither made here nor wrong."""
    overlay = f"{{dev: {{caches: {{c: {{{FLASH}, content: c}}, a: null}}}}, prod: }}"
    moves = "moved: [{from: x, to: c}, {from: y, to: a}]"
    root = write(tmp_path, f"{HEAD}environments: {overlay}\n{moves}\n{CACHES}")

    assert load_manifest(root, environment="dev").moved == (("x", "c"),)
    assert load_manifest(root, environment="prod").moved == (("y", "a"),)


def test_names_that_an_environment_lacks(tmp_path: Path) -> None:
    """A name that a template makes elsewhere is declared, though this environment leaves it out."""
    template = f"'n-{{each}}': {{{FLASH}, each: t/*, content: 't/{{each}}'}}"
    head = f"{HEAD}environments: {{dev: {{caches: {{'n-{{each}}': null}}}}, prod: }}\n"
    text = f"{head}moved: [{{from: x, to: n-y}}]\ncaches: {{{template}}}\n"
    root = write(tmp_path, text, {"t/y": "y"})

    assert load_manifest(root, environment="dev").moved == ()
    assert load_manifest(root, environment="prod").moved == (("x", "n-y"),)


@pytest.mark.parametrize(
    ("moves", "message"),
    [
        ("{from: x, to: c}", "3:19: moved[0].to: c is not declared"),
        ("{from: b, to: a}", "3:10: moved[0].from: b is still declared, so it has not moved"),
        (
            "{from: x, to: a}, {from: x, to: b}",
            "3:28: moved[1].from: x is moved twice; also at ctxprov.yaml:3:10",
        ),
        (
            "{from: x, to: y}, {from: y, to: a}",
            ("3:19: moved[0].to: y has moved on, at ctxprov.yaml:3:28: write its name of today"),
        ),
        (
            "{from: x, to: x}",
            "3:19: moved[0].to: x has moved on, at ctxprov.yaml:3:10: write its name of today",
        ),
        ("{from: x}", "3:9: moved[0].to: is missing; it must be the name of a cache"),
        ("{from: X, to: a}", "3:10: moved[0].from: must be the name of a cache, not 'X'"),
    ],
)
def test_mistakes(tmp_path: Path, moves: str, message: str) -> None:
    """Each move leads from a name of the past to one of today."""
    found = complaints(write(tmp_path, f"{HEAD}moved: [{moves}]\n{CACHES}"))

    assert [one.replace(f"{tmp_path}/", "") for one in found] == [f"ctxprov.yaml:{message}"]
