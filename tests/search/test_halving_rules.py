"""Judging a batch: figures from sums, hard limits in words, halving over growing spans, scores that only rank."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.evidence.bootstrap import t_statistic
from copytrade_core.model.errors import BadInput
from copytrade_core.model.sweep import SweepStatus, SweepTable
from copytrade_core.model.trial import TrialStatus
from copytrade_core.search.halving import judged, score, spans_of, unreadable
from copytrade_core.search.metrics import metrics_of, sharpe_of_sums
from copytrade_core.search.run import search_batches
from copytrade_core.search.settings import Objective
from copytrade_core.search.space_policy import to_policy
from tests.search.landscape import contrarian, hill, plan_of, search_settings, space, zeros
from tests.trading_floor import usdt

BASE = contrarian()
GRID = space("exits_grid_v1")
POLICIES = [to_policy(GRID, (i, j, 0, 2), BASE) for i in range(7) for j in range(6)]
EQUITY = usdt(1000)


def outcomes(evaluate, *, spans=(20, 40), settings=None):
    return judged(POLICIES, evaluate, spans=spans, settings=settings or search_settings(), initial_equity=EQUITY)


def one_row(**values) -> SweepTable:
    columns = zeros(1)
    columns["equity_worst"][:] = EQUITY
    for name, value in values.items():
        columns[name][0] = value
    return SweepTable(**columns)


def table_of(pnl_usdt: list[float]) -> SweepTable:
    pnl = [usdt(value) for value in pnl_usdt]
    return one_row(
        trades_count=len(pnl),
        net_pnl=sum(pnl),
        winners_pnl=sum(value for value in pnl if value > 0),
        losers_pnl=sum(value for value in pnl if value < 0),
        pnl_square_sum=sum((value / 1e8) ** 2 for value in pnl),
        drawdown_marked_ratio=0.05,
        peak_gross=usdt(100),
    )


@given(st.lists(st.integers(-1000, 1000).map(lambda cents: cents / 100), max_size=40))
def test_the_objective_from_sums_is_the_t_statistic_of_the_list(pnl):
    found = metrics_of(table_of(pnl), 0, objective=Objective.T_STATISTIC, initial_equity=EQUITY)
    expected = t_statistic(np.array(pnl))
    assert (found.objective is None) == (expected is None)
    if expected is not None and found.objective is not None and found.sharpe is not None:
        assert math.isclose(found.objective, expected, rel_tol=1e-7, abs_tol=1e-9)
        assert math.isclose(found.sharpe * math.sqrt(len(pnl)), expected, rel_tol=1e-7, abs_tol=1e-9)
    assert found.trades_count == len(pnl)


def test_equal_results_have_no_spread_and_no_sharpe():
    assert sharpe_of_sums(3, 0.3, 3 * 0.1 * 0.1) is None
    assert sharpe_of_sums(1, 5.0, 25.0) is None
    assert sharpe_of_sums(0, 0.0, 0.0) is None
    assert sharpe_of_sums(2, 0.0, 2.0) == 0.0


def test_every_objective_is_computed_from_the_same_row():
    table = table_of([3.0, -1.0, 4.0])
    found = {name: metrics_of(table, 0, objective=name, initial_equity=EQUITY).objective for name in Objective}
    assert found[Objective.NET_USDT] == 6.0
    assert found[Objective.SHARPE] == pytest.approx(2 / math.sqrt(7))
    assert found[Objective.T_STATISTIC] == pytest.approx(2 / math.sqrt(7) * math.sqrt(3))
    assert found[Objective.NET_OVER_DRAWDOWN] == pytest.approx(6 / 50)
    assert metrics_of(table, 0, objective=Objective.SHARPE, initial_equity=EQUITY).profit_factor == 7.0
    nothing = one_row()
    assert [metrics_of(nothing, 0, objective=o, initial_equity=EQUITY).objective for o in Objective] == [None] * 4


def test_a_path_that_never_fell_is_not_infinitely_good():
    found = metrics_of(
        one_row(trades_count=2, net_pnl=usdt(3)), 0, objective=Objective.NET_OVER_DRAWDOWN, initial_equity=EQUITY
    )
    assert found.objective == 3.0


def test_spans_grow_to_the_whole_part_and_thin_ones_are_left_out():
    halving = replace(search_settings().halving, spans=(Fraction(1, 4), Fraction(1, 2), Fraction(1)))
    assert spans_of(halving, 100) == (25, 50, 100)
    assert spans_of(halving, 30) == (15, 30)
    assert spans_of(halving, 12) == (12,)
    assert spans_of(halving, 1) == (1,)


def test_the_better_half_goes_on_and_the_rest_is_left_behind_with_its_reason():
    asked = []

    def counting(policies, signals_count):
        asked.append((len(policies), signals_count))
        return hill(policies, signals_count)

    found = outcomes(counting)
    assert asked == [(42, 20), (21, 40)]
    left = [one for one in found if one.status is TrialStatus.HALVED]
    stayed = [one for one in found if one.status is not TrialStatus.HALVED]
    assert (len(left), len(stayed)) == (21, 21)
    assert {one.signals_count for one in left} == {20}
    assert {one.signals_count for one in stayed} == {40}
    assert {one.reasons for one in left} == {("not in the better part after 20 signals",)}
    table = hill(POLICIES, 20)
    short = [
        metrics_of(table, row, objective=Objective.T_STATISTIC, initial_equity=EQUITY).objective or 0.0
        for row in range(42)
    ]
    kept = {row for row, one in enumerate(found) if one.status is not TrialStatus.HALVED}
    assert min(short[row] for row in kept) >= max(short[row] for row in range(42) if row not in kept)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("drawdown_realised_ratio", 0.11, "drawdown_realised_ratio 0.11 is over 0.1"),
        ("drawdown_marked_ratio", 0.16, "drawdown_marked_ratio 0.16 is over 0.15"),
        ("drawdown_intrabar_ratio", 0.21, "drawdown_intrabar_ratio 0.21 is over 0.2"),
        ("peak_gross", usdt(1001), "gross_to_equity_ratio 1.001 is over 1"),
        ("blocked_count", 1, "entries_blocked_count 1 is over 0"),
        ("rungs_skipped", 2, "minimum_order_skips_count 2 is over 0"),
        ("equity_worst", usdt(499), "equity_worst_ratio 0.499 is under 0.5"),
        ("trades_count", 9, "trades_count 9 is under 10"),
        ("wins_count", 39, "losers_ratio 0.025 is under 0.1: its risk was never seen"),
        ("pnl_square_sum", 0.0, "t_statistic cannot be computed"),
    ],
)
def test_a_limit_prunes_with_its_reason_and_exactly_at_the_limit_passes(column, value, says):
    def over(policies, signals_count):
        table = hill(policies, signals_count)
        getattr(table, column)[0] = value
        return table

    first = outcomes(over, spans=(40,))[0]
    assert first.status is TrialStatus.PRUNED
    assert first.reasons == (says,)
    assert first.metrics is not None, "what was measured is kept"


def test_figures_at_the_limits_pass():
    def at_limits(policies, signals_count):
        table = hill(policies, signals_count)
        table.drawdown_realised_ratio[:] = 0.1
        table.drawdown_marked_ratio[:] = 0.15
        table.peak_gross[:] = EQUITY
        table.equity_worst[:] = EQUITY // 2
        table.wins_count[:] = 9
        return table

    assert {one.status for one in outcomes(at_limits, spans=(10,))} == {TrialStatus.COMPLETE}


@pytest.mark.parametrize("column", ["pnl_square_sum", "drawdown_marked_ratio", "drawdown_intrabar_ratio"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_figures_that_are_not_finite_abort_with_the_reason_and_have_no_score(column, value):
    def broken(policies, signals_count):
        table = hill(policies, signals_count)
        getattr(table, column)[3] = value
        return table

    found = outcomes(broken, spans=(40,))
    assert found[3].status is TrialStatus.ABORTED
    assert found[3].reasons == (f"{column} is not a finite number",)
    assert found[3].metrics is None
    assert sum(one.status is TrialStatus.ABORTED for one in found) == 1
    assert unreadable(broken(POLICIES, 40), 3) == f"{column} is not a finite number"
    assert unreadable(broken(POLICIES, 40), 4) is None


def test_a_row_that_cannot_be_read_aborts():
    def overflowing(policies, signals_count):
        table = hill(policies, signals_count)
        table.status[0] = SweepStatus.OUT_OF_BOUNDS
        return table

    assert outcomes(overflowing)[0].reasons == ("an order would be larger than integer money can carry",)


def test_an_engine_that_forgets_a_row_is_refused():
    with pytest.raises(BadInput, match="41 rows for 42 policies"):
        outcomes(lambda policies, signals_count: hill(policies[1:], signals_count))


def test_scores_rank_how_far_a_trial_came_before_what_it_earned():
    trials = [trial for batch in search_batches(plan_of(trials=60), hill, ()) for trial in batch.trials]
    complete = next(trial for trial in trials if trial.status is TrialStatus.COMPLETE)
    assert complete.metrics is not None
    spans = (20, 40)

    def scored(status, objective, signals_count=40):
        assert complete.metrics is not None
        metrics = replace(complete.metrics, objective=objective)
        return score(replace(complete, status=status, metrics=metrics, signals_count=signals_count), spans)

    ladder = [
        scored(TrialStatus.PRUNED, 1e9),
        scored(TrialStatus.HALVED, None, 20),
        scored(TrialStatus.HALVED, -1e9, 20),
        scored(TrialStatus.HALVED, 1e9, 20),
        scored(TrialStatus.COMPLETE, -1e9),
        scored(TrialStatus.COMPLETE, 0.0),
        scored(TrialStatus.COMPLETE, 1.0),
        scored(TrialStatus.COMPLETE, 1e9),
    ]
    numbers = [value for value in ladder if value is not None]
    assert numbers == sorted(ladder, key=lambda value: -math.inf if value is None else value)
    assert scored(TrialStatus.ABORTED, 1.0) is None
