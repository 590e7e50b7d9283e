"""From a replay result to its measures: every formula of the report and the gates, once.

Thresholds and verdicts do not belong here. Field meanings and units are in `model/measure.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from copytrade_core.evidence.bootstrap import net_interval, t_statistic
from copytrade_core.evidence.drawdown import (
    DAY_MS,
    Timeline,
    daily_equity,
    marked_timeline,
    max_drawdown_ratio,
    max_intrabar_drawdown_ratio,
    realised_equity,
)
from copytrade_core.model.bar import Float64s
from copytrade_core.model.measure import BootstrapSettings, Measures
from copytrade_core.model.round_trip import ReplayResult, RoundTrip
from copytrade_core.model.side import Side
from copytrade_core.model.units import money_to_float

Fields = dict[str, Any]
"""Some fields of `Measures` by name; together they are all of them, or the record refuses to be made."""
DAYS_PER_YEAR = 365
"""Crypto markets never close; annualised ratios use calendar days."""


def measures(result: ReplayResult, bootstrap: BootstrapSettings) -> Measures:
    """All statistics of one result. Same result and settings give the same numbers on any machine."""
    trips = sorted(result.round_trips, key=lambda trip: (trip.exited_at_ms, trip.episode_id))
    days, timeline = _period_days(trips), marked_timeline(result)
    return Measures(
        **_counted(result),
        **_profit(trips, result.spec.initial_equity, days),
        **_uncertainty(trips, bootstrap),
        **_per_trade(trips, result.spec.initial_equity),
        **_excursions(trips),
        **_falls(trips, timeline, result.spec.initial_equity),
        **_capital(trips, peak_gross(result), days),
        **_annual(trips, timeline, result.spec.initial_equity, days),
        period_days=days,
    )


def _counted(result: ReplayResult) -> Fields:
    trips = result.round_trips
    return {
        "trades_count": len(trips),
        "longs_count": sum(trip.side is Side.LONG for trip in trips),
        "shorts_count": sum(trip.side is Side.SHORT for trip in trips),
        "skipped_count": len(result.skipped),
        "blocked_count": len(result.blocked),
        "truncated_count": sum(trip.is_truncated for trip in trips),
    }


def _profit(trips: Sequence[RoundTrip], initial_equity: int, days: float) -> Fields:
    net, fees = sum(trip.pnl for trip in trips), sum(trip.fees for trip in trips)
    slippage, funding = sum(trip.slippage for trip in trips), sum(trip.funding for trip in trips)
    return {
        "net_pnl_usdt": money_to_float(net),
        "net_ratio": net / initial_equity,
        "net_ratio_per_30d": net / initial_equity * 30 / days if days > 0 else None,
        "gross_pnl_usdt": money_to_float(net + fees + slippage + funding),
        "fees_usdt": money_to_float(fees),
        "slippage_usdt": money_to_float(slippage),
        "funding_usdt": money_to_float(funding),
        "net_without_best_usdt": _net_without_best(trips, 1),
        "net_without_best_tenth_usdt": _net_without_best(trips, math.ceil(len(trips) / 10)),
    }


def _uncertainty(trips: Sequence[RoundTrip], bootstrap: BootstrapSettings) -> Fields:
    nets = np.array([money_to_float(trip.pnl) for trip in trips], dtype=np.float64)
    interval = net_interval(nets, bootstrap)
    return {
        "net_interval_low_usdt": interval[0] if interval else None,
        "net_interval_high_usdt": interval[1] if interval else None,
        "t_statistic": t_statistic(nets),
    }


def _per_trade(trips: Sequence[RoundTrip], initial_equity: int) -> Fields:
    nets, count = [trip.pnl for trip in trips], len(trips)
    holdings_s = [(trip.exited_at_ms - trip.entered_at_ms) / 1000 for trip in trips]
    return {
        "win_ratio": sum(net > 0 for net in nets) / count if count else None,
        "profit_factor": _profit_factor(trips),
        "expectancy_usdt": money_to_float(sum(nets)) / count if count else None,
        "best_pnl_usdt": money_to_float(max(nets)) if nets else None,
        "worst_pnl_usdt": money_to_float(min(nets)) if nets else None,
        "worst_trade_ratio": min(nets) / initial_equity if nets else None,
        "dca_fills_mean": _mean([float(trip.dca_fills) for trip in trips]),
        "dca_fills_max": max((trip.dca_fills for trip in trips), default=0),
        "holding_time_mean_s": _mean(holdings_s),
        "holding_time_max_s": max(holdings_s, default=0.0),
    }


def _excursions(trips: Sequence[RoundTrip]) -> Fields:
    maes, mfes = [money_to_float(trip.mae) for trip in trips], [money_to_float(trip.mfe) for trip in trips]
    return {
        "mae_worst_usdt": min(maes, default=None),
        "mae_mean_usdt": _mean(maes),
        "mfe_best_usdt": max(mfes, default=None),
        "mfe_mean_usdt": _mean(mfes),
    }


def _falls(trips: Sequence[RoundTrip], timeline: Timeline, initial_equity: int) -> Fields:
    return {
        "max_drawdown_realised_ratio": max_drawdown_ratio(realised_equity(trips, initial_equity)[1]),
        "max_drawdown_marked_ratio": max_drawdown_ratio(timeline.equity),
        "max_drawdown_intrabar_ratio": max_intrabar_drawdown_ratio(timeline),
        "worst_day_ratio": _worst_day_ratio(timeline, initial_equity) if trips else None,
    }


def _capital(trips: Sequence[RoundTrip], peak: int, days: float) -> Fields:
    return {
        "notional_mean_usdt": _mean([money_to_float(trip.entered) for trip in trips]),
        "overlap_max_count": overlap_max_count(trips),
        "peak_gross_usdt": money_to_float(peak),
        "return_on_peak_capital_ratio": sum(trip.pnl for trip in trips) / peak if peak else None,
        "exposure_ratio": _held_ms(trips) / (days * DAY_MS) if days > 0 else None,
        "notional_skipped_ratio": _notional_skipped_ratio(trips),
    }


def _annual(trips: Sequence[RoundTrip], timeline: Timeline, initial_equity: int, days: float) -> Fields:
    returns, fall = _daily_returns(timeline), max_drawdown_ratio(timeline.equity)
    net_ratio = sum(trip.pnl for trip in trips) / initial_equity
    return {
        "sharpe": _sharpe(returns),
        "sortino": _sortino(returns),
        "calmar": net_ratio * DAYS_PER_YEAR / days / fall if days > 0 and fall > 0 else None,
    }


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _period_days(trips: Sequence[RoundTrip]) -> float:
    if not trips:
        return 0.0
    return (max(trip.exited_at_ms for trip in trips) - min(trip.signal_at_ms for trip in trips)) / DAY_MS


def _profit_factor(trips: Sequence[RoundTrip]) -> float | None:
    won = sum(trip.pnl for trip in trips if trip.pnl > 0)
    lost = -sum(trip.pnl for trip in trips if trip.pnl < 0)
    return won / lost if lost else None


def _net_without_best(trips: Sequence[RoundTrip], left_out_count: int) -> float:
    ordered = sorted((trip.pnl for trip in trips), reverse=True)
    return money_to_float(sum(ordered[left_out_count:]))


def _notional_skipped_ratio(trips: Sequence[RoundTrip]) -> float | None:
    skipped = sum(trip.notional_skipped for trip in trips)
    planned = skipped + sum(trip.entered for trip in trips)
    return skipped / planned if planned else None


def peak_gross(result: ReplayResult) -> int:
    """Largest gross notional held at a bar end, money.

    A round trip that began and ended inside one bar was never marked; its entry notional counts instead.
    """
    marked = int(result.equity.gross.max(initial=0))
    return max(marked, max((trip.entered for trip in result.round_trips), default=0))


def overlap_max_count(trips: Sequence[RoundTrip]) -> int:
    """Most round trips held at the same time; one that ends exactly when another begins does not overlap it."""
    changes = sorted([(trip.entered_at_ms, 1) for trip in trips] + [(trip.exited_at_ms, -1) for trip in trips])
    held, most = 0, 0
    for _, change in changes:
        held += change
        most = max(most, held)
    return most


def _held_ms(trips: Sequence[RoundTrip]) -> int:
    """Length of the union of all holding times."""
    total, reached = 0, 0
    for entered, exited in sorted((trip.entered_at_ms, trip.exited_at_ms) for trip in trips):
        begin = max(entered, reached)
        total += max(0, exited - begin)
        reached = max(reached, exited)
    return total


def _daily_returns(timeline: Timeline) -> Float64s | None:
    """Returns of marked equity per UTC day; None under two days, or once equity is used up."""
    equity = daily_equity(timeline).astype(np.float64)
    if len(equity) < 3 or bool((equity <= 0).any()):
        return None
    return equity[1:] / equity[:-1] - 1.0


def _worst_day_ratio(timeline: Timeline, initial_equity: int) -> float:
    return float(np.diff(daily_equity(timeline)).min(initial=0)) / initial_equity


def _sharpe(returns: Float64s | None) -> float | None:
    if returns is None:
        return None
    deviation = float(returns.std(ddof=1))
    return float(returns.mean()) / deviation * math.sqrt(DAYS_PER_YEAR) if deviation > 0 else None


def _sortino(returns: Float64s | None) -> float | None:
    if returns is None:
        return None
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    return float(returns.mean()) / downside * math.sqrt(DAYS_PER_YEAR) if downside > 0 else None
