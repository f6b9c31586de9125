"""Names for several projects of one provider."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from provisioner.manifest import load_manifest
from provisioner.manifest.types import CacheEntry, Manifest
from provisioner.model.attributes import Ttl
from provisioner.resolver import load_and_resolve
from tests.builders import NOW
from tests.stacks import CATALOG, HEAD, complaints, write

NAMED = """\
providers:
  gemini-a: {type: gemini}
  gemini-b: {type: gemini, key_env: GEMINI_API_KEY_B}
defaults:
  gemini: {model: gemini-3.8-flash, ttl: 12h}
  gemini-b: {ttl: 6h}
"""


def load(root: Path, caches: str, head: str = NAMED) -> Manifest:
    return load_manifest(write(root, f"{HEAD}{head}caches:\n  {caches}\n"))


def complain(root: Path, caches: str, head: str = NAMED) -> list[str]:
    return complaints(write(root, f"{HEAD}{head}caches:\n  {caches}\n"))


def test_keys(tmp_path: Path) -> None:
    """Each name has its variable; gemini is there without being named."""
    found = load(tmp_path, "m: {provider: gemini-a, content: m}").providers

    assert found == {"gemini": None, "gemini-a": None, "gemini-b": "GEMINI_API_KEY_B"}


def test_a_key_for_gemini_itself(tmp_path: Path) -> None:
    """The type's own name can be given a variable, too."""
    head = "providers: {gemini: {type: gemini, key_env: GOOGLE_KEY}}\n"
    caches = "m: {provider: gemini, content: m, model: m, ttl: 1h}"

    assert load(tmp_path, caches, head).providers == {"gemini": "GOOGLE_KEY"}


def test_defaults(tmp_path: Path) -> None:
    """What is said of a name wins over what is said of its type."""
    b = load(tmp_path, "m: {provider: gemini-b, content: m}").caches["m"]

    assert isinstance(b, CacheEntry)
    assert (b.provider, b.kind, b.model) == ("gemini-b", "gemini", "gemini-3.8-flash")
    assert b.life == Ttl(timedelta(hours=6))


def test_a_list(tmp_path: Path) -> None:
    """A list makes a cache for each, in its order; nothing has the bare name."""
    found = load(tmp_path, "m: {provider: [gemini-b, gemini-a], content: m}").caches

    assert {name: entry.provider for name, entry in found.items()} == {
        "m-gemini-b": "gemini-b",
        "m-gemini-a": "gemini-a",
    }


def test_a_list_of_types(tmp_path: Path) -> None:
    """Providers of different types share what they can; the rest is an error of one of them."""
    keys = "provider: [gemini-a, claude], content: m, model: m"

    assert list(load(tmp_path, f"m: {{{keys}}}").caches) == ["m-gemini-a", "m-claude"]
    (complaint,) = complain(tmp_path, f"m: {{{keys}, keep: once}}")
    assert "caches.m.keep: must be left out: only gemini has it" in complaint


def test_content_is_the_same_in_every_project(tmp_path: Path) -> None:
    """The digest knows the type alone, so moving a cache needs no other content."""
    text = f"{HEAD}{NAMED}caches: {{m: {{provider: [gemini, gemini-a], content: m.md}}}}\n"
    root = write(tmp_path, text, {"m.md": "x" * 9000})
    a, b = load_and_resolve(root, CATALOG, now=NOW)[1].desired

    assert a.digest == b.digest
    assert (a.provider, b.provider, b.kind) == ("gemini", "gemini-a", "gemini")


def test_an_environment_has_keys_of_its_own(tmp_path: Path) -> None:
    """An environment changes a provider key by key, and may add one."""
    overlay = (
        "{providers: {gemini-a: {key_env: GEMINI_PROD}, c: {type: gemini, key_env: GOOGLE_C}}}"
    )
    text = f"{HEAD}environments: {{prod: {overlay}}}\n{NAMED}caches: {{}}\n"

    assert load_manifest(write(tmp_path, text), environment="prod").providers == {
        "gemini": None,
        "gemini-a": "GEMINI_PROD",
        "gemini-b": "GEMINI_API_KEY_B",
        "c": "GOOGLE_C",
    }


@pytest.mark.parametrize(
    ("caches", "message"),
    [
        (
            "m: {provider: gemini-c, content: m}",
            (
                "10:7: caches.m.provider: must be gemini, claude, openai, gemini-a or gemini-b, "
                "not 'gemini-c'; did you mean gemini-b?"
            ),
        ),
        (
            "m: {provider: [gemini-a, geminib], content: m}",
            (
                "10:7: caches.m.provider: must be gemini, claude, openai, gemini-a or gemini-b, "
                "not 'geminib'; did you mean gemini-b?"
            ),
        ),
        (
            "{m: {provider: [gemini-a], content: m}, m-gemini-a: {provider: gemini, content: m}}",
            (
                "10:43: caches.m-gemini-a: makes m-gemini-a, "
                "which is declared already at ctxprov.yaml:10:4"
            ),
        ),
        (
            f"{'m' * 40}: {{provider: [gemini-a], content: m}}",
            (
                f"10:3: caches.{'m' * 40}: makes '{'m' * 40}-gemini-a', "
                "which is not a name of at most 48 characters out of a-z, 0-9 and -"
            ),
        ),
        (
            "m: {provider: [], content: m}",
            "10:7: caches.m.provider: is empty; it must be gemini, claude or openai",
        ),
    ],
)
def test_mistakes(tmp_path: Path, caches: str, message: str) -> None:
    """A name or a list without a meaning is a problem at its place."""
    found = [one.replace(f"{tmp_path}/", "") for one in complain(tmp_path, caches)]
    assert found == [f"ctxprov.yaml:{message}"]


@pytest.mark.parametrize(
    ("providers", "message"),
    [
        ("a: {type: claude}", "must be gemini, the only type with projects to tell apart"),
        ("a: {}", "providers.a.type: is missing; it must be gemini"),
        ("claude: {type: gemini}", "must be a name of at most 32 characters"),
        ("A: {type: gemini}", "must be a name of at most 32 characters"),
        ("a: {type: gemini, key_env: AWS_SECRET_ACCESS_KEY}", "GEMINI or GOOGLE in it"),
        ("a: {type: gemini, key_env: gemini}", "GEMINI or GOOGLE in it"),
        ("a: {type: gemini, key_env: 'X GEMINI'}", "GEMINI or GOOGLE in it"),
        ("a: {type: gemini, key_env: 1GEMINI}", "GEMINI or GOOGLE in it"),
        ("a: {type: gemini}, b: {type: gemini}", "has the same key as a: two names"),
        ("a: {type: gemini, url: x}", "url: is not a key here"),
    ],
)
def test_what_cannot_be_named(tmp_path: Path, providers: str, message: str) -> None:
    """A name is a gemini project's, and no variable is named that could hold another secret."""
    (found,) = complain(tmp_path, "{}", f"providers: {{{providers}}}\n")
    assert message in found


def test_defaults_of_no_provider(tmp_path: Path) -> None:
    """Defaults for a provider that is none are a mistake."""
    (found,) = complain(tmp_path, "{}", "defaults: {gemni: {}}\n")
    assert found.endswith(
        "3:12: defaults.gemni: must be gemini, claude or openai, not 'gemni'; did you mean gemini?"
    )


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    """A type without projects is no name for one: a problem at the name."""
    head = NAMED.replace("gemini-a:", "claude:")

    assert complain(tmp_path, "m: {provider: gemini-b, content: m}", head) == [
        (
            "ctxprov.yaml:4:3: providers.claude: must be a name of at most 32 characters "
            "out of a-z, 0-9 and -, and not claude or openai"
        )
    ]
