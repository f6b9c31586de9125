"""The examples: every manifest is validated and planned, the application answers."""

from __future__ import annotations

import json
import re
import runpy
import shutil
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.responses import Response

from provisioner import cli
from provisioner.emulator import Call, CarryOut, Emulator
from provisioner.manifest import environments_of
from tests.emulator.local import served
from tests.repository import git

ROOT = Path(__file__).parents[1]
MANIFESTS = sorted(path.relative_to(ROOT) for path in ROOT.glob("examples/**/ctxprov.yaml"))
STACKS = [
    (one, environment) for one in MANIFESTS for environment in environments_of(ROOT / one) or ("",)
]


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the examples, with the state that belongs to it."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    git(tmp_path, "init", "-q")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("manifest", "environment"), STACKS, ids=str)
def test_every_example(
    copy: Path, manifest: Path, environment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An example is without problems and warnings, applies, and has nothing left to do then."""
    stack = [str(manifest.parent), *(["--env", environment] if environment else [])]

    assert cli.run(["validate", *stack]) == 0
    assert capsys.readouterr().err == ""
    assert cli.run(["apply", *stack, "--emulator", "--auto-approve"]) == 0
    assert cli.run(["plan", *stack, "--emulator", "--detailed-exitcode"]) == 0
    assert copy.joinpath(manifest).exists()


@pytest.mark.heavy
def test_the_application(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The application asks with the same prompt through its cache and, when cold, without it."""
    asked: list[Call] = []

    async def overhear(call: Call, carry_out: CarryOut) -> Response:
        asked.extend([call] if call.operation == "generateContent" else [])
        return await carry_out()

    def answer(handles: str) -> list[str]:
        monkeypatch.setattr("sys.argv", ["app.py", handles, "Hello?"])
        runpy.run_path(str(copy / "examples" / "app.py"), run_name="__main__")
        return re.findall(r"\d+", capsys.readouterr().out)

    emulated = Emulator(clock=lambda: datetime.now(UTC), faults=overhear)
    with closing(emulated) as emulator, served(emulator) as url:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", url)
        monkeypatch.setenv("GEMINI_API_KEY", "any")
        assert cli.run(["apply", "examples/support-bot", "--auto-approve"]) == 0
        capsys.readouterr()
        warm, cold = map(answer, ("state/support-bot.handles.json", "state/nothing.json"))

    assert warm[0] == cold[0]
    assert int(warm[1]) > 1024
    assert cold[1] == "0"
    assert {call.version for call in asked} == {"v1beta"}
    system = (copy / "examples" / "support-bot" / "content" / "system.md").read_text()
    sent = [json.loads(call.body).get("systemInstruction") for call in asked]
    assert [said and said["parts"] for said in sent] == [None, [{"text": system}]]
