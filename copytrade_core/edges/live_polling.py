"""Asking in the background: one thread for the leads' pages, one for the market.

So a slow host never makes a session deaf to its controls. What an answer means is `live_feed`'s.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from queue import SimpleQueue

from copytrade_core.edges.http_market import FuturesMarket
from copytrade_core.edges.http_pages import LeadPages
from copytrade_core.edges.market_answers import BestQuote, MarkPrice
from copytrade_core.model.errors import CopytradeError
from copytrade_core.model.instrument import Market
from copytrade_core.model.source import LeadId, SourcePage

DETAIL_EVERY = 4
"""The detail page says whether positions are shown; a page this many polls old still counts (`SAME_CYCLE_S`)."""
HISTORY_ROWS = 50
CLOSE_TIMEOUT_S = 3.0
"""A request that takes longer than this when a session ends is left behind."""
BACKOFF_MAX = 32
"""After failures a poll waits its interval times a power of two, up to this many times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolledPages:
    """The answers of one poll of a lead. `fault` names why there is no open-positions answer."""

    lead_id: LeadId
    opened: SourcePage | None
    detail: SourcePage | None
    history: SourcePage | None
    fault: str | None
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPrices:
    """Quotes and marks of every market, or why there are none."""

    quotes: Mapping[Market, BestQuote]
    marks: Mapping[Market, MarkPrice]
    fault: str | None


Arrived = PolledPages | SeenPrices


class LivePolling:
    """Polls until it is closed; answers are taken from `arrived` by the session's own thread.

    Args:
        leads: whom to ask for, in turn.
        pages: the source's client, used by one thread only.
        market: the market's client, used by one thread only.
        poll_every_s: between two polls of a lead.
        price_every_s: between two readings of prices.
        now: our clock.
    """

    def __init__(
        self,
        *,
        leads: Sequence[LeadId],
        pages: LeadPages,
        market: FuturesMarket,
        poll_every_s: float,
        price_every_s: float,
        now: Callable[[], datetime],
    ) -> None:
        self.arrived: SimpleQueue[Arrived] = SimpleQueue()
        self._leads = leads
        self._pages = pages
        self._market = market
        self._now = now
        self._ended = threading.Event()
        self._prices_wanted = threading.Event()
        self._history_wanted: dict[LeadId, threading.Event] = {lead: threading.Event() for lead in leads}
        self._threads = [
            threading.Thread(target=self._poll_leads, args=(poll_every_s,), name="polls", daemon=True),
            threading.Thread(target=self._read_prices, args=(price_every_s,), name="prices", daemon=True),
        ]

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def want_history(self, lead_id: LeadId) -> None:
        """Something that was held is missing: ask the lead's history, and then once more what is open."""
        self._history_wanted[lead_id].set()

    def want_prices(self) -> None:
        """An order waits for a price: read them now."""
        self._prices_wanted.set()

    def close(self) -> None:
        """Ask nothing more. A request on its way ends by its own time-out; its answer is not read."""
        self._ended.set()
        self._prices_wanted.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=CLOSE_TIMEOUT_S)
        if not any(thread.is_alive() for thread in self._threads):
            self._pages.close()
            self._market.close()

    def _poll_leads(self, every_s: float) -> None:
        number = 0
        failures = dict.fromkeys(self._leads, 0)
        skipped = dict.fromkeys(self._leads, 0)
        while not self._ended.is_set():
            for lead in self._leads:
                if skipped[lead] > 0:
                    skipped[lead] -= 1
                    continue
                polled = self._polled(lead, with_detail=number % DETAIL_EVERY == 0 or failures[lead] > 0)
                failures[lead] = 0 if polled.fault is None else failures[lead] + 1
                skipped[lead] = min(BACKOFF_MAX, 2 ** failures[lead]) - 1 if failures[lead] > 1 else 0
                self.arrived.put(polled)
            number += 1
            self._rest(every_s)

    def _rest(self, every_s: float) -> None:
        """Wait, but not when a history is wanted."""
        step_s = min(0.1, every_s)
        for _ in range(max(1, round(every_s / step_s))):
            if self._ended.wait(step_s) or any(wanted.is_set() for wanted in self._history_wanted.values()):
                return

    def _polled(self, lead: LeadId, *, with_detail: bool) -> PolledPages:
        history, wanted = None, self._history_wanted[lead]
        asked_at, detail = self._now(), None
        try:
            if wanted.is_set():
                wanted.clear()
                history = self._pages.history_page(lead, page=1, page_rows=HISTORY_ROWS)
            if with_detail:
                detail = self._pages.detail(lead)
            opened = self._pages.open_positions(lead)
        except CopytradeError as fault:
            return PolledPages(
                lead_id=lead,
                opened=None,
                detail=detail,
                history=history,
                fault=f"{type(fault).__name__}: {fault.what}",
                asked_at=asked_at,
            )
        return PolledPages(lead_id=lead, opened=opened, detail=detail, history=history, fault=None, asked_at=asked_at)

    def _read_prices(self, every_s: float) -> None:
        while not self._ended.is_set():
            self._prices_wanted.clear()
            try:
                seen = SeenPrices(quotes=self._market.best_quotes(), marks=self._market.mark_prices(), fault=None)
            except CopytradeError as fault:
                seen = SeenPrices(quotes={}, marks={}, fault=f"{type(fault).__name__}: {fault.what}")
            self.arrived.put(seen)
            _ = self._prices_wanted.wait(every_s)
