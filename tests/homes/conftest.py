"""Homes are used by programs that run asyncio."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
