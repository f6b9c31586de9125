"""No renderer lets foreign text act: one promise, held by all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hypothesis import given
from msgspec import Struct
from msgspec.structs import replace

from provisioner.errors import NetworkError
from provisioner.escape import json_text
from provisioner.model.changes import Blocked, Create, Keep, Reason, Replace
from provisioner.model.facts import Failed, NotAttempted, Result
from provisioner.model.money import NO_RENT
from provisioner.model.plan import Plan
from provisioner.model.records import DesiredCache, LiveCache, RecordedCache
from provisioner.planner import decision_table as table
from provisioner.pricing import cost
from provisioner.render.explain import explain_text
from provisioner.render.html.page import html_document, plan_article, result_article
from provisioner.render.listing import Listed, list_document, list_text
from provisioner.render.markdown import plan_markdown, result_markdown
from provisioner.render.plan_table import plan_text
from provisioner.render.result import result_json, result_line, result_text
from provisioner.render.show import show_one, show_text
from tests.builders import annotation, desired, live, noted, recorded, retiring, state
from tests.pricing.prices import lookup
from tests.render.fixtures import AT, plan_of, view
from tests.render.test_explain import explained
from tests.test_escape import COMMAND, NASTY


class Nasty(Struct, frozen=True):
    """A world with *text* wherever anything foreign can be."""

    text: str

    @property
    def want(self) -> DesiredCache:
        measure = replace(
            desired().measure, paths=(self.text, self.text), pieces={self.text: "a" * 12}
        )
        return replace(desired(measure=measure), name=self.text, model=self.text)

    @property
    def old(self) -> RecordedCache:
        measure = replace(self.want.measure, pieces={self.text: "b" * 12})
        return recorded(replace(self.want, measure=measure), self.text, model="another")

    @property
    def live(self) -> LiveCache:
        return live(self.want, self.text, model=self.text, label=None)

    @property
    def plan(self) -> Plan:
        note = replace(annotation(), name=self.text, model=self.text)
        changes = (
            Create(self.want, None, Reason.NEW, table.NOTHING_ALIVE),
            Replace(self.want, self.live, self.old, Reason.MODEL, table.OUTDATED),
            Blocked(
                self.want, self.live, self.old, Reason.MODEL, self.text, table.ANNOTATION_PROTECTED
            ),
            Keep(note, None, noted(note), Reason.CURRENT, table.ANNOTATED),
        )
        return replace(plan_of(*changes), stack=self.text)

    @property
    def results(self) -> list[Result]:
        one, other, *_ = self.plan.changes
        return [
            Result(one, Failed(NetworkError(self.text))),
            Result(other, NotAttempted(self.text)),
        ]

    @property
    def listed(self) -> list[Listed]:
        return [Listed(live=self.live, display_name=self.text, rent=NO_RENT)]


def terminal_texts(world: Nasty, widths: Iterable[int]) -> Iterator[str]:
    """Every renderer that lays out lines, in each of *widths*."""
    shown = view(world.plan)
    known = [replace(explained(one), declared=world.text) for one in world.plan.changes]
    memory = replace(
        state(world.old, retiring=[retiring(world.want, world.text)]), stack=world.text
    )
    seen, old, results, listed = world.live, world.old, world.results, world.listed
    for width in widths:
        yield plan_text(shown, width=width, colour=False, verbose=True, hints=[world.text])
        yield explain_text(known, width=width, colour=False)
        yield result_text(results, width=width, colour=False)
        yield list_text(listed, now=AT, width=width, colour=False)
        yield show_text(memory, {world.text: seen}, rents={}, now=AT, width=width, colour=False)
        yield show_one(old, None, rent=NO_RENT, now=AT, width=width, colour=False)


def outputs(text: str) -> Iterator[str]:
    """Every renderer."""
    world = Nasty(text)
    plan, results = world.plan, world.results
    yield from terminal_texts(world, (80, 200))
    yield json_text(list_document(world.listed, now=AT))
    yield json_text(view(plan))
    yield result_json(plan, results, [cost(one.change, lookup, at=AT) for one in results])
    yield plan_markdown(view(plan))
    yield result_markdown(plan, results)
    yield html_document([plan_article(view(plan)), result_article(plan, results)], title=text)
    yield from (result_line(result, colour=False, shown={}) for result in results)


@given(NASTY)
def test_nothing_acts(text: str) -> None:
    """No control character, no bidi mark, no half character and no command gets through."""
    for output in outputs(text):
        assert output.replace("\n", "").isprintable()
        assert not COMMAND.search(output)
