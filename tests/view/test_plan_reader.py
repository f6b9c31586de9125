"""A plan in JSON reads back as it was, and nothing else reads at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import given
from msgspec.structs import replace

from provisioner.errors import CtxprovError
from provisioner.escape import json_text
from provisioner.model.attributes import Adoption, Measure
from provisioner.model.changes import Blocked, Create, Keep, Reason, Replace
from provisioner.model.plan import Edit
from provisioner.model.records import DesiredCache, RecordedCache
from provisioner.planner import decision_table as table
from provisioner.planner import plan
from provisioner.render.html.page import plan_article
from provisioner.render.markdown import plan_markdown
from provisioner.render.plan_table import plan_text
from provisioner.view.plan_reader import read_plans
from tests.builders import HOUR, STACK, annotation, desired, live, noted, recorded, state
from tests.render.fixtures import AT, PLAN, plan_of, view
from tests.test_escape import NASTY
from tests.view.test_wording import BREACHES

COMMIT = "0123456789abcdef" * 2 + "01234567"
WHOLE = view(PLAN, valid_until=AT + HOUR, next_refresh=AT + HOUR, commit=COMMIT, breaches=BREACHES)


T = TypeVar("T", DesiredCache, RecordedCache)
OTHER = replace(plan_of(), stack="other")


def reread(raw: str) -> Any:  # noqa: ANN401  # one view or several
    (again,) = read_plans(raw.encode(), where="plan.json")
    return again


def test_a_plan_comes_back() -> None:
    """Every kind of change, its times and its money; so every format is the same."""
    again = reread(json_text(WHOLE))

    assert again == WHOLE
    assert json_text(again) == json_text(WHOLE)
    assert plan_markdown(again) == plan_markdown(WHOLE)
    for verbose in (False, True):
        shown = [plan_text(one, width=100, colour=False, verbose=verbose) for one in (again, WHOLE)]
        assert shown[0] == shown[1]


@given(NASTY)
def test_foreign_text_comes_back(text: str) -> None:
    """Names, models, paths, pieces and ids are what they were, as far as they are text at all."""
    foreign = text.encode("utf-8", "replace").decode()[:511]
    measure = Measure(paths=(foreign,), pieces={foreign: "0123"}, size=1, tokens=1)
    want = replace(desired(measure=measure), name=foreign, model=foreign)
    old = recorded(want, foreign, model="another")
    seen = live(want, foreign, model=foreign, label=None)
    note = replace(annotation(), name=f"d{foreign}", model=foreign)
    planned = replace(
        plan_of(
            Create(want, None, Reason.NEW, table.NOTHING_ALIVE),
            Replace(renamed("b", want), seen, renamed("b", old), Reason.MODEL, table.OUTDATED),
            Blocked(
                renamed("c", want), seen, old, Reason.MODEL, foreign, table.ANNOTATION_PROTECTED
            ),
            Keep(note, None, noted(note), Reason.CURRENT, table.ANNOTATED),
        ),
        stack=foreign,
    )

    assert reread(json_text(view(planned))) == view(planned)


def renamed(letter: str, entry: T) -> T:
    """*entry* under a name that begins with *letter*."""
    return replace(entry, name=f"{letter}{entry.name}")


def test_several_stacks() -> None:
    """The document of several stacks is a view of each."""
    one, other = json.loads(json_text(WHOLE)), json.loads(json_text(view(plan_of())))
    other["stack"] = "other"
    other["fingerprint"] = OTHER.fingerprint
    raw = json.dumps({"format_version": 1, "stacks": [one, other]}).encode()

    assert read_plans(raw, where="plan.json") == (WHOLE, view(OTHER))


def test_a_stack_is_there_once() -> None:
    """Two plans of one stack are refused: nothing says which one is meant."""
    one = json.loads(json_text(WHOLE))
    raw = json.dumps({"format_version": 1, "stacks": [one, one]}).encode()

    with pytest.raises(CtxprovError, match="the stack demo is there twice"):
        read_plans(raw, where="plan.json")


def test_a_plan_of_before() -> None:
    """A plan that was made before lines knew their end reads all the same."""
    document = json.loads(json_text(WHOLE))
    costs = [change["cost"] for change in document["changes"]]
    ends = [cost.pop(key) for cost in costs for key in ("ends_on", "old_ends_on")]

    assert len(set(ends)) > 1
    assert reread(json.dumps(document)).totals == WHOLE.totals


def test_a_name_that_was_given_by_adopting() -> None:
    """A removed entry has no row if another one adopts its cache; every format names it."""
    want, old = desired("b", adopt=Adoption("cachedContents/1")), desired("a")
    planned = plan([want], state(recorded(old)), [live(old)], stack=STACK, now=AT)

    again = reread(json_text(view(planned)))

    assert again.edits == view(planned).edits
    for page in (plan_text(again, width=100, colour=False), plan_article(again)):
        assert "Removed from the manifest, with no change of their own: a." in page
    assert "| - removed | `a` |  | no change of its own |" in plan_markdown(again)


def test_removals_are_named_beside_any_row() -> None:
    """A file that shows no row for removed entries says their names all the same."""
    planned = plan_of(edits=frozenset(Edit(f"prod-{at}", None) for at in range(3)))

    page = plan_markdown(reread(json_text(view(planned))))

    assert page.count("| - removed | `prod-") == 3


def manual(document: Any) -> Any:  # noqa: ANN401  # a plan in JSON, and a change of it
    return next(one for one in document["changes"] if one["name"] == "product-manual")


def disguise(document: Any) -> None:  # noqa: ANN401  # a plan in JSON
    """Fold an edit away, under what time brings."""
    manual(document).update(section="lifecycle")


def as_time(document: Any) -> None:  # noqa: ANN401  # a plan in JSON
    """Claim that time makes a create necessary."""
    document["summary"].update(replace=0, create=document["summary"]["create"] + 1)
    manual(document).update(action="create", section="lifecycle", reason="expired", cause="time")


def as_another(document: Any) -> None:  # noqa: ANN401  # a plan in JSON
    """Show another model than the one that is approved."""
    manual(document)["after"].update(model="gemini-3.7-cheap")


def as_removed(document: Any) -> None:  # noqa: ANN401  # a plan in JSON
    """Call it a removal."""
    document["summary"].update(replace=0, retire=document["summary"]["retire"] + 1)
    manual(document).update(action="retire", reason="undeclared")


def as_found(document: Any) -> None:  # noqa: ANN401  # a plan in JSON
    """Say that it was found as it is, and stays so."""
    hide(document)
    manual(document).update(section="unchanged", reason="found", cause="drift")


def as_created(document: Any) -> None:  # noqa: ANN401  # a plan in JSON
    """Show a removal as a creation of something unknown."""
    document["summary"].update(retire=0, create=document["summary"]["create"] + 1)
    removed = next(one for one in document["changes"] if one["action"] == "retire")
    removed.update(action="create", after={**removed["before"], "life": None})


def as_noted(document: Any) -> None:  # noqa: ANN401  # a plan in JSON
    """Show a replacement as if it cost nothing."""
    document["summary"].update(replace=0, note=document["summary"]["note"] + 1)
    manual(document).update(action="note")


def as_a_part(document: Any) -> None:  # noqa: ANN401  # a plan in JSON
    """Leave its change out, as if it had not been selected."""
    hide(document)
    document["partial"] = True


def empty(document: Any) -> None:  # noqa: ANN401  # a plan in JSON
    document.clear()
    document.update(format_version=1, stacks=[])


def emptied(document: Any) -> None:  # noqa: ANN401  # a plan in JSON
    """Say that nothing is edited, with the fingerprint of that."""
    document.update(edits=[], fingerprint=plan_of().fingerprint)


def unlike_its_row(document: Any) -> None:  # noqa: ANN401  # a plan in JSON
    """Declare of an entry that stays as it is something else than its row shows."""
    next(one for one in document["desired"] if one["name"] == "steady")["after"]["model"] = "other"


def unlike_its_record(document: Any) -> None:  # noqa: ANN401  # a plan in JSON
    """Show an entry as it stays, and as another than what is on record."""
    steady = next(one for one in document["changes"] if one["name"] == "steady")
    steady["before"]["digest"] = "0" * 64


def removed_and_declared(document: Any) -> None:  # noqa: ANN401  # a plan in JSON
    """Declare an entry that is removed."""
    document["desired"].append({**document["desired"][0], "name": "old-faq"})


def in_first(key: str, value: object) -> Callable[[Any], None]:
    return lambda document: document["changes"][0].__setitem__(key, value)


def hide(document: Any) -> None:  # noqa: ANN401  # a plan in JSON
    """Show an edited entry as if it stayed as it is."""
    edited, steady = (
        next(one for one in document["changes"] if one["name"] == name)
        for name in ("product-manual", "steady")
    )
    document["summary"].update(replace=0, unchanged=document["summary"]["unchanged"] + 1)
    edited.update({key: steady[key] for key in ("section", "action", "reason", "cause", "pending")})


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda d: d.pop("totals"), "totals"),
        (lambda d: d.update(format_version=0), "format_version"),
        (lambda d: d.update(fingerprint="0" * 64), "its fingerprint is not that of its edits"),
        (emptied, "no change shows what brand-new declares"),
        (unlike_its_row, "no change shows what steady declares"),
        (unlike_its_record, "no change shows what steady declares"),
        (removed_and_declared, "the edit of old-faq is not what it declares"),
        (lambda d: d["desired"].clear(), "is not what it declares"),
        (lambda d: d["desired"].append(d["desired"][0]), "is there twice"),
        (lambda d: d["edits"].append(d["edits"][0]), "is there twice"),
        (lambda d: d["edits"].pop(), "its fingerprint is not that of its edits"),
        (lambda d: d["summary"].update(delete=0), "its summary does not count its changes"),
        (lambda d: d["changes"].pop(0), "its summary does not count its changes"),
        (lambda d: d.update(commit="main; rm -rf"), "commit"),
        (lambda d: d.update(stack="x" * 513), "stack"),
        (lambda d: d.update(at="2026-02-30T00:00:00Z"), "at: this must be a moment in UTC"),
        (lambda d: d.update(at="2026-01-01T17:10:00"), "at: this must be a moment in UTC"),
        (lambda d: d.update(at="2026-01-01T19:10:00+02:00"), "is not in UTC: end it with Z"),
        (
            lambda d: d["changes"][0]["after"].update(expires_at="2026-01-01T19:10:00+02:00"),
            "is not in UTC: end it with Z",
        ),
        (
            lambda d: d["changes"][0]["after"]["settings"].update(retire_after="soon"),
            "changes.0.after.settings.retire_after: this must be a duration",
        ),
        (
            lambda d: d["changes"][0]["before"]["settings"].update(refresh_before="1/0"),
            "a share is not divided by 0",
        ),
        (
            lambda d: d["changes"][0]["before"].update(life={"ttl": "9999999999d"}),
            "a duration is whole numbers with s, m, h or d",
        ),
        (in_first("provider", "other"), "the provider of product-manual is not the one"),
        (lambda d: d.update(changes={}), "changes"),
        (lambda d: d["changes"][0].update(before=None, after=None), "changes.0"),
        (lambda d: d["changes"][0]["after"].update(tokens=10**30), "changes.0.after"),
        (lambda d: d["changes"][0]["after"].update(tokens=True), "changes.0.after"),
        (lambda d: d["changes"][0]["cost"]["once"].update(usd="1"), "changes.0"),
        (lambda d: d["totals"]["once"].update(usd=1e300), "totals.once"),
        (lambda d: d["totals"]["once"].update(usd=0), "its totals are not those of its changes"),
        (lambda d: d["totals"].update(unpriced=0, lines=1), "its totals are not those"),
        (lambda d: d["changes"][0]["cost"].update(ends_on="soon"), "changes.0"),
        (lambda d: d["changes"][0]["cost"].update(ends_on="2026-02-30"), "this must be a day"),
        (in_first("cost", None), "its totals are not those of its changes"),
        (empty, "it holds no plan"),
        (hide, "no change shows the edit of product-manual"),
        (disguise, "the change of product-manual does not follow from its reason"),
        (as_time, "no change shows the edit of product-manual"),
        (as_another, "no change shows the edit of product-manual"),
        (as_removed, "no change shows the edit of product-manual"),
        (as_found, "the change of product-manual does not follow from its reason"),
        (as_created, "does not follow from its reason"),
        (as_noted, "does not follow from its reason"),
        (as_a_part, "no change shows the edit of product-manual"),
        (in_first("pending", value=False), "does not follow from its reason"),
        (in_first("cause", "drift"), "does not follow from its reason"),
        (in_first("section", "<b>"), "changes.0.section"),
        (in_first("why", "x" * 8193), "changes.0.why"),
        (in_first("name", "\ud800"), "it is not JSON: line 1"),
    ],
)
def test_what_is_not_a_plan_is_refused(spoil: Callable[[Any], None], sentence: str) -> None:
    """In one short paragraph that names the file and the place."""
    document = json.loads(json_text(WHOLE))
    spoil(document)

    with pytest.raises(CtxprovError, match=r"^plan\.json is not a plan of this version") as refusal:
        reread(json.dumps(document))

    assert sentence in str(refusal.value)
    assert len(str(refusal.value)) < 400
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(
    "add",
    [
        lambda d: d.update(more=1),
        lambda d: d.update(format_version=2),
        lambda d: d.update(format_version=2, more=1),
        lambda d: d["changes"][0]["after"].update(more=1),
        lambda d: d["edits"][0].update(more=1),
        lambda d: d["totals"].update(more=1),
    ],
)
def test_a_plan_of_a_newer_version(add: Callable[[Any], None]) -> None:
    """A key more, wherever it is, and a higher version ask for an upgrade and for nothing else."""
    document = json.loads(json_text(WHOLE))
    add(document)

    with pytest.raises(CtxprovError, match=r"written by a newer ctxprov: .*Upgrade") as refusal:
        reread(json.dumps(document))

    assert "Make one" not in str(refusal.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_a_plan_that_a_shell_wrote_again(encoding: str) -> None:
    """A redirect of PowerShell, with its byte order mark, is the plan that it redirects."""
    raw = json_text(WHOLE).encode(encoding)

    assert read_plans(raw, where="plan.json") == (WHOLE,)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"null", b"[]", b"\xff", b"[" * 100_000, b'{"stacks":[1]}', b"NaN"]
)
def test_noise_is_refused(raw: bytes) -> None:
    """Any other bytes are refused too."""
    with pytest.raises(CtxprovError, match="is not a plan of this version"):
        read_plans(raw, where="plan.json")
