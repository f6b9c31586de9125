"""The process's environment: an empty variable is an unset one."""

from __future__ import annotations

import pytest

from provisioner.environment import process_environment, set_in


def test_empty_is_unset() -> None:
    """A variable that is set to nothing is not there; git's own stay as they are."""
    environ = {"CI": "", "GIT_ASKPASS": "", "GITHUB_SHA": "", "PATH": "/bin", "SPACE": " "}

    assert set_in(environ) == {"GIT_ASKPASS": "", "PATH": "/bin", "SPACE": " "}


def test_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set later is seen by the next reading, and no earlier one changes."""
    monkeypatch.delenv("CTXPROV_STATE", raising=False)
    before = process_environment()
    monkeypatch.setenv("CTXPROV_STATE", "s3://bucket")

    assert "CTXPROV_STATE" not in before
    assert process_environment()["CTXPROV_STATE"] == "s3://bucket"
