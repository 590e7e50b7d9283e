"""What the fast engine reads: bars on one grid with range-extreme trees, funding by bar, signals by bar. No candidate.

Every rule that turns an episode into a signal is the reference's own (`coverage`, `timeline`, `entry`); here it is asked
once per episode and kept as integers.
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
COARSE_COUNT = 256
"""Blocks of about this many per history bound the portfolio before any bar is looked at; they fit into L1 cache."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparedMarkets:
    """Bars of all markets on one gapless grid of bars, and the trees over them.

    A short is a long on the mirrored market (prices negated), so every market has two rows: `2m` as it is, `2m + 1`
    mirrored. Trees hold their levels one after the other (`offsets`): level 0 are the bars, a node of the next level
    covers `BRANCH` nodes; `low` and `close_min` hold minima, `high` maxima. Where a market has no bar nothing is ever
    touched. int32 ticks throughout; times are bars since `first_bar` (`open_time_ms / interval_ms`).

    `open` and `close` have shape `(markets, n_bars)`; `low`, `high`, `close_min` `(2 markets, nodes)`; the coarse ones
    `(2 markets, blocks)` with blocks of `1 << coarse_shift` bars. `rules` has a row (money per tick and step, minimum
    steps, minimum notional) per market. Funding is sorted by market and time: `funding_start` `(markets + 1,)`,
    `funding_bar`, `funding_rate`, `funding_slot` (index into `funding_bars`, the distinct bars with a payment).
    """

    names: tuple[str, ...]
    interval_ms: int
    first_bar: int
    open: Int32s
    close: Int32s
    low: Int32s
    high: Int32s
    close_min: Int32s
    offsets: Int64s
    coarse_shift: int
    coarse_low: Int32s
    coarse_close_min: Int32s
    rules: Int64s
    funding_start: Int64s
    funding_bar: Int64s
    funding_rate: Int64s
    funding_slot: Int64s
    funding_bars: Int64s

    @property
    def bars_count(self) -> int:
        """Bars of the grid."""
        return self.open.shape[1]


def prepare_markets(data: MarketData, interval_ms: int) -> PreparedMarkets:
    """Lay all bars on one grid and build the trees; about 12 bytes per bar, side and tree.

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
    columns = {field: _on_grid([data.bars[n] for n in names], field, first_bar, padded) for field in PRICES}
    absent = columns["open"] == 0
    sides = {field: _both_sides(columns, field, absent) for field in ("low", "high", "close")}
    offsets = _offsets(padded)
    shift = max(4, (count // COARSE_COUNT).bit_length())
    return PreparedMarkets(
        names=names,
        interval_ms=interval_ms,
        first_bar=first_bar,
        open=columns["open"],
        close=columns["close"],
        low=_tree(sides["low"], offsets, np.minimum),
        high=_tree(sides["high"], offsets, np.maximum),
        close_min=_tree(sides["close"], offsets, np.minimum),
        offsets=offsets,
        coarse_shift=shift,
        coarse_low=_blocks(sides["low"], shift),
        coarse_close_min=_blocks(sides["close"], shift),
        rules=np.array(
            [
                (rule.money_per_tick_step, max(1, rule.min_quantity), rule.min_notional)
                for rule in (data.instruments[name] for name in names)
            ],
            dtype=np.int64,
        ),
        **_funding([data.funding.get(name) for name in names], interval_ms, first_bar),
    )


PRICES = ("open", "high", "low", "close")


def _on_grid(all_series: Sequence[BarSeries], field: str, first_bar: int, padded: int) -> Int32s:
    """Prices by bar of the grid, 0 where there is no bar; shape `(markets, padded)`."""
    out = np.zeros((len(all_series), padded), dtype=np.int32)
    for row, series in enumerate(all_series):
        out[row, series.open_time_ms // series.interval_ms - first_bar] = getattr(series, field)
    return out


def _both_sides(columns: dict[str, Int32s], field: str, absent: np.ndarray) -> Int32s:
    """Rows as they are and mirrored, in turn; where there is no bar a price that no search can find."""
    mirrored = {"low": "high", "high": "low", "close": "close"}[field]
    out = np.empty((2 * len(absent), absent.shape[1]), dtype=np.int32)
    out[0::2] = columns[field]
    out[1::2] = -columns[mirrored]
    out[np.repeat(absent, 2, axis=0)] = -NEVER if field == "high" else NEVER
    return out


def _offsets(padded: int) -> Int64s:
    """Where each level begins; the last entry is the whole length. Every level is padded to whole blocks."""
    counts = [padded]
    while counts[-1] > BRANCH:
        counts.append(-(-(counts[-1] // BRANCH) // BRANCH) * BRANCH)
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)


def _tree(leaves: Int32s, offsets: Int64s, of: np.ufunc) -> Int32s:
    nothing = -NEVER if of is np.maximum else NEVER
    out = np.full((len(leaves), int(offsets[-1])), nothing, dtype=np.int32)
    out[:, : leaves.shape[1]] = leaves
    for level in range(1, len(offsets) - 1):
        below = out[:, offsets[level - 1] : offsets[level]]
        nodes = of.reduce(below.reshape(len(leaves), -1, BRANCH), axis=2)
        out[:, offsets[level] : offsets[level] + nodes.shape[1]] = nodes
    return out


def _blocks(leaves: Int32s, shift: int) -> Int32s:
    starts = np.arange(0, leaves.shape[1], 1 << shift)
    return np.ascontiguousarray(np.minimum.reduceat(leaves, starts, axis=1))


def _funding(all_series: Sequence[FundingSeries | None], interval_ms: int, first_bar: int) -> dict[str, Int64s]:
    """Payments by market and time; one is due at the open of the bar in which it falls."""
    bars = [
        np.zeros(0, dtype=np.int64) if series is None else series.time_ms // interval_ms - first_bar
        for series in all_series
    ]
    rates = [np.zeros(0, dtype=np.int64) if series is None else series.rate for series in all_series]
    bar = np.concatenate(bars)
    distinct, slot = np.unique(bar, return_inverse=True)
    return {
        "funding_start": np.concatenate(([0], np.cumsum([len(each) for each in bars]))).astype(np.int64),
        "funding_bar": bar.astype(np.int64),
        "funding_rate": np.concatenate(rates).astype(np.int64),
        "funding_slot": slot.astype(np.int64),
        "funding_bars": distinct.astype(np.int64),
    }
