"""Two paths of one intent: the waterfall sums exactly, for any inputs, and puts each difference where it belongs."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.evidence.parity import (
    Cause,
    IntentKey,
    IntentPair,
    PathTrade,
    TradePath,
    compared,
    parity_table,
)
from copytrade_core.evidence.parity_paths import (
    FillTrace,
    OrderTrace,
    Refusal,
    compare_paths,
    replay_trades,
    trades_of,
)
from copytrade_core.evidence.parity_rows import parity_rows, parity_summary
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.units import Money, Steps, Ticks
from copytrade_core.replay.reference import replay
from tests.trading_floor import BTC, COSTS, FOLLOW, SPEC, data, episode, instrument, series

UNIT = instrument().money_per_tick_step
KEY = IntentKey(episode_id="e", kind=IntentKind.OPEN, leg="base", occurrence=0)


def trade(price: int = 100_000, filled: int = 100, **changes: Any) -> PathTrade:
    return replace(
        PathTrade(
            at_ms=0,
            asked=Steps(filled),
            filled=Steps(filled),
            seen=Ticks(price),
            executable=Ticks(price),
            touch_notional=Money(price * filled * UNIT),
            notional=Money(price * filled * UNIT),
            fee=Money(0),
            funding=Money(0),
            skipped_why=None,
        ),
        **changes,
    )


def pair(base: PathTrade | None, other: PathTrade | None, *, mark: int = 101_000, buys: bool = True) -> IntentPair:
    return IntentPair(key=KEY, market=BTC, buys=buys, unit=UNIT, mark=Ticks(mark), base=base, other=other)


prices = st.integers(1, 2**31 - 1)
money = st.integers(-(10**14), 10**14).map(Money)


@st.composite
def trades(draw) -> PathTrade | None:
    if draw(st.booleans()) and draw(st.booleans()):
        return None
    asked = draw(st.integers(0, 10**9))
    filled = draw(st.integers(0, asked))
    return PathTrade(
        at_ms=draw(st.integers(0, 10**12)),
        asked=Steps(asked),
        filled=Steps(filled),
        seen=draw(st.none() | prices.map(Ticks)),
        executable=draw(st.none() | prices.map(Ticks)),
        touch_notional=draw(st.none() | st.integers(0, 10**14).map(Money)) if filled else None,
        notional=Money(draw(st.integers(1, 10**14)) if filled else 0),
        fee=draw(money) if filled else Money(0),
        funding=draw(money) if filled else Money(0),
        skipped_why=draw(st.none() | st.just("daily_loss")) if not asked else None,
    )


def told(one: PathTrade | None) -> bool:
    return one is None or not one.filled or None not in (one.seen, one.executable, one.touch_notional)


@given(base=trades(), other=trades(), mark=prices, buys=st.booleans(), unit=st.integers(1, 10**6))
def test_causes_and_residual_sum_to_the_total_for_any_inputs(base, other, mark, buys, unit) -> None:
    row = compared(replace(pair(base, other, mark=mark, buys=buys), unit=unit))
    assert sum(row.causes.values()) + row.residual == row.total
    assert sum(row.bps(each) for each in row.causes.values()) + row.bps(row.residual) == row.bps(row.total)
    if told(base) and told(other):
        assert row.residual == 0, "nothing is unexplained where both paths tell everything"
    # The total does not come from the causes: it is the difference of two results counted on their own.
    sign = 1 if buys else -1
    results = [
        0 if not one or not one.filled else sign * (mark * one.filled * unit - one.notional) - one.fee - one.funding
        for one in (base, other)
    ]
    assert row.total == results[0] - results[1]
    back = compared(replace(row.pair, base=other, other=base))
    assert back.total == -row.total


@given(st.lists(st.tuples(trades(), trades()), max_size=6))
def test_a_table_is_the_sum_of_its_rows(pairs) -> None:
    table = parity_table(TradePath.REPLAY, TradePath.PAPER, [pair(base, other) for base, other in pairs])
    assert sum(table.cause(cause) for cause in Cause) + table.residual == table.total
    assert sum(table.bps(table.cause(cause)) for cause in Cause) + table.bps(table.residual) == table.bps(table.total)


def bps_of(base: PathTrade | None, other: PathTrade | None, **more) -> dict[str, Fraction]:
    row = compared(pair(base, other, **more))
    assert row.explains
    return {cause.value: row.bps(found) for cause, found in row.causes.items() if found}


def test_equal_paths_do_not_differ() -> None:
    assert bps_of(trade(), trade()) == {}


def test_a_price_difference_is_told_apart_by_where_it_arose() -> None:
    seen, executable, touch, price = 100_010, 100_030, 100_060, 100_100
    other = trade(
        price,
        seen=Ticks(seen),
        executable=Ticks(executable),
        touch_notional=Money(touch * 100 * UNIT),
        fee=Money(5 * 10**6),
        funding=Money(2 * 10**6),
    )
    found = bps_of(trade(), other)
    assert found == {
        "observation_delay": 1,
        "decision": 2,
        "spread": 3,
        "slippage": 4,
        "fee": Fraction(5 * 10**6 * 10_000, 100_000 * 100 * UNIT),
        "funding": Fraction(2 * 10**6 * 10_000, 100_000 * 100 * UNIT),
    }


def test_a_seller_who_gets_less_did_worse_too() -> None:
    other = trade(99_990, seen=Ticks(100_000), executable=Ticks(100_000), touch_notional=Money(100_000 * 100 * UNIT))
    assert bps_of(trade(), other, buys=False) == {"slippage": 1}


def test_quantity_that_was_not_asked_for_not_filled_or_not_let_is_told_apart() -> None:
    assert set(bps_of(trade(), trade(asked=Steps(90), filled=90))) == {"rounding"}
    assert set(bps_of(trade(), trade(filled=90, asked=Steps(100)))) == {"partial"}
    assert set(bps_of(trade(), trade(filled=0, asked=Steps(0), skipped_why="daily_loss"))) == {"skipped"}
    assert set(bps_of(trade(), trade(filled=0, asked=Steps(100)))) == {"missed"}
    assert set(bps_of(trade(), None)) == {"missed"}
    assert set(bps_of(None, trade())) == {"missed"}
    assert bps_of(trade(), None)["missed"] == 100, "1 % up to the mark was not earned"


def test_a_residual_above_one_basis_point_does_not_explain() -> None:
    """A path that does not tell its price before slippage leaves it open."""
    barely = trade(100_010, executable=None, seen=Ticks(100_000), touch_notional=None)
    assert compared(pair(trade(), barely)).explains
    too_much = trade(100_011, executable=None, seen=Ticks(100_000), touch_notional=None)
    row = compared(pair(trade(), too_much))
    assert row.bps(row.residual) == Fraction(11, 10)
    assert not row.explains
    table = parity_table(TradePath.REPLAY, TradePath.PAPER, [row.pair])
    assert table.residual_bps_max == Fraction(11, 10)
    assert not parity_summary(table)["explains_all"]


# -- paths -------------------------------------------------------------------------------------------------------------

RULES: dict[str, Instrument] = {BTC: instrument()}
BARS = series([(100_000 + 10 * n, 100_020 + 10 * n, 99_980 + 10 * n, 100_010 + 10 * n) for n in range(30)])


def replayed(**changes):
    spec = replace(SPEC, costs=COSTS, **changes)
    result = replay([episode(17, 62, entry="100010", leave="100100")], FOLLOW, spec, data(BARS))
    assert result.round_trips
    return replay_trades(result, RULES, about={})


def test_a_replay_compared_with_itself_does_not_differ() -> None:
    table = compare_paths(replayed(), replayed(), RULES)
    assert [row.pair.key.kind for row in table.rows] == [IntentKind.OPEN, IntentKind.CLOSE]
    assert table.total == 0
    assert table.residual_bps_max == 0
    assert table.missed == ()


def test_a_later_replay_differs_by_what_its_delay_cost() -> None:
    prompt, late = replayed(), replayed(delay_s=600)
    table = compare_paths(prompt, late, RULES)
    assert table.total != 0
    assert table.residual == 0
    opening = table.rows[0]
    assert opening.lag_ms == 600_000
    assert opening.causes[Cause.OBSERVATION_DELAY] == 20 * opening.pair.unit * min(
        one.filled for one in (opening.pair.base, opening.pair.other) if one is not None
    )
    shown = parity_rows(table, RULES)
    assert [row["kind"] for row in shown] == ["open", "close"]
    assert all(row["explains"] for row in shown)


def test_an_episodes_rows_sum_to_the_difference_of_its_results() -> None:
    """Whatever price the rows share: both paths end flat."""
    paths = [replay([episode(17, 62)], FOLLOW, replace(SPEC, costs=COSTS, delay_s=s), data(BARS)) for s in (0, 600)]
    table = compare_paths(replay_trades(paths[0], RULES, about={}), replay_trades(paths[1], RULES, about={}), RULES)
    results = [each.round_trips[0].pnl for each in paths]
    assert table.total == results[0] - results[1]


def traced(leg: str, quantity: int, *fills: tuple[int, int], kind: IntentKind = IntentKind.OPEN) -> OrderTrace:
    return OrderTrace(
        episode_id="e",
        market=BTC,
        buys=kind.is_entry,
        kind=kind,
        leg=leg,
        asked=Steps(quantity),
        planned_at_ms=5,
        seen=Ticks(100_000),
        fills=tuple(
            FillTrace(time_ms=9, raw_price=None, price=Ticks(price), quantity=Steps(part), fee=Money(1))
            for price, part in fills
        ),
    )


def test_fills_of_one_order_are_one_trade_and_orders_of_one_leg_are_counted() -> None:
    found = trades_of(
        TradePath.LIVE,
        [
            traced("base", 10, (100_000, 4), (100_010, 6)),
            traced("base", 5),
            traced("close", 10, (1, 10), kind=IntentKind.CLOSE),
        ],
        [
            Refusal(episode_id="e", market=BTC, buys=True, kind=IntentKind.OPEN, leg="base", at_ms=1, why="stale"),
            Refusal(episode_id="e", market=BTC, buys=True, kind=IntentKind.ADD, leg="rung1", at_ms=1, why="stale"),
        ],
        funding={"e": Money(7)},
        instruments=RULES,
    ).by_intent
    first, second, close, rung = found.values()
    assert (first.filled, first.notional, first.fee) == (10, (400_000 + 600_060) * UNIT, 2)
    assert (second.asked, second.filled, second.skipped_why) == (5, 0, None)
    assert (close.funding, first.funding) == (7, 0)
    assert rung.skipped_why == "stale"
    assert [key.occurrence for key in found] == [0, 1, 0, 0]


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_is_shown(cause: Cause) -> None:
    table = parity_table(TradePath.REPLAY, TradePath.PAPER, [pair(trade(), trade(100_010))])
    assert f"{cause.value}_bps" in parity_summary(table)
    assert f"{cause.value}_bps" in parity_rows(table, RULES)[0]
