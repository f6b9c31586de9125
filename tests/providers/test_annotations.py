"""Lives on offer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import InvalidCacheConfiguration
from provisioner.providers.annotations import at_least

LIVES = st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=365))


@given(LIVES, st.lists(LIVES, min_size=1))
def test_rounding_up(ttl: timedelta, offered: list[timedelta]) -> None:
    """The life given is on offer, no shorter than asked, and no longer than it has to be."""
    if ttl > max(offered):
        with pytest.raises(InvalidCacheConfiguration):
            at_least(ttl, offered, "somebody")
    else:
        assert at_least(ttl, offered, "somebody") == min(one for one in offered if one >= ttl)
