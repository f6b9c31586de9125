"""Every body that makes no cache, and why; and the estimate of tokens."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.emulator.models import Modality, count
from tests.emulator.local import ENOUGH, MODEL, cache, emulated, refused, user

BLOB = {"mimeType": "text/plain", "data": "aGVsbG8="}
REFUSED_CREATES: list[tuple[Any, int, str]] = [
    (cache(ttl="1s", expireTime="2030-01-01T00:00:00Z"), 400,
     "oneof field 'expiration' is already set. Cannot set 'expireTime'"),
    (cache(displayName="x" * 129), 400, "at most 128 characters long, but is 129"),
    (cache(model=None), 400, "model is required"),
    (cache(model="gemini-3.8-flash"), 400, "unexpected model name format: gemini-3.8-flash"),
    (cache(model="models/gemini-0"), 404, "models/gemini-0 is not found for API version v1beta"),
    (cache(model="publishers/google/models/gemini-3.8-flash"), 404, "is not found"),
    (cache(model="models/gemini-4-argon"), 404, "is not supported for createCachedContent"),
    (cache(contents=[user("short")]), 400,
     "Cached content is too small. total_token_count=2, min_total_token_count=1024"),
    ({"model": "models/gemini-2.5-pro", "contents": [user(ENOUGH)]}, 400,
     "total_token_count=1250, min_total_token_count=2048"),
    ({"model": MODEL}, 400, "total_token_count=0, min_total_token_count=1024"),
    (cache(contents=[user("word" * 1_048_577)]), 400,
     "Cached content is too large. total_token_count=1048577, max_total_token_count=1048576"),
    (cache(contents=[{"role": "system", "parts": [{"text": "x"}]}]), 400, "valid role"),
    (cache(contents=[{"role": "user", "parts": []}]), 400, "contents[0].parts"),
    (cache(contents=[{"role": "user", "parts": [{}]}]), 400, "contents[0].parts[0].data"),
    (cache(contents={"parts": {"inlineData": {"mimeType": "application/zip"}}}), 400,
     "Unsupported MIME type: application/zip"),
    (cache(contents={"parts": {"fileData": {"fileUri": "ftp://x/y"}}}), 400, "file uri"),
    (cache(contents={"parts": {"fileData": {
        "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc123"}}}), 403,
     "You do not have permission to access the File abc123 or it may not exist."),
    (cache(contents={"parts": {"fileData": {"fileUri": "files/abc123"}}}), 403,
     "You do not have permission to access the File abc123 or it may not exist."),
    (cache(systemInstruction={"parts": {"inlineData": BLOB}}), 400, "only text parts"),
    (cache(ttl="253402300800s"), 400, "out of range"),
    (cache(nonsense=1), 400, "Unknown name \"nonsense\" at 'cached_content': Cannot find field."),
    (b"{", 400, "Invalid JSON payload received."),
    (b"[]", 400, "Root element must be a message."),
    (b'"x"', 400, "Root element must be a message."),
    (b"null", 400, "Root element must be a message."),
    (b"", 400, "model is required"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "code", "words"), REFUSED_CREATES)
def test_create_refuses(body: Any, code: int, words: str) -> None:  # noqa: ANN401
    """Each wrong body is refused in the server's own words, and makes no cache."""
    status = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}[code]
    with emulated() as api:
        answer = refused(api("POST", "cachedContents", body))

        assert answer[:2] == (code, status)
        assert words in answer[2]
        assert api.names() == []


def test_document_over_its_limit_is_refused() -> None:
    """A PDF above 50 MB does not go inline, though the payload would."""
    pdf = b"A" * (68 * 1024 * 1024)
    body = (
        b'{"model":"models/gemini-3.8-flash","contents":{"parts":{"inlineData":'
        b'{"mimeType":"application/pdf","data":"' + pdf + b'"}}}}'
    )
    with emulated() as api:
        assert "size limit: 52428800" in refused(api("POST", "cachedContents", body))[2]


def test_payload_over_its_limit_is_refused() -> None:
    """A body above 100 MB is refused without being understood."""
    with emulated() as api:
        answer = refused(api("POST", "cachedContents", b" " * (100 * 1024 * 1024 + 1)))

    assert answer == (
        400,
        "INVALID_ARGUMENT",
        "Request payload size exceeds the limit: 104857600 bytes.",
    )


@pytest.mark.parametrize(
    "uri",
    [
        "gs://bucket/manual.pdf",
        "https://example.com/manual.pdf?sig=1",
        "https://example.com/files/manual.pdf",
    ],
)
def test_files_elsewhere_are_taken_on_trust(uri: str) -> None:
    """A bucket or a signed URL counts as a document of fixed size."""
    part = {"file_data": {"file_uri": uri, "mime_type": "application/pdf"}}
    with emulated() as api:
        created = api.create(contents=[{"role": "user", "parts": [part]}])

    assert created["usageMetadata"] == {"totalTokenCount": 4096}


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
