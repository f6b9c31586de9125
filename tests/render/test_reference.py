"""The manifest's keys as a page."""

from __future__ import annotations

from provisioner.cache import Json
from provisioner.render.reference import manifest_page

SCHEMA: dict[str, Json] = {
    "required": ["version"],
    "properties": {
        "version": {"title": "1", "description": "The version."},
        "limits": {"$ref": "#/$defs/limits", "description": "Bounds."},
        "gone": {"not": {}, "description": "Only its message is needed."},
    },
    "$defs": {
        "limits": {"description": "Limits.", "properties": {"max": {"title": "a | b"}}},
    },
}


def test_every_key_has_a_row() -> None:
    """A key has its value and its meaning; one that is needed says so."""
    page = manifest_page(SCHEMA)

    assert "| `version` (required) | 1 | The version. |" in page


def test_references_are_followed() -> None:
    """What refers to a definition shows it, and its own description wins."""
    page = manifest_page(SCHEMA)

    assert "| `limits` |  | Bounds. |" in page
    assert "Limits." not in page.split("## `limits`")[0]
    assert "| `max` | a \\| b |  |" in page


def test_a_key_that_nothing_fits_is_left_out() -> None:
    """A key that only has a message for its misuse is no key of the page."""
    assert "gone" not in manifest_page(SCHEMA)
