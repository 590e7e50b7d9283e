"""Figures of one candidate from a row of the fast engine's table.

Money was summed as integers there; floats begin here, for statistics only.
"""

from __future__ import annotations

import math

from copytrade_core.model.sweep import SweepTable
from copytrade_core.model.trial import TrialMetrics
from copytrade_core.model.units import Money, money_to_float
from copytrade_core.search.settings import Objective

DRAWDOWN_RATIO_MIN = 0.001
"""Floor of the drawdown that a net result is divided by: a path that never fell is not infinitely good."""

_SPREAD_RATIO_MIN = 1e-12
"""Share of the mean square under which a variance is rounding noise."""

_FLOATS = ("pnl_square_sum", "drawdown_realised_ratio", "drawdown_marked_ratio", "drawdown_intrabar_ratio")


def not_finite(table: SweepTable, row: int) -> str | None:
    """The first figure of a row that is not a finite number, or None."""
    return next((name for name in _FLOATS if not math.isfinite(float(getattr(table, name)[row]))), None)


def metrics_of(table: SweepTable, row: int, *, objective: Objective, initial_equity: Money) -> TrialMetrics:
    """Figures of one row.

    Args:
        table: the engine's answer.
        row: which candidate.
        objective: what `TrialMetrics.objective` holds; None when its parts cannot be computed.
        initial_equity: money; drawdown ratios are turned into USDT with it.
    """
    count, net = int(table.trades_count[row]), int(table.net_pnl[row])
    losses = int(table.losers_pnl[row])
    net_usdt = money_to_float(net)
    sharpe = sharpe_of_sums(count, net_usdt, float(table.pnl_square_sum[row]))
    drawdown = float(table.drawdown_marked_ratio[row])
    fall_usdt = max(drawdown, DRAWDOWN_RATIO_MIN) * money_to_float(initial_equity)
    return TrialMetrics(
        trades_count=count,
        net_pnl_usdt=net_usdt,
        sharpe=sharpe,
        profit_factor=int(table.winners_pnl[row]) / -losses if losses else None,
        drawdown_marked_ratio=drawdown,
        peak_gross_usdt=money_to_float(int(table.peak_gross[row])),
        objective=_objective(objective, count, net_usdt, sharpe, fall_usdt),
    )


def sharpe_of_sums(count: int, total: float, square_sum: float) -> float | None:
    """Mean over sample standard deviation; None under two values or without spread.

    Args:
        count: number of values.
        total: their sum.
        square_sum: the sum of their squares.
    """
    if count < 2:
        return None
    mean = total / count
    variance = (square_sum - count * mean * mean) / (count - 1)
    if variance <= _SPREAD_RATIO_MIN * square_sum / count:
        return None
    return mean / math.sqrt(variance)


def _objective(
    objective: Objective, count: int, net_usdt: float, sharpe: float | None, fall_usdt: float
) -> float | None:
    if count == 0:
        return None
    match objective:
        case Objective.T_STATISTIC:
            return None if sharpe is None else sharpe * math.sqrt(count)
        case Objective.SHARPE:
            return sharpe
        case Objective.NET_USDT:
            return net_usdt
        case Objective.NET_OVER_DRAWDOWN:
            return net_usdt / fall_usdt
