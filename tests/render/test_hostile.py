"""No renderer lets foreign text act: one promise, held by all of them."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from msgspec.structs import replace

from provisioner.errors import NetworkError
from provisioner.model import Blocked, Create, Failed, Keep, NotAttempted, Reason, Replace, Result
from provisioner.model.money import NO_RENT
from provisioner.pricing import cost
from provisioner.render.document import plan_json
from provisioner.render.html import html_document, plan_article, result_article
from provisioner.render.listing import Listed, list_json, list_text
from provisioner.render.markdown import plan_markdown, result_markdown
from provisioner.render.result import result_json, result_line, result_text
from provisioner.render.show import show_one, show_text
from provisioner.render.text import plan_text
from tests.builders import annotation, desired, live, noted, recorded, retiring, state
from tests.pricing.prices import lookup
from tests.render.scene import AT, plan_of, view
from tests.render.test_escape import COMMAND, NASTY


def outputs(text: str) -> Iterator[str]:
    """Every renderer, with *text* wherever anything foreign can be."""
    measure = replace(desired().measure, paths=(text, text))
    want = replace(desired(measure=measure), name=text, model=text)
    old = recorded(want, text, model="another")
    note = replace(annotation(), name=text, model=text)
    seen = live(want, text, model=text, label=None)
    changes = (
        Create(want, None, Reason.NEW),
        Replace(want, seen, old, Reason.MODEL),
        Blocked(text, want, seen, old, Reason.MODEL, text),
        Keep(note, None, noted(note), Reason.CURRENT),
    )
    plan = replace(plan_of(*changes), stack=text)
    results = [
        Result(changes[0], Failed(NetworkError(text))),
        Result(changes[1], NotAttempted(text)),
    ]
    for width in (80, 200):
        yield plan_text(
            view(plan),
            width=width,
            colour=False,
            verbose=True,
            hints=[text],
        )
        yield result_text(results, width=width, colour=False)
        listed = [Listed(live=seen, display_name=text, rent=NO_RENT)]
        yield list_text(listed, known={}, now=AT, width=width, colour=False)
        memory = replace(state(old, retiring=[retiring(want, text)]), stack=text)
        yield show_text(memory, {text: seen}, rents={}, now=AT, width=width, colour=False)
        yield show_one(old, None, rent=NO_RENT, now=AT, width=width, colour=False)
    yield list_json(listed, known={}, now=AT)
    yield plan_json(view(plan))
    yield result_json(plan, results, [cost(one.change, lookup, at=AT) for one in results])
    yield plan_markdown(view(plan))
    yield result_markdown(plan, results)
    yield html_document([plan_article(view(plan)), result_article(plan, results)], title=text)
    yield from (result_line(result, colour=False) for result in results)


@given(NASTY)
def test_nothing_acts(text: str) -> None:
    """No control character, no bidi mark, no half character and no command gets through."""
    for output in outputs(text):
        assert output.replace("\n", "").isprintable()
        assert not COMMAND.search(output)
