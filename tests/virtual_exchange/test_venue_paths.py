"""Price paths of a virtual venue: what a scripted path and bars say the price is, and when it got there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.bar import FundingSeries
from copytrade_core.model.errors import BadInput
from copytrade_core.model.units import INT64_MAX, Ticks
from copytrade_core.virtual_exchange.feeds import BarsFeed, PathStep, ScriptedPath, bars_of
from tests.trading_floor import BAR_MS, BTC, ETH, START_MS, instrument, series
from tests.venue_floor import path

RULES = {BTC: instrument()}
QUARTER = BAR_MS // 4


@st.composite
def some_bars(draw):
    rows = []
    for _ in range(draw(st.integers(1, 40))):
        low, high = sorted(draw(st.tuples(st.integers(90, 110), st.integers(90, 110))))
        rows.append((draw(st.integers(low, high)), high, low, draw(st.integers(low, high))))
    return rows


def test_a_scripted_price_jumps_and_holds():
    feed = path([(0, 100), (5, 90), (7, 120)])
    assert [feed.price(BTC, START_MS + ms) for ms in (0, 4_999, 5_000, 7_000, 10**9)] == [100, 100, 90, 120, 120]
    assert feed.range(BTC, START_MS, START_MS + 4_999) is None
    assert feed.range(BTC, START_MS, START_MS + 7_000) == (90, 120)
    assert list(feed.steps(BTC, START_MS, START_MS + 5_000)) == [PathStep(START_MS + 5_000, Ticks(90), Ticks(90))]
    assert (feed.starts_ms(BTC), feed.ends_ms(BTC)) == (START_MS, INT64_MAX)


@pytest.mark.parametrize(
    ("points", "said"),
    [([], "no points"), ([(1, 5), (1, 6)], "do not increase"), ([(1, 0)], "not positive")],
)
def test_a_script_that_is_no_path_is_refused(points, said):
    with pytest.raises(BadInput, match=said):
        ScriptedPath({BTC: points})


def test_no_price_outside_the_path_and_none_of_another_market():
    feed = ScriptedPath({BTC: [(START_MS, Ticks(1))]}, ends_ms=START_MS + 10)
    for market, at_ms in ((BTC, START_MS - 1), (BTC, START_MS + 10), (ETH, START_MS)):
        with pytest.raises(BadInput):
            feed.price(market, at_ms)
    with pytest.raises(BadInput):
        feed.ends_ms(ETH)


def test_inside_a_bar_the_price_goes_against_its_direction_first():
    feed = BarsFeed({BTC: series([(100, 120, 90, 110), (110, 115, 80, 85)])}, instruments=RULES)
    steps = list(feed.steps(BTC, START_MS, START_MS + 2 * BAR_MS - 1))
    assert [(s.time_ms - START_MS, s.start, s.end) for s in steps] == [
        (QUARTER, 100, 90),
        (2 * QUARTER, 90, 120),
        (3 * QUARTER, 120, 110),
        (4 * QUARTER, 110, 110),
        (5 * QUARTER, 110, 115),
        (6 * QUARTER, 115, 80),
        (7 * QUARTER, 80, 85),
    ]


@given(some_bars(), st.data())
def test_price_steps_and_range_of_bars_agree(rows, data):
    feed = BarsFeed({BTC: series(rows)}, instruments=RULES)
    last = START_MS + len(rows) * BAR_MS - 1
    start, end = sorted(data.draw(st.tuples(st.integers(START_MS, last), st.integers(START_MS, last))))
    steps = list(feed.steps(BTC, start, end))
    bounds = feed.range(BTC, start, end)
    assert all(start < step.time_ms <= end for step in steps)
    price = feed.price(BTC, start)
    for step in steps:
        assert feed.price(BTC, step.time_ms - 1) == price
        price = step.end
        assert feed.price(BTC, step.time_ms) == price
        assert bounds is not None
        assert bounds[0] <= step.end <= bounds[1]
    assert feed.price(BTC, end) == price


@given(some_bars())
def test_bars_come_out_of_a_feed_as_they_went_in(rows):
    bars = series(rows)
    feed = BarsFeed({BTC: bars}, instruments=RULES)
    found = bars_of(feed, BTC, interval_ms=BAR_MS, from_ms=0, to_ms=INT64_MAX)
    assert list(found) == [bars.bar(index) for index in range(len(rows))]
    assert [feed.ends_ms(BTC), feed.starts_ms(BTC)] == [bars.end_ms, bars.start_ms]


def test_bars_of_a_coarser_interval_span_the_finer_ones():
    feed = BarsFeed({BTC: series([(100, 120, 90, 110), (110, 115, 80, 85), (85, 86, 84, 84)])}, instruments=RULES)
    (bar,) = bars_of(feed, BTC, interval_ms=2 * BAR_MS, from_ms=START_MS, to_ms=START_MS + 3 * BAR_MS)
    assert (bar.open, bar.high, bar.low, bar.close) == (100, 120, 80, 85)


def test_volume_is_whole_steps_of_the_bar_and_funding_is_what_was_paid():
    bars = replace(series([(100, 100, 100, 100)] * 2), volume=np.array([0.0000199, 3.0]))
    rates = FundingSeries(market=BTC, time_ms=np.array([START_MS]), rate=np.array([7]))
    feed = BarsFeed({BTC: bars}, instruments=RULES, funding={BTC: rates})
    assert [feed.traded(BTC, START_MS + ms).volume for ms in (0, BAR_MS)] == [1, 300_000]
    assert feed.traded(BTC, START_MS).bar_id != feed.traded(BTC, START_MS + BAR_MS).bar_id
    assert (feed.funding_rate(BTC, START_MS), feed.funding_rate(BTC, START_MS + 1)) == (7, None)


def test_where_a_bar_is_missing_the_last_close_holds():
    bars = series([(100, 120, 90, 110), (110, 115, 80, 85)])
    gap = replace(bars, open_time_ms=bars.open_time_ms + np.array([0, BAR_MS]))
    feed = BarsFeed({BTC: gap}, instruments=RULES)
    assert feed.price(BTC, START_MS + BAR_MS) == feed.price(BTC, START_MS + 2 * BAR_MS - 1) == 110
    assert feed.price(BTC, START_MS + 2 * BAR_MS) == 110


def test_bars_without_quarters_or_rules_are_refused():
    with pytest.raises(BadInput, match="no bars"):
        BarsFeed({BTC: series([])}, instruments=RULES)
    with pytest.raises(BadInput, match="no prices"):
        BarsFeed({BTC: series([(1, 1, 1, 1)])}, instruments={})
