"""Backends are used by programs that run asyncio; some are behind a server of the tests' own."""

from collections.abc import Iterator

import pytest

from tests.storage.terraform_server import States, terraform_server


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def server() -> Iterator[States]:
    with terraform_server() as states:
        yield states


@pytest.fixture(params=["/states", "/api/v4/projects/1/terraform/state"])
def base(request: pytest.FixtureRequest) -> str:
    """Where locks are at the state's own address, and where they are one level below."""
    path: str = request.param
    return path
