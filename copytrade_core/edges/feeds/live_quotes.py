"""Prices that were read -> marks for the watch, quotes to fill at, and funding that is due. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from copytrade_core.edges.feeds.live_funding import Settled
from copytrade_core.edges.feeds.live_polling import SeenPrices
from copytrade_core.edges.feeds.live_watch import LiveWatch
from copytrade_core.edges.market.intervals import epoch_ms
from copytrade_core.edges.market.market_answers import BestQuote, MarkPrice
from copytrade_core.edges.market.market_snapshot import FundingPayment
from copytrade_core.model.errors import OutOfBounds
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.units import FundingRate, Ticks, ticks_down, ticks_nearest, ticks_up
from copytrade_core.session.feed import FeedStep, FundingDue, QuoteSeen


class LiveQuotes:
    """What prices mean to a session. A market whose prices cannot be used is left out; its mark then grows old.

    Args:
        instruments: trading rules by market; other markets are not quoted.
        watch: where marks are kept.
    """

    def __init__(self, instruments: Mapping[str, Instrument], watch: LiveWatch) -> None:
        self._instruments = instruments
        self._watch = watch
        self._coming: dict[Market, FundingDue] = {}
        self._unfunded_ms: dict[Market, int] = {}
        self._left_ms: dict[Market, int] = {}
        self._told: set[tuple[Market, int]] = set()

    @property
    def unfunded_since_ms(self) -> Mapping[Market, int]:
        """Markets in which something was held or waits, and from when on funding there is not known yet."""
        return self._unfunded_ms

    def hold(self, since_ms: Mapping[Market, int], now_ms: int) -> None:
        """Something is held or waits in these markets, in each since then; one that is known already keeps its time.

        One that is left is forgotten when all its funding until now is known.
        """
        for market, at_ms in since_ms.items():
            _ = self._unfunded_ms.setdefault(market, at_ms)
            _ = self._left_ms.pop(market, None)
        for market in self._unfunded_ms:
            if market not in since_ms:
                _ = self._left_ms.setdefault(market, now_ms)

    def steps(self, seen: SeenPrices, now_ms: int, working: frozenset[Market]) -> Iterator[FeedStep]:
        """Marks are kept; funding that may be owed, then quotes of the markets that need prices, are given."""
        for name, rules in self._instruments.items():
            market = Market(name)
            quote, mark = seen.quotes.get(market), seen.marks.get(market)
            if mark is not None:
                self._marked(rules, mark, now_ms)
            if market in self._unfunded_ms:
                yield from self._funding(market, rules, mark, seen.funding.get(market), now_ms)
            if market in working and quote is not None:
                yield from self._quoted(rules, quote, now_ms, epoch_ms(seen.asked_at))

    def _marked(self, rules: Instrument, mark: MarkPrice, now_ms: int) -> None:
        try:
            ticks = ticks_nearest(mark.mark_price, rules.tick_size)
        except OutOfBounds:
            return
        self._watch.marked(rules.market, ticks, min(now_ms, epoch_ms(mark.at)))

    def _quoted(self, rules: Instrument, quote: BestQuote, now_ms: int, asked_ms: int) -> Iterator[FeedStep]:
        """A quote counts from when it was asked for: an order that was sent since then may not fill at it."""
        try:
            bid, ask = ticks_down(quote.bid, rules.tick_size), ticks_up(quote.ask, rules.tick_size)
        except OutOfBounds:
            return
        mark, age_ms = self._watch.mark(rules.market, now_ms), self._watch.mark_age_ms(rules.market, now_ms)
        at_ms = min(asked_ms, now_ms)
        seen = QuoteSeen(
            market=rules.market,
            bid=bid,
            ask=ask,
            # What is held must be able to leave while its market gives quotes and no mark.
            mark=bid if mark is None else mark,
            time_ms=at_ms,
            age_ms=0 if age_ms is None else age_ms,
        )
        yield FeedStep(item=seen, cursor=None)

    # -- funding ----------------------------------------------------------------------------------------------------

    def _funding(
        self,
        market: Market,
        rules: Instrument,
        mark: MarkPrice | None,
        settled: Settled | None,
        now_ms: int,
    ) -> Iterator[FeedStep]:
        """What was settled, as published; an instant that has passed unpublished at the last rate seen before it.

        Whoever held something then pays once for each instant, so what is told twice is paid once.
        """
        payments = [] if settled is None else [self._settled(market, rules, each, now_ms) for each in settled.rows]
        passed = None if mark is None else self._passed(market, mark, now_ms)
        due = {each.time_ms: each for each in (passed, *payments) if each is not None}
        for time_ms in sorted(due):
            if time_ms >= self._unfunded_ms[market] and (market, time_ms) not in self._told:
                self._told.add((market, time_ms))
                yield FeedStep(item=due[time_ms], cursor=None)
        if settled is not None and None not in payments:
            self._known(market, settled.until_ms)

    def _known(self, market: Market, until_ms: int) -> None:
        self._unfunded_ms[market] = max(until_ms, self._unfunded_ms[market])
        self._told = {each for each in self._told if each[0] != market or each[1] >= until_ms}
        if until_ms > self._left_ms.get(market, until_ms):
            del self._unfunded_ms[market], self._left_ms[market]

    def _settled(self, market: Market, rules: Instrument, payment: FundingPayment, now_ms: int) -> FundingDue | None:
        price = self._watch.mark(market, now_ms)
        if payment.mark_price is not None:
            try:
                price = ticks_nearest(payment.mark_price, rules.tick_size)
            except OutOfBounds:
                return None
        return None if price is None else _due(market, payment.rate, price, payment.time_ms)

    def _passed(self, market: Market, mark: MarkPrice, now_ms: int) -> FundingDue | None:
        before, next_ms = self._coming.get(market), epoch_ms(mark.next_funding_at)
        price = self._watch.mark(market, now_ms)
        if price is not None:
            self._coming[market] = _due(market, mark.funding_rate, price, next_ms)
        is_over = before is not None and before.time_ms < next_ms and before.time_ms <= now_ms
        return before if is_over else None


def _due(market: Market, rate: FundingRate, price: Ticks, time_ms: int) -> FundingDue:
    return FundingDue(market=market, rate=rate, price=price, time_ms=time_ms)
