"""A variable that keeps HTTP clients from being set up is named, with its value and a way out."""

from __future__ import annotations

import os
from pathlib import Path

import certifi
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.http import environment_fault

FAULTS = [
    ({"SSL_CERT_FILE": "/nope.pem"}, "SSL_CERT_FILE=/nope.pem does not exist: unset it"),
    ({"SSL_CERT_FILE": "/"}, "SSL_CERT_FILE=/ is not a file: unset it"),
    ({"SSL_CERT_FILE": __file__}, "holds no certificate (PEM): unset it"),
    ({"SSL_CERT_DIR": "/nope"}, "SSL_CERT_DIR=/nope is no folder that exists: unset it"),
    ({"ALL_PROXY": "socks5://proxy:1080"}, "needs the package socksio: pip install"),
    ({"HTTPS_PROXY": "ftp://proxy"}, "HTTPS_PROXY=ftp://proxy is a proxy of a kind"),
    ({"HTTP_PROXY": "http://proxy:port"}, "HTTP_PROXY=http://proxy:port is no address"),
    ({"http_proxy": "http://"}, "http_proxy=http:// is no address of a proxy"),
    ({"HTTP_PROXY": "http://ann:secret@proxy:port"}, "HTTP_PROXY=http://***@proxy:port is no"),
    ({"NO_PROXY": "localhost, [::1"}, "NO_PROXY holds '[::1', which is no host"),
    ({"no_proxy": "a:port"}, "no_proxy holds 'a:port', which is no host"),
]
FINE = [
    {},
    {"SSL_CERT_FILE": certifi.where()},
    {"SSL_CERT_DIR": f"/nope{os.pathsep}/"},
    {"SSL_CERT_FILE": certifi.where(), "SSL_CERT_DIR": "/nope"},
    {"HTTP_PROXY": "http://ann:secret@proxy:3128", "HTTPS_PROXY": "proxy:3128"},
    {"NO_PROXY": "*"},
    {"NO_PROXY": "localhost,127.0.0.1,::1,.example.com,10.0.0.0/8,example.com:8080,"},
]


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Without what this machine says of proxies and certificates."""
    for name in tuple(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT"):
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize(("environ", "message"), FAULTS)
def test_named(environ: dict[str, str], message: str) -> None:
    """The variable, its value and what to do; never the password of a proxy."""
    fault = environment_fault(environ)
    assert fault
    assert message in fault
    assert "secret" not in fault


@pytest.mark.parametrize("environ", FINE)
def test_what_works_is_not_named(environ: dict[str, str], alone: pytest.MonkeyPatch) -> None:
    """What a client can be set up with is no fault."""
    for name, text in environ.items():
        alone.setenv(name, text)
    assert environment_fault(environ) is None
    httpx.Client().close()


@given(
    st.sampled_from(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE"]),
    st.text(st.sampled_from("ab:/@[].1*, %\\é"), max_size=12),
)
def test_any_text(name: str, text: str) -> None:
    """The check of a variable with any text ends, and an error names the variable."""
    fault = environment_fault({name: text})
    assert fault is None or name in fault


def test_a_password_in_what_is_no_address(tmp_path: Path) -> None:
    """The words before the last @ are never shown."""
    fault = environment_fault({"HTTPS_PROXY": f"socks9://ann:pa@ss@{tmp_path.name}"})
    assert fault
    assert "pa@" not in fault
