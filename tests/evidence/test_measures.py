from __future__ import annotations

import itertools
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.evidence.drawdown import equity_worst_ratio, gross_to_equity_max_ratio
from copytrade_core.evidence.measures import measures
from copytrade_core.model.measure import BootstrapSettings
from copytrade_core.model.side import Side

BOOTSTRAP = BootstrapSettings(seed=7, resamples_count=400, block_mean_count=3, confidence_ratio=0.95)


def test_profit_figures_equal_the_hand_computed_case(made):
    trips = [
        made.trip(pnl=30, entered_h=0, exited_h=12, fees=1, slippage=2, funding=0.5, dca_fills=2, mae=-4, mfe=40),
        made.trip(pnl=-10, entered_h=24, exited_h=48, fees=1, side=Side.SHORT, mae=-25, mfe=3, truncated=True),
        made.trip(pnl=5, entered_h=48, exited_h=72, fees=1, funding=-0.25, mae=-1, mfe=6, notional_skipped=100),
    ]
    found = measures(made.result(trips), BOOTSTRAP)
    assert (found.trades_count, found.longs_count, found.shorts_count, found.truncated_count) == (3, 2, 1, 1)
    assert found.net_pnl_usdt == 25
    assert found.net_ratio == 0.025
    assert found.gross_pnl_usdt == 25 + 3 + 2 + 0.25
    assert found.period_days == 3
    assert found.net_ratio_per_30d == pytest.approx(0.25)
    assert found.win_ratio == 2 / 3
    assert found.profit_factor == 3.5
    assert found.expectancy_usdt == pytest.approx(25 / 3)
    assert (found.best_pnl_usdt, found.worst_pnl_usdt, found.worst_trade_ratio) == (30, -10, -0.01)
    assert found.net_without_best_usdt == -5
    assert found.net_without_best_tenth_usdt == -5
    assert (found.mae_worst_usdt, found.mae_mean_usdt) == (-25, -10)
    assert (found.mfe_best_usdt, found.mfe_mean_usdt) == (40, pytest.approx(49 / 3))
    assert (found.dca_fills_mean, found.dca_fills_max) == (pytest.approx(2 / 3), 2)
    assert found.holding_time_mean_s == 20 * 3600
    assert found.holding_time_max_s == 24 * 3600
    assert found.exposure_ratio == pytest.approx(60 / 72)
    assert found.notional_skipped_ratio == 0.25
    assert found.notional_mean_usdt == 100


def test_drawdowns_see_more_the_closer_they_look(made):
    trips = [made.trip(pnl=100, entered_h=0, exited_h=24), made.trip(pnl=-55, entered_h=24, exited_h=72)]
    points = [(12, 1050, 1020, 100), (24, 1200, 1150, 120), (48, 900, 800, 90), (72, 1050, 1040, 110)]
    found = measures(made.result(trips, points), BOOTSTRAP)
    assert found.max_drawdown_realised_ratio == pytest.approx(55 / 1100)
    assert found.max_drawdown_marked_ratio == pytest.approx(300 / 1200)
    assert found.max_drawdown_intrabar_ratio == pytest.approx(400 / 1200)
    assert found.peak_gross_usdt == 120
    assert found.return_on_peak_capital_ratio == pytest.approx(45 / 120)
    assert found.worst_day_ratio == pytest.approx(-0.3)


def test_return_on_peak_capital_counts_every_overlapping_trade(made):
    trips = [made.trip(pnl=5.6, entered_h=hour, exited_h=20, name=f"e{hour}") for hour in range(5)]
    points = [(10, 1000, 1000, 500)]
    found = measures(made.result(trips, points), BOOTSTRAP)
    assert found.overlap_max_count == 5
    assert found.net_pnl_usdt == pytest.approx(28)
    assert found.return_on_peak_capital_ratio == pytest.approx(0.056)


def test_a_trade_that_begins_when_another_ends_does_not_overlap_it(made):
    trips = [made.trip(pnl=1, entered_h=0, exited_h=5), made.trip(pnl=1, entered_h=5, exited_h=9)]
    assert measures(made.result(trips), BOOTSTRAP).overlap_max_count == 1


def test_without_a_trade_everything_that_needs_one_is_absent(made):
    found = measures(made.result([]), BOOTSTRAP)
    assert found.trades_count == 0
    assert found.net_pnl_usdt == 0
    assert found.max_drawdown_marked_ratio == 0
    for absent in ("win_ratio", "profit_factor", "expectancy_usdt", "sharpe", "t_statistic", "net_interval_low_usdt"):
        assert getattr(found, absent) is None


def test_profit_factor_is_absent_without_a_loser(made):
    assert measures(made.result([made.trip(pnl=1, entered_h=0, exited_h=1)]), BOOTSTRAP).profit_factor is None


def test_daily_ratios_follow_their_textbook_formulas(made):
    """Equity at the ends of four days: 1010, 1000, 1030, 1020."""
    trips = [made.trip(pnl=20, entered_h=0, exited_h=96)]
    ends = [1010, 1000, 1030, 1020]
    points = [(24 * (day + 1), equity, equity, 100) for day, equity in enumerate(ends)]
    found = measures(made.result(trips, points), BOOTSTRAP)
    equity = [1000, *ends]
    returns = [after / before - 1 for before, after in itertools.pairwise(equity)]
    assert found.sharpe == pytest.approx(statistics.mean(returns) / statistics.stdev(returns) * math.sqrt(365))
    downside = math.sqrt(statistics.mean([min(value, 0) ** 2 for value in returns]))
    assert found.sortino == pytest.approx(statistics.mean(returns) / downside * math.sqrt(365))
    assert found.calmar == pytest.approx(0.02 * 365 / 4 / (10 / 1010))


def test_t_statistic_is_the_one_sample_t(made):
    nets = [3.0, -1.0, 4.0, 1.0, -5.0, 9.0]
    trips = [made.trip(pnl=net, entered_h=i, exited_h=i + 1) for i, net in enumerate(nets)]
    expected = statistics.mean(nets) / (statistics.stdev(nets) / math.sqrt(6))
    assert measures(made.result(trips), BOOTSTRAP).t_statistic == pytest.approx(expected)


profits = st.lists(st.integers(-400, 400), min_size=1, max_size=25)


@given(nets=profits, order=st.randoms(use_true_random=False))
def test_measures_do_not_depend_on_the_order_of_the_round_trips(made, nets, order):
    trips = [made.trip(pnl=net, entered_h=i, exited_h=i + 1.5) for i, net in enumerate(nets)]
    shuffled = list(trips)
    order.shuffle(shuffled)
    assert measures(made.result(shuffled, equity=2e4), BOOTSTRAP) == measures(made.result(trips, equity=2e4), BOOTSTRAP)


@given(nets=profits)
def test_profit_identities_hold(made, nets):
    trips = [made.trip(pnl=net, entered_h=i, exited_h=i + 1, fees=2, slippage=1) for i, net in enumerate(nets)]
    found = measures(made.result(trips, equity=2e4), BOOTSTRAP)
    assert found.gross_pnl_usdt - found.fees_usdt - found.slippage_usdt - found.funding_usdt == pytest.approx(
        found.net_pnl_usdt
    )
    assert found.expectancy_usdt is not None
    assert found.expectancy_usdt * found.trades_count == pytest.approx(found.net_pnl_usdt, abs=1e-9)
    assert found.net_without_best_tenth_usdt <= found.net_without_best_usdt or max(nets) <= 0
    assert 0 <= found.max_drawdown_realised_ratio <= 1
    assert found.longs_count + found.shorts_count == found.trades_count


@given(levels=st.lists(st.tuples(st.integers(500, 1500), st.integers(0, 200)), min_size=1, max_size=30))
def test_the_intrabar_drawdown_is_never_smaller_than_the_marked_one(made, levels):
    points = [(hour + 1, equity, equity - below, 50) for hour, (equity, below) in enumerate(levels)]
    trips = [made.trip(pnl=levels[-1][0] - 1000, entered_h=0, exited_h=len(levels))]
    found = measures(made.result(trips, points), BOOTSTRAP)
    assert found.max_drawdown_intrabar_ratio >= found.max_drawdown_marked_ratio
    slow = 0.0
    equity = [1000, *(level for level, _ in levels)]
    for i, before in enumerate(equity):
        slow = max(slow, *((before - after) / before for after in equity[i:]))
    assert found.max_drawdown_marked_ratio == pytest.approx(slow)


def test_gross_is_compared_with_the_equity_of_the_same_moment(made):
    curve = made.result([], [(1, 1000, 990, 800), (2, 500, 450, 450)]).equity
    assert gross_to_equity_max_ratio(curve) == pytest.approx(0.9)
    assert equity_worst_ratio(curve, 1000 * 10**8) == pytest.approx(0.45)


def test_without_a_curve_there_is_no_ratio_of_it(made):
    curve = made.result([]).equity
    assert gross_to_equity_max_ratio(curve) is None
    assert equity_worst_ratio(curve, 10**11) is None
