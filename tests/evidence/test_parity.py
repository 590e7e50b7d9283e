"""Two paths of one intent: the waterfall sums exactly, for any inputs, and puts each difference where it belongs."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.evidence.parity import Cause, IntentKey, IntentPair, PathTrade, TradePath, Wish
from copytrade_core.evidence.parity_paths import FillTrace, MarketRecord, OrderTrace, Refusal, compare_paths, trades_of
from copytrade_core.evidence.parity_records import record_trades
from copytrade_core.evidence.parity_rows import parity_rows, parity_summary
from copytrade_core.evidence.parity_waterfall import compared, parity_table
from copytrade_core.flow import Record
from copytrade_core.model.bar import BarSeries
from copytrade_core.model.fill import FillModel
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.units import Money, Steps, Ticks
from copytrade_core.replay.reference import replay
from tests.trading_floor import BTC, COSTS, FOLLOW, SPEC, START_MS, data, episode, instrument, series

UNIT = instrument().money_per_tick_step
KEY = IntentKey(episode_id="e", kind=IntentKind.OPEN, leg="base", occurrence=0)


def trade(price: int = 100_000, filled: int = 100, **changes: Any) -> PathTrade:
    asked = int(changes.get("asked", filled))
    return replace(
        PathTrade(
            at_ms=0,
            wish=Wish(price=Ticks(100_000), money=None, steps=Steps(asked)),
            asked=Steps(asked),
            filled=Steps(filled),
            seen=Fraction(price),
            attested=Fraction(price),
            mid=Fraction(price),
            touch=Fraction(price),
            notional=Money(price * filled * UNIT),
            fee=Money(0),
            funding=Money(0),
            skipped_why=None,
        ),
        **changes,
    )


def pair(
    base: PathTrade | None, other: PathTrade | None, *, mark: int = 101_000, buys: bool = True, unit: int = UNIT
) -> IntentPair:
    return IntentPair(key=KEY, market=BTC, buys=buys, unit=unit, mark=Ticks(mark), base=base, other=other, lacking={})


prices = st.integers(1, 2**31 - 1)
ticks = st.fractions(min_value=1, max_value=2**31 - 1, max_denominator=1000)
money = st.integers(-(10**14), 10**14).map(Money)
wishes = st.one_of(
    st.builds(Wish, price=prices, money=st.integers(1, 10**14), steps=st.none()),
    st.builds(Wish, price=prices, money=st.none(), steps=st.integers(1, 10**9)),
    st.builds(Wish, price=prices, money=st.none(), steps=st.none()),
)


@st.composite
def trades(draw) -> PathTrade | None:
    if draw(st.booleans()) and draw(st.booleans()):
        return None
    asked = draw(st.integers(0, 10**9))
    filled = draw(st.integers(0, asked))
    return PathTrade(
        at_ms=draw(st.integers(0, 10**12)),
        wish=draw(st.none() | wishes),
        asked=Steps(asked),
        filled=Steps(filled),
        seen=draw(st.none() | ticks),
        attested=draw(st.none() | ticks) if filled else None,
        mid=draw(st.none() | ticks) if filled else None,
        touch=draw(st.none() | ticks) if filled else None,
        notional=Money(draw(st.integers(1, 10**14)) if filled else 0),
        fee=draw(money) if filled else Money(0),
        funding=draw(money) if filled else Money(0),
        skipped_why=draw(st.none() | st.just("daily_loss")) if not asked else None,
    )


def told(one: PathTrade | None) -> bool:
    """Whether it tells everything, and the market record attests all of it."""
    prices_told = one is None or None not in (one.seen, one.attested, one.mid, one.touch)
    return one is None or not one.filled or (prices_told and one.mid == one.attested)


@given(base=trades(), other=trades(), mark=prices, buys=st.booleans(), unit=st.integers(1, 10**6))
def test_causes_and_residual_sum_to_the_total_for_any_inputs(base, other, mark, buys, unit) -> None:
    row = compared(pair(base, other, mark=mark, buys=buys, unit=unit))
    assert sum(row.causes.values()) + row.residual == row.total
    assert sum(row.bps(each) for each in row.causes.values()) + row.bps(row.residual) == row.bps(row.total)
    wished = [one.wish for one in (base, other) if one is not None and one.filled]
    alike = len({(one.money is None, one.steps is None) if one else None for one in wished}) < 2 and None not in wished
    if told(base) and told(other) and (len(wished) < 2 or alike):
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


@st.composite
def priced(draw) -> tuple[PathTrade, dict[str, Fraction | int]]:
    """A trade that is made of its drivers: what each cause must follow and nothing else."""
    one = {
        "seen": draw(ticks),
        "moved": draw(st.fractions(min_value="1/2", max_value=2, max_denominator=100)),
        "spread": draw(st.fractions(min_value="1/2", max_value=2, max_denominator=100)),
        "slipped": draw(st.fractions(min_value="1/2", max_value=2, max_denominator=100)),
        "rate": draw(st.fractions(min_value="-1/10", max_value="1/10", max_denominator=1000)),
        "funding": draw(st.fractions(min_value=-1000, max_value=1000, max_denominator=10)),
        "lost": draw(st.integers(0, 5)),
        "unfilled": draw(st.integers(0, 5)),
    }
    return made_of(one), one


def made_of(one: dict[str, Any]) -> PathTrade:
    attested = one["seen"] * one["moved"]
    touch = attested * one["spread"]
    asked = 100 - one["lost"]
    filled = asked - one["unfilled"]
    notional = touch * one["slipped"] * filled * UNIT
    exact: Any = {"notional": notional, "fee": one["rate"] * notional, "funding": one["funding"] * filled}
    return trade(
        filled=filled,
        asked=Steps(asked),
        wish=Wish(price=Ticks(1), money=None, steps=Steps(100)),
        seen=one["seen"],
        attested=attested,
        mid=attested,
        touch=touch,
        **exact,
    )


DRIVERS = {
    "seen": Cause.OBSERVATION_DELAY,
    "moved": Cause.DECISION,
    "spread": Cause.SPREAD,
    "slipped": Cause.SLIPPAGE,
    "rate": Cause.FEE,
    "funding": Cause.FUNDING,
    "lost": Cause.ROUNDING,
    "unfilled": Cause.PARTIAL,
}


@given(base=priced(), other=priced(), kept=st.sets(st.sampled_from(sorted(DRIVERS))), buys=st.booleans())
def test_a_cause_is_exactly_nothing_while_its_driver_is_equal(base, other, kept, buys) -> None:
    mixed = {name: base[1][name] if name in kept else value for name, value in other[1].items()}
    row = compared(pair(base[0], made_of(mixed), buys=buys))
    for name, cause in DRIVERS.items():
        if mixed[name] == base[1][name]:
            assert row.causes[cause] == 0, name
    assert row.residual == 0


@given(base=priced(), other=priced(), driver=st.sampled_from(sorted(DRIVERS)))
def test_one_driver_alone_is_the_whole_difference(base, other, driver) -> None:
    changed = {**base[1], driver: other[1][driver]}
    row = compared(pair(base[0], made_of(changed)))
    assert row.causes[DRIVERS[driver]] == row.total
    assert {cause for cause, found in row.causes.items() if found} <= {DRIVERS[driver]}


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
    seen, executable, touch, price = (Fraction(100_000 + each) for each in (10, 30, 60, 100))
    other = trade(int(price), seen=seen, attested=executable, mid=executable, touch=touch)
    found = bps_of(trade(), other)
    assert {name: round(float(value), 6) for name, value in found.items()} == {
        "observation_delay": 1,
        "decision": 2,
        "spread": 3,
        "slippage": 4,
    }


def test_a_seller_who_gets_less_did_worse_too() -> None:
    quoted = Fraction(100_000)
    other = trade(99_990, seen=quoted, attested=quoted, mid=quoted, touch=quoted)
    assert bps_of(trade(), other, buys=False) == {"slippage": 1}


def test_what_the_same_money_buys_at_another_price_is_the_delay_and_other_money_is_the_decision() -> None:
    def wished(money: int, price: int, asked: int) -> PathTrade:
        wish = Wish(price=Ticks(price), money=Money(money * UNIT), steps=None)
        return trade(filled=asked, asked=Steps(asked), wish=wish)

    base = wished(10_000_000, 100_000, 100)
    assert set(bps_of(base, wished(10_000_000, 125_000, 80))) == {"observation_delay"}
    assert set(bps_of(base, wished(9_000_000, 100_000, 90))) == {"decision"}
    assert set(bps_of(base, wished(10_000_000, 100_000, 99))) == {"rounding"}
    unlike = compared(pair(base, trade(filled=90, asked=Steps(90))))
    assert unlike.residual == unlike.total != 0, "one wished for money and the other for a quantity: no cause of ours"


def test_quantity_that_was_not_asked_for_not_filled_or_not_let_is_told_apart() -> None:
    assert set(bps_of(trade(), trade(asked=Steps(90), filled=90, wish=trade().wish))) == {"rounding"}
    assert set(bps_of(trade(), trade(filled=90, asked=Steps(100)))) == {"partial"}
    assert set(bps_of(trade(), trade(filled=0, asked=Steps(0), skipped_why="daily_loss"))) == {"skipped"}
    assert set(bps_of(trade(), trade(filled=0, asked=Steps(100)))) == {"missed"}
    assert set(bps_of(trade(), None)) == {"missed"}
    assert set(bps_of(None, trade())) == {"missed"}
    assert bps_of(trade(), None)["missed"] == 100, "1 % up to the mark was not earned"


def test_a_residual_above_one_basis_point_does_not_explain() -> None:
    """A path that does not tell its price before slippage leaves it open."""
    seen: dict[str, Any] = {"seen": Fraction(100_000), "attested": None, "touch": None}
    assert compared(pair(trade(), trade(100_010, **seen))).explains
    row = compared(pair(trade(), trade(100_011, **seen)))
    assert row.bps(row.residual) == Fraction(11, 10)
    assert not row.explains
    table = parity_table(TradePath.REPLAY, TradePath.PAPER, [row.pair])
    assert table.residual_bps_max == Fraction(11, 10)
    assert not parity_summary(table)["explains_all"]


# -- paths -------------------------------------------------------------------------------------------------------------

RULES: dict[str, Instrument] = {BTC: instrument()}
BARS = series([(100_000 + 10 * n, 100_020 + 10 * n, 99_980 + 10 * n, 100_010 + 10 * n) for n in range(30)])


def record_of(data_: MarketData) -> MarketRecord:
    return MarketRecord(instruments=RULES, bars=data_.bars)


def replayed(*, bars: BarSeries = BARS, held_against: BarSeries = BARS, **changes):
    return replay_of(episode(17, 62, entry="100010", leave="100100"), bars, held_against, **changes)[0]


def replay_of(known, bars: BarSeries, held_against: BarSeries, **changes):
    records: list[Record] = []
    spec = replace(SPEC, costs=COSTS, **changes)
    result = replay([known], FOLLOW, spec, data(bars), heard=records.append)
    assert result.round_trips
    found = record_trades(TradePath.REPLAY, records, funding={}, record=record_of(data(held_against)))
    return found, result


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
    # Between seeing and filling the market moves by the same ten ticks, earlier and later.
    assert abs(opening.bps(opening.causes[Cause.OBSERVATION_DELAY]) - 2) < Fraction(1, 100)
    assert abs(opening.bps(opening.causes[Cause.DECISION])) < Fraction(1, 1000)
    shown = parity_rows([table], RULES)
    assert [row["kind"] for row in shown] == ["open", "close"]
    assert all(row["explains"] for row in shown)


def test_a_price_that_the_market_record_does_not_attest_is_explained_by_nothing() -> None:
    """The same moment, the same costs, and another price: whoever traded it saw another market."""
    elsewhere = series([(100_150 + 10 * n, 100_170 + 10 * n, 100_130 + 10 * n, 100_160 + 10 * n) for n in range(30)])
    table = compare_paths(replayed(), replayed(bars=elsewhere), RULES)
    opening = table.rows[0]
    assert not opening.explains
    assert abs(opening.bps(opening.residual)) > 1
    none = series([(100_000, 100_020, 99_980, 100_010)], start_ms=START_MS - 3_600_000)
    unattested = compare_paths(replayed(), replayed(bars=elsewhere, held_against=none), RULES)
    assert not unattested.rows[0].explains


def test_an_episodes_rows_sum_to_the_difference_of_its_results() -> None:
    """Whatever price the rows share: both paths end flat."""
    paths = [replay_of(episode(17, 62), BARS, BARS, delay_s=s) for s in (0, 600)]
    table = compare_paths(paths[0][0], paths[1][0], RULES)
    results = [result.round_trips[0].pnl for _, result in paths]
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
        wish=None,
        fills=tuple(
            FillTrace(
                time_ms=9,
                mid=None,
                touch=None,
                price=Ticks(price),
                quantity=Steps(part),
                fee=Money(1),
                model=FillModel.VENUE,
            )
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
        record=record_of(data(BARS)),
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
    assert f"{cause.value}_bps" in parity_rows([table], RULES)[0]
