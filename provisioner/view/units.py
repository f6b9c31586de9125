"""
Bytes, tokens, spans, moments and money as people read them: two digits that matter, one unit.

`~` marks what is estimated or rests on an estimate, `+ ?` a sum that lacks what has no price;
what has no price is never a zero.  Machines get whole numbers, RFC 3339 and dollars instead.
What is measured, when, and what costs how much, is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from provisioner.model.money import Cost, Money, Step, Totals, Use

UNPRICED = "no price"

_SMALLEST = Decimal("0.0001")
_CENTS = 2
_WORST = 1.005
"""A factor below this reads as 1."""
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def bytes_text(size: int) -> str:
    """Spell *size* with decimal units: `842 B`, `8.1 kB`, `812 kB`, `1.2 MB`."""
    number, unit = _scaled(size, ("", "k", "M", "G", "T"))
    return f"{number} {unit}B"


def size_text(size: int | None) -> str:
    """Spell *size* as `bytes_text` does, or say that it is unknown."""
    return bytes_text(size) if size else "unknown size"


def tokens_text(count: int, *, estimated: bool = False) -> str:
    """
    Spell *count* as `842`, `8.1k`, `201k` or `1.2M`; `~` says that it is an estimate.

    Zero is a count that is unknown: `?`.
    """
    if not count:
        return "?"
    number, unit = _scaled(count, ("", "k", "M", "G", "T"))
    return f"{'~' if estimated else ''}{number}{unit}"


def span_text(span: timedelta) -> str:
    """Spell *span* with its two largest units, rounded down: `3h 20m`.  Negative is `0s`."""
    rest = max(0, int(span.total_seconds()))
    for (large, unit), (small, below) in pairwise(_UNITS):
        if rest >= large:
            few = rest % large // small
            return f"{rest // large}{unit} {few}{below}" if few else f"{rest // large}{unit}"
    return f"{rest}s"


def listed(names: Sequence[str], most: int) -> str:
    """The first of *names*, and how many more there are than *most*: `a, b, 3 more`."""
    more = [f"{len(names) - most:,} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more])


def moment_short(moment: datetime, *, at: datetime) -> str:
    """Spell *moment* in UTC, with its date unless that is the date of *at*: `14:05Z`."""
    there, here = moment.astimezone(UTC), at.astimezone(UTC)
    return f"{there:%H:%M}Z" if there.date() == here.date() else f"{there:%Y-%m-%d %H:%M}Z"


def when(moment: datetime, *, at: datetime) -> str:
    """Spell *moment* with how far it lies ahead of *at*: `14:05Z (in 3h 20m)`."""
    return f"{moment_short(moment, at=at)} (in {span_text(moment - at)})"


def _scaled(number: int, units: tuple[str, ...]) -> tuple[str, str]:
    """Divide by thousands until three digits are left; a decimal only below ten."""
    scaled, step = float(number), 0
    while round(scaled) >= 1000 and step < len(units) - 1:  # noqa: PLR2004  # as the SI has it
        scaled, step = scaled / 1000, step + 1
    short = step and round(scaled, 1) < 10  # noqa: PLR2004  # 9.96 reads as 10
    return (f"{scaled:.1f}" if short else f"{scaled:.0f}"), units[step]


def usd(money: Money, unit: str = "") -> str:
    """Spell *money* as `$4.10`, `~$0.0034` or `$0.14/h + ?`, with *unit* behind the number."""
    return _spelled(money, "-" if money.nano < 0 else "", unit)


def signed(money: Money, unit: str = "") -> str:
    """The same as a difference: `+$0.14/h`, `-$0.45/h`, `$0/h`."""
    return _spelled(money, "-" if money.nano < 0 else "+" if money.nano else "", unit)


def number(amount: float) -> str:
    """Spell a positive number of calls or times: `0.74`, `1.28`, `2`, `1,480`."""
    rounded = _rounded(Decimal(str(amount)))
    whole = rounded == rounded.to_integral_value()
    return f"{rounded:,.0f}" if whole else f"{rounded:,f}".rstrip("0")


def cost_text(cost: Cost | None) -> str:
    """Spell it for a column: `$4.10 once, +$0.14/h`; empty if there is nothing to pay or stop."""
    if cost is None:
        return ""
    amounts = dict.fromkeys(_paid(cost))
    if cost.use and cost.use.is_annotation and not amounts:
        return _of_use(cost.use)
    return ", ".join(amounts)


def totals_text(totals: Totals) -> str:
    """`$4.10 once · +$0.14/h · +$0.28/h from 2027-01-01`; empty if a plan moves no money."""
    amounts = dict.fromkeys(_moved(totals))
    for step in totals.steps:
        change = step.rent_per_hour_change
        rent = signed(change, "/h") if change else ""
        if rent and rent not in amounts:
            amounts[f"{rent} from {step.on}"] = None
    return " · ".join(amounts)


def rent_text(totals: Totals) -> str:
    """`$1.20/h, $864.00 in 30 days, $2.40/h from 2027-01-01`: what stands in the end."""
    rents = [usd(totals.rent_per_hour_after, "/h"), f"{usd(totals.rent_30_days)} in 30 days"]
    rents += [f"{usd(step.rent_per_hour_after, '/h')} from {step.on}" for step in totals.steps]
    return ", ".join(rents)


def unpriced_text(totals: Totals) -> str:
    """Say how many lines have no price; empty if all do."""
    lines = "1 line has" if totals.unpriced == 1 else f"{totals.unpriced:,} lines have"
    return f"{lines} {UNPRICED}" if totals.unpriced else ""


def cost_sentences(cost: Cost | None) -> Iterator[str]:
    """What the column has no room for, a sentence each."""
    if cost is None:
        return
    if cost.rent_30_days:
        yield f"Rent of the next 30 days: {usd(cost.rent_30_days)}."
    if cost.overlap:
        yield f"Until the old cache is gone: {usd(cost.overlap)}."
    if cost.use:
        yield from _use_sentences(cost.use)
    for step in cost.steps:
        yield f"From {step.on}: {', '.join(dict.fromkeys(_figures(step)))}."


def _spelled(money: Money, sign: str, unit: str) -> str:
    if money.partial and not money.nano:
        return UNPRICED
    amount = Decimal(abs(money.nano)).scaleb(-9)
    about = "~" if money.estimated and amount >= _SMALLEST else ""
    lacking = " + ?" if money.partial else ""
    return f"{sign}{about}{_dollars(amount)}{unit}{lacking}"


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


def _paid(cost: Cost) -> Iterator[str]:
    """What a change costs once, and the rent that it stops, adds or goes on with."""
    change, after = cost.rent_per_hour_change, cost.rent_per_hour_after
    if cost.once:
        yield _per(cost.once, "once")
    if change.nano < 0 and not after:
        yield f"stops {usd(cost.rent_per_hour_before, '/h')}"
    elif change:
        yield signed(change, "/h")
    elif after:
        yield usd(after, "/h")


def _moved(totals: Totals) -> Iterator[str]:
    if totals.once:
        yield _per(totals.once, "once")
    if totals.rent_per_hour_change:
        yield signed(totals.rent_per_hour_change, "/h")


def _figures(step: Step) -> Iterator[str]:
    if step.use:
        yield _of_use(step.use)
    rent = step.rent_per_hour_after or step.rent_per_hour_before
    if rent:
        yield usd(rent, "/h")


def _of_use(use: Use) -> str:
    return _per(use.made, "per write" if use.is_annotation else "per creation")


def _per(money: Money, what: str) -> str:
    return f"{usd(money)} {what}" if money.nano else usd(money)


def _use_sentences(use: Use) -> Iterator[str]:
    if use.made.partial:
        yield "This model has no price."
        return
    yield _pays_after(use) if use.is_annotation else _pays_from(use)
    if use.net_per_hour:
        verb = "loses" if use.net_per_hour.nano < 0 else "saves"
        yield f"At the declared calls per hour it {verb} {_spelled(use.net_per_hour, '', '/h')}."
    if use.worst_rent and use.worst_rent >= _WORST:
        yield (
            "If every granted life is billed whole, the rent is up to "
            f"{number(use.worst_rent)} times as high."
        )


def _pays_from(use: Use) -> str:
    calls, implicit = use.pays_from_calls_per_hour, use.pays_from_calls_per_hour_implicit
    if not isinstance(calls, float):
        return "No number of calls per hour breaks even, as far as prices are known."
    also = (
        f" ({number(implicit)} if implicit caching would serve "
        f"{round((use.implicit_hits or 0) * 100)}%)"
        if isinstance(implicit, float)
        else ""
    )
    return f"Breaks even at {number(calls)} calls/h{also}."


def _pays_after(use: Use) -> str:
    if not isinstance(use.pays_after_calls, float):
        return "A write never breaks even."
    return f"A write breaks even after {_calls(use.pays_after_calls)} per lifetime."


def _calls(amount: float) -> str:
    calls = number(amount)
    return f"{calls} call{'' if calls == '1' else 's'}"
