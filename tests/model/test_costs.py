"""Costs are stated, never negative, and small enough that every product stays exact."""

from __future__ import annotations

from dataclasses import replace

import pytest

from copytrade_core.model.errors import BadInput
from copytrade_core.model.units import RATE_MAX
from tests.trading_floor import COSTS


@pytest.mark.parametrize("field", ["taker_fee", "maker_fee", "slippage"])
def test_a_cost_is_neither_negative_nor_beyond_its_bound(field):
    assert replace(COSTS, **{field: RATE_MAX})
    assert replace(COSTS, **{field: 0}), "a labelled baseline may be free"
    for rate in (-1, RATE_MAX + 1):
        with pytest.raises(BadInput, match=field) as caught:
            replace(COSTS, **{field: rate})
        assert caught.value.where.field == field


def test_costs_say_where_they_come_from():
    with pytest.raises(BadInput, match="where they come from"):
        replace(COSTS, source=" ")
