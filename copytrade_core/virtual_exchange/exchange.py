"""The virtual exchange: orders in, fills out, one bar at a time on a virtual clock.

Inside a bar the adverse comes before the favourable: rungs and stops in the order the price meets them, then rungs that
need a close beyond them, and take-profits only when no rung filled. Booking and deciding are not done here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np
from typing_extensions import override

from copytrade_core.model.bar import Bar, QuoteSeries
from copytrade_core.model.broker import OrderSink
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.fill import MARKET_FILL_MODELS, RUNG_FILL_MODELS, Fill, FillModel
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import LimitStyle, MarketStyle, StopStyle
from copytrade_core.model.order import Order
from copytrade_core.model.round_trip import CostModel
from copytrade_core.model.units import Money, Ticks, against, fee
from copytrade_core.virtual_exchange.matching import limit_close_beyond, limit_touch, stop_touch


class VirtualExchange(OrderSink):
    """Resting orders of all markets, matched against bars.

    Args:
        instruments: trading rules by market.
        costs: fees and slippage; slippage moves every fill against us.
        market_fill: how market orders fill (`MARKET_FILL_MODELS`).
        rung_fill: how resting entries fill (`RUNG_FILL_MODELS`).
        quotes: recorded quotes by market, needed by `quote_snapshot`.

    Raises:
        BadInput: a fill model of the wrong kind.
    """

    def __init__(
        self,
        *,
        instruments: Mapping[str, Instrument],
        costs: CostModel,
        market_fill: FillModel,
        rung_fill: FillModel,
        quotes: Mapping[str, QuoteSeries],
    ) -> None:
        if market_fill not in MARKET_FILL_MODELS:
            raise BadInput(f"{market_fill} does not fill market orders", where=Where(field="market_fill"))
        if rung_fill not in RUNG_FILL_MODELS:
            raise BadInput(f"{rung_fill} does not fill resting entries", where=Where(field="rung_fill"))
        self._instruments = instruments
        self._costs = costs
        self._market_fill = market_fill
        self._rung_fill = rung_fill
        self._quotes = quotes
        self._orders: dict[str, dict[str, Order]] = {}

    @override
    def submit(self, order: Order) -> None:
        """Rest an order.

        Raises:
            BadInput: its client order id is already resting.
        """
        resting = self._orders.setdefault(order.market, {})
        if order.client_order_id in resting:
            raise BadInput(f"duplicate client order id {order.client_order_id}", where=Where(field="client_order_id"))
        resting[order.client_order_id] = order

    @override
    def cancel(self, client_order_id: str) -> None:
        """Take an order back if it rests."""
        for resting in self._orders.values():
            if resting.pop(client_order_id, None) is not None:
                return

    def active_markets(self) -> tuple[str, ...]:
        """Markets with at least one resting order."""
        return tuple(market for market, resting in self._orders.items() if resting)

    def at_open(self, bar: Bar, *, exits: bool) -> Iterator[Fill]:
        """Market exits, or market entries, that are due when the bar opens, in order of arrival.

        The caller books each fill, and may submit or cancel, before it asks for the next; and it asks every market for
        exits before it asks any for entries, so that capital does not depend on the order of markets.
        """
        if self._market_fill is FillModel.FIRST_BAR_CLOSE:
            return
        for order in self._due(bar, reducing=exits):
            found = self._market_price(order, bar)
            if found is not None and self._take(order):
                price, time_ms = found
                yield self._fill(order, bar, price, time_ms, self._market_fill)

    def inside(self, bar: Bar, *, closing: Collection[str]) -> Iterator[Fill]:
        """What rests and fills while the bar lasts, episode by episode.

        Args:
            bar: the bar.
            closing: episodes whose source closes before the bar ends: their last bar, in which no rung fills by its
                close.
        """
        for episode_id in dict.fromkeys(order.episode_id for order in self._resting(bar.market)):
            yield from self._inside_episode(episode_id, bar, is_last=episode_id in closing)

    def at_close(self, bar: Bar, *, exits: bool) -> Iterator[Fill]:
        """Market exits, or market entries, that fill at the bar's close."""
        if self._market_fill is not FillModel.FIRST_BAR_CLOSE:
            return
        for order in self._due(bar, reducing=exits):
            if self._take(order):
                yield self._fill(order, bar, bar.close, bar.end_ms, self._market_fill)

    def _inside_episode(self, episode_id: str, bar: Bar, *, is_last: bool) -> Iterator[Fill]:
        rung_filled = False
        while (hit := self._next_adverse(episode_id, bar)) is not None:
            order, price = hit
            _ = self._take(order)
            rung_filled = rung_filled or not order.reduce_only
            model = FillModel.TOUCH if order.reduce_only else self._rung_fill
            yield self._fill(order, bar, price, bar.end_ms, model)
        beyond = None if is_last else self._close_beyond(episode_id, bar)
        if beyond is not None:
            _ = self._take(beyond)
            yield self._fill(beyond, bar, _limit(beyond), bar.end_ms, self._rung_fill)
        if beyond is None and not rung_filled:
            for order in self._resting(bar.market, episode_id):
                if not (order.reduce_only and isinstance(order.style, LimitStyle)):
                    continue
                price = limit_touch(order.style.price, bar, buys=order.buys)
                if order.live_from_ms <= bar.open_time_ms and price is not None and self._take(order):
                    yield self._fill(order, bar, price, bar.end_ms, FillModel.TOUCH)

    def _next_adverse(self, episode_id: str, bar: Bar) -> tuple[Order, Ticks] | None:
        """The rung (touch model) or stop that an adverse move from the open meets first; a stop wins a tie.

        A tie is an open beyond both: the stop has triggered, and no rung may pull it away.
        """
        best: tuple[int, int, Order, Ticks] | None = None
        for order in self._resting(bar.market, episode_id):
            price = self._adverse_price(order, bar)
            if price is None:
                continue
            distance = abs(bar.open - price)
            rank = (distance, int(not order.reduce_only))
            if best is None or rank < best[:2]:
                best = (*rank, order, price)
        return None if best is None else (best[2], best[3])

    def _adverse_price(self, order: Order, bar: Bar) -> Ticks | None:
        match order.style:
            case StopStyle(trigger=trigger):
                return stop_touch(trigger, bar, buys=order.buys)
            case LimitStyle(price=price) if not order.reduce_only and self._rung_fill is FillModel.TOUCH:
                # A bar's range cannot judge a rung that came to rest while it lasted.
                rests = order.live_from_ms <= bar.open_time_ms and not _expired(order, bar.open_time_ms)
                return limit_touch(price, bar, buys=order.buys) if rests else None
            case _:
                return None

    def _close_beyond(self, episode_id: str, bar: Bar) -> Order | None:
        """At most one rung per bar, none in the bar it was placed in or at, none in the last bar before it lapses."""
        if self._rung_fill is not FillModel.CLOSE_BEYOND:
            return None
        for order in self._resting(bar.market, episode_id):
            if order.reduce_only or not isinstance(order.style, LimitStyle):
                continue
            if order.live_from_ms >= bar.open_time_ms or _expired(order, bar.end_ms):
                continue
            if limit_close_beyond(order.style.price, bar, buys=order.buys) is not None:
                return order
        return None

    def _market_price(self, order: Order, bar: Bar) -> tuple[Ticks, int] | None:
        if self._market_fill is FillModel.NEXT_BAR_OPEN:
            return (bar.open, bar.open_time_ms)
        quotes = self._quotes.get(order.market)
        if quotes is None:
            raise BadInput(f"{order.market}: quote_snapshot needs recorded quotes", where=Where(field="quotes"))
        index = int(np.searchsorted(quotes.time_ms, order.live_from_ms, side="left"))
        if index == len(quotes.time_ms) or quotes.time_ms[index] >= bar.end_ms:
            return None
        price = quotes.ask[index] if order.buys else quotes.bid[index]
        return Ticks(int(price)), int(quotes.time_ms[index])

    def _due(self, bar: Bar, *, reducing: bool) -> list[Order]:
        until = bar.end_ms - 1 if self._market_fill is FillModel.QUOTE_SNAPSHOT else bar.open_time_ms
        return [
            order
            for order in self._resting(bar.market)
            if isinstance(order.style, MarketStyle) and order.reduce_only is reducing and order.live_from_ms <= until
        ]

    def _resting(self, market: str, episode_id: str | None = None) -> list[Order]:
        orders = self._orders.get(market, {}).values()
        return [order for order in orders if episode_id is None or order.episode_id == episode_id]

    def _take(self, order: Order) -> bool:
        return self._orders[order.market].pop(order.client_order_id, None) is not None

    def _fill(self, order: Order, bar: Bar, raw: Ticks, time_ms: int, model: FillModel) -> Fill:
        instrument = self._instruments[order.market]
        price = against(raw, self._costs.slippage, buying=order.buys)
        notional = instrument.notional(price, order.quantity)
        rate = self._costs.maker_fee if isinstance(order.style, LimitStyle) else self._costs.taker_fee
        return Fill(
            client_order_id=order.client_order_id,
            kind=order.kind,
            episode_id=order.episode_id,
            market=order.market,
            side=order.side,
            leg=order.leg,
            buys=order.buys,
            time_ms=time_ms,
            bar_open_ms=bar.open_time_ms,
            raw_price=raw,
            price=price,
            quantity=order.quantity,
            fee=fee(notional, rate),
            slippage=Money(abs(notional - instrument.notional(raw, order.quantity))),
            model=model,
            reason=order.reason,
        )


def _expired(order: Order, time_ms: int) -> bool:
    return order.expires_at_ms is not None and time_ms >= order.expires_at_ms


def _limit(order: Order) -> Ticks:
    assert isinstance(order.style, LimitStyle), "only resting limits are judged by their close"
    return order.style.price
