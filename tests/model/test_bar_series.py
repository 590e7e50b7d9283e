"""Bars are refused with row and field, and searched as a slow reading of the definition would search them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.bar import BarSeries, FundingSeries, PriceOrigin, QuoteSeries
from copytrade_core.model.errors import BadInput
from tests.trading_floor import BTC, ETH, data, instrument, series

GOOD = [(10, 12, 9, 11), (11, 13, 10, 12), (12, 14, 11, 13)]
START = 3_000


def made(rows=GOOD, *, interval_ms=1000) -> BarSeries:
    return series(rows, start_ms=START, interval_ms=interval_ms)


@pytest.mark.parametrize(
    ("field", "row", "value", "said"),
    [
        ("open_time_ms", 1, START, "not strictly increasing"),
        ("open_time_ms", 2, START, "not strictly increasing"),
        ("open_time_ms", 1, START + 1001, "off the interval's grid"),
        ("open", 1, 0, "not positive"),
        ("close", 2, -5, "not positive"),
        ("high", 0, 8, "high is below low"),
        ("open", 2, 15, "open is outside"),
        ("close", 1, 9, "close is outside"),
        ("volume", 1, np.nan, "volume"),
        ("volume", 2, -1.0, "volume"),
    ],
)
def test_a_bad_row_is_named_with_its_field(field, row, value, said):
    column = getattr(made(), field).copy()
    column[row] = value
    with pytest.raises(BadInput, match=said) as caught:
        replace(made(), **{field: column})
    assert (caught.value.where.row, caught.value.where.field) == (row, field)


@pytest.mark.parametrize("field", ["open", "high", "low", "close", "volume"])
def test_columns_of_unequal_length_are_refused(field):
    with pytest.raises(BadInput, match="another length") as caught:
        replace(made(), **{field: getattr(made(), field)[:-1]})
    assert caught.value.where.field == field


@pytest.mark.parametrize("field", ["open_time_ms", "open", "high", "low", "close"])
def test_floats_are_not_prices_so_a_nan_cannot_enter(field):
    column = getattr(made(), field).astype(np.float64)
    with pytest.raises(BadInput, match="whole numbers") as caught:
        replace(made(), **{field: column})
    assert caught.value.where.field == field


@pytest.mark.parametrize("interval_ms", [0, -1000])
def test_an_interval_is_positive(interval_ms):
    with pytest.raises(BadInput, match="interval must be positive"):
        replace(made(), interval_ms=interval_ms)


MINUTES = st.sets(st.integers(0, 30), min_size=1, max_size=20).map(sorted)


def holed(minutes) -> BarSeries:
    n = len(minutes)
    ones = np.ones(n, dtype=np.int32)
    return BarSeries(
        market=BTC,
        interval_ms=10,
        origin=PriceOrigin.RECORDED,
        open_time_ms=np.array(minutes, dtype=np.int64) * 10,
        open=ones,
        high=ones,
        low=ones,
        close=ones,
        volume=np.zeros(n),
    )


@given(minutes=MINUTES, start=st.integers(0, 320), length=st.integers(0, 320))
def test_the_first_gap_is_the_first_missing_bar(minutes, start, length):
    have = {minute * 10 for minute in minutes}
    needed = [t for t in range(0, 700, 10) if start <= t < start + length]
    missing = [t for t in needed if t not in have]
    assert holed(minutes).first_gap(start, start + length) == (missing[0] if missing else None)


@given(minutes=MINUTES, now=st.integers(-50, 400))
def test_only_ended_bars_are_known(minutes, now):
    bars = holed(minutes)
    known = [index for index, minute in enumerate(minutes) if minute * 10 + 10 <= now]
    assert bars.index_known_at(now) == (known[-1] if known else -1)
    later = [index for index, minute in enumerate(minutes) if minute * 10 >= now]
    assert bars.index_at_or_after(now) == (later[0] if later else len(bars))


def test_a_bar_is_known_at_the_instant_it_ends_and_not_before():
    bars = made()
    assert bars.bar(0).end_ms == START + 1000
    assert bars.index_known_at(START + 999) == -1
    assert bars.index_known_at(START + 1000) == 0
    assert (bars.start_ms, bars.end_ms, len(bars)) == (START, START + 3000, 3)


def test_funding_times_increase_and_match_their_rates():
    times, rates = np.array([1, 2, 2]), np.array([1, 1, 1])
    with pytest.raises(BadInput, match="funding times") as caught:
        FundingSeries(market=BTC, time_ms=times, rate=rates)
    assert (caught.value.where.row, caught.value.where.field) == (2, "time_ms")
    with pytest.raises(BadInput, match="differ in length"):
        FundingSeries(market=BTC, time_ms=times[:2], rate=rates)


@pytest.mark.parametrize(
    ("times", "bid", "ask", "row", "field"),
    [([1, 1], [5, 5], [6, 6], 1, "time_ms"), ([1, 2], [5, 7], [6, 6], 1, "bid"), ([1, 2], [0, 5], [6, 6], 0, "bid")],
)
def test_quotes_are_sorted_and_uncrossed(times, bid, ask, row, field):
    with pytest.raises(BadInput, match="unsorted or crossed") as caught:
        QuoteSeries(
            market=BTC,
            time_ms=np.array(times),
            bid=np.array(bid, dtype=np.int32),
            ask=np.array(ask, dtype=np.int32),
        )
    assert (caught.value.where.row, caught.value.where.field) == (row, field)


def test_data_of_another_market_interval_or_origin_is_refused():
    bars = made()
    with pytest.raises(BadInput, match="filed under"):
        replace(data(bars), bars={ETH: bars})
    with pytest.raises(BadInput, match="no trading rules"):
        data(bars, instruments={})
    other = series(GOOD, market=ETH, start_ms=START, interval_ms=500)
    with pytest.raises(BadInput, match="one interval"):
        data(bars, other)
    simulated = replace(series(GOOD, market=ETH, start_ms=START, interval_ms=1000), origin=PriceOrigin.SIMULATED)
    with pytest.raises(BadInput, match="cannot be mixed"):
        data(bars, simulated)
    assert data(instruments={BTC: instrument()}).origin is PriceOrigin.RECORDED
