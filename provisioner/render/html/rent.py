"""
A picture of the rent per hour of every cache, before and after, as SVG that stretches.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from provisioner.model.money import NOTHING as FREE
from provisioner.model.money import Money, total
from provisioner.render.html.markup import NOTHING, Markup, tag, together
from provisioner.view.money_text import usd
from provisioner.view.plan import RowView

MOST = 40
"""So many caches have bars of their own; what the others cost is one more."""

_ROW, _BAR = 46, 11


class RentBar(Struct, frozen=True, kw_only=True):
    """What one name costs per hour."""

    name: str
    before: Money
    after: Money

    @property
    def height(self) -> int:
        return max(self.before.nano, self.after.nano)


def rent_bars(rows: Sequence[RowView]) -> tuple[RentBar, ...]:
    """By name, the dearest first; an old cache counts to its name."""
    names: dict[str, RentBar] = {}
    for row in rows:
        if row.cost is None:
            continue
        rent = names.get(row.name)
        names[row.name] = RentBar(
            name=row.name,
            before=row.cost.rent_per_hour_before.money + (rent.before if rent else FREE),
            after=row.cost.rent_per_hour_after.money + (rent.after if rent else FREE),
        )
    paid = (rent for rent in names.values() if rent.before or rent.after)
    return tuple(sorted(paid, key=lambda rent: (-rent.height, rent.name)))


def rent_chart(rows: Sequence[RowView]) -> Markup:
    """Draw what *rows* cost; nothing, if nothing is paid."""
    bars = rent_bars(rows)
    if not bars:
        return NOTHING
    shown = [*bars[:MOST], *_rest(bars[MOST:])]
    top = max(rent.height for rent in shown) or 1
    picture = tag(
        "svg",
        *(_bars(rent, number * _ROW, top) for number, rent in enumerate(shown)),
        class_="rent",
        height=_ROW * len(shown),
        width="100%",
        role="img",
        aria_label="Rent per hour by cache, before and after",
    )
    legend = (
        tag("span", tag("i", class_="before"), " before"),
        tag("span", tag("i", class_="after"), " after"),
    )
    return together(picture, tag("p", *legend, class_="legend"))


def _rest(bars: Sequence[RentBar]) -> list[RentBar]:
    if not bars:
        return []
    return [
        RentBar(
            name=f"{len(bars):,} more",
            before=total(rent.before for rent in bars),
            after=total(rent.after for rent in bars),
        )
    ]


def _bars(rent: RentBar, top: int, most: int) -> Markup:
    return tag(
        "g",
        tag("text", rent.name, x=0, y=top + 14, class_="name"),
        *_bar("before", rent.before, top + 19, most),
        *_bar("after", rent.after, top + 19 + _BAR + 1, most),
    )


def _bar(kind: str, money: Money, top: int, most: int) -> tuple[Markup, ...]:
    if not money:
        return ()
    width = round(75 * money.nano / most, 3)
    return (
        tag("rect", x=0, y=top, width=f"{width}%", height=_BAR, class_=kind),
        tag("text", usd(money, "/h"), x=f"{width + 1}%", y=top + 10, class_="amount"),
    )
