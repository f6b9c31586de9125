"""
Money as people read it: two digits that matter, and never a zero for what has no price.

`~` marks what rests on estimated tokens, `+ ?` a sum that lacks whatever has no price.
What costs how much is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal

from provisioner.model.money import (
    AnnotationUse,
    CacheUse,
    Cost,
    Figures,
    Money,
    Step,
    Totals,
    Use,
)

UNPRICED = "no price"

_SMALLEST = Decimal("0.0001")
_CENTS = 2
_WORST = Decimal("1.005")
"""A factor below this reads as 1."""


def usd(money: Money, unit: str = "") -> str:
    """Spell *money* as `$4.10`, `~$0.0034` or `$0.14/h + ?`, with *unit* behind the number."""
    return _spelled(money, "-" if money.nano < 0 else "", unit)


def signed(money: Money, unit: str = "") -> str:
    """The same as a difference: `+$0.14/h`, `-$0.45/h`, `$0/h`."""
    return _spelled(money, "-" if money.nano < 0 else "+" if money.nano else "", unit)


def number(amount: Decimal) -> str:
    """Spell a positive number of calls or times: `0.74`, `1.28`, `2`, `1,480`."""
    rounded = _rounded(amount)
    whole = rounded == rounded.to_integral_value()
    return f"{rounded:,.0f}" if whole else f"{rounded:,f}".rstrip("0")


def cost_text(cost: Cost) -> str:
    """Tell it in a column: `$4.10 once, +$0.14/h`; empty if there is nothing to pay or stop."""
    moved = dict.fromkeys(_paid(cost.figures))
    if isinstance(cost.use, AnnotationUse) and not moved:
        return _of_use(cost.use)
    return ", ".join(moved)


def totals_text(totals: Totals) -> str:
    """`$4.10 once · +$0.14/h · +$0.28/h from 2027-01-01`; empty if a plan moves no money."""
    told = dict.fromkeys(_moved(totals.figures))
    for step in totals.steps:
        rent = signed(step.figures.delta, "/h") if step.figures.delta else ""
        if rent and rent not in told:
            told[f"{rent} from {step.on}"] = None
    return " · ".join(told)


def rent_text(totals: Totals) -> str:
    """`$1.20/h, $864.00 in 30 days, $2.40/h from 2027-01-01`: what stands in the end."""
    told = [usd(totals.figures.after, "/h"), f"{usd(totals.month)} in 30 days"]
    told += [f"{usd(step.figures.after, '/h')} from {step.on}" for step in totals.steps]
    return ", ".join(told)


def unpriced_text(totals: Totals) -> str:
    """Say how many lines have no price; empty if all do."""
    lines = "1 line has" if totals.unpriced == 1 else f"{totals.unpriced:,} lines have"
    return f"{lines} {UNPRICED}" if totals.unpriced else ""


def cost_sentences(cost: Cost) -> Iterator[str]:
    """Whatever the column has no room for, a sentence each."""
    if cost.month:
        yield f"Rent of the next 30 days: {usd(cost.month)}."
    if cost.overlap:
        yield f"Until the old cache is gone: {usd(cost.overlap)}."
    match cost.use:
        case CacheUse():
            yield from _cache_sentences(cost.use)
        case AnnotationUse():
            yield from _annotation_sentences(cost.use)
        case None:
            pass
    for step in cost.steps:
        yield f"From {step.on}: {', '.join(dict.fromkeys(_figures(step)))}."


def _spelled(money: Money, sign: str, unit: str) -> str:
    if money.partial and not money.nano:
        return UNPRICED
    about = "~" if money.estimated and abs(money.usd) >= _SMALLEST else ""
    lacking = " + ?" if money.partial else ""
    return f"{sign}{about}{_dollars(abs(money.usd))}{unit}{lacking}"


def _dollars(amount: Decimal) -> str:
    """Cents at least, and below ten cents two digits that matter."""
    if not amount:
        return "$0"
    return f"${_rounded(amount):,f}" if amount >= _SMALLEST else f"<${_SMALLEST}"


def _rounded(amount: Decimal) -> Decimal:
    """Twice, for 0.0996 gains a digit by it."""
    for _ in range(2):
        places = max(_CENTS, 1 - amount.adjusted()) if amount else _CENTS
        step = Decimal(1).scaleb(-places)
        amount = (amount / step).to_integral_value(ROUND_HALF_EVEN) * step
    return amount


def _paid(figures: Figures) -> Iterator[str]:
    """What a change costs once, and the rent that it stops, adds or goes on with."""
    if figures.once:
        yield _per(figures.once, "once")
    if figures.delta.nano < 0 and not figures.after:
        yield f"stops {usd(figures.before, '/h')}"
    elif figures.delta:
        yield signed(figures.delta, "/h")
    elif figures.after:
        yield usd(figures.after, "/h")


def _moved(figures: Figures) -> Iterator[str]:
    if figures.once:
        yield _per(figures.once, "once")
    if figures.delta:
        yield signed(figures.delta, "/h")


def _figures(step: Step) -> Iterator[str]:
    if step.use:
        yield _of_use(step.use)
    rent = step.figures.after or step.figures.before
    if rent:
        yield usd(rent, "/h")


def _of_use(use: Use) -> str:
    match use:
        case CacheUse():
            return _per(use.creation, "per creation")
        case AnnotationUse():
            return _per(use.write, "per write")


def _per(money: Money, what: str) -> str:
    return f"{usd(money)} {what}" if money.nano else usd(money)


def _cache_sentences(use: CacheUse) -> Iterator[str]:
    if use.creation.partial:
        yield "This model has no price."
        return
    yield _pays_from(use)
    yield from _net(use.net_per_hour)
    if use.worst_rent >= _WORST:
        yield (
            "If every granted life is billed whole, the rent is up to "
            f"{number(use.worst_rent)} times as high."
        )


def _pays_from(use: CacheUse) -> str:
    if use.pays_from is None:
        return "No number of calls per hour is known from which it pays."
    implicit = (
        f", from {number(use.pays_from_implicit)} where implicit caching hits "
        f"{round(use.implicit_hits * 100)}% of them"
        if use.pays_from_implicit is not None
        else ""
    )
    return f"It pays from {_calls(use.pays_from)} per hour{implicit}."


def _annotation_sentences(use: AnnotationUse) -> Iterator[str]:
    if use.write.partial:
        yield "This model has no price."
        return
    if use.pays_after is None:
        yield "A write never pays."
    else:
        yield f"A write has paid after {_calls(use.pays_after)} per lifetime."
    yield from _net(use.net_per_hour)


def _calls(amount: Decimal) -> str:
    told = number(amount)
    return f"{told} call{'' if told == '1' else 's'}"


def _net(money: Money | None) -> Iterator[str]:
    if money:
        yield f"At the declared calls per hour it nets {signed(money, '/h')}."
