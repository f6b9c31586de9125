"""One function decodes the bytes of every document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from provisioner.documents import (
    Fault,
    NotJson,
    Text,
    WholeNumber,
    document_bytes,
    faults,
    newer,
    read_document,
    utf8,
)

TEXT = '{"a": "Gerät ✓ 🎈"}\r\n'
ENCODINGS = ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_mark_tells_the_encoding(encoding: str) -> None:
    """UTF-8 with a byte order mark and UTF-16 in both orders are read, UTF-16 also without one."""
    assert utf8(TEXT.encode(encoding)) == TEXT.encode()


@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("width", ["16", "32"])
def test_both_orders(order: str, width: str) -> None:
    """The mark is read in either order of its bytes."""
    assert utf8(f"\ufeff{TEXT}".encode(f"utf-{width}-{order}")) == TEXT.encode()


characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@given(st.text(characters), st.sampled_from(["utf-8-sig", "utf-16"]))
def test_any_text(text: str, encoding: str) -> None:
    """All text that stands behind a mark is read as it was written."""
    assert utf8(text.encode(encoding)).decode() == text


@given(st.binary())
def test_noise(raw: bytes) -> None:
    """Any bytes become other bytes or a ValueError, and UTF-8 stays as it is."""
    try:
        read = utf8(raw)
    except ValueError:
        return
    assert read == raw or raw[:4] != read[:4]


def test_what_breaks_off() -> None:
    """A file that breaks the encoding it begins with is named with it and with what to do."""
    with pytest.raises(ValueError, match="begins as UTF-16 and breaks off: save it as UTF-8"):
        utf8(TEXT.encode("utf-16")[:-1])


def test_newer() -> None:
    """A newer document names the version that wrote it, if it says so, and asks for an upgrade."""
    sentence = newer("state/demo.json", "it has the key x", by="9.1.0")
    assert "was written by a newer ctxprov 9.1.0: it has the key x" in sentence
    assert sentence.endswith("Upgrade ctxprov; nothing has been changed.")


class Loaf(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="loaf"):
    slices: Annotated[tuple[WholeNumber, ...], Meta(min_length=1, extra={"must": "have a slice"})]


class Roll(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="roll"):
    is_sweet: bool


class Shelf(Struct, frozen=True, forbid_unknown_fields=True):
    """What a bakery has."""

    version: Literal[1]
    name: Text
    bread: dict[Annotated[str, Meta(pattern=r"^[a-z]+\Z")], Loaf | Roll]
    side: Literal["left", "right"] = "left"
    best: Loaf | None = None

    def __post_init__(self) -> None:
        if self.name == "empty" and self.bread:
            raise ValueError("an empty shelf has no bread")


SHELF = {"version": 1, "name": "east", "bread": {"rye": {"kind": "loaf", "slices": [1, 2]}}}
DECODER = msgspec.json.Decoder(Shelf)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "name: this must be text"),
        ({"name": None}, "name: this must be text"),
        ({"bread": []}, "bread: this must be an object"),
        (
            {"bread": {"Rye": {"kind": "roll", "is_sweet": True}}},
            "bread.Rye: this key must look like ^[a-z]+",
        ),
        ({"bread": {"rye": {"kind": "bun"}}}, "bread.rye.kind: this must be loaf or roll"),
        ({"bread": {"rye": {}}}, "bread.rye.kind: this must be loaf or roll"),
        ({"bread": {"rye": 7}}, "bread.rye: this must be an object"),
        ({"bread": {"rye": {"kind": "roll"}}}, "bread.rye.is_sweet: this key is missing"),
        (
            {"bread": {"rye": {"kind": "roll", "is_sweet": 1}}},
            "bread.rye.is_sweet: this must be true or false",
        ),
        (
            {"bread": {"rye": {"kind": "loaf", "slices": [1, True]}}},
            "bread.rye.slices.1: this must be a whole number from 0 to 2^53",
        ),
        (
            {"bread": {"rye": {"kind": "loaf", "slices": [2**53 + 1]}}},
            "bread.rye.slices.0: this must be a whole number from 0 to 2^53",
        ),
        (
            {"bread": {"rye": {"kind": "loaf", "slices": []}}},
            "bread.rye.slices: this must have a slice",
        ),
        ({"side": "top"}, "side: this must be left or right"),
        ({"best": 1}, "best: this must be an object"),
        ({"best": {"kind": "loaf"}}, "best.slices: this key is missing"),
        ({"name": "empty"}, "an empty shelf has no bread"),
        ({"version": True}, "version: this must be 1"),
        ({"version": 0}, "version: this must be 1"),
    ],
)
def test_a_fault_has_a_place_and_a_remedy(changes: Mapping[str, Any], sentence: str) -> None:
    """A value that is not of the struct is named by its path, with what it must be."""
    with pytest.raises(Fault) as caught:
        read_document(json.dumps({**SHELF, **changes}).encode(), DECODER)

    assert str(caught.value) == sentence
    assert not caught.value.is_new


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({**SHELF, "owner": "ann"}, "owner: this key is unknown"),
        (
            {**SHELF, "bread": {"a": {"kind": "roll", "is_sweet": True, "x": 1}}},
            "bread.a.x: this key is unknown",
        ),
        ({"version": 2}, "its version is 2, and 1 is the latest that can be read"),
    ],
)
def test_what_a_newer_version_wrote(document: Mapping[str, Any], sentence: str) -> None:
    """A newer ctxprov wrote a document with one more key, or with a later version."""
    with pytest.raises(Fault, match=sentence) as caught:
        read_document(json.dumps(document).encode(), DECODER)

    assert caught.value.is_new


def test_all_faults() -> None:
    """Every fault of a document comes, keys that are missing first."""
    found = faults({"version": 1, "bread": {"a": 1, "b": 2}, "more": 1}, Shelf)

    assert [fault.where for fault in found] == ["name", "more", "bread.a", "bread.b"]


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (bytes(9), "holds nothing but zeros"),
        (b'{"a": 1', "ends in the middle, after 7 bytes"),
        (b"{\n<<<<<<< ours\n", "holds a merge conflict that is not resolved"),
        (b'{"version": NaN}', "is not JSON: line 1, column 13"),
        (b'{"name": "\xff"}', "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (TEXT.encode("utf-16")[:-1], "begins as UTF-16 and breaks off: save it as UTF-8"),
    ],
)
def test_what_is_not_json(raw: bytes, sentence: str) -> None:
    """Bytes that are not JSON are described by what probably happened to the file."""
    with pytest.raises(NotJson, match=f"^{sentence}"):
        read_document(raw, DECODER)


def test_bytes() -> None:
    """A document is written with sorted keys and a line end, and read as it was."""
    shelf = Shelf(1, "é", {"rye": Loaf((1,)), "bun": Roll(is_sweet=True)}, best=None)
    raw = document_bytes(shelf)

    assert (
        raw.decode()
        == json.dumps(msgspec.to_builtins(shelf), indent=2, sort_keys=True, ensure_ascii=False)
        + "\n"
    )
    assert read_document(raw, DECODER) == shelf
