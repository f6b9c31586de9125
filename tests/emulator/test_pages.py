"""Lists, page by page."""

from __future__ import annotations

import pytest

from tests.emulator.local import Api, emulated, refused


def drain(api: Api, size: int) -> list[list[str]]:
    """The names on every page."""
    pages, token = [], ""
    while True:
        query = f"pageSize={size}" + (f"&pageToken={token}" if token else "")
        page = api("GET", f"cachedContents?{query}").json()
        pages.append([each["name"] for each in page.get("cachedContents", [])])
        if "nextPageToken" not in page:
            return pages
        token = page["nextPageToken"].replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")


def test_pages_are_newest_first_and_complete() -> None:
    """Draining the pages finds every live cache once, newest first."""
    with emulated() as api:
        names = [api.create()["name"] for _ in range(7)][::-1]

        assert drain(api, 3) == [names[:3], names[3:6], names[6:]]
        assert drain(api, 7) == [names]


def test_page_is_stable_while_caches_come_and_go() -> None:
    """A cache made or deleted between two pages neither repeats nor hides another."""
    with emulated() as api:
        names = [api.create()["name"] for _ in range(4)][::-1]
        page = api("GET", "cachedContents?pageSize=2").json()
        api.create()
        api("DELETE", names[1])

        token = page["nextPageToken"].replace("+", "%2B")
        rest = api("GET", f"cachedContents?pageSize=2&pageToken={token}").json()

        assert [each["name"] for each in rest["cachedContents"]] == names[2:]


def test_unencoded_page_token_is_refused() -> None:
    """A client that pastes a token into a URL as it is learns it here."""
    with emulated() as api:
        for _ in range(2):
            api.create()
        token = api("GET", "cachedContents?pageSize=1").json()["nextPageToken"]

        assert refused(api("GET", f"cachedContents?pageToken={token}"))[0] == 400


def test_page_size_is_coerced() -> None:
    """More than a thousand a page is a thousand, and no size is a small page."""
    with emulated(min_tokens=0) as api:
        for _ in range(1001):
            api.create(contents=[])

        assert [len(page) for page in drain(api, 5000)] == [1000, 1]
        assert len(api("GET", "cachedContents").json()["cachedContents"]) == 50


@pytest.mark.parametrize(
    "query",
    [
        "pageSize=x",
        "pageSize=-1",
        "pageSize=99999999999",
        "pageToken=x",
        "pageToken=QUFB",
        "size=1",
    ],
)
def test_list_refuses_queries_that_mean_nothing(query: str) -> None:
    """A page size, a token or an option that cannot be is a 400."""
    with emulated() as api:
        assert refused(api("GET", f"cachedContents?{query}"))[:2] == (400, "INVALID_ARGUMENT")


def test_nothing_is_an_empty_object() -> None:
    """An empty project lists as an empty object."""
    with emulated() as api:
        assert api("GET", "cachedContents").content == b"{}"
