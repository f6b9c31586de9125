"""One manifest, several environments, each a stack of its own."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import ManifestError
from provisioner.manifest import environments_of, load_manifest
from provisioner.manifest.overlays import Layer, merged, place_in
from provisioner.manifest.source_map import Place, YamlDocument
from provisioner.manifest.types import CacheEntry, Manifest
from provisioner.model.attributes import Ttl, Until
from tests.stacks import HEAD, write

BASE = """\
publish: out/handles.json
state: states
defaults:
  gemini: {model: gemini-3.8-flash, ttl: 12h, retire_after: 2h}
caches:
  manual: {provider: gemini, content: manual.md, calls_per_hour: 2}
  faq: {provider: gemini, content: faq.md, expires_at: 2027-01-01T00:00:00Z}
"""


KEYS = st.sampled_from(["ttl", "expires_at", "model", "content", "keep"])
LAYERS = st.lists(st.dictionaries(KEYS, st.integers()), min_size=1, max_size=4).map(
    lambda layers: [
        Layer(keys, Place(YamlDocument("f", {}, {}), (number,)))
        for number, keys in enumerate(layers)
    ]
)


def environment(root: Path, overlay: str, name: str | None = "prod") -> Manifest:
    """The manifest as `prod`, which differs by *overlay*."""
    text = f"{HEAD}environments:\n  dev:\n  prod: {overlay}\n{BASE}"
    return load_manifest(write(root, text), environment=name)


def complaint(root: Path, overlay: str, name: str | None = "prod") -> str:
    with pytest.raises(ManifestError) as caught:
        environment(root, overlay, name)
    (problem,) = caught.value.problems
    return str(problem).removeprefix(f"{root}/")


def cache(manifest: Manifest, name: str) -> CacheEntry:
    entry = manifest.caches[name]
    assert isinstance(entry, CacheEntry)
    return entry


def test_a_namespace(tmp_path: Path) -> None:
    """Its name is part of the stack's and of the handles' file; the rest is the base's."""
    dev = environment(tmp_path, "{}", "dev")

    assert (dev.stack, dev.state, dev.publish) == ("demo.dev", "states", "out/handles.dev.json")
    assert list(dev.caches) == ["manual", "faq"]
    assert cache(dev, "manual").life == Ttl(timedelta(hours=12))


@pytest.mark.parametrize("name", ["history", "lock", "unsaved"])
def test_names_of_other_files(tmp_path: Path, name: str) -> None:
    """No environment is called like a file beside the state; the error has its place."""
    text = f"{HEAD}environments:\n  {name}:\ncaches: {{}}\n"
    with pytest.raises(ManifestError) as caught:
        load_manifest(write(tmp_path, text), environment=name)
    (problem,) = caught.value.problems
    assert re.search(rf"yaml:4:3: environments\.{name}: must be .* not history, lock", str(problem))


@pytest.mark.parametrize(
    ("publish", "file"),
    [
        ("h.json", "h.prod.json"),
        ("a.b/h", "a.b/h.prod"),
        (".h", ".h.prod"),
        ("h.x.y", "h.x.prod.y"),
    ],
)
def test_where_handles_go(tmp_path: Path, publish: str, file: str) -> None:
    """The name of the environment stands before the last suffix."""
    text = f"{HEAD}publish: {publish}\nenvironments: {{prod: }}\ncaches: {{}}\n"

    assert load_manifest(write(tmp_path, text), environment="prod").publish == file


def test_places_of_its_own(tmp_path: Path) -> None:
    """What it says of publish and state holds as it stands."""
    prod = environment(tmp_path, "{publish: prod.json, state: ../prod}")

    assert (prod.publish, prod.state) == ("prod.json", "../prod")


def test_key_by_key(tmp_path: Path) -> None:
    """Its keys win over those of the entry, and its defaults over the stack's."""
    prod = environment(
        tmp_path,
        "{defaults: {gemini: {ttl: 48h}}, caches: {manual: {calls_per_hour: 40.5, keep: once}}}",
    )
    manual = cache(prod, "manual")

    assert manual.calls_per_hour == 40.5
    assert manual.settings.keep == "once"
    assert manual.settings.retire_after == timedelta(hours=2)
    assert manual.life == Ttl(timedelta(hours=48))
    assert [part.path for part in manual.parts] == ["manual.md"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "keys", "life"),
    [
        ("faq", "ttl: 1h", Ttl(timedelta(hours=1))),
        (
            "manual",
            'expires_at: "2027-02-01T00:00:00Z"',
            Until(datetime(2027, 2, 1, tzinfo=UTC)),
        ),
    ],
)
def test_one_life(tmp_path: Path, name: str, keys: str, life: Ttl | Until) -> None:
    """A ttl takes the place of an expires_at, and the other way round."""
    prod = environment(tmp_path, f"{{caches: {{{name}: {{{keys}}}}}}}")

    assert cache(prod, name).life == life


def test_less_and_more(tmp_path: Path) -> None:
    """null leaves a cache out, and a new name is one more; elsewhere nothing changes."""
    overlay = "{caches: {faq: null, more: {provider: gemini, content: more.md}}}"

    assert list(environment(tmp_path, overlay).caches) == ["manual", "more"]
    assert list(environment(tmp_path, overlay, "dev").caches) == ["manual", "faq"]


def test_fragments(tmp_path: Path) -> None:
    """What a fragment declares can differ as well."""
    text = f"{HEAD}environments: {{prod: {{caches: {{b: {{model: n}}}}}}}}\n"
    more = "version: 1\ncaches: {b: {provider: gemini, content: b, model: m, ttl: 1h}}\n"
    root = write(tmp_path, text, {"more.ctxprov.yaml": more})

    assert load_manifest(root, environment="prod").caches["b"].model == "n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (None, "choose one with --env or CTXPROV_ENV: there are dev, prod"),
        ("prd", "has no 'prd'; did you mean prod? There are dev, prod"),
        ("x", "has no 'x'; there are dev, prod"),
    ],
)
def test_which(tmp_path: Path, name: str | None, message: str) -> None:
    """With environments one of them must be meant."""
    assert complaint(tmp_path, "{}", name) == f"ctxprov.yaml:3:1: environments: {message}"


def test_none(tmp_path: Path) -> None:
    """Without environments none can be meant."""
    with pytest.raises(ManifestError, match="has no environments, so there is no 'prod'"):
        load_manifest(write(tmp_path, f"{HEAD}caches: {{}}\n"), environment="prod")


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        (
            "{caches: {manual: {ttl: 500d}}}",
            "5:28: environments.prod.caches.manual.ttl: must be from 1m to 365d, not 500d",
        ),
        (
            "{caches: {manual: {tll: 5d}}}",
            "5:28: environments.prod.caches.manual.tll: is not a key here; did you mean ttl?",
        ),
        (
            "{caches: {faq: {provider: claude}}}",
            (
                "12:44: caches.faq.expires_at: must be left out: only gemini has it, "
                "claude and openai keep no cache of their own"
            ),
        ),
        (
            "{caches: {manuall: null}}",
            (
                "5:19: environments.prod.caches.manuall: leaves out a cache that is not declared "
                "under this name"
            ),
        ),
        (
            "{caches: {more: {content: x}}}",
            (
                "5:19: environments.prod.caches.more.provider: "
                "is missing; it must be gemini, claude or openai"
            ),
        ),
        (
            "{defaults: {gemini: {ttl: x}}}",
            (
                "5:30: environments.prod.defaults.gemini.ttl: "
                "must be a duration such as 90m or 12h, not 'x'"
            ),
        ),
        (
            "{version: 1}",
            (
                "5:10: environments.prod.version: is not a key here; "
                "there are publish, state, providers, limits, defaults, caches"
            ),
        ),
        (
            "{publish: out/handles.dev.json}",
            (
                "5:10: environments.prod.publish: is the file of dev as well: "
                "give each environment its own"
            ),
        ),
        (
            "{publish: ./out/handles.dev.json}",
            (
                "5:10: environments.prod.publish: is the file of dev as well: "
                "give each environment its own"
            ),
        ),
    ],
)
def test_mistakes(tmp_path: Path, overlay: str, message: str) -> None:
    """What is wrong is a problem at its line."""
    assert complaint(tmp_path, overlay) == f"ctxprov.yaml:{message}"


@pytest.mark.parametrize("name", ["Prod", "a.b", "a" * 17, "-a", "../x"])
def test_names(tmp_path: Path, name: str) -> None:
    """A name that would not fit a label is refused."""
    text = f'{HEAD}environments: {{"{name}": }}\n{BASE}'
    with pytest.raises(ManifestError, match="must be a name of at most 16 characters"):
        load_manifest(write(tmp_path, text), environment=name)


def test_listed(tmp_path: Path) -> None:
    """What there is to choose from can be asked for, also of what is wrong or not there."""
    write(tmp_path, f"{HEAD}environments: {{dev: , prod: }}\nwrong: 1\n{BASE}")

    assert environments_of(tmp_path) == ("dev", "prod")
    assert environments_of(tmp_path / "nowhere") == ()
    assert environments_of(write(tmp_path / "b", "a: [")) == ()
    assert environments_of(write(tmp_path / "c", f"{HEAD}caches: {{}}")) == ()
    spelled = f'{HEAD}caches: {{}}\n"environ\\u006dents": {{dev: {{}}}}'
    assert environments_of(write(tmp_path / "d", spelled)) == ("dev",)


def test_the_longest_label_fits(tmp_path: Path) -> None:
    """Stack, environment and name at their longest make a label that Gemini takes."""
    stack, name, cached = "s" * 32, "e" * 16, "c" * 48
    text = (
        f"version: 1\nstack: {stack}\nenvironments: {{{name}: }}\n"
        f"caches: {{{cached}: {{provider: gemini, model: m, ttl: 1h, content: c}}}}\n"
    )
    manifest = load_manifest(write(tmp_path, text), environment=name)

    assert len(f"ctxprov:{manifest.stack}/{cached}@{'0' * 16}~abcd") <= 128


def test_a_cache_that_is_only_half_said(tmp_path: Path) -> None:
    """What an environment says of a cache that it alone has is wrong as a whole."""
    assert complaint(tmp_path, "{caches: {more: {provider: gemini}}}") == (
        "ctxprov.yaml:5:19: environments.prod.caches.more: "
        "needs a content, a system_instruction, or both"
    )


@given(LAYERS)
def test_the_nearest_wins(layers: list[Layer]) -> None:
    """Each key has the nearest layer's value, and a life is the nearest layer's alone."""
    keys = merged(layers)
    life = {"ttl", "expires_at"}
    nearest = next((layer.keys for layer in layers if life & layer.keys.keys()), {})

    assert {key: keys[key] for key in life & keys.keys()} == {
        key: nearest[key] for key in life & nearest.keys()
    }
    for key in keys.keys() - life:
        assert keys[key] == next(layer.keys[key] for layer in layers if key in layer.keys)
    assert keys.keys() - life == {key for layer in layers for key in layer.keys} - life


@given(LAYERS)
def test_one_layer_or_two(layers: list[Layer]) -> None:
    """Layers merge alike all at once, or the farther ones first."""
    farther = Layer(merged(layers), layers[0].place)

    assert merged([layers[0], farther]) == merged(layers)


@given(LAYERS, KEYS)
def test_places_of_keys(layers: list[Layer], key: str) -> None:
    """A key stands in the nearest layer that has it; an absent one belongs into the nearest."""
    place = place_in(layers, (key,))
    having = [number for number, layer in enumerate(layers) if key in layer.keys]

    assert place.path == (min(having, default=0), key)
