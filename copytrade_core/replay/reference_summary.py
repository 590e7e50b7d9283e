"""The reference's result in the fast engine's terms: what every figure of a summary and every column of a run means.

Only the reference's own records are read here; comparing the two is done in `replay/equivalence.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from copytrade_core.evidence.drawdown import (
    marked_timeline,
    max_drawdown_ratio,
    max_intrabar_drawdown_ratio,
    realised_equity,
)
from copytrade_core.model.bar import Float64s, Int64s
from copytrade_core.model.fill import Fill
from copytrade_core.model.round_trip import ReplayResult, RoundTrip
from copytrade_core.model.side import Side
from copytrade_core.model.sweep import SweepStatus, SweepTable
from copytrade_core.model.units import money_to_float
from copytrade_core.replay.fill_hash import EXIT_CODES, leg_code
from copytrade_core.replay.sweep import CURVE_COLUMNS, FILL_COLUMNS, TRIP_COLUMNS

SUMMED = (
    *("realised", "fees", "slippage", "funding", "entered", "bars_held", "dca_fills", "rungs_planned"),
    *("rungs_skipped", "notional_skipped"),
)
"""Columns that are sums of the round trips' field of the same name."""

Figures = dict[str, Any]
"""Some columns of `SweepTable` by name; together they are all of them, or the table refuses to be made."""


def summary_of(result: ReplayResult) -> SweepTable:
    """The definition of every column of `SweepTable`: one row from the reference's result."""
    trips = in_exit_order(result.round_trips)
    curve = result.equity
    initial = result.spec.initial_equity
    return SweepTable(
        status=_whole(SweepStatus.OK),
        **_counted(trips),
        **_won(trips),
        **{name: _whole(sum(getattr(trip, name) for trip in trips)) for name in SUMMED},
        **_excursions(trips),
        skipped_count=_whole(len(result.skipped)),
        blocked_count=_whole(len(result.blocked)),
        peak_gross=_whole(int(curve.gross.max(initial=0))),
        equity_worst=_whole(
            int(np.minimum(curve.worst_intrabar, curve.equity).min()) if len(curve.equity) else initial
        ),
        **_falls(result, trips),
        # The hash has 64 bits without a sign; a signed column keeps the same bits.
        fill_hash=np.array([result.fill_hash], dtype=np.uint64).view(np.int64),
    )


def in_exit_order(trips: Sequence[RoundTrip]) -> list[RoundTrip]:
    """Round trips by the time they ended, then by episode."""
    return sorted(trips, key=lambda trip: (trip.exited_at_ms, trip.episode_id))


def fill_rows(result: ReplayResult, episode_ids: Sequence[str]) -> Int64s:
    """Every fill as a row of `FILL_COLUMNS`, shape `(n_fills, 10)`; those of one episode in order."""
    number = {episode_id: index for index, episode_id in enumerate(episode_ids)}
    rows = [_fill_row(fill, number[trip.episode_id]) for trip in result.round_trips for fill in trip.fills]
    return _rows(rows, FILL_COLUMNS)


def trip_rows(result: ReplayResult, episode_ids: Sequence[str]) -> Int64s:
    """Every round trip as a row of `TRIP_COLUMNS`, shape `(n_trips, 18)`, in order of exit."""
    number = {episode_id: index for index, episode_id in enumerate(episode_ids)}
    rows = [_trip_row(trip, number[trip.episode_id]) for trip in in_exit_order(result.round_trips)]
    return _rows(rows, TRIP_COLUMNS)


def curve_rows(result: ReplayResult) -> Int64s:
    """The equity curve as rows of `CURVE_COLUMNS`, shape `(n_bars, 5)`."""
    return np.stack([getattr(result.equity, name) for name in CURVE_COLUMNS], axis=1)


def _rows(rows: Sequence[dict[str, int]], columns: Sequence[str]) -> Int64s:
    table = [[row[name] for name in columns] for row in rows]
    return np.array(table, dtype=np.int64).reshape(-1, len(columns))


def _fill_row(fill: Fill, episode: int) -> dict[str, int]:
    return {
        "episode": episode,
        "leg": leg_code(fill),
        "bar_open_ms": fill.bar_open_ms,
        "time_ms": fill.time_ms,
        "buys": int(fill.buys),
        "raw_price": fill.raw_price,
        "price": fill.price,
        "quantity": fill.quantity,
        "fee": fill.fee,
        "slippage": fill.slippage,
    }


def _trip_row(trip: RoundTrip, episode: int) -> dict[str, int]:
    own = {name: getattr(trip, name) for name in TRIP_COLUMNS if name not in ("episode", "exit_code")}
    return {"episode": episode, "exit_code": EXIT_CODES[trip.exit_reason], **own}


def _counted(trips: Sequence[RoundTrip]) -> Figures:
    holdings = [trip.exited_at_ms - trip.entered_at_ms for trip in trips]
    return {
        "trades_count": _whole(len(trips)),
        "longs_count": _whole(sum(trip.side is Side.LONG for trip in trips)),
        "wins_count": _whole(sum(trip.pnl > 0 for trip in trips)),
        "dca_fills_max": _whole(max((trip.dca_fills for trip in trips), default=0)),
        "holding_ms": _whole(sum(holdings)),
        "holding_ms_max": _whole(max(holdings, default=0)),
    }


def _won(trips: Sequence[RoundTrip]) -> Figures:
    pnls = [trip.pnl for trip in trips]
    square_sum = 0.0
    for pnl in pnls:  # one after the other, in order of exit: a float sum depends on its order
        square_sum += money_to_float(pnl) * money_to_float(pnl)
    return {
        "net_pnl": _whole(sum(pnls)),
        "winners_pnl": _whole(sum(pnl for pnl in pnls if pnl > 0)),
        "losers_pnl": _whole(sum(pnl for pnl in pnls if pnl < 0)),
        "best_pnl": _whole(max(pnls, default=0)),
        "worst_pnl": _whole(min(pnls, default=0)),
        "pnl_square_sum": _real(square_sum),
    }


def _excursions(trips: Sequence[RoundTrip]) -> Figures:
    return {
        "mae_sum": _whole(sum(trip.mae for trip in trips)),
        "mae_worst": _whole(min((trip.mae for trip in trips), default=0)),
        "mfe_sum": _whole(sum(trip.mfe for trip in trips)),
        "mfe_best": _whole(max((trip.mfe for trip in trips), default=0)),
    }


def _falls(result: ReplayResult, trips: Sequence[RoundTrip]) -> Figures:
    timeline = marked_timeline(result)
    realised = realised_equity(trips, result.spec.initial_equity)[1]
    return {
        "drawdown_realised_ratio": _real(max_drawdown_ratio(realised)),
        "drawdown_marked_ratio": _real(max_drawdown_ratio(timeline.equity)),
        "drawdown_intrabar_ratio": _real(max_intrabar_drawdown_ratio(timeline)),
    }


def _whole(value: int) -> Int64s:
    return np.array([value], dtype=np.int64)


def _real(value: float) -> Float64s:
    return np.array([value], dtype=np.float64)
