"""The comparison of engines itself: a faithful copy is equal, and one unit anywhere is found and told."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.evidence.measures import measures
from copytrade_core.model.measure import BootstrapSettings
from copytrade_core.model.policy import ExitFamily
from copytrade_core.model.side import Side
from copytrade_core.model.sweep import SweepStatus, SweepTable
from copytrade_core.replay.difference import DifferenceKind, compare, compare_row, compare_status, describe
from copytrade_core.replay.equivalence import outcome_of
from copytrade_core.replay.fill_hash import FNV_OFFSET, FNV_PRIME
from copytrade_core.replay.reference import replay
from copytrade_core.replay.reference_summary import curve_rows, fill_rows, summary_of, trip_rows
from copytrade_core.replay.sweep import CURVE_COLUMNS, FILL_COLUMNS, TRIP_COLUMNS, FastRun
from tests.replay.random_cases import case
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

BARS = [
    (100_000, 100_000, 100_000, 100_000),
    (100_000, 100_000, 100_000, 100_000),
    (100_000, 100_000, 99_500, 99_800),
    (99_800, 99_900, 98_900, 99_000),
    (99_000, 101_000, 99_000, 100_900),
    (100_900, 101_000, 100_500, 100_700),
    *[(100_600, 100_600, 100_600, 100_600)] * 12,
]
LIVES = [episode(0, 20), episode(1, 25, market=ETH, side=Side.SHORT)]
IDS = tuple(life.episode_id for life in LIVES)
RULED = replace(FOLLOW, ladder=ladder("0.4", ("0.01", "0.3"), ("0.01", "0.3")))
BOOTSTRAP = BootstrapSettings(seed=1, resamples_count=10, block_mean_count=3.0, confidence_ratio=0.9)


@pytest.fixture(scope="module")
def result():
    bars = [series(BARS, start_ms=at_ms(-10), market=market) for market in (BTC, ETH)]
    return replay(LIVES, RULED, replace(SPEC, costs=COSTS), data(*bars))


def copied(result, ids=IDS) -> FastRun:
    """What an engine without fault would answer."""
    return FastRun(
        fills=fill_rows(result, ids), trips=trip_rows(result, ids), curve=curve_rows(result), summary=summary_of(result)
    )


def test_a_faithful_copy_is_equal(result):
    assert len(result.round_trips) == 2
    assert compare(result, copied(result), IDS) is None
    assert compare_row(result, summary_of(result), 0) is None


@pytest.mark.parametrize("column", range(1, len(FILL_COLUMNS)), ids=FILL_COLUMNS[1:])
def test_one_unit_in_any_field_of_any_fill_is_found(result, column):
    run = copied(result)
    for row in range(len(run.fills)):
        wrong = run.fills.copy()
        wrong[row, column] += 1
        found = compare(result, replace(run, fills=wrong), IDS)
        assert found is not None
        assert (found.kind, found.field) == (DifferenceKind.FILL, FILL_COLUMNS[column])
        assert found.episode_id == IDS[run.fills[row, 0]]
        assert found.reference_fill is not None
        assert found.reference_fill != found.fast_fill
        assert found.fast == int(run.fills[row, column]) + 1


@pytest.mark.parametrize("column", range(len(TRIP_COLUMNS)), ids=TRIP_COLUMNS)
def test_one_unit_in_any_figure_of_any_round_trip_is_found(result, column):
    run = copied(result)
    for row in range(len(run.trips)):
        wrong = run.trips.copy()
        wrong[row, column] += 1
        found = compare(result, replace(run, trips=wrong), IDS)
        assert found is not None
        assert (found.kind, found.index, found.field) == (DifferenceKind.ROUND_TRIP, row, TRIP_COLUMNS[column])


@pytest.mark.parametrize("column", range(5), ids=CURVE_COLUMNS)
def test_one_unit_in_any_mark_is_found(result, column):
    run = copied(result)
    for row in range(len(run.curve)):
        wrong = run.curve.copy()
        wrong[row, column] -= 1
        found = compare(result, replace(run, curve=wrong), IDS)
        assert found is not None
        assert (found.kind, found.index, found.field) == (DifferenceKind.CURVE, row, CURVE_COLUMNS[column])


@pytest.mark.parametrize("name", [field.name for field in fields(SweepTable)])
def test_one_unit_in_any_column_of_the_summary_is_found(result, name):
    right = summary_of(result)
    column = getattr(right, name)
    wrong = replace(right, **{name: np.nextafter(column, 9.0) if column.dtype == np.float64 else column + 1})
    found = compare(result, replace(copied(result), summary=wrong), IDS)
    beside = compare_row(result, wrong, 0)
    assert found is not None
    assert beside is not None
    status = name == "status"
    assert (found.field, found.kind) == (name, DifferenceKind.STATUS if status else DifferenceKind.SUMMARY)
    assert (beside.field, beside.kind) == (name, DifferenceKind.STATUS if status else DifferenceKind.SWEEP)


@pytest.mark.parametrize("part", ["fills", "trips", "curve"])
def test_a_row_too_few_or_too_many_is_found(result, part):
    run = copied(result)
    rows = getattr(run, part)
    for wrong in (rows[:-1], rows[:0], np.concatenate([rows, rows[-1:]])):
        found = compare(result, replace(run, **{part: wrong}), IDS)
        assert found is not None
        assert found.field == "count"
        assert found.reference != found.fast


def test_fills_of_different_episodes_may_come_in_any_order_but_not_those_of_one(result):
    run = copied(result)
    by_time = run.fills[np.argsort(run.fills[:, FILL_COLUMNS.index("time_ms")], kind="stable")]
    assert (by_time != run.fills).any()
    assert compare(result, replace(run, fills=by_time), IDS) is None
    assert compare(result, replace(run, fills=run.fills[::-1].copy()), IDS) is not None


def test_the_earliest_differing_fill_of_all_episodes_is_shown(result):
    wrong = copied(result)
    late, early = wrong.fills.copy(), wrong.fills.copy()
    last_of_first = int(np.nonzero(late[:, 0] == 0)[0][-1])
    first_of_second = int(np.nonzero(late[:, 0] == 1)[0][0])
    late[last_of_first, 6] += 1
    early[last_of_first, 6] += 1
    early[first_of_second, 7] -= 1
    one, other = (compare(result, replace(wrong, fills=fills), IDS) for fills in (late, early))
    assert one is not None
    assert other is not None
    assert (one.episode_id, other.episode_id) == IDS
    assert (one.field, other.field) == ("price", "quantity")


def test_a_difference_is_told_with_both_fills_and_the_policy(result):
    run = copied(result)
    wrong = run.fills.copy()
    wrong[0, FILL_COLUMNS.index("price")] += 7
    found = compare(result, replace(run, fills=wrong), IDS)
    assert found is not None
    assert describe(found) == (
        f"follow_open/both/test_ladder/source_close_follows ({result.policy_digest[:12]}): fill 0, "
        f"episode {IDS[0]}: price is 100037, the reference has 100030\n"
        "  reference: 2026-01-05T10:00:00+00:00 bar 2026-01-05T10:00:00+00:00 base buy 400 steps at 100030 ticks "
        "(raw 100000), fee 20006000, slippage 12000000\n"
        "  fast:      2026-01-05T10:00:00+00:00 bar 2026-01-05T10:00:00+00:00 base buy 400 steps at 100037 ticks "
        "(raw 100000), fee 20006000, slippage 12000000"
    )
    missing = compare(result, replace(run, fills=wrong[:0]), IDS)
    assert missing is not None
    assert "no such fill" in describe(missing)


def test_a_fill_of_an_episode_that_does_not_exist_is_still_told(result):
    run = copied(result)
    wrong = run.fills.copy()
    wrong[0, 0] = 77
    found = compare(result, replace(run, fills=wrong), IDS)
    assert found is not None
    assert describe(found)


def test_a_candidate_that_only_one_engine_finishes_is_a_difference(result):
    table = summary_of(result)
    assert compare_status("p", "d", SweepStatus.OK, table, 0) is None
    found = compare_status("p", "d", SweepStatus.OUT_OF_BOUNDS, table, 0)
    assert found is not None
    assert (found.kind, found.reference, found.fast) == (DifferenceKind.STATUS, 1, 0)


def test_an_order_beyond_integer_money_is_a_status():
    huge = replace(CONTRARIAN, sizing=replace(CONTRARIAN.sizing, target_notional=usdt(1_500_000)))
    bars = series(BARS, start_ms=at_ms(-10))
    outcome = outcome_of([episode(-90, 0)], huge, replace(SPEC, initial_equity=usdt(3_000_000)), data(bars))
    assert outcome is SweepStatus.OUT_OF_BOUNDS


def test_the_summary_by_hand(result):
    """Beside `test_a_trade_computed_by_hand`: the long is that trade without funding; the short loses to its rungs."""
    summary = summary_of(result)
    value = {field.name: getattr(summary, field.name)[0].item() for field in fields(SweepTable)}
    long = next(trip for trip in result.round_trips if trip.side is Side.LONG)
    assert long.pnl == 603_079_257 + 6_949_800
    assert (value["status"], value["trades_count"], value["longs_count"], value["wins_count"]) == (0, 2, 1, 1)
    assert value["winners_pnl"] == value["best_pnl"] == long.pnl
    assert value["losers_pnl"] == value["worst_pnl"] == value["net_pnl"] - long.pnl < 0
    assert value["holding_ms"] == 20 * 60_000 + 20 * 60_000
    assert value["peak_gross"] == result.equity.gross.max()
    assert value["drawdown_intrabar_ratio"] >= value["drawdown_marked_ratio"] > 0
    assert value["fill_hash"] % 2**64 == result.fill_hash


@given(seed=st.integers(0, 2**32))
def test_the_summary_says_what_the_report_measures(seed):
    each = case(seed)
    outcome = outcome_of(each.episodes, each.policy, each.spec, each.data)
    if isinstance(outcome, SweepStatus):
        return
    told, found = measures(outcome, BOOTSTRAP), summary_of(outcome)
    assert (found.trades_count[0], found.longs_count[0]) == (told.trades_count, told.longs_count)
    assert (found.skipped_count[0], found.blocked_count[0]) == (told.skipped_count, told.blocked_count)
    assert found.drawdown_realised_ratio[0] == told.max_drawdown_realised_ratio
    assert found.drawdown_marked_ratio[0] == told.max_drawdown_marked_ratio
    assert found.drawdown_intrabar_ratio[0] == told.max_drawdown_intrabar_ratio
    assert found.net_pnl[0] / 10**8 == told.net_pnl_usdt
    assert found.dca_fills_max[0] == told.dca_fills_max
    assert found.holding_ms_max[0] / 1000 == told.holding_time_max_s


def test_a_replay_without_trades_has_a_summary_of_zeros():
    summary = summary_of(replay([], FOLLOW, SPEC, data(series(BARS, start_ms=at_ms(-10)))))
    for field in fields(SweepTable):
        assert getattr(summary, field.name).tolist() == [SPEC.initial_equity if field.name == "equity_worst" else 0]


def test_the_hash_of_one_fill_by_hand(result):
    """The chain of `fill_hash.py` over leg, bar, direction, price, steps, spelled once more."""
    bars = series(BARS, start_ms=at_ms(-10))
    policy = replace(FOLLOW, exit=leave(ExitFamily.AUTONOMOUS, ttl_s=300))
    single = replay([episode(0, 20)], policy, SPEC, data(bars))
    value = FNV_OFFSET
    for leg, minutes, buys, price in ((0, 0, 1, 100_000), (101, 5, 0, 99_800)):
        for part in (leg, at_ms(minutes), buys, price, 1000):
            value = ((value ^ part) * FNV_PRIME) % 2**64
    assert single.fill_hash == value
    assert summary_of(single).fill_hash[0] == (value if value < 2**63 else value - 2**64)
