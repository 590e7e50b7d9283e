"""Text becomes integers exactly: the fast column arithmetic equals Decimal, digit for digit."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from copytrade_core.edges.market.bars_text import Rows, ticks_of, times_ms, volumes_of
from copytrade_core.model.errors import BadInput, OutOfBounds, Where
from copytrade_core.model.units import ticks_nearest

TICK_SIZES = st.sampled_from([Decimal(text) for text in ("0.1", "0.01", "0.001", "0.5", "0.25", "0.0001", "5", "1E+1")])


def column(values: list[str | None]) -> Rows:
    numbers = np.arange(1, len(values) + 1, dtype=np.int64)
    return Rows(place=Where(file="f"), numbers=numbers, columns={"open": values})


@given(
    st.lists(st.decimals(min_value="0.00001", max_value=999_999, places=8), min_size=1, max_size=20),
    TICK_SIZES,
    st.booleans(),
)
def test_a_column_of_prices_is_rounded_as_one_price_is(
    prices: list[Decimal], tick_size: Decimal, scientific: bool
) -> None:
    text = [f"{price:E}" if scientific else f"{price:f}" for price in prices]
    try:
        expected = [ticks_nearest(price, tick_size) for price in prices]
    except OutOfBounds:
        with pytest.raises(BadInput):
            ticks_of(column([*text]), "open", tick_size, may_round=True)
        return
    found = ticks_of(column([*text]), "open", tick_size, may_round=True)
    assert found.ticks.tolist() == expected
    assert found.ticks.dtype == np.int32
    off = [index for index, price in enumerate(prices) if price % tick_size]
    assert found.off_grid_count == len(off)
    if off:
        with pytest.raises(BadInput, match="off the tick grid") as fault:
            ticks_of(column([*text]), "open", tick_size, may_round=False)
        assert fault.value.where.row == off[0] + 1


def outcome_of(read: Callable[[Rows], NDArray[np.generic]], rows: Rows) -> int | Where:
    """How many values were read, or where it stopped."""
    try:
        return len(read(rows))
    except BadInput as error:
        return error.where


@given(st.lists(st.one_of(st.none(), st.text(max_size=12)), min_size=1, max_size=5))
def test_any_text_is_either_exact_ticks_or_named(values: list[str | None]) -> None:
    for read in (
        lambda rows: ticks_of(rows, "open", Decimal("0.1"), may_round=True).ticks,
        lambda rows: times_ms(rows, "open"),
        lambda rows: volumes_of(rows, "open"),
    ):
        outcome = outcome_of(read, column(values))
        if isinstance(outcome, Where):
            assert outcome.row in range(1, len(values) + 1)
            assert outcome.field == "open"
        else:
            assert outcome == len(values)


@pytest.mark.parametrize(
    "text",
    [
        "1768435200000",
        "1768435200000000",
        "2026-01-15 00:00:00",
        "2026-01-15T00:00:00",
        "2026-01-15T00:00:00Z",
        "2026-01-15 00:00:00+00:00",
        "2026-01-15T00:00:00.000Z",
    ],
)
def test_an_instant_has_one_value_however_it_is_written(text: str) -> None:
    assert times_ms(column([text]), "open").tolist() == [1_768_435_200_000]


@pytest.mark.parametrize("text", ["1768435200", "2026-01-15 00:00:00+02:00", "2026-01-15", "1768435200000001", "-1"])
def test_an_instant_that_could_be_misread_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        times_ms(column([text]), "open")
