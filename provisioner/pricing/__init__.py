"""
Tokens, model and moment in, money out.  Pure: no clock, no file, no catalogue is opened.

The caller passes a lookup of models.  What has no price is `NO_PRICE`, never nothing.
"""

from provisioner.pricing.break_even import IMPLICIT_HITS
from provisioner.pricing.costs import (
    Grant,
    cost,
    costs,
    price_list,
    rent,
    spent,
    totals,
    totals_of,
    upkeep,
)
from provisioner.pricing.rates import MONTH, Lookup

__all__ = [
    "IMPLICIT_HITS",
    "MONTH",
    "Grant",
    "Lookup",
    "cost",
    "costs",
    "price_list",
    "rent",
    "spent",
    "totals",
    "totals_of",
    "upkeep",
]
