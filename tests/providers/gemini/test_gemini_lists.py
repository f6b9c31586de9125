"""Lists, page by page."""

from __future__ import annotations

from itertools import count
from typing import Any

import httpx
import pytest

from provisioner.errors import ParseError
from provisioner.providers.gemini import GeminiContextCache
from provisioner.providers.gemini.api import MOST_PAGES
from tests.providers.gemini.world import Wire, World, gemini, within


def _page(*names: str, token: str | None = None) -> dict[str, Any]:
    moment = "2026-11-22T21:00:00Z"
    caches = [
        {
            "name": f"cachedContents/{name}",
            "model": "models/m",
            "createTime": moment,
            "expireTime": moment,
        }
        for name in names
    ]
    return {"cachedContents": caches, **({} if token is None else {"nextPageToken": token})}


def listed(*pages: dict[str, Any]) -> tuple[list[str], list[dict[str, str]]]:
    """What a client makes of *pages*, and what it asked for."""
    left = list(pages)
    wire = Wire(lambda _: httpx.Response(200, json=left.pop(0)))
    caches = within(gemini(wire), lambda cache: cache.list())
    return [seen.handle.cache_name[15:] for seen in caches], [
        dict(request.url.params) for request in wire.sent
    ]


def test_a_big_project_is_listed_in_few_requests() -> None:
    """2,500 caches cost three requests."""
    names = [f"n{number}" for number in range(2_500)]
    pages = (
        _page(*names[:1000], token="a/b+c= &"),
        _page(*names[1000:2000], token="more"),
        _page(*names[2000:]),
    )

    assert listed(*pages) == (
        names,
        [
            {"pageSize": "1000"},
            {"pageSize": "1000", "pageToken": "a/b+c= &"},
            {"pageSize": "1000", "pageToken": "more"},
        ],
    )


@pytest.mark.parametrize("last", [_page("b"), _page("b", token=""), {}, {"nextPageToken": ""}])
def test_the_last_page(last: dict[str, Any]) -> None:
    """A page without a token is the last, and an empty page is not."""
    names, asked = listed(_page("a", token="1"), _page(token="2"), last)

    assert names[0] == "a"
    assert len(asked) == 3


def test_a_cache_that_moves_between_pages_is_one() -> None:
    """A cache shown on two pages, because one was made in between, is listed once."""
    names, _ = listed(_page("a", "b", token="1"), _page("b", "c"))

    assert names == ["a", "b", "c"]


@pytest.mark.parametrize("tokens", [["1", "1"], ["1", "2", "1"]])
def test_pages_in_a_circle(tokens: list[str]) -> None:
    """A server that repeats a page token is not followed forever."""
    with pytest.raises(ParseError, match="circle"):
        listed(*(_page(token=token) for token in tokens))


def test_pages_without_an_end() -> None:
    """A server that always has another page is not followed for ever."""
    numbers = count()
    wire = Wire(lambda _: httpx.Response(200, json=_page(token=str(next(numbers)))))

    with pytest.raises(ParseError, match="without an end"):
        within(gemini(wire), lambda cache: cache.list())

    assert len(wire.sent) == MOST_PAGES


def test_odd_entries_are_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Entries of others that cannot be read cost one warning for all pages."""
    odd = {"name": "cachedContents/\x1b[31m"}
    first, second = _page("a", token="1"), _page("b")
    first["cachedContents"].append(odd)
    second["cachedContents"] += [odd, odd]

    names, _ = listed(first, second)

    assert names == ["a", "b"]
    [record] = [one for one in caplog.records if one.levelname == "WARNING"]
    assert "3 caches that cannot be read" in record.getMessage()
    assert "\x1b" not in record.getMessage()


def test_the_emulators_pages(world: World) -> None:
    """A list that the server cuts into pages is drained."""

    async def story(cache: GeminiContextCache) -> int:
        for _ in range(3):
            await cache.create("x")
        return len(await cache.list())

    assert world.run(story) == 3
