"""Whom we talk to, and with which key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import CacheError, InvalidCacheConfiguration, MissingKey
from provisioner.providers.gemini import GeminiContextCache
from provisioner.providers.gemini.account import Account

KEY = "AIza-not-a-real-key"


def find(
    api_key: str | None = KEY, base_url: str | None = None, version: str = "v1beta", **env: str
) -> Account:
    return Account.find(api_key, base_url, version, env)


def test_no_key() -> None:
    """Without a key the error names the variables that may hold one."""
    with pytest.raises(MissingKey, match="GEMINI_API_KEY or GOOGLE_API_KEY"):
        find(None, GEMINI_API_KEY="")


def test_an_empty_key_is_no_key() -> None:
    """An empty key is an error: the environment's key does not take its place."""
    with pytest.raises(MissingKey):
        find("", GEMINI_API_KEY=KEY)


def test_which_key_wins() -> None:
    """A key that is passed wins, then GOOGLE_API_KEY, then GEMINI_API_KEY."""
    env = {"GOOGLE_API_KEY": "google", "GEMINI_API_KEY": "gemini"}

    assert find("mine", **env).key == "mine"
    assert find(None, **env).key == "google"
    assert find(None, GEMINI_API_KEY="gemini").key == "gemini"


@pytest.mark.parametrize("flaw", ["\n", "\r\nx-evil: 1", " ", "\x00", "\x7f", "é", "ключ", "…"])
def test_a_key_no_header_can_carry(flaw: str) -> None:
    """A broken key is refused without being echoed."""
    with pytest.raises(InvalidCacheConfiguration) as refused:
        find(f"{KEY}{flaw}")

    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("base_url", "endpoint"),
    [
        (None, "https://generativelanguage.googleapis.com/v1beta"),
        ("https://Proxy.Example", "https://proxy.example/v1beta"),
        ("https://proxy.example:443/", "https://proxy.example/v1beta"),
        ("https://proxy.example/gemini//", "https://proxy.example/gemini/v1beta"),
        ("https://proxy.example/gemini/v1beta", "https://proxy.example/gemini/v1beta"),
        ("https://proxy.example/v1beta/", "https://proxy.example/v1beta"),
        ("https://proxy.example/v1", "https://proxy.example/v1"),
        ("http://127.0.0.1:8085", "http://127.0.0.1:8085/v1beta"),
        ("http://[::1]:8085", "http://[::1]:8085/v1beta"),
    ],
)
def test_endpoints(base_url: str | None, endpoint: str) -> None:
    """One endpoint has one spelling, however its address was given."""
    assert find(base_url=base_url).endpoint == endpoint


def test_the_host_may_come_from_the_environment() -> None:
    """GOOGLE_GEMINI_BASE_URL is honoured, and an argument wins over it."""
    env = {"GOOGLE_GEMINI_BASE_URL": "https://env.example"}

    assert find(**env).endpoint == "https://env.example/v1beta"
    assert find(base_url="https://arg.example", **env).endpoint == "https://arg.example/v1beta"


def test_versions() -> None:
    """The version is a setting, and has to look like one."""
    assert find(version="v1alpha").endpoint.endswith("/v1alpha")
    with pytest.raises(InvalidCacheConfiguration, match="API version"):
        find(version="../v1")


@pytest.mark.parametrize(
    "base_url",
    [
        "generativelanguage.googleapis.com",
        "ftp://host",
        "https://",
        "https://user:hunter2@host",
        "https://host?key=hunter2",
        "https://host#hunter2",
        "https://user:hunter2@host:port",
        "https://ho\nst",
    ],
)
def test_bad_addresses(base_url: str) -> None:
    """A bad address is refused, and a password in it is not echoed."""
    with pytest.raises(InvalidCacheConfiguration) as refused:
        find(base_url=base_url)

    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


@given(st.text(), st.text())
def test_any_address_and_key(base_url: str, key: str) -> None:
    """Any address and key make an account or an error of ours."""
    try:
        account = find(key, base_url)
    except CacheError:
        return
    assert account.endpoint.startswith(("http://", "https://"))
    assert account.key == key


def test_fingerprints() -> None:
    """A fingerprint tells keys apart, stays the same, and holds nothing of the key."""
    assert find("one").fingerprint == find("one").fingerprint
    assert find("one").fingerprint != find("two").fingerprint
    assert len(find(KEY).fingerprint) == 16
    assert KEY not in repr(find())


def test_redaction() -> None:
    """A key is cut out of a text in both its spellings; a trivial one garbles nothing."""
    assert find("a/b+c").secret.redact("a/b+c, or a%2Fb%2Bc") == "[key], or [key]"
    assert find("a").secret.redact("a banana") == "a banana"


def test_the_public_face(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client takes its account from the environment, and shows all of it but the key."""
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "https://env.example/v1beta")
    cache = GeminiContextCache()

    assert cache.endpoint == "https://env.example/v1beta"
    assert cache.key_fingerprint == find().fingerprint
    assert "https://env.example/v1beta" in repr(cache)
    assert KEY not in repr(cache) + repr(vars(cache))
