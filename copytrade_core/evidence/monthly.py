"""Net profit by calendar month (UTC) of the exit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from copytrade_core.model.round_trip import RoundTrip
from copytrade_core.model.units import money_to_float


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyResult:
    """One month: net profit of the round trips that ended in it, also over initial equity."""

    year: int
    month: int
    trades_count: int
    net_pnl_usdt: float
    net_ratio: float


def monthly_results(trips: Sequence[RoundTrip], initial_equity: int) -> tuple[MonthlyResult, ...]:
    """Every month from the first exit to the last, months without an exit included with zero."""
    by_month: dict[tuple[int, int], list[int]] = {}
    for trip in trips:
        exited_at = datetime.fromtimestamp(trip.exited_at_ms / 1000, UTC)
        by_month.setdefault((exited_at.year, exited_at.month), []).append(trip.pnl)
    if not by_month:
        return ()
    results: list[MonthlyResult] = []
    year, month = min(by_month)
    while (year, month) <= max(by_month):
        nets = by_month.get((year, month), [])
        results.append(
            MonthlyResult(
                year=year,
                month=month,
                trades_count=len(nets),
                net_pnl_usdt=money_to_float(sum(nets)),
                net_ratio=sum(nets) / initial_equity,
            )
        )
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return tuple(results)
