"""One bet or two: what moves together adds up, what is strange to each other adds less, what opposes makes no room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.instrument import Market
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money
from copytrade_core.risk.correlated import correlated_notional
from copytrade_core.risk.exposure import Commitment
from tests.trading_floor import BTC, ETH, usdt

SOL = Market("SOL/USDT:USDT")


def line(market, side, amount) -> Commitment:
    return Commitment(market=market, side=side, notional=usdt(amount))


def both(side: Side, ppm: int | None) -> int:
    """30 long of one market and 40 of another on `side`, with that correlation."""
    return correlated_notional([line(BTC, Side.LONG, 30), line(ETH, side, 40)], lambda _a, _b: ppm)


def test_two_coins_that_move_together_count_as_one():
    assert both(Side.LONG, 1_000_000) == usdt(70)
    assert both(Side.SHORT, -1_000_000) == usdt(70)


def test_strangers_count_as_the_root_of_their_squares():
    assert both(Side.LONG, 0) == usdt(50)


def test_in_between_the_correlation_weighs():
    # 30² + 40² + 2·30·40·0.5 = 3700
    assert both(Side.LONG, 500_000) == 6_082_762_531
    assert both(Side.SHORT, -500_000) == 6_082_762_531


def test_a_hedge_makes_no_room():
    assert both(Side.SHORT, 1_000_000) == usdt(50)
    assert both(Side.LONG, -1_000_000) == usdt(50)
    assert correlated_notional([line(BTC, Side.LONG, 30), line(BTC, Side.SHORT, 40)], lambda _a, _b: None) == usdt(50)


def test_a_correlation_that_nobody_knows_counts_as_moving_together():
    assert both(Side.LONG, None) == both(Side.SHORT, None) == usdt(70)


def test_parts_of_one_market_and_side_are_one():
    parts = [line(BTC, Side.LONG, 10), line(BTC, Side.LONG, 20)]
    assert correlated_notional(parts, lambda _a, _b: 0) == usdt(30)
    assert correlated_notional([], lambda _a, _b: 0) == 0


LINES = st.lists(
    st.builds(
        Commitment,
        market=st.sampled_from([BTC, ETH, SOL]),
        side=st.sampled_from(list(Side)),
        notional=st.integers(0, 10**14).map(Money),
    ),
    max_size=8,
)
TABLES = st.fixed_dictionaries(
    {
        pair: st.none() | st.integers(-1_000_000, 1_000_000)
        for pair in [tuple(sorted(pair)) for pair in ((BTC, ETH), (BTC, SOL), (ETH, SOL))]
    }
)


@given(lines=LINES, more=LINES, table=TABLES)
def test_it_never_falls_when_something_is_added_and_lies_between_the_largest_and_the_sum(lines, more, table):
    def ask(a, b):
        return table[a, b]

    found = correlated_notional(lines, ask)
    assert found <= correlated_notional([*lines, *more], ask)
    assert found == correlated_notional(list(reversed(lines)), ask)
    assert max((each.notional for each in lines), default=0) <= found <= sum(each.notional for each in lines)
