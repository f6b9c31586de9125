"""The estimate of tokens."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.emulator.tokens import Modality, count

FILE = {"fileUri": "gs://b/x", "mimeType": "video/mp4"}


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        ({"text": "nine char"}, {Modality.TEXT: 3}),
        ({"inlineData": {"mimeType": "text/plain", "data": "ünï".encode()}}, {Modality.TEXT: 1}),
        ({"inlineData": {"mimeType": "application/json", "data": b"\xff" * 8}}, {Modality.TEXT: 2}),
        ({"inlineData": {"mimeType": "IMAGE/PNG; q=1", "data": b"x"}}, {Modality.IMAGE: 258}),
        ({"inlineData": {"mimeType": "audio/wav", "data": bytes(16_001)}}, {Modality.AUDIO: 64}),
        ({"inlineData": {"mimeType": "video/mp4", "data": bytes(1)}}, {Modality.VIDEO: 263}),
        ({"inlineData": {"mimeType": "application/pdf", "data": b"no pages"}},
         {Modality.DOCUMENT: 258}),
        ({"inlineData": {"mimeType": "application/pdf",
                         "data": b"/Type /Pages /Type/Page\n/Type  /Page>>"}},
         {Modality.DOCUMENT: 516}),
        ({"fileData": FILE}, {Modality.VIDEO: 4096}),
        ({"functionCall": {"name": "f", "args": {}}}, {Modality.TEXT: 10}),
    ],
)  # fmt: skip
def test_parts(part: dict[str, Any], tokens: dict[Modality, int]) -> None:
    """Each kind of part has its rate and its modality."""
    assert count({"contents": [{"parts": [part]}]}) == tokens


def test_tools() -> None:
    """A function costs what its declaration is long; hosted tools cost nothing."""
    declaration = {"name": "lookup", "description": "Find a clause in the handbook of rules."}

    assert count({"tools": [{"codeExecution": {}}]}) == {}
    assert count({"tools": [{"functionDeclarations": [declaration] * 2}]}) == {Modality.TEXT: 38}
