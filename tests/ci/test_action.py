"""The steps of the action in a shell of their own, beside a checkout that is not trusted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ACTION = Path(__file__).parents[2] / "action.yml"


def script(step: str) -> str:
    steps = yaml.safe_load(ACTION.read_text())["runs"]["steps"]
    return str(next(one["run"] for one in steps if one["name"] == step))


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("install", "extras", "asked"),
    [
        ("ctxprov==0.0.1", "stores,gcs", "ctxprov[gcs,stores]==0.0.1"),
        ("ctxprov", "stores", "ctxprov[stores]"),
    ],
)
def test_what_is_installed(tmp_path: Path, install: str, extras: str, asked: str) -> None:
    """pip is asked for a version and for extras, and no module of the checkout is run."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for module in ("venv", "logging", "subprocess"):
        (checkout / f"{module}.py").write_text("open('ran', 'w')")

    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script("Install ctxprov")],
        cwd=checkout,
        env={
            **os.environ,
            "RUNNER_TEMP": str(tmp_path),
            "ACTION_PATH": str(tmp_path),
            "INSTALL": install,
            "EXTRAS": extras,
            "PIP_NO_INDEX": "1",
            "PIP_CONFIG_FILE": os.devnull,
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert f"No matching distribution found for {asked}" in done.stderr
    assert not (checkout / "ran").exists()


@pytest.mark.parametrize(
    ("stack", "args"),
    [("", ""), ("\n", ""), (".\n\nother\n", ""), (".", "--state\n\n"), (".", "--env\n\n--json\n")],
)
def test_an_empty_line_is_refused(tmp_path: Path, stack: str, args: str) -> None:
    """A line of `stack` or `args` that a variable leaves empty is wrong usage, never a default."""
    status, err = run_step(tmp_path, STACK=stack, ARGS=args)
    assert (status, "is empty" in err) == (64, True), err


def test_no_options_and_a_last_line(tmp_path: Path) -> None:
    """Empty `args` are none, and the line's end that YAML leaves is no line."""
    status, err = run_step(tmp_path, STACK="nowhere\n", ARGS="")
    assert (status, "nowhere" in err) == (1, True), err
    status, err = run_step(tmp_path, STACK="nowhere", ARGS="--env\ndev\n")
    assert (status, "nowhere" in err) == (1, True), err


def run_step(tmp_path: Path, **inputs: str) -> tuple[int, str]:
    """Exit status and standard error of the step that runs ctxprov."""
    programs = tmp_path / "ctxprov" / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    program = programs / "ctxprov"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m provisioner "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script("Run ctxprov")],
        cwd=tmp_path,
        env={
            **os.environ,
            "RUNNER_TEMP": str(tmp_path),
            "ACTION_PATH": str(ACTION.parent),
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            "COMMAND": "plan",
            "APPROVED": "false",
            "TOKEN": "",
            **inputs,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr
