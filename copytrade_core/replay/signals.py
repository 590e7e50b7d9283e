"""What the fast engine knows of every signal before it starts: when, on which bar, how old, how far drifted, covered.

Every rule is the reference's own (`coverage`, `timeline`, `entry`), asked once per episode and kept as integers; what a
policy does with a signal belongs to the kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum

import numpy as np

from copytrade_core.model.bar import BarSeries, Int64s
from copytrade_core.model.episode import Episode, Provenance
from copytrade_core.model.fill import FillModel
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.policy import PolicySpec, SignalMode
from copytrade_core.model.round_trip import ReplaySpec
from copytrade_core.model.source_event import SourceClosed, SourceOpened
from copytrade_core.model.units import money_from_decimal, ticks_nearest
from copytrade_core.replay.arrays import PreparedMarkets
from copytrade_core.replay.coverage import epoch_ms
from copytrade_core.replay.timeline import closed_event, opened_event
from copytrade_core.strategies.entry import drift_ppm

FAR_MS = 2**62
"""Later than everything."""


class Source(IntEnum):
    """Which source events a policy listens to."""

    OPENS = 0
    """follow_open with an autonomous exit."""
    OPENS_AND_CLOSES = 1
    """follow_open that leaves with the source."""
    CLOSES = 2
    """contrarian_on_close."""


def source_of(policy: PolicySpec) -> Source:
    """The events that a policy listens to."""
    if policy.signal is SignalMode.CONTRARIAN_ON_CLOSE:
        return Source.CLOSES
    return Source.OPENS_AND_CLOSES if policy.exit.follows_source_close else Source.OPENS


SIGNAL_COLUMNS = (
    "market",
    "sign",
    "known_ms",
    "fill_bar",
    "age_ms",
    "drift_ppm",
    "source_ticks",
    "is_seeded",
    "covered_until_ms",
    "close_known_ms",
    "close_bar",
    "lead_margin",
    "paid_until_bar",
    "mark_price",
    "entry_price",
    "entry_ms",
    "first_payment",
)
"""Columns of a signal row; the closes of every market known at the signal, then those known at its fill, follow.

`fill_bar` is the first bar that opens at or after `known_ms`; `covered_until_ms` the first moment without a bar (-1:
not covered at all); `close_bar` the last bar before the source's close is acted on. What does not depend on a policy is
looked up here once: the bar up to which funding is paid at the signal, the mark it is judged by, the raw price and time
of its fill, and the place of the first funding payment after it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signals:
    """Signals by `Source`: `rows` int64 of shape `(3, n_episodes, len(SIGNAL_COLUMNS) + 2 markets)`.

    `events` int64 of shape `(3, n_events, 3)` are (moment, episode, 0 signal | 1 close) in the order they become known;
    `events_count` says how many each source has, `signals_count` how many of them are signals. A moment is
    `bar << 12 | stage << 8`: see the stages in `kernel/layout.py`.
    """

    rows: Int64s
    events: Int64s
    events_count: Int64s
    signals_count: Int64s


def signals_of(episodes: Sequence[Episode], spec: ReplaySpec, data: MarketData, markets: PreparedMarkets) -> Signals:
    """Every episode's signal under each source, episodes in the order given (that of their ids)."""
    rows = np.zeros((len(Source), len(episodes), len(SIGNAL_COLUMNS) + 2 * len(markets.names)), dtype=np.int64)
    rows[:, :, SIGNAL_COLUMNS.index("covered_until_ms")] = -1
    events = np.zeros((len(Source), 2 * len(episodes), 3), dtype=np.int64)
    counts, signals = np.zeros(len(Source), dtype=np.int64), np.zeros(len(Source), dtype=np.int64)
    at_close = spec.market_fill is FillModel.FIRST_BAR_CLOSE
    known = [_events_of(episode, spec.delay_s, data) for episode in episodes]
    for source in Source:
        heard: list[tuple[tuple[object, bool, str], int, int, int]] = []
        for number, (episode, (opened, closed)) in enumerate(zip(episodes, known, strict=True)):
            signal = closed if source is Source.CLOSES else opened
            follows = source is Source.OPENS_AND_CLOSES
            if signal is None or (follows and closed is None):
                continue
            if source is not Source.CLOSES and closed is not None and closed.known_at < signal.known_at:
                continue
            row = _row(episode, signal, closed if follows else None, data, markets)
            rows[source, number] = [*row, *_looked_up(row, markets, at_close=at_close)]
            told = (signal, closed) if follows and closed is not None else (signal,)
            for kind, event in enumerate(told):
                order = (event.known_at, isinstance(event, SourceClosed), episode.episode_id)
                heard.append((order, _event_key(epoch_ms(event.known_at), markets), number, kind))
        heard.sort(key=lambda each: each[0])
        counts[source], signals[source] = len(heard), sum(kind == 0 for *_, kind in heard)
        for index, (_, key, number, kind) in enumerate(heard):
            events[source, index] = (key, number, kind)
    return Signals(rows=rows, events=events, events_count=counts, signals_count=signals)


def _events_of(episode: Episode, delay_s: int, data: MarketData) -> tuple[SourceOpened | None, SourceClosed | None]:
    price = data.price_when_opened(episode)
    return None if price is None else opened_event(episode, delay_s, price), closed_event(episode, delay_s)


def _event_key(known_ms: int, markets: PreparedMarkets) -> int:
    """At a bar's open an event comes first in its bar; otherwise after the fills of the bar it falls into."""
    bar, rest = divmod(known_ms, markets.interval_ms)
    return (bar - markets.first_bar) << 12 | (7 << 8 if rest else 0)


def _row(
    episode: Episode,
    signal: SourceOpened | SourceClosed,
    closed: SourceClosed | None,
    data: MarketData,
    markets: PreparedMarkets,
) -> tuple[int, ...]:
    series = data.bars.get(episode.market)
    covered = -1 if series is None else _covered_until(series, epoch_ms(signal.known_at))
    if covered < 0:
        return tuple(-1 if name == "covered_until_ms" else 0 for name in SIGNAL_COLUMNS[:OWN_COLUMNS])
    instrument = data.instruments[episode.market]
    contrarian = isinstance(signal, SourceClosed)
    side = episode.side.opposite if contrarian else episode.side
    source_price = signal.exit_price if contrarian else signal.entry_price
    known_ms = epoch_ms(signal.known_at)
    mark = data.mark(episode.market, known_ms)
    assert mark is not None, "a covered signal has a bar before it"
    interval, first = markets.interval_ms, markets.first_bar
    close_ms = FAR_MS if closed is None else epoch_ms(closed.known_at)
    return (
        markets.names.index(episode.market),
        side.sign,
        known_ms,
        -(-known_ms // interval) - first,
        known_ms - epoch_ms(signal.happened_at),
        drift_ppm(source_price, instrument.price(mark)),
        ticks_nearest(source_price, instrument.tick_size),
        int(episode.provenance is Provenance.SEEDED),
        covered,
        close_ms,
        FAR_MS if closed is None else -(-close_ms // interval) - 1 - first,
        _lead_margin(episode),
    )


OWN_COLUMNS = SIGNAL_COLUMNS.index("paid_until_bar")


def _looked_up(row: tuple[int, ...], markets: PreparedMarkets, *, at_close: bool) -> tuple[int, ...]:
    """The rest of a signal row: what bars and funding say at the signal and at its fill."""
    signal = dict(zip(SIGNAL_COLUMNS, row, strict=False))
    market, bar = signal["market"], min(max(signal["fill_bar"], 0), markets.bars_count - 1)
    known, rest = divmod(signal["known_ms"], markets.interval_ms)
    seen = min(max(known - 1 - markets.first_bar, 0), markets.bars_count - 1)
    closes = [markets.bar_column(number, 2) for number in range(len(markets.names))]
    payments = slice(markets.funding_start[market], markets.funding_start[market + 1])
    return (
        known - markets.first_bar - (0 if rest else 1),
        int(closes[market][seen]),
        int(closes[market][bar] if at_close else markets.bar_column(market, 3)[bar]),
        (bar + markets.first_bar + int(at_close)) * markets.interval_ms,
        int(markets.funding_start[market] + np.searchsorted(markets.funding_bar[payments], bar, side="right")),
        *(int(column[seen]) for column in closes),
        *(int(column[bar if at_close else max(bar - 1, 0)]) for column in closes),
    )


def _lead_margin(episode: Episode) -> int:
    """The lead's margin in the trade as money; -1 when its leverage is unknown."""
    if episode.leverage is None or episode.leverage <= 0:
        return -1
    return money_from_decimal(episode.entry_price * episode.quantity_max / Decimal(episode.leverage))


def _covered_until(series: BarSeries, known_ms: int) -> int:
    """The first missing bar's open at or after two bars before the signal; -1 where `why_skipped` says outside bars."""
    start_ms = known_ms - 2 * series.interval_ms
    if len(series) == 0 or start_ms < series.start_ms or known_ms >= series.end_ms:
        return -1
    first = -(-start_ms // series.interval_ms) * series.interval_ms
    index = series.index_at_or_after(first)
    gaps = np.nonzero(np.diff(series.open_time_ms[index:]) != series.interval_ms)[0]
    if index == len(series) or int(series.open_time_ms[index]) != first:
        return first
    last = index + int(gaps[0]) if len(gaps) else len(series) - 1
    return int(series.open_time_ms[last]) + series.interval_ms
