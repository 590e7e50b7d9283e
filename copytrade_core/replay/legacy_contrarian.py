"""`legacy_contrarian_v1`: the original study's rule on bars of any interval. Its entries are artefact prices.

First bar = the first that opens after the lead's close; last bar = the last that opens within 72 hours of it; rungs
fill at their price when touched, several per bar; exit at the last bar's close. What a trade earned is accounted
elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from copytrade_core.model.bar import BarSeries, PriceOrigin
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.fill import FillModel
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.side import Side
from copytrade_core.model.source import ClosedPosition
from copytrade_core.replay.coverage import epoch_ms, utc
from copytrade_core.replay.legacy_accounting import (
    RUNG_STEPS,
    LegacyLeg,
    LegacySummary,
    LegacyTrade,
    leg_notionals,
    settle,
    summarise,
)

HOLDING_MS = 72 * 3600 * 1000
RUNGS_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacySkip:
    """A position that the study could not test on these bars."""

    source_id: str
    market: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyStudy:
    """Trades in entry order, what was skipped, and totals."""

    fill_model: FillModel
    rungs_count: int
    interval_ms: int | None
    origin: PriceOrigin
    summary: LegacySummary
    round_trips: tuple[LegacyTrade, ...]
    skipped: tuple[LegacySkip, ...]


def legacy_study(positions: Sequence[ClosedPosition], data: MarketData, rungs_count: int) -> LegacyStudy:
    """Run the study.

    Args:
        positions: the lead's closed positions, any order.
        data: bars by market, one interval.
        rungs_count: ladder rungs below the base leg, 0 to 3.

    Raises:
        BadInput: another number of rungs.
    """
    if not 0 <= rungs_count <= RUNGS_MAX:
        raise BadInput(f"the study has 0 to {RUNGS_MAX} rungs, not {rungs_count}", where=Where(field="rungs"))
    trades: list[LegacyTrade] = []
    skipped: list[LegacySkip] = []
    for position in sorted(positions, key=lambda row: (row.closed_at, row.source_id)):
        outcome = _trade(position, data, rungs_count)
        if isinstance(outcome, LegacyTrade):
            trades.append(outcome)
        else:
            skipped.append(outcome)
    return LegacyStudy(
        fill_model=FillModel.LEGACY_CONTRARIAN,
        rungs_count=rungs_count,
        interval_ms=next((series.interval_ms for series in data.bars.values()), None),
        origin=data.origin,
        summary=summarise(trades, skipped=len(skipped)),
        round_trips=tuple(trades),
        skipped=tuple(skipped),
    )


def _trade(position: ClosedPosition, data: MarketData, rungs_count: int) -> LegacyTrade | LegacySkip:
    series = data.bars.get(position.market)
    if series is None or len(series) == 0:
        return _skip(position, "no_bars", "no bars of this market are stored")
    closed_ms = epoch_ms(position.closed_at)
    first = series.index_at_or_after(closed_ms + 1)
    last = series.index_at_or_after(closed_ms + HOLDING_MS + 1) - 1
    if closed_ms < series.start_ms:
        return _skip(position, "before_bars", f"closed {utc(closed_ms)}, bars start {utc(series.start_ms)}")
    if first > last:
        return _skip(position, "after_bars", f"closed {utc(closed_ms)}, bars end {utc(series.end_ms)}")
    gap = series.first_gap(closed_ms + 1, int(series.open_time_ms[last]) + series.interval_ms)
    if gap is not None:
        return _skip(position, "bar_gap", f"no bar at {utc(gap)}")
    side = position.side.opposite
    instrument = data.instruments[position.market]
    exit_ms = int(series.open_time_ms[last])
    return settle(
        source_id=position.source_id,
        market=position.market,
        side=side,
        entered_at=position.closed_at,
        exited_at=datetime.fromtimestamp(exit_ms / 1000, tz=UTC),
        exit_price=float(instrument.price(int(series.close[last]))),
        legs=_legs(float(position.avg_close_price), side, series, instrument, first, last, rungs_count),
        is_truncated=exit_ms + series.interval_ms <= closed_ms + HOLDING_MS,
    )


def _legs(
    entry: float, side: Side, series: BarSeries, instrument: Instrument, first: int, last: int, rungs_count: int
) -> list[LegacyLeg]:
    """The base leg and every rung that the bars touch, in order; a later rung may fill in the same bar."""
    notionals = leg_notionals(side, rungs_count)
    legs = [LegacyLeg(price=entry, notional_usdt=notionals[0])]
    adverse = series.low if side is Side.LONG else series.high
    prices = adverse[first : last + 1] * float(instrument.tick_size)
    level, start = entry, 0
    for step, notional in zip(RUNG_STEPS[side][:rungs_count], notionals[1:], strict=True):
        level *= 1 - side.sign * step
        touched = (prices[start:] <= level) if side is Side.LONG else (prices[start:] >= level)
        if not touched.any():
            break
        start += int(np.argmax(touched))
        legs.append(LegacyLeg(price=level, notional_usdt=notional))
    return legs


def _skip(position: ClosedPosition, reason: str, detail: str) -> LegacySkip:
    return LegacySkip(source_id=position.source_id, market=position.market, reason=reason, detail=detail)
