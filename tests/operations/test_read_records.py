"""Records are read by the state alone, or beside what is live."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from provisioner.cli.terminal import program_ports
from provisioner.errors import CtxprovError
from provisioner.operations.clients import Clients
from provisioner.operations.read_records import Records, handle_of, read_records
from provisioner.operations.session import Session, StackOptions
from tests.cli.cli_harness import GEMINI, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"


def read(stage: Stage, *, live: bool) -> Records:
    async def once() -> Records:
        ports = program_ports()
        async with Clients(ports, max_wait=timedelta(minutes=1)) as clients:
            session = Session(options=StackOptions(), ports=ports, clients=clients)
            return await read_records(session, stage.root, live=live)

    return asyncio.run(once())


def test_live(stage: Stage) -> None:
    """The provider is asked only for what is live; each cache has its rent."""
    stage.write(A, a=LONG)
    stage.apply()
    before = stage.count("list")

    recorded = read(stage, live=False)
    assert (recorded.live, stage.count("list")) == (None, before)
    assert [*recorded.rents] == ["a"]
    live = read(stage, live=True).live
    assert live is not None
    assert [*live] == [stage.state()["caches"]["a"]["id"]]


def test_names(stage: Stage) -> None:
    """A name without a record, or without a handle that lives, is an error that says so."""
    stage.write(A, a=LONG)
    stage.apply()
    records = read(stage, live=False)
    ports = program_ports()
    session = Session(
        options=StackOptions(), ports=ports, clients=Clients(ports, max_wait=timedelta())
    )

    assert records.named("a").name == "a"
    with pytest.raises(CtxprovError, match="not on record in demo"):
        records.named("b")
    assert handle_of(session, records.state, "a")
    with pytest.raises(CtxprovError, match="has no handle in demo"):
        handle_of(session, records.state, "b")
