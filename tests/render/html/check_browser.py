"""
A page in Chromium: on a phone, on a desk, in the dark and on paper.

Run by `make check-browser`, which installs the browser.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, sync_playwright

from provisioner.render.html.page import html_document, plan_article
from tests.render.fixtures import PLAN, view

CHROMIUM = next(
    (path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()),
    None,
)
WIDTHS = {"phone": 360, "tablet": 768, "desk": 1280}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of every kind of change, one of them with a name that tries to act."""
    shown = view(PLAN, commit="0123456789abcdef")
    hostile = replace(shown.rows[0], name="<img src=x onerror=document.title='acted'>")
    path = tmp_path_factory.mktemp("page") / "plan.html"
    article = plan_article(replace(shown, rows=(*shown.rows, hostile)))
    path.write_text(html_document([article], title="ctxprov: demo"))
    return path


Scheme: TypeAlias = Literal["light", "dark"]


def opened(browser: Browser, file: Path, width: int, said: list[str], scheme: Scheme) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: said.append(request.url))
    page.goto(file.as_uri())
    return page


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits(browser: Browser, file: Path, width: int, scheme: Scheme) -> None:
    """Nothing runs over the edge, nothing is loaded, and nothing acts, at any width."""
    said: list[str] = []
    page = opened(browser, file, width, said, scheme)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.title() == "ctxprov: demo"
    assert said == [file.as_uri()]
    assert page.locator("img").count() == 0
    page.close()


def test_pictures_keep_their_letters(browser: Browser, file: Path) -> None:
    """On a phone the letters of a picture are as large as on a desk."""
    heights = []
    for width in (WIDTHS["phone"], WIDTHS["desk"]):
        page = opened(browser, file, width, [], "light")
        box = page.locator("svg.timeline text.name").first.bounding_box()
        assert box
        heights.append(box["height"])
        page.close()

    assert abs(heights[0] - heights[1]) < 1


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_bars_lie_inside(browser: Browser, file: Path, width: int) -> None:
    """Every bar of both pictures is inside of its picture and can be seen."""
    page = opened(browser, file, width, [], "light")
    outside = page.evaluate(
        """[...document.querySelectorAll("svg")].flatMap(svg => {
             const edge = svg.getBoundingClientRect();
             return [...svg.querySelectorAll("rect")].filter(bar => {
               const box = bar.getBoundingClientRect();
               return box.left < edge.left - 1 || box.right > edge.right + 1
                 || box.bottom > edge.bottom + 1 || box.width === 0;
             });
           }).length"""
    )
    assert page.locator("svg rect").count() > 30
    assert outside == 0
    page.close()


def test_dark_is_dark(browser: Browser, file: Path) -> None:
    """The page follows the reader's system."""
    colours = []
    schemes: tuple[Scheme, ...] = ("light", "dark")
    for scheme in schemes:
        page = opened(browser, file, 800, [], scheme)
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.close()

    assert colours == ["rgb(255, 255, 255)", "rgb(13, 17, 23)"]


def test_on_paper(browser: Browser, file: Path) -> None:
    """It can be printed: several pages, black on white even for a dark reader."""
    page = opened(browser, file, 1280, [], "dark")
    page.emulate_media(media="print")
    ink = page.evaluate("getComputedStyle(document.body).color")

    assert ink == "rgb(0, 0, 0)"
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()
