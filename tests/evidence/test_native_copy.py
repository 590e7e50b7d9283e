from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.evidence.native_copy import NativeCopyRules, native_copy
from copytrade_core.model.instrument import Market
from copytrade_core.model.round_trip import CostModel
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Ppm

FREE = CostModel(taker_fee=Ppm(0), maker_fee=Ppm(0), slippage=Ppm(0), source="a test without costs")
RULES = NativeCopyRules(
    cap_tight=Ppm(5_000),
    cap_wide=Ppm(15_000),
    balance_share=Ppm(100_000),
    available_discount=Ppm(950_000),
    profit_share=Ppm(100_000),
    delay_s=0,
)
EQUITY = Money(1000 * 10**8)
DOGE = Market("DOGE/USDT:USDT")


def run(made, episodes, series, *, rules=RULES, costs=FREE):
    return native_copy(episodes, made.market_data(*series), rules=rules, costs=costs, initial_equity=EQUITY)


def test_a_copied_long_earns_the_move_less_the_leads_share(made):
    """100 USDT of 1,000 buy one unit at 100; closed at 110; the lead takes a tenth of the 10 earned."""
    found = run(made, [made.episode(opened_h=1, closed_h=3)], [made.bars([100, 100, 110, 110, 110])])
    assert (found.trades_count, found.missed_count) == (1, 0)
    assert found.profit_share_usdt == pytest.approx(1)
    assert found.net_pnl_usdt == pytest.approx(9)
    assert found.win_ratio == 1


@pytest.mark.parametrize(
    ("market", "open_price", "missed"),
    [
        (Market("BTC/USDT:USDT"), 100.5, 0),
        (Market("BTC/USDT:USDT"), 100.51, 1),
        (Market("ETH/USDT:USDT"), 100.51, 1),
        (DOGE, 101.5, 0),
        (DOGE, 101.51, 1),
    ],
)
def test_an_open_is_missed_when_the_market_is_beyond_the_cap(made, market, open_price, missed):
    series = made.bars([100, open_price, open_price, open_price, open_price, open_price], market)
    late = replace(RULES, delay_s=3600)
    lead = made.episode(opened_h=1, closed_h=3, market=market)
    assert run(made, [lead], [series], rules=late).missed_count == missed


def test_what_the_lead_paid_in_the_end_caps_nothing(made):
    averaged = made.episode(opened_h=1, closed_h=3, entry="50")
    assert run(made, [averaged], [made.bars([100] * 6)]).missed_count == 0


def test_a_short_is_missed_when_the_market_has_already_fallen(made):
    short = made.episode(opened_h=1, closed_h=3, side=Side.SHORT)
    late = replace(RULES, delay_s=3600)
    assert run(made, [short], [made.bars([100, *[99.49] * 5])], rules=late).missed_count == 1
    assert run(made, [short], [made.bars([100, *[99.5] * 5])], rules=late).missed_count == 0


def test_slippage_never_pays_more_than_the_cap(made):
    slipping = replace(FREE, slippage=Ppm(50_000))
    no_share = replace(RULES, profit_share=Ppm(0), balance_share=Ppm(1_000_000), available_discount=Ppm(1_000_000))
    found = run(made, [made.episode(opened_h=1, closed_h=3)], [made.bars([100] * 5)], rules=no_share, costs=slipping)
    quantity = int(1000 / 100.5 * 1000) / 1000
    assert found.net_pnl_usdt == pytest.approx(quantity * (95 - 100.5))


def test_what_is_free_limits_the_order_and_what_is_too_small_is_counted(made):
    """80 % of 1,000 is taken by the first; 95 % of the 200 left is the second's; the third gets 9.5, the fourth 0.5."""
    greedy = replace(RULES, balance_share=Ppm(800_000), profit_share=Ppm(0))
    episodes = [made.episode(opened_h=1 + hour / 10, closed_h=9) for hour in (1, 2, 3, 4)]
    found = run(made, episodes, [made.bars([100] * 12)], rules=greedy)
    assert (found.trades_count, found.too_small_count) == (3, 1)


def test_the_share_is_taken_of_new_highs_only(made):
    """Wins 10, loses 10 a week later, wins 10 another week later: only the first ten are new profit."""
    week = 24 * 7
    closes = [100.0] * (week * 4)
    for won_at, low in ((2, False), (2 + week, True), (2 + 2 * week, False)):
        closes[won_at] = 90.0 if low else 110.0
    episodes = [made.episode(opened_h=start + 1, closed_h=start + 3) for start in (0, week, 2 * week)]
    found = run(made, episodes, [made.bars(closes)])
    assert found.trades_count == 3
    assert found.profit_share_usdt == pytest.approx(1)


def test_an_episode_without_bars_is_counted_not_guessed(made):
    found = run(made, [made.episode(opened_h=1, closed_h=99)], [made.bars([100] * 5)])
    assert (found.trades_count, found.uncovered_count) == (0, 1)
    assert found.net_pnl_usdt == 0


@given(
    closes=st.lists(st.integers(80, 120), min_size=30, max_size=30),
    spans=st.lists(st.tuples(st.integers(0, 28), st.integers(1, 28)), max_size=8),
)
def test_money_is_never_made_of_nothing(made, closes, spans):
    """Every closed episode is copied, missed, too small or uncovered; fees only ever take."""
    episodes = [made.episode(opened_h=start + i / 100, closed_h=start + long) for i, (start, long) in enumerate(spans)]
    series = [made.bars(closes)]
    free = run(made, episodes, series)
    placed = free.trades_count + free.missed_count + free.too_small_count + free.uncovered_count
    assert placed == len(episodes)
    assert free.net_ratio > -1
    assert free.profit_share_usdt >= 0
    assert 0 <= free.max_drawdown_realised_ratio <= 1
