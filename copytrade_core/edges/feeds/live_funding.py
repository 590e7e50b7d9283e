"""When the settled funding of a held market is asked for: at the start, and once each instant has passed.

What a payment costs a holding is the session's; here it is only found out which there were.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from copytrade_core.edges.market.http_market import FUNDING_PAGE_ROWS, FuturesMarket
from copytrade_core.edges.market.intervals import epoch_ms
from copytrade_core.edges.market.market_answers import MarkPrice
from copytrade_core.edges.market.market_snapshot import FundingPayment
from copytrade_core.model.errors import CopytradeError
from copytrade_core.model.instrument import Market

HOUR_MS = 3_600_000
PUBLISHED_MS_MAX = 60_000
"""What was due before the first look, and so long ago, is published."""
LATE_MS_MAX = 600_000
"""A payment that is not published so long after its instant was none."""
AGAIN_S = 5.0
"""Between two looks for a payment that is not published yet, or could not be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Payments of one market, complete for every instant before `until_ms`."""

    rows: tuple[FundingPayment, ...]
    until_ms: int


class FundingLook:
    """The payments of one market's exchange. Used by one thread only."""

    def __init__(self, market: FuturesMarket) -> None:
        self._market = market
        self._next_ms: dict[Market, int] = {}
        self._again_s: dict[Market, float] = {}

    def payments(
        self, since_ms: Mapping[Market, int], marks: Mapping[Market, MarkPrice], now: datetime
    ) -> Mapping[Market, Settled]:
        """Payments of each market since its time, where an instant has passed; a market may be left out and come later.

        A payment may be told several times: who books it knows by its instant.
        """
        for gone in [market for market in self._next_ms if market not in since_ms]:
            del self._next_ms[gone]
            _ = self._again_s.pop(gone, None)
        now_ms = epoch_ms(now)
        found: dict[Market, Settled] = {}
        for market, start_ms in since_ms.items():
            mark = marks.get(market)
            next_ms = None if mark is None else epoch_ms(mark.next_funding_at)
            if self._is_due(market, next_ms, now_ms):
                self._again_s[market] = time.monotonic() + AGAIN_S
                try:
                    rows = self._market.settled_funding(market, start_ms=start_ms, end_ms=now_ms + 1)
                except CopytradeError:
                    continue
                until_ms = self._looked(market, rows, next_ms, now_ms, start_ms)
                found[market] = Settled(rows=rows, until_ms=until_ms)
        return found

    def _is_due(self, market: Market, next_ms: int | None, now_ms: int) -> bool:
        waited_for = self._next_ms.get(market)
        if time.monotonic() < self._again_s.get(market, 0.0):
            return False
        return waited_for is None or now_ms >= waited_for or (next_ms is not None and next_ms > waited_for)

    def _looked(
        self, market: Market, rows: tuple[FundingPayment, ...], next_ms: int | None, now_ms: int, start_ms: int
    ) -> int:
        """Note when to look next; gives the instant before which nothing is missing."""
        if len(rows) >= FUNDING_PAGE_ROWS:
            return rows[-1].time_ms + 1
        newest_ms = max((row.time_ms for row in rows), default=0)
        waited_for = self._next_ms.get(market)
        hour_ms = now_ms // HOUR_MS * HOUR_MS
        if waited_for is None and hour_ms >= start_ms and now_ms < hour_ms + PUBLISHED_MS_MAX:
            waited_for = hour_ms
        if waited_for is not None and newest_ms < waited_for and now_ms < waited_for + LATE_MS_MAX:
            self._next_ms[market] = waited_for
            return min(waited_for, now_ms + 1)
        _ = self._again_s.pop(market, None)
        self._next_ms[market] = next_ms if next_ms is not None and next_ms > now_ms else hour_ms + HOUR_MS
        return now_ms + 1
