"""What the fast engine reads of markets: bars on one grid with range-extreme trees, and funding by bar.

Signals are in `signals.py`, policies in `candidates.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copytrade_core.model.bar import BarSeries, FundingSeries, Int32s, Int64s
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.market_data import MarketData

BRANCH = 16
"""Children of a tree node: sixteen int32 fill one cache line."""
NEVER = 2**31 - 1
"""Above every price and every mirrored price."""
COARSE_COUNT = 512
"""A history has up to so many coarse blocks; they bound the portfolio before a bar is looked at and stay in cache."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparedMarkets:
    """Bars of all markets on one gapless grid of bars, and the trees over them.

    `nodes` int32 `(markets, 4 x nodes)` holds four numbers a node: lowest low, minus highest high, lowest close, minus
    highest close. All four are minima, and a short, judged as a long at negated prices, reads the second of each pair
    where a long reads the first. First come the bars themselves (low, minus high, close, open: what a fill needs lies
    in one cache line), then one tree level after the other (`offsets`, in nodes; a node covers `BRANCH` of the level
    below), then from `blocks_at` on the coarse blocks of `1 << block_shift` bars. Where a market has no bar nothing is
    touched.

    Times are bars since `first_bar` (`open_time_ms / interval_ms`). `rules` has a row (money per tick and step, fewest
    steps, least notional) per market. Funding is sorted by market and time: `funding_start` `(markets + 1,)`,
    `funding_bar`, `funding_rate`, `funding_price` (the bar's open), `funding_slot` (index into `funding_bars`, the
    distinct bars with a payment).
    """

    names: tuple[str, ...]
    interval_ms: int
    first_bar: int
    bars_count: int
    nodes: Int32s
    offsets: Int64s
    block_shift: int
    blocks_at: int
    rules: Int64s
    funding_start: Int64s
    funding_bar: Int64s
    funding_rate: Int64s
    funding_price: Int64s
    funding_slot: Int64s
    funding_bars: Int64s

    def bar_column(self, market: int, column: int) -> Int32s:
        """One of the four numbers of every bar of a market: low, minus high, close, open."""
        return self.nodes[market, column : 4 * self.bars_count : 4]


def prepare_markets(data: MarketData, interval_ms: int) -> PreparedMarkets:
    """Lay all bars on one grid and build the trees; about 21 bytes per bar.

    Raises:
        BadInput: bars of another interval, or none at all.
    """
    names = tuple(sorted(data.bars))
    if not names or not any(len(data.bars[name]) for name in names):
        raise BadInput("there are no bars to replay on", where=Where(field="bars"))
    for name in names:
        if data.bars[name].interval_ms != interval_ms:
            raise BadInput(
                f"bars of {name} are {data.bars[name].interval_ms} ms long, the replay asks for {interval_ms} ms",
                where=Where(field="interval_ms"),
            )
    some = [data.bars[name] for name in names if len(data.bars[name])]
    first_bar = min(series.start_ms for series in some) // interval_ms
    count = max(series.end_ms for series in some) // interval_ms - first_bar
    padded = -(-count // BRANCH) * BRANCH
    offsets, shift = _offsets(padded), max(4, (count // COARSE_COUNT).bit_length())
    nodes = np.full((len(names), 4 * (int(offsets[-1]) + -(-padded >> shift))), NEVER, dtype=np.int32)
    for row, name in enumerate(names):
        _lay_out(data.bars[name], first_bar, nodes[row].reshape(-1, 4), offsets, shift)
    opens = nodes[:, 3 : 4 * padded : 4]
    return PreparedMarkets(
        names=names,
        interval_ms=interval_ms,
        first_bar=first_bar,
        bars_count=padded,
        nodes=nodes,
        offsets=offsets,
        block_shift=shift,
        blocks_at=int(offsets[-1]),
        rules=np.array(
            [
                (rule.money_per_tick_step, max(1, rule.min_quantity), rule.min_notional)
                for rule in (data.instruments[name] for name in names)
            ],
            dtype=np.int64,
        ),
        **_funding([data.funding.get(name) for name in names], interval_ms, first_bar, opens),
    )


def _lay_out(series: BarSeries, first_bar: int, nodes: Int32s, offsets: Int64s, shift: int) -> None:
    """Bars, levels and blocks of one market, written into its rows; nodes have shape `(nodes, 4)`."""
    at, padded = series.open_time_ms // series.interval_ms - first_bar, int(offsets[1])
    nodes[at] = np.stack((series.low, -series.high, series.close, -series.close), axis=1)
    for level in range(1, len(offsets) - 1):
        below = nodes[offsets[level - 1] : offsets[level]].reshape(-1, BRANCH, 4).min(axis=1)
        nodes[offsets[level] : offsets[level] + len(below)] = below
    starts = np.arange(0, padded, 1 << shift)
    nodes[offsets[-1] : offsets[-1] + len(starts)] = np.minimum.reduceat(nodes[:padded], starts, axis=0)
    nodes[at, 3] = series.open


def _offsets(padded: int) -> Int64s:
    """Where each level begins; the last entry is the whole length. Every level is padded to whole blocks."""
    counts = [padded]
    while counts[-1] > BRANCH:
        counts.append(-(-(counts[-1] // BRANCH) // BRANCH) * BRANCH)
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)


def _funding(
    all_series: Sequence[FundingSeries | None], interval_ms: int, first_bar: int, opens: Int32s
) -> dict[str, Int64s]:
    """Payments by market and time; one is due at the open of the bar in which it falls."""
    bars = [
        np.zeros(0, dtype=np.int64) if series is None else series.time_ms // interval_ms - first_bar
        for series in all_series
    ]
    rates = [np.zeros(0, dtype=np.int64) if series is None else series.rate for series in all_series]
    prices = [
        np.where((bar >= 0) & (bar < opens.shape[1]), row[np.clip(bar, 0, opens.shape[1] - 1)], 0)
        for bar, row in zip(bars, opens, strict=True)
    ]
    bar = np.concatenate(bars)
    distinct, slot = np.unique(bar, return_inverse=True)
    return {
        "funding_start": np.concatenate(([0], np.cumsum([len(each) for each in bars]))).astype(np.int64),
        "funding_bar": bar.astype(np.int64),
        "funding_rate": np.concatenate(rates).astype(np.int64),
        "funding_price": np.concatenate(prices).astype(np.int64),
        "funding_slot": slot.astype(np.int64),
        "funding_bars": distinct.astype(np.int64),
    }
