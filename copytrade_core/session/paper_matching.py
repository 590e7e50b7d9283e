"""Which paper orders fill at the bars or the quote that a session was told of: replay's exchange, fill by fill.

Booking, cancelling and remembering are the broker's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from copytrade_core.model.bar import Bar, QuoteSeries
from copytrade_core.model.errors import BadConfig, BadInput, Where
from copytrade_core.model.fill import Fill, FillModel
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.order import Order
from copytrade_core.model.round_trip import CostModel
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Ppm, Ticks
from copytrade_core.virtual_exchange.exchange import VirtualExchange

_MODELS = "|".join(FillModel)
_TERMS = re.compile(rf"({_MODELS}) ({_MODELS}) taker (\d+) maker (\d+) slippage (\d+) ppm delay (\d+) ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTerms:
    """What a paper account assumes.

    `market_fill` is `next_bar_open` (bars) or `quote_snapshot` (best quotes); `delay_ms` the time from sending an
    order to its being executable; `cash` the equity it begins with.
    """

    market_fill: FillModel
    rung_fill: FillModel
    costs: CostModel
    delay_ms: int
    cash: Money

    @property
    def text(self) -> str:
        """The terms in one line, so that an account is never gone on with under others."""
        costs = self.costs
        fees = f"taker {costs.taker_fee} maker {costs.maker_fee} slippage {costs.slippage} ppm"
        return f"{self.market_fill} {self.rung_fill} {fees} delay {self.delay_ms} ms"

    @classmethod
    def of_text(cls, text: str, *, cash: Money) -> PaperTerms:
        """The terms back from their line, to read an account as it was opened; where its costs come from is not in it.

        Raises:
            BadInput: not such a line.
        """
        found = _TERMS.fullmatch(text)
        if found is None:
            raise BadInput(f"{text!r} are no terms of a paper account", where=Where(field="terms"))
        taker, maker, slippage, delay_ms = map(int, found.group(3, 4, 5, 6))
        return cls(
            market_fill=FillModel(found[1]),
            rung_fill=FillModel(found[2]),
            costs=CostModel(taker_fee=Ppm(taker), maker_fee=Ppm(maker), slippage=Ppm(slippage), source="its log"),
            delay_ms=delay_ms,
            cash=cash,
        )


class PaperMatching:
    """Resting paper orders of all markets.

    With bars there is one exchange, and the order of events within a bar is replay's. With quotes there is one for each
    side of a position: what closes a long trades at the bid, what closes a short at the ask.

    Args:
        instruments: trading rules by market.
        terms: fill models and costs.

    Raises:
        BadConfig: a market fill model that would need a price of the future (`first_bar_close`).
    """

    def __init__(self, *, instruments: Mapping[str, Instrument], terms: PaperTerms) -> None:
        if terms.market_fill not in (FillModel.NEXT_BAR_OPEN, FillModel.QUOTE_SNAPSHOT):
            raise BadConfig(
                f"{terms.market_fill} is no paper fill: it is not the next executable price",
                where=Where(field="market_fill"),
                next_step=f"Use {FillModel.NEXT_BAR_OPEN} with bars or {FillModel.QUOTE_SNAPSHOT} with quotes",
            )
        self._is_quoted = terms.market_fill is FillModel.QUOTE_SNAPSHOT
        self._quotes: dict[str, QuoteSeries] = {}
        sides = (Side.LONG, Side.SHORT) if self._is_quoted else (None,)
        self._exchanges = {
            side: VirtualExchange(
                instruments=instruments,
                costs=terms.costs,
                market_fill=terms.market_fill,
                rung_fill=terms.rung_fill,
                quotes=self._quotes,
            )
            for side in sides
        }

    def submit(self, order: Order) -> None:
        """Rest an order."""
        self._of(order.side).submit(order)

    def cancel(self, order: Order) -> None:
        """Take an order back."""
        self._of(order.side).cancel(order.client_order_id)

    def during_bars(self, bars: tuple[Bar, ...], closing: frozenset[str]) -> Iterator[Fill]:
        """Fills of one interval in replay's order: exits at the open, entries at the open, then inside."""
        exchange = self._of(Side.LONG)
        for exits in (True, False):
            for bar in bars:
                yield from exchange.at_open(bar, exits=exits)
        for bar in bars:
            yield from exchange.inside(bar, closing=closing)

    def at_quote(self, market: Market, *, bid: Ticks, ask: Ticks, time_ms: int) -> Iterator[Fill]:
        """Fills at one best quote: market orders first, then what rests and the quote has reached.

        A quote is judged as a bar that is one millisecond long; a rung fills only when the price is beyond it.
        """
        self._quotes[market] = QuoteSeries(
            market=market,
            time_ms=np.array([time_ms], dtype=np.int64),
            bid=np.array([bid], dtype=np.int32),
            ask=np.array([ask], dtype=np.int32),
        )
        moments = {side: _moment(market, bid if side is Side.LONG else ask, time_ms) for side in Side}
        for exits in (True, False):
            for side in Side:
                yield from self._of(side).at_open(moments[side], exits=exits)
        for side in Side:
            yield from self._of(side).inside(moments[side], closing=())

    def _of(self, side: Side) -> VirtualExchange:
        return self._exchanges[side if self._is_quoted else None]


def _moment(market: Market, price: Ticks, time_ms: int) -> Bar:
    return Bar(market=market, open_time_ms=time_ms, interval_ms=1, open=price, high=price, low=price, close=price)
