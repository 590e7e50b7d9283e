"""Asking in the background: one thread for the leads' pages, one for the market.

So a slow host never makes a session deaf to its controls. What an answer means is `live_feed`'s.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from queue import SimpleQueue

from copytrade_core.edges.feeds.live_funding import FundingLook, Settled
from copytrade_core.edges.feeds.poll_pace import PollPace
from copytrade_core.edges.market.http_market import FuturesMarket
from copytrade_core.edges.market.market_answers import BestQuote, MarkPrice
from copytrade_core.edges.pages.http_pages import LeadPages
from copytrade_core.model.errors import CopytradeError, StoreFault
from copytrade_core.model.instrument import Market
from copytrade_core.model.source import LeadId, SourcePage
from copytrade_core.sources.envelope import MalformedPage, UpstreamError

HISTORY_ROWS = 50
CLOSE_TIMEOUT_S = 3.0
"""A request that takes longer than this when a session ends is left behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolledPages:
    """The answers of one poll of a lead. `fault` names why there is no open-positions answer.

    `detail` was asked just before `opened`; None when its answer could not be used. `took_ms` is what the request for
    the open positions took; `failures_count` the failed polls in a row, and `next_at` when the lead is asked again.
    `is_unkept` says that an answer could not be archived and was therefore not looked at.
    """

    lead_id: LeadId
    opened: SourcePage | None
    detail: SourcePage | None
    history: SourcePage | None
    fault: str | None
    asked_at: datetime
    took_ms: int | None = None
    failures_count: int = 0
    next_at: datetime | None = None
    is_unkept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPrices:
    """Quotes, marks and settled funding; `fault` says what could not be had. No quote is older than `asked_at`."""

    quotes: Mapping[Market, BestQuote]
    marks: Mapping[Market, MarkPrice]
    funding: Mapping[Market, Settled]
    fault: str | None
    asked_at: datetime
    took_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PollingBroke:
    """A fault of ours has ended one of the threads: a session would be deaf without knowing it."""

    what: str


Arrived = PolledPages | SeenPrices | PollingBroke


class LivePolling:
    """Polls until it is closed; answers are taken from `arrived` by the session's own thread.

    Args:
        leads: whom to ask for.
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
        self._changed = threading.Condition()
        self._is_ended = False
        self._prices_wanted = threading.Event()
        self._history_wanted: set[LeadId] = set()
        self._at_once: set[LeadId] = set()
        self._funded_ms: Mapping[Market, int] = {}
        self._funding = FundingLook(market)
        self._threads = [
            threading.Thread(target=self._kept, args=(self._poll_leads, poll_every_s), name="polls", daemon=True),
            threading.Thread(target=self._kept, args=(self._read_prices, price_every_s), name="prices", daemon=True),
        ]

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def want_history(self, lead_id: LeadId, *, at_once: bool) -> None:
        """Something that was held is missing: ask the history with the next poll, and that poll perhaps at once."""
        with self._changed:
            self._history_wanted.add(lead_id)
            if at_once:
                self._at_once.add(lead_id)
                self._changed.notify()

    def want_prices(self) -> None:
        """An order waits for a price: read them now."""
        self._prices_wanted.set()

    def want_funding(self, since_ms: Mapping[Market, int]) -> None:
        """Markets in which something is held, and the time from which on funding is due there."""
        self._funded_ms = dict(since_ms)

    def close(self) -> None:
        """Ask nothing more. A request on its way ends by its own time-out; its answer is not read."""
        with self._changed:
            self._is_ended = True
            self._changed.notify_all()
        self._prices_wanted.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=CLOSE_TIMEOUT_S)
        if not any(thread.is_alive() for thread in self._threads):
            self._pages.close()
            self._market.close()

    def _kept(self, work: Callable[[float], None], every_s: float) -> None:
        try:
            work(every_s)
        except Exception as error:  # noqa: BLE001 (whatever it is, the session must hear that nobody asks any more)
            self.arrived.put(PollingBroke(what=f"{type(error).__name__}: {error}"))

    # -- leads ------------------------------------------------------------------------------------------------------

    def _poll_leads(self, every_s: float) -> None:
        paces = {lead: PollPace(every_s=every_s, chance=random.random) for lead in self._leads}
        due_s = dict.fromkeys(self._leads, 0.0)
        while (lead := self._next(due_s)) is not None:
            began_s = time.monotonic()
            polled = self._polled(lead)
            wait_s = paces[lead].answered() if polled.fault is None else paces[lead].failed()
            due_s[lead] = max(began_s + wait_s, time.monotonic())
            next_at = self._now() + timedelta(seconds=due_s[lead] - time.monotonic())
            self.arrived.put(replace(polled, failures_count=paces[lead].failures_count, next_at=next_at))

    def _next(self, due_s: Mapping[LeadId, float]) -> LeadId | None:
        """The lead to ask, when it is time; None when there is nothing to ask any more."""
        with self._changed:
            while not self._is_ended:
                if self._at_once:
                    return self._at_once.pop()
                lead = min(due_s, key=lambda each: due_s[each])
                wait_s = due_s[lead] - time.monotonic()
                if wait_s <= 0:
                    return lead
                _ = self._changed.wait(wait_s)
        return None

    def _polled(self, lead: LeadId) -> PolledPages:
        asked_at = self._now()
        history = detail = opened = None
        fault, is_unkept, took_ms = None, False, None
        try:
            history = self._history(lead)
            # In the same cycle and before: an empty list is a flat lead only while its detail says that it is shown.
            detail = self._detail(lead)
            began_s = time.monotonic()
            opened = self._pages.open_positions(lead)
            took_ms = round((time.monotonic() - began_s) * 1000)
        except CopytradeError as error:
            fault, is_unkept = f"{type(error).__name__}: {error.what}", isinstance(error, StoreFault)
        return PolledPages(
            lead_id=lead,
            opened=opened,
            detail=detail,
            history=history,
            fault=fault,
            asked_at=asked_at,
            took_ms=took_ms,
            is_unkept=is_unkept,
        )

    def _history(self, lead: LeadId) -> SourcePage | None:
        """The newest closed rows when they are wanted; a history that cannot be had is asked with the next poll."""
        with self._changed:
            if lead not in self._history_wanted:
                return None
            self._history_wanted.discard(lead)
        try:
            return self._pages.history_page(lead, page=1, page_rows=HISTORY_ROWS)
        except StoreFault:
            raise
        except CopytradeError:
            self.want_history(lead, at_once=False)
            return None

    def _detail(self, lead: LeadId) -> SourcePage | None:
        """None when the answer is of no use; it is archived all the same, so that a restart sees it so too."""
        try:
            return self._pages.detail(lead)
        except (UpstreamError, MalformedPage):
            return None

    # -- prices -----------------------------------------------------------------------------------------------------

    def _read_prices(self, every_s: float) -> None:
        while not self._is_ended:
            self._prices_wanted.clear()
            self.arrived.put(self._seen())
            _ = self._prices_wanted.wait(every_s)

    def _seen(self) -> SeenPrices:
        asked_at, began_s = self._now(), time.monotonic()
        quotes: Mapping[Market, BestQuote] = {}
        marks: Mapping[Market, MarkPrice] = {}
        faults: list[str] = []
        try:
            quotes = self._market.best_quotes()
        except CopytradeError as error:
            faults.append(f"quotes: {type(error).__name__}: {error.what}")
        try:
            marks = self._market.mark_prices()
        except CopytradeError as error:
            faults.append(f"marks: {type(error).__name__}: {error.what}")
        took_ms = round((time.monotonic() - began_s) * 1000)
        return SeenPrices(
            quotes=quotes,
            marks=marks,
            funding=self._funding.payments(self._funded_ms, marks, self._now()),
            fault="; ".join(faults) or None,
            asked_at=asked_at,
            took_ms=took_ms,
        )
