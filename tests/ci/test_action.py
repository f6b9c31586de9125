"""The steps of the action in a shell of their own, beside a checkout that is not trusted."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

ACTION = Path(__file__).parents[2] / "action.yml"


def script(step: str) -> str:
    steps = yaml.safe_load(ACTION.read_text())["runs"]["steps"]
    return str(next(one["run"] for one in steps if one["name"] == step))


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
