"""One trade computed by hand to the last unit, and what a replay refuses or skips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from copytrade_core.model.bar import FundingSeries, QuoteSeries
from copytrade_core.model.errors import BadInput
from copytrade_core.model.fill import FillModel
from copytrade_core.model.policy import ExitFamily, SizingRule
from copytrade_core.model.side import Side
from copytrade_core.replay.reference import replay
from tests.trading_floor import (
    BTC,
    CONTRARIAN,
    COSTS,
    ETH,
    FOLLOW,
    SPEC,
    at_ms,
    data,
    episode,
    ladder,
    leave,
    series,
    usdt,
)

FLAT = (100_000, 100_000, 100_000, 100_000)
LADDER = ladder("0.4", ("0.01", "0.3"), ("0.01", "0.3"))


def test_a_trade_computed_by_hand():
    """Grid: 1 tick x 1 step = 1000 units of 1e-8 USDT. Taker 500, maker 200, slippage 300 ppm.

    10:00 base  400 USDT at mark 100000 = 400 steps, paid 100030: 40,012,000,000; fee 20,006,000; slippage 12,000,000
          rungs 100030 x 0.99 = 99029.7 up 99030: 302 steps; x 0.9801 = 98039.4 up 98040 (not reached)
    10:05 rung1 paid 99030 x 1.0003 = 99059.7 up 99060: 29,916,120,000; fee 5,983,224; slippage 9,060,000
    10:10 funding 0.01 % of 99000 x 702 steps: 6,949,800
    10:20 close 100600 x 0.9997 = 100569.82 down 100569: 70,599,438,000; fee 35,299,719; slippage 21,762,000
    """
    bars = series(
        [
            FLAT,
            FLAT,
            (100_000, 100_000, 99_500, 99_800),
            (99_800, 99_900, 98_900, 99_000),
            (99_000, 101_000, 99_000, 100_900),
            (100_900, 101_000, 100_500, 100_700),
            (100_600, 100_600, 100_600, 100_600),
            FLAT,
            FLAT,
        ],
        start_ms=at_ms(-10),
    )
    funding = FundingSeries(market=BTC, time_ms=np.array([at_ms(10)]), rate=np.array([10_000]))
    policy = replace(FOLLOW, ladder=LADDER)
    result = replay([episode(0, 20)], policy, replace(SPEC, costs=COSTS), data(bars, funding=[funding]))

    (trip,) = result.round_trips
    got = [
        (fill.leg.partition(".")[0], fill.time_ms, fill.raw_price, fill.price, fill.quantity, fill.fee)
        for fill in trip.fills
    ]
    assert got == [
        ("base", at_ms(0), 100_000, 100_030, 400, 20_006_000),
        ("rung1", at_ms(10), 99_030, 99_060, 302, 5_983_224),
        ("source_close", at_ms(20), 100_600, 100_569, 702, 35_299_719),
    ]
    assert [fill.slippage for fill in trip.fills] == [12_000_000, 9_060_000, 21_762_000]
    assert (trip.entered, trip.realised, trip.fees) == (69_928_120_000, 671_318_000, 61_288_943)
    assert (trip.funding, trip.pnl) == (6_949_800, 603_079_257)
    assert (trip.mae, trip.mfe, trip.bars_held) == (-500_320_000, 973_880_000, 4)
    assert (trip.dca_fills, trip.rungs_planned, trip.rungs_skipped, trip.quantity_max) == (1, 2, 0, 702)
    assert (trip.signal_at_ms, trip.entered_at_ms, trip.exited_at_ms) == (at_ms(0), at_ms(0), at_ms(20))
    assert trip.exit_reason == "source_close"

    curve = result.equity
    assert curve.time_ms.tolist() == [at_ms(minute) for minute in (5, 10, 15, 20, 25)]
    assert curve.cash[0] == usdt(10_000) - 20_006_000
    assert curve.equity[0] == curve.cash[0] - 92_000_000, "400 steps bought at 100030 marked at 99800"
    assert curve.worst_intrabar[0] == curve.cash[0] - 212_000_000, "and at the low of 99500"
    assert curve.gross.tolist()[0] == 39_920_000_000
    assert curve.cash[-1] == curve.equity[-1] == usdt(10_000) + 603_079_257
    assert curve.gross[-1] == 0
    assert result.funding_known
    assert (result.skipped, result.blocked) == ((), ())


def flat(count, *, start=-10, market=BTC):
    return series([FLAT] * count, start_ms=at_ms(start), market=market)


def skipped(policy, lives, bars, **changes):
    result = replay(lives, policy, replace(SPEC, **changes), data(*bars))
    assert result.round_trips == ()
    return [(record.reason, record.detail) for record in result.skipped]


def holed(count, missing):
    bars = flat(count)
    keep = np.arange(count) != missing
    return replace(
        bars,
        **{name: getattr(bars, name)[keep] for name in ("open_time_ms", "open", "high", "low", "close", "volume")},
    )


def test_a_gap_blocks_the_trade_and_is_named():
    assert skipped(FOLLOW, [episode(0, 20)], [holed(12, 4)]) == [("bar_gap", "no bar at 2026-01-05T10:10:00+00:00")]


def test_a_gap_after_the_trade_is_no_gap_in_it():
    result = replay([episode(0, 20)], FOLLOW, SPEC, data(holed(20, 15)))
    assert len(result.round_trips) == 1


@pytest.mark.parametrize(
    ("lives", "bars", "reason"),
    [
        ([episode(0, 20)], [flat(20, market=ETH)], "no_bars"),
        ([episode(-5, 20)], [flat(20)], "before_bars"),
        ([episode(100, 120)], [flat(20)], "after_bars"),
        ([episode(0, 80)], [flat(18)], "bars_end_early"),
        ([episode(0, None)], [flat(20)], "still_open"),
    ],
)
def test_a_trade_that_the_bars_do_not_cover_is_skipped_and_says_why(lives, bars, reason):
    assert [why for why, _ in skipped(FOLLOW, lives, bars)] == [reason]


def test_a_contrarian_is_covered_from_the_close_to_the_end_of_its_life():
    life = [episode(-500, 0)]
    assert [why for why, _ in skipped(CONTRARIAN, life, [flat(16)])] == ["bars_end_early"]
    assert len(replay(life, CONTRARIAN, SPEC, data(flat(18))).round_trips) == 1


@pytest.mark.parametrize("known", [0, 1, 4, 4.999])
@pytest.mark.parametrize("ttl_s", [300, 301, 3660, 3600])
@pytest.mark.parametrize("market_fill", [FillModel.NEXT_BAR_OPEN, FillModel.FIRST_BAR_CLOSE])
def test_bars_that_are_said_to_cover_a_trade_do(known, ttl_s, market_fill):
    policy = replace(FOLLOW, exit=leave(ExitFamily.AUTONOMOUS, ttl_s=ttl_s))
    spec = replace(SPEC, market_fill=market_fill)
    outcomes = set()
    for count in range(4, 22):
        result = replay([episode(known, 500)], policy, spec, data(flat(count)))
        outcomes.add(len(result.round_trips) or result.skipped[0].reason)
    assert outcomes <= {1, "bars_end_early", "after_bars"}
    assert 1 in outcomes


def test_an_opening_first_known_after_the_close_is_not_traded():
    late = replace(episode(0, 20, open_known=40, close_known=30), provenance="observed")
    assert [why for why, _ in skipped(FOLLOW, [late], [flat(30)])] == ["closed_before_known"]


def test_quotes_that_end_before_an_order_fills_are_an_error_with_a_next_step():
    quotes = QuoteSeries(
        market=BTC,
        time_ms=np.array([at_ms(-5)]),
        bid=np.array([99_999], dtype=np.int32),
        ask=np.array([100_001], dtype=np.int32),
    )
    spec = replace(SPEC, market_fill=FillModel.QUOTE_SNAPSHOT)
    with pytest.raises(BadInput, match="waits for a fill") as caught:
        replay([episode(0, 20)], FOLLOW, spec, data(flat(12), quotes=[quotes]))
    assert caught.value.next_step is not None
    with pytest.raises(BadInput, match="needs recorded quotes"):
        replay([episode(0, 20)], FOLLOW, spec, data(flat(12)))


def test_recorded_quotes_fill_at_the_opposite_side():
    quotes = QuoteSeries(
        market=BTC,
        time_ms=np.array([at_ms(0.5), at_ms(20.5)]),
        bid=np.array([99_990, 99_980], dtype=np.int32),
        ask=np.array([100_010, 100_020], dtype=np.int32),
    )
    spec = replace(SPEC, market_fill=FillModel.QUOTE_SNAPSHOT)
    (trip,) = replay([episode(0.1, 20)], FOLLOW, spec, data(flat(12), quotes=[quotes])).round_trips
    assert [(fill.time_ms, fill.raw_price) for fill in trip.fills] == [(at_ms(0.5), 100_010), (at_ms(20.5), 99_980)]


def test_bars_of_another_interval_are_refused_before_anything_is_computed():
    with pytest.raises(BadInput, match="300000 ms long") as caught:
        replay([episode(0, 20)], FOLLOW, replace(SPEC, interval_ms=60_000), data(flat(12)))
    assert caught.value.where.field == "interval_ms"


def test_two_episodes_of_one_id_are_refused():
    with pytest.raises(BadInput, match="share one id") as caught:
        replay([episode(0, 20), episode(0, 25)], FOLLOW, SPEC, data(flat(12)))
    assert caught.value.where.field == "episode_id"


@pytest.mark.parametrize(("field", "value"), [("delay_s", -1), ("initial_equity", 0)])
def test_a_negative_delay_or_no_equity_is_refused(field, value):
    with pytest.raises(BadInput) as caught:
        replay([episode(0, 20)], FOLLOW, replace(SPEC, **{field: value}), data(flat(12)))
    assert caught.value.where.field == field


@pytest.mark.parametrize(
    ("market_fill", "rung_fill", "field"),
    [
        (FillModel.TOUCH, FillModel.TOUCH, "market_fill"),
        (FillModel.NEXT_BAR_OPEN, FillModel.NEXT_BAR_OPEN, "rung_fill"),
        (FillModel.LEGACY_CONTRARIAN, FillModel.TOUCH, "market_fill"),
    ],
)
def test_a_fill_model_of_the_wrong_kind_is_refused(market_fill, rung_fill, field):
    with pytest.raises(BadInput) as caught:
        replay([], FOLLOW, replace(SPEC, market_fill=market_fill, rung_fill=rung_fill), data(flat(12)))
    assert caught.value.where.field == field


def test_nothing_to_replay_is_an_empty_result():
    result = replay([], FOLLOW, SPEC, data(flat(3)))
    assert (result.round_trips, len(result.equity.time_ms), result.fill_hash) == ((), 0, 0)


def test_rules_of_entry_are_counted_as_skips_with_their_numbers():
    ran_away = (100_000, 150_000, 100_000, 150_000)
    gone = (150_000, 150_000, 150_000, 150_000)
    bars = series([FLAT, FLAT, ran_away, *[gone] * 9], start_ms=at_ms(-10))
    held = skipped(FOLLOW, [episode(0, 20, side=Side.SHORT)], [bars], delay_s=300)
    assert held == [("entry_drift", "drift_ppm 500000, drift_ppm_max 50000")]


def test_what_the_lead_paid_in_the_end_decides_nothing_at_the_open():
    """History's average cost includes adds that came later: reading it would drop the positions that went wrong."""
    averaged = replace(episode(0, 20), entry_price=episode(0, 20).entry_price / 2)
    before, after = (replay([one], FOLLOW, SPEC, data(flat(12))) for one in (episode(0, 20), averaged))
    assert len(before.round_trips) == 1
    assert before.fill_hash == after.fill_hash


def test_a_sizing_rule_that_would_look_ahead_is_refused():
    policy = replace(FOLLOW, sizing=replace(FOLLOW.sizing, rule=SizingRule.LEAD_MARGIN_FRACTION))
    with pytest.raises(BadInput, match="not known when it opened") as caught:
        replay([episode(0, 20)], policy, SPEC, data(flat(12)))
    assert caught.value.where.field == "sizing.rule"
    assert caught.value.next_step is not None
    contrarian = replace(CONTRARIAN, sizing=policy.sizing)
    spec = replace(SPEC, lead_margin_balance=usdt(200_000))
    (trip,) = replay([episode(-500, 0)], contrarian, spec, data(flat(18))).round_trips
    assert trip.entered == usdt(500), "10,000 of the lead's 200,000 margin: a twentieth of ours"


HOUR = 60


@pytest.mark.parametrize(
    ("hours", "known"),
    [
        ([-8, 0, 8], True),
        ([-7, 1], True),
        ([-6, 2], True),
        ([-30, -22], False),
        ([10, 18], False),
        ([-8, 9], False),
        ([], False),
    ],
)
def test_funding_is_known_only_when_payments_surround_the_trade(hours, known):
    times = np.array([at_ms(hour * HOUR) + 3 for hour in hours], dtype=np.int64)
    funding = FundingSeries(market=BTC, time_ms=times, rate=np.zeros(len(hours), dtype=np.int64))
    result = replay([episode(0, 90)], FOLLOW, SPEC, data(flat(30), funding=[funding]))
    assert len(result.round_trips) == 1
    assert result.funding_known is known
    assert replay([episode(0, 90)], FOLLOW, SPEC, data(flat(30))).funding_known is False
