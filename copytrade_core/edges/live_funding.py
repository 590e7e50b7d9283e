"""When the settled funding of a held market is asked for: at the start, and once each instant has passed.

What a payment costs a holding is the session's; here it is only found out which there were.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

from copytrade_core.edges.http_market import FuturesMarket
from copytrade_core.edges.intervals import epoch_ms
from copytrade_core.edges.market_answers import MarkPrice
from copytrade_core.edges.market_snapshot import FundingPayment
from copytrade_core.model.errors import CopytradeError
from copytrade_core.model.instrument import Market

HOUR_MS = 3_600_000
LATE_MS_MAX = 600_000
"""A payment that is not published so long after its instant was none."""
AGAIN_S = 5.0
"""Between two looks for a payment that is not published yet, or could not be asked."""


class FundingLook:
    """The payments of one market's exchange. Used by one thread only."""

    def __init__(self, market: FuturesMarket) -> None:
        self._market = market
        self._next_ms: dict[Market, int] = {}
        self._again_s: dict[Market, float] = {}

    def payments(
        self, since_ms: Mapping[Market, int], marks: Mapping[Market, MarkPrice], now: datetime
    ) -> Mapping[Market, tuple[FundingPayment, ...]]:
        """Payments of each market since its time, where an instant has passed; a market may be left out and come later.

        A payment may be told several times: who books it knows by its instant.
        """
        for gone in [market for market in self._next_ms if market not in since_ms]:
            del self._next_ms[gone]
            _ = self._again_s.pop(gone, None)
        now_ms = epoch_ms(now)
        found: dict[Market, tuple[FundingPayment, ...]] = {}
        for market, start_ms in since_ms.items():
            mark = marks.get(market)
            next_ms = None if mark is None else epoch_ms(mark.next_funding_at)
            if self._is_due(market, next_ms, now_ms):
                self._again_s[market] = time.monotonic() + AGAIN_S
                try:
                    rows = self._market.settled_funding(market, start_ms=start_ms, end_ms=now_ms + 1)
                except CopytradeError:
                    continue
                self._looked(market, rows, next_ms, now_ms)
                found[market] = rows
        return found

    def _is_due(self, market: Market, next_ms: int | None, now_ms: int) -> bool:
        waited_for = self._next_ms.get(market)
        if time.monotonic() < self._again_s.get(market, 0.0):
            return False
        return waited_for is None or now_ms >= waited_for or (next_ms is not None and next_ms > waited_for)

    def _looked(self, market: Market, rows: tuple[FundingPayment, ...], next_ms: int | None, now_ms: int) -> None:
        waited_for = self._next_ms.get(market)
        is_late = waited_for is not None and all(row.time_ms < waited_for for row in rows)
        if is_late and waited_for is not None and now_ms < waited_for + LATE_MS_MAX:
            return
        _ = self._again_s.pop(market, None)
        hour_ms = (now_ms // HOUR_MS + 1) * HOUR_MS
        self._next_ms[market] = next_ms if next_ms is not None and next_ms > now_ms else hour_ms
