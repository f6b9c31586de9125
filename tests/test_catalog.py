"""What is known of models is found by name, by pattern, and in a user's file first."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from msgspec import convert

import provisioner
from provisioner.catalog import Catalog, ModelFields, load_catalog
from provisioner.errors import ManifestError
from provisioner.files import schema_bytes
from provisioner.providers.annotations import CLAUDE_TTLS

OURS = Path(provisioner.__file__).with_name("models.json")
MODELS = tuple[ModelFields, ...]
ROW: dict[str, Any] = {
    "provider": "gemini",
    "name": "gemini-3.8-flash",
    "min_tokens": 7,
    "explicit_caching": True,
    "retires_on": "2030-01-31",
    "sources": ["ours"],
    "prices": [],
}


def theirs(tmp_path: Path, *rows: dict[str, Any]) -> Path:
    path = tmp_path / "models.json"
    path.write_text(json.dumps({"version": 1, "models": rows}))
    return path


def complaint(path: Path) -> str:
    with pytest.raises(ManifestError) as caught:
        load_catalog(path)
    return str(caught.value).removeprefix(f"{path}:")


def test_shape() -> None:
    """The file that we ship has the shape of its schema."""
    Draft202012Validator(json.loads(schema_bytes("models"))).validate(json.loads(OURS.read_bytes()))


def test_every_model() -> None:
    """Every model of the file that we ship is found, by its name and by its patterns."""
    catalog = load_catalog()
    rows = json.loads(OURS.read_bytes())["models"]

    for row in rows:
        found = catalog.find(row["provider"], row["name"])
        assert found is not None
        assert (found.name, found.min_tokens) == (row["name"], row["min_tokens"])
        for pattern in row.get("match", ()):
            alike = catalog.find(row["provider"], pattern.replace("*", "26-01-01"))
            assert alike is not None


def test_facts() -> None:
    """What the file says of a model is typed."""
    flash = load_catalog().find("gemini", "gemini-2.5-flash")

    assert flash is not None
    assert flash.explicit_caching is True
    assert flash.retires_on == date(2026, 12, 1)
    assert flash.prices[0].rates[0].input == Decimal("0.3")
    assert flash.prices[0].rates[0].storage_per_hour == Decimal("1.0")


@pytest.mark.parametrize(
    ("model", "day"),
    [("claude-3-5-haiku-20241022", date(2026, 2, 19)), ("claude-mythos-preview", None)],
)
def test_retirement(model: str, day: date | None) -> None:
    """A model that has retired says since when; one without a settled day says none."""
    found = load_catalog().find("claude", model)

    assert found is not None
    assert found.retires_on == day


def test_offers() -> None:
    """An annotation's model has its lives, each with the price of a write."""
    terra = load_catalog().find("openai", "gpt-6.1-terra")

    assert terra is not None
    assert [(offer.ttl, offer.write) for offer in terra.offers] == [
        (timedelta(minutes=30), Decimal("1.25")),
        (timedelta(hours=12), Decimal("2.5")),
    ]
    assert terra.offers[1].apis == ("responses",)


def test_unknown() -> None:
    """Nothing is known of a model that is not there, nor of one of another provider."""
    catalog = load_catalog()

    assert catalog.find("gemini", "gemini-0-nothing") is None
    assert catalog.find("claude", "gemini-3.8-flash") is None


def test_longest_pattern() -> None:
    """A name wins over patterns, and a longer pattern over a shorter one."""
    rows = [
        {**ROW, "name": name, "match": [pattern]}
        for name, pattern in [("a", "m-*"), ("b", "m-pro-*"), ("m-pro-x", "other")]
    ]
    catalog = Catalog(convert(rows, MODELS))

    found = [
        catalog.find("gemini", name) for name in ("m-flash", "m-pro-1", "m-pro-x", "m", "xm-pro-1")
    ]
    names = [model and model.name for model in found]
    assert names == ["a", "b", "m-pro-x", None, None]


def test_dots_are_dots() -> None:
    """Nothing but a star stands for other characters."""
    catalog = Catalog(convert([{**ROW, "name": "a", "match": ["m-2.5-*"]}], MODELS))

    assert catalog.find("gemini", "m-2.5-x")
    assert catalog.find("gemini", "m-205-x") is None


def test_user_file(tmp_path: Path) -> None:
    """A user's file overrides models one by one and adds others."""
    catalog = load_catalog(theirs(tmp_path, ROW, {**ROW, "name": "gemini-9"}))

    found = [catalog.find("gemini", name) for name in ("gemini-3.8-flash", "gemini-9")]
    kept = catalog.find("gemini", "gemini-2.5-flash")

    assert [model and model.min_tokens for model in found] == [7, 7]
    assert kept is not None
    assert kept.min_tokens == 2048


def test_sources(tmp_path: Path) -> None:
    """A price tells where it is from: an address of either file, or the name of the source."""
    rates = [{"above": 0, "input": 1, "cached_input": 0.1, "storage_per_hour": 1}]
    prices = [
        {
            "valid_from": None,
            "valid_to": None,
            "as_of": "2026-01-31",
            "source": source,
            "rates": rates,
        }
        for source in ("invoice", "contract", "gemini-pricing")
    ]
    path = theirs(tmp_path, {**ROW, "prices": prices})
    known = {"invoice": {"title": "Ours", "url": "https://example.com/bill", "read": "2026-01"}}
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "sources": known}))

    found = load_catalog(path).find("gemini", ROW["name"])

    assert found is not None
    told = [period.source for period in found.prices]
    assert told[:2] == ["https://example.com/bill", "contract"]
    assert told[2].startswith("https://ai.google.dev/")


def test_bad_file(tmp_path: Path) -> None:
    """A user's file that is wrong is refused with all that is wrong."""
    path = theirs(tmp_path, {**ROW, "min_tokens": "many"}, {**ROW, "retires_on": "soon"})

    lines = complaint(path).splitlines()

    assert len(lines) == 2
    assert "models.0.min_tokens" in lines[0]
    assert "models.1.retires_on" in lines[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "1:1: ends in the middle, after 1 bytes"),
        ("{x", "1:1: is not JSON: line 1, column 2"),
        ("\xff", "1:1: is not JSON"),
        ("[" * 100_000, "1:1: is not JSON"),
        (
            json.dumps({"version": 1, "models": [{**ROW, "retires_on": "2027-02-31"}]}),
            "1:1: models.0",
        ),
    ],
)
def test_no_models(tmp_path: Path, content: str, message: str) -> None:
    """What is no file of models at all is said in one line."""
    path = tmp_path / "models.json"
    path.write_text(content, encoding="latin-1")

    assert complaint(path).startswith(message)


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is not taken for an empty one."""
    assert complaint(tmp_path / "no.json") == "1:1: cannot be read: No such file or directory"


def test_the_default_comes_first() -> None:
    """The provider's default life comes first in any order of the file."""
    known = load_catalog().find("openai", "gpt-5.4")

    assert known is not None
    assert [offer.ttl for offer in known.offers] == [timedelta(hours=24), timedelta(hours=1)]


def test_lives_of_claude() -> None:
    """Every model of claude has the lives that a marker can spell, the default first."""
    rows = json.loads(OURS.read_bytes())["models"]
    find = load_catalog().find
    known = [find("claude", row["name"]) for row in rows if row["provider"] == "claude"]

    assert {tuple(o.ttl for o in model.offers) for model in known if model} == {tuple(CLAUDE_TTLS)}
