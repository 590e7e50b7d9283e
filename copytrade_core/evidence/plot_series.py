"""The series that plots draw, thinned so that no extreme is lost. How they look belongs to `edges`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copytrade_core.evidence.drawdown import drawdown_ratios, marked_timeline, realised_equity
from copytrade_core.model.bar import Float64s, Int64s
from copytrade_core.model.fill import Fill
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.round_trip import ReplayResult
from copytrade_core.model.units import MONEY_SCALE

EQUITY_POINTS_MAX = 1600
PRICE_POINTS_MAX = 1600
"""Points drawn per line: more than a phone or a laptop screen has columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EquitySeries:
    """Marked and realised equity in USDT and the drawdown of the marked one (negative share of its peak)."""

    marked_at_ms: tuple[int, ...]
    marked_usdt: tuple[float, ...]
    drawdown_ratio: tuple[float, ...]
    realised_at_ms: tuple[int, ...]
    realised_usdt: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FillMark:
    """One fill on the price plot. `kind` is open, add, reduce or close; `price` what was paid, quote per base unit."""

    episode_id: str
    kind: str
    leg: str
    side: str
    at_ms: int
    price: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSeries:
    """Closes of one market over the period, and the fills on it."""

    market: str
    at_ms: tuple[int, ...]
    close: tuple[float, ...]
    fills: tuple[FillMark, ...]


def thinned_indices(values: Float64s | Int64s, points_max: int) -> Int64s:
    """Indices to keep: all when they are few, else first, lowest, highest and last of equal buckets, in order."""
    count = len(values)
    if count <= points_max:
        return np.arange(count, dtype=np.int64)
    edges = np.linspace(0, count, max(1, points_max // 4) + 1).astype(np.int64)
    kept: set[int] = set()
    for start, end in itertools.pairwise(edges):
        bucket = values[start:end]
        kept |= {int(start), int(start + bucket.argmin()), int(start + bucket.argmax()), int(end) - 1}
    return np.array(sorted(kept), dtype=np.int64)


def equity_series(result: ReplayResult) -> EquitySeries:
    """Equity over time for the equity plot."""
    timeline = marked_timeline(result)
    kept = _with_pauses(thinned_indices(timeline.equity, EQUITY_POINTS_MAX), timeline.time_ms, result.spec.interval_ms)
    drawdown = -drawdown_ratios(timeline.equity)
    realised_at, realised = realised_equity(result.round_trips, result.spec.initial_equity)
    return EquitySeries(
        marked_at_ms=_ints(timeline.time_ms[kept]),
        marked_usdt=_floats(timeline.equity[kept] / MONEY_SCALE),
        drawdown_ratio=_floats(drawdown[kept]),
        realised_at_ms=_ints(realised_at),
        realised_usdt=_floats(realised / MONEY_SCALE),
    )


def _with_pauses(kept: Int64s, time_ms: Int64s, interval_ms: int) -> Int64s:
    """Keeps both ends of every pause in which nothing was held, so that a line stays level there."""
    before = np.nonzero(np.diff(time_ms) > interval_ms)[0]
    return np.unique(np.concatenate([kept, before, before + 1]))


def price_series(result: ReplayResult, data: MarketData) -> tuple[PriceSeries, ...]:
    """Prices and fills of every market that was traded, in order of name."""
    fills: dict[str, list[Fill]] = {}
    for trip in result.round_trips:
        fills.setdefault(trip.market, []).extend(trip.fills)
    start_ms = min((trip.signal_at_ms for trip in result.round_trips), default=0)
    end_ms = max((trip.exited_at_ms for trip in result.round_trips), default=0)
    return tuple(_prices_of(market, fills[market], data, start_ms, end_ms) for market in sorted(fills))


def _prices_of(market: str, fills: Sequence[Fill], data: MarketData, start_ms: int, end_ms: int) -> PriceSeries:
    series, instrument = data.bars[market], data.instruments[market]
    first, last = series.index_at_or_after(start_ms - series.interval_ms), series.index_at_or_after(end_ms) + 1
    closes = series.close[first:last].astype(np.float64) * float(instrument.tick_size)
    times = series.open_time_ms[first:last] + series.interval_ms
    kept = thinned_indices(closes, PRICE_POINTS_MAX)
    return PriceSeries(
        market=market,
        at_ms=_ints(times[kept]),
        close=_floats(closes[kept]),
        fills=tuple(
            FillMark(
                episode_id=fill.episode_id,
                kind=fill.kind.value,
                leg=fill.leg,
                side=fill.side.value,
                at_ms=fill.time_ms,
                price=float(instrument.price(fill.price)),
            )
            for fill in fills
        ),
    )


def _ints(values: Int64s) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def _floats(values: Float64s) -> tuple[float, ...]:
    # Ten significant digits: far beyond a screen, and a file half as large.
    return tuple(float(f"{value:.10g}") for value in values)
