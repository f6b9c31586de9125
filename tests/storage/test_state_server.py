"""A server of states: where it is, and how it is asked."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import pytest

from provisioner.errors import StateError, StateUnreadable
from provisioner.runtime import SYSTEM
from provisioner.storage.state_server import server_at
from tests.storage.terraform_server import States

STATES = "https://host/states"
GITLAB = "https://host/api/v4/projects/1/terraform/state"


@pytest.mark.parametrize(
    ("address", "environ", "lock", "unlock"),
    [
        (STATES, {}, ("LOCK", f"{STATES}/a/b"), ("UNLOCK", f"{STATES}/a/b")),
        (f"{STATES}/", {}, ("LOCK", f"{STATES}/a/b"), ("UNLOCK", f"{STATES}/a/b")),
        (GITLAB, {}, ("POST", f"{GITLAB}/a/b/lock"), ("DELETE", f"{GITLAB}/a/b/lock")),
        (
            STATES,
            {
                "CTXPROV_HTTP_LOCK_ADDRESS": "https://host/locks/{name}",
                "CTXPROV_HTTP_LOCK_METHOD": "PUT",
            },
            ("PUT", "https://host/locks/a/b"),
            ("UNLOCK", "https://host/locks/a/b"),
        ),
    ],
)
def test_where_the_lock_is(
    address: str, environ: Mapping[str, str], lock: tuple[str, str], unlock: tuple[str, str]
) -> None:
    """The lock is at the state's own address, below it, or where the environment says."""

    server = server_at(address, environ, SYSTEM)

    assert server.where("a/b.json") == f"{address.rstrip('/')}/a/b"
    at = server.lock_of("a/b.json")
    assert ((server.lock_method, at), (server.unlock_method, at)) == (lock, unlock)


def test_retries_are_counted_as_terraform_does() -> None:
    """Its number of retries leaves out the first try; pauses double up to the longest."""
    usual = server_at(STATES, {}, SYSTEM).retry
    patient = server_at(
        STATES,
        {
            "TF_HTTP_RETRY_MAX": "4",
            "TF_HTTP_RETRY_WAIT_MIN": "2",
            "TF_HTTP_RETRY_WAIT_MAX": "5",
        },
        SYSTEM,
    ).retry

    assert (usual.tries, usual.pause(1, SYSTEM.random), usual.pause(9, SYSTEM.random)) == (3, 1, 30)
    assert patient.tries == 5
    assert [patient.pause(failures, SYSTEM.random) for failures in (1, 2, 3)] == [2, 4, 5]


def test_the_password_is_not_shown(server: States) -> None:
    """Neither a server nor an error shows the password, even if the server repeats it."""
    environ = {"TF_HTTP_USERNAME": "me", "TF_HTTP_PASSWORD": "s3cret"}
    states = server_at(server.url, environ, SYSTEM)
    server.before = lambda _: (401, b"no s3cret here", {})

    with pytest.raises(StateUnreadable, match=r"401: no \*\*\* here") as error:
        states.once("GET", states.where("demo.json"))

    assert "s3cret" not in f"{states!r} {error.value}"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("https://me:s3cret@host/states", "Keep credentials out of it"),
        ("https://s3cret@host/states", "Keep credentials out of it"),
        ("https://host/states?token=s3cret", "Keep credentials out of it"),
        ("https://host/states#s3cret", "Keep credentials out of it"),
        ("http://host.example/states", "https://"),
        ("http://127.0.0.1.example/states", "https://"),
        ("https:///states", "no URL"),
        ("https://host:port/states", "no URL"),
        ("https://host/a b", "no URL"),
    ],
)
def test_addresses_that_are_none(address: str, why: str) -> None:
    """An address is a place and nothing more; what else is in it is not shown."""
    with pytest.raises(StateError, match=why) as caught:
        server_at(address, {}, SYSTEM)

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"CTXPROV_HTTP_LOCK_METHOD": "POST"}, "overwrite or delete it"),
        ({"CTXPROV_HTTP_UNLOCK_METHOD": "delete"}, "overwrite or delete it"),
        ({"CTXPROV_HTTP_LOCK_ADDRESS": "https://host/lock"}, r"hold \{name\}"),
        ({"CTXPROV_HTTP_LOCK_ADDRESS": "https://else/{name}"}, "on the server of the state"),
        ({"TF_HTTP_RETRY_MAX": "often"}, "whole number"),
    ],
)
def test_settings_that_are_none(environ: Mapping[str, str], why: str) -> None:
    """A setting that cannot be read, or would overwrite states, is refused by its name."""
    with pytest.raises(StateError, match=why):
        server_at("https://host/states", environ, SYSTEM)


def test_a_transport_of_its_own() -> None:
    """What is passed in answers in place of a server, and gets the credential."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, stream=httpx.ByteStream(b"state"))

    environ = {"TF_HTTP_USERNAME": "me", "TF_HTTP_PASSWORD": "s3cret"}
    states = server_at(STATES, environ, SYSTEM, httpx.MockTransport(answer))

    assert states.ask("GET", states.where("a.json")).content == b"state"
    assert [request.url.path for request in sent] == ["/states/a"]
    assert sent[0].headers["authorization"].startswith("Basic ")
