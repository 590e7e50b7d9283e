"""Keeps what a session hears and how it stands: between its feed, its status, its journal and its files.

It observes only: a session that is not observed trades the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from typing_extensions import override

from copytrade_core.edges.runtime.runtime_files import RuntimeFiles
from copytrade_core.edges.runtime.seen_fills import unseen_fills
from copytrade_core.edges.runtime.seen_quotes import SeenQuotes
from copytrade_core.edges.runtime.session_db import SessionDb
from copytrade_core.edges.runtime.session_notes import (
    Statement,
    equity_row,
    observations,
    position_row,
)
from copytrade_core.edges.runtime.status_document import instant
from copytrade_core.model.episode import EpisodeState
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.session.feed import BarEnded, Feed, FeedReading, QuoteSeen
from copytrade_core.session.ports import StatusSink
from copytrade_core.session.status import PollNow, SessionStatus
from copytrade_core.session.watch import MarketWatch

_FILLS = """SELECT number, time_ms, kind, episode_id, market, side, price, quantity, leg FROM fills
    WHERE number > ? ORDER BY number"""
_SOURCES = """SELECT number, known_at_ms, kind, episode_id, market, side, price, quantity, change FROM source_events
    WHERE number > ? AND kind <> 'missing' ORDER BY number"""
_REFUSALS = """SELECT number, at_ms, 'refused', episode_id, '', '', NULL, NULL, reason FROM decisions
    WHERE number > ? AND decision = 'refused' ORDER BY number"""


class SessionObserver(StatusSink):
    """Give its `feed` and itself, as the status sink, to a session.

    Args:
        journal: where rows are kept.
        files: where files are kept.
        instruments: trading rules by market.
    """

    def __init__(self, *, journal: SessionDb, files: RuntimeFiles, instruments: Mapping[str, Instrument]) -> None:
        self._journal = journal
        self._files = files
        self._instruments = instruments
        self._waiting: list[Statement] = []
        self._quotes = SeenQuotes()
        self._marked = files.newest_events()
        self._candles = files.newest_candles()

    def feed(self, feed: Feed) -> Feed:
        """The same feed; what it brings is kept."""
        return _ObservedFeed(feed, self)

    def hear(self, reading: FeedReading) -> None:
        """Keep quotes and candles of one reading; they are written with the next status."""
        for step in reading.steps:
            if isinstance(step.item, QuoteSeen):
                self._quotes.saw(step.item)
            elif isinstance(step.item, BarEnded):
                bar = step.item.bar
                opens_at = instant(bar.open_time_ms)
                if opens_at > self._candles.get(bar.market, ""):
                    self._candles[bar.market] = opens_at
                    self._files.candle(bar)

    @override
    def show(self, status: SessionStatus) -> None:
        """Take the newest status.

        Raises:
            StoreFault: rows or files cannot be written; they are tried again with the next status.
        """
        self._waiting.append(equity_row(status))
        self._waiting.extend(position_row(each, at_ms=status.at_ms) for each in status.positions)
        try:
            if self._files.is_due(status):
                self._note()
        finally:
            # Also when the rows cannot be kept: a person must see how it stands.
            self._files.show(status)

    def _note(self) -> None:
        fills = unseen_fills(self._journal.ask)
        looks, self._waiting = self._waiting, []
        try:
            seen = observations(fills, self._journal.ask, self._instruments, self._quotes)
            self._journal.note((*looks, *seen))
        except BaseException:
            self._waiting = [*looks, *self._waiting]
            raise
        for event in self._chart_events():
            self._files.chart_event(event)

    def _chart_events(self) -> Iterator[dict[str, object]]:
        for name, query in (("source", _SOURCES), ("fill", _FILLS), ("refusal", _REFUSALS)):
            for row in self._journal.ask(query, (self._marked.get(name, 0),)):
                self._marked[name] = int(row[0])
                yield self._chart_event(name, row)

    def _chart_event(self, name: str, row: tuple[Any, ...]) -> dict[str, object]:
        number, at_ms, kind, episode_id, market, side, price, quantity, label = row
        rules = self._instruments.get(market)
        if name == "fill" and rules is not None:
            price, quantity = f"{rules.price(price):f}", f"{rules.quantity(quantity):f}"
        return {
            "event_id": f"{name}:{number}",
            "at": instant(at_ms),
            "kind": f"{name}_{kind}" if name != "refusal" else "refused",
            "episode_id": episode_id,
            "market": market or None,
            "side": side or None,
            "price": price,
            "quantity": quantity,
            "label": label,
        }


class _ObservedFeed(Feed):
    def __init__(self, feed: Feed, observer: SessionObserver) -> None:
        self._feed = feed
        self._observer = observer

    @property
    @override
    def watch(self) -> MarketWatch:
        return self._feed.watch

    @property
    @override
    def poll(self) -> PollNow:
        return self._feed.poll

    @property
    @override
    def fault(self) -> str | None:
        return self._feed.fault

    @override
    def source_state(self, episode_id: str) -> EpisodeState:
        return self._feed.source_state(episode_id)

    @override
    def resume(self, cursor: str | None) -> None:
        self._feed.resume(cursor)

    @override
    def due_ms(self, working: frozenset[Market]) -> int | None:
        return self._feed.due_ms(working)

    @override
    def read(self, now_ms: int, working: frozenset[Market]) -> FeedReading:
        reading = self._feed.read(now_ms, working)
        self._observer.hear(reading)
        return reading
