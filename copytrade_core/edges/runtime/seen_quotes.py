"""The best quotes that a session has just seen: each fill is noted with the one before it. Keeps no history."""

from __future__ import annotations

from copytrade_core.session.feed import QuoteSeen

KEPT_PER_MARKET = 256
"""More readings than fit between two statuses; an older quote is no quote before a fill."""


class SeenQuotes:
    """The newest quotes of each market."""

    def __init__(self) -> None:
        self._by_market: dict[str, list[QuoteSeen]] = {}

    def saw(self, quote: QuoteSeen) -> None:
        """Remember one; only the newest of a market are kept."""
        seen = self._by_market.setdefault(quote.market, [])
        seen.append(quote)
        del seen[:-KEPT_PER_MARKET]

    def before(self, market: str, time_ms: int) -> QuoteSeen | None:
        """The last quote of a market at a time or before it; None when none is remembered."""
        known = (quote for quote in reversed(self._by_market.get(market, ())) if quote.time_ms <= time_ms)
        return next(known, None)
