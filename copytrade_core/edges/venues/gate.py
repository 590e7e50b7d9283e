"""Gate USDT futures: how its calls are made. Quantities are contracts, our id travels as `t-...`.

Its facts are in `gate_profile`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import cast

from typing_extensions import override

from copytrade_core.edges.venues.adapter import PAGE, OrderRequest, VenueAdapter
from copytrade_core.edges.venues.gate_profile import EXPIRY_MS
from copytrade_core.edges.venues.market_table import (
    MarketTable,
    in_quote_currency,
    market_table,
    order_of,
    venue_market,
)
from copytrade_core.edges.venues.parse import (
    BadAnswer,
    Row,
    average_ticks,
    epoch_ms,
    fee_money,
    flag,
    listed,
    money,
    number,
    one_row,
    plain,
    row_at,
    text,
    text_or_none,
    ticks,
    whole_page,
)
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import LimitStyle, MarketStyle, StopStyle
from copytrade_core.model.order import Order
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money
from copytrade_core.model.venue import (
    PositionMode,
    VenueBalance,
    VenueFill,
    VenueMarket,
    VenueOrder,
    VenuePosition,
    VenueProbe,
)

PREFIX = "t-"
_USDT = "usdt"
_MODES = {"single": None, "dual_long": Side.LONG, "dual_short": Side.SHORT}
_RIGHTS_TO_WITHDRAW = frozenset({"wallet", "withdraw", "withdrawal"})


class GateAdapter(VenueAdapter):
    """Gate."""

    @override
    def load_markets(self) -> MarketTable:
        parse = cast("Callable[[Row, str], Row | None]", getattr(self.client.stock, "parse_contract_market"))  # noqa: B009
        found = [
            parse(row, _USDT) for row in listed(self.client.ask("publicFuturesGetSettleContracts", {"settle": _USDT}))
        ]
        _ = self.client.stock.set_markets([market for market in found if market is not None])
        now_ms = self.now_ms()
        known = (
            venue_market(row, in_contracts=True, now_ms=now_ms, source="gate futures/usdt/contracts")
            for row in (self.client.stock.markets or {}).values()
        )
        return market_table((market for market in known if market is not None), in_contracts=True)

    @override
    def order_request(self, order: Order, table: MarketTable) -> OrderRequest:
        market = table.of(order.market)
        # ccxt writes `t-` in front; there is no `hedged` here: direction and reduce-only name the side.
        params: dict[str, object] = {"clientOrderId": order.client_order_id}
        if order.reduce_only:
            params["reduceOnly"] = True
        kind, price = "market", None
        match order.style:
            case LimitStyle(price=limit, post_only=post_only):
                kind, price = "limit", plain(market.instrument.price(limit))
                params["timeInForce"] = "PO" if post_only else "GTC"
            case StopStyle():
                raise BadInput("a stop is another kind of order at Gate", where=Where(field="style"))
            case MarketStyle():
                pass
        return OrderRequest(
            symbol=order.market,
            type=kind,
            side="buy" if order.buys else "sell",
            amount=table.spoken(order.quantity, market),
            price=price,
            params=params,
        )

    @override
    def place(self, order: Order, table: MarketTable) -> Row:
        request = self.order_request(order, table)
        # Gate knows no receive window in the parameters: this header is what makes a late request expire.
        stock, usual = self.client.stock, self.client.stock.headers
        stock.headers = {**usual, "x-gate-exptime": str(self.now_ms() + EXPIRY_MS)}
        try:
            return self.client.place(request)
        finally:
            stock.headers = usual

    @override
    def cancel(self, market: VenueMarket, client_order_id: str) -> None:
        # `clientOrderId` in the parameters would be ignored: the id of the path is what counts.
        _ = self.client.stock.cancel_order(PREFIX + client_order_id, market.instrument.market, {})

    @override
    def order(self, market: VenueMarket, client_order_id: str, table: MarketTable) -> VenueOrder:
        asked = {"settle": _USDT, "order_id": PREFIX + client_order_id}
        return self._order(one_row(self.client.ask("privateFuturesGetSettleOrdersOrderId", asked)), market, table)

    @override
    def open_orders(self, table: MarketTable) -> tuple[VenueOrder, ...]:
        return self._working({}, table)

    @override
    def orders(self, market: VenueMarket, since_ms: int, table: MarketTable) -> tuple[VenueOrder, ...]:
        asked = {"settle": _USDT, "contract": market.symbol, **self._range(since_ms)}
        ended = whole_page(listed(self.client.ask("privateFuturesGetSettleOrdersTimerange", asked)), PAGE)
        # Whether working orders are in that list is not told, so they are asked for too.
        found = {order.venue_order_id: order for order in self._working({"contract": market.symbol}, table)}
        found |= {order.venue_order_id: order for order in (self._order(row, market, table) for row in ended)}
        return tuple(order for order in found.values() if order.created_at_ms >= since_ms)

    @override
    def fills(self, market: VenueMarket, since_ms: int, table: MarketTable) -> tuple[VenueFill, ...]:
        asked = {"settle": _USDT, "contract": market.symbol, **self._range(since_ms)}
        found = whole_page(listed(self.client.ask("privateFuturesGetSettleMyTradesTimerange", asked)), PAGE)
        fills = (_fill(row, market, table) for row in found)
        return tuple(sorted((f for f in fills if f.time_ms >= since_ms), key=lambda f: (f.time_ms, f.trade_id)))

    @override
    def positions(self, market: Market | None, table: MarketTable) -> tuple[VenuePosition, ...]:
        rows = listed(self.client.ask("privateFuturesGetSettlePositions", {"settle": _USDT}))
        found = [_position(row, table) for row in rows]
        return tuple(one for one in found if one is not None and market in (None, one.market))

    @override
    def balance(self) -> VenueBalance:
        row = self._account()
        equity = money(row, "total") + money(row, "unrealised_pnl")
        return VenueBalance(equity=Money(equity), free=Money(max(0, money(row, "available"))))

    @override
    def probe(self) -> VenueProbe:
        before_ms = self.now_ms()
        clock = one_row(self.client.ask("publicSpotGetTime", {}))
        skew_ms = self.skew_of(epoch_ms(clock, "server_time"), before_ms, self.now_ms())
        answer = self.client.ask("privateAccountGetMainKeys", {})
        key = listed(answer)[0] if isinstance(answer, list) and answer else one_row(answer)
        granted = listed(key.get("perms"))
        writes = {text(right, "name") for right in granted if not flag(right, "read_only")}
        return VenueProbe(
            can_trade="futures" in writes,
            can_withdraw=bool(writes & _RIGHTS_TO_WITHDRAW),
            ip_restricted=bool(key.get("ip_whitelist")),
            position_mode=(PositionMode.HEDGE if flag(self._account(), "in_dual_mode") else PositionMode.ONE_WAY),
            clock_skew_ms=skew_ms,
        )

    @override
    def set_leverage(self, market: VenueMarket, side: Side, leverage: int) -> bool:
        # A leverage other than 0 would make the position isolated; its limit is what cross margin has.
        cross = {"leverage": "0", "cross_leverage_limit": str(leverage)}
        if not self.hedged:
            answer = self.client.stock.set_leverage(leverage, market.instrument.market, cross)
            return number(row_at(answer, ()), "cross_leverage_limit") == leverage
        asked = {"settle": _USDT, "contract": market.symbol, **cross}
        found = listed(self.client.ask("privateFuturesPostSettleDualCompPositionsContractLeverage", asked))
        mine = [row for row in found if _MODES.get(text(row, "mode")) is side]
        return bool(mine) and all(number(row, "cross_leverage_limit") == leverage for row in mine)

    @override
    def echoes(self, answered: str | None, client_order_id: str) -> bool:
        return answered in (None, client_order_id, PREFIX + client_order_id)

    def _account(self) -> Row:
        return one_row(self.client.ask("privateFuturesGetSettleAccounts", {"settle": _USDT}))

    def _working(self, more: Mapping[str, object], table: MarketTable) -> tuple[VenueOrder, ...]:
        asked = {"settle": _USDT, "status": "open", "limit": PAGE, **more}
        found = whole_page(listed(self.client.ask("privateFuturesGetSettleOrders", asked)), PAGE)
        return tuple(self._order(row, table.named(text(row, "contract")), table) for row in found)

    def _order(self, row: Row, market: VenueMarket, table: MarketTable) -> VenueOrder:
        unified = dict(self.unified(row, market))
        # ccxt knows only some of the ways in which an order ends, and calls an unknown one by Gate's word.
        is_open = text(row, "status") == "open"
        unified["status"] = "open" if is_open else ("closed" if number(row, "left") == 0 else "canceled")
        name = str(unified.get("clientOrderId") or "")
        unified["clientOrderId"] = name.removeprefix(PREFIX) if name.startswith(PREFIX) else None
        return order_of(unified, table)

    def _range(self, since_ms: int) -> dict[str, object]:
        return {"from": since_ms // 1000, "to": -(-self.now_ms() // 1000), "limit": PAGE}


def _fill(row: Row, market: VenueMarket, table: MarketTable) -> VenueFill:
    size = number(row, "size")
    if text_or_none(row, "point_fee") and number(row, "point_fee"):
        in_quote_currency("points", market, "point_fee")
    return VenueFill(
        trade_id=text(row, "trade_id"),
        venue_order_id=text(row, "order_id"),
        market=market.instrument.market,
        buys=size > 0,
        price=ticks(number(row, "price"), market.instrument, "price"),
        quantity=table.steps(size, market, "size"),
        fee=fee_money(number(row, "fee")),
        is_maker=text(row, "role") == "maker",
        time_ms=int((number(row, "create_time") * Decimal(1000)).to_integral_value(rounding=ROUND_HALF_EVEN)),
    )


def _position(row: Row, table: MarketTable) -> VenuePosition | None:
    size = number(row, "size")
    if size == 0:
        return None
    mode = text(row, "mode")
    if mode not in _MODES:
        raise BadAnswer(f"position mode {mode!r}", where=Where(field="mode"))
    market = table.named(text(row, "contract"))
    return VenuePosition(
        market=market.instrument.market,
        side=_MODES[mode] or (Side.LONG if size > 0 else Side.SHORT),
        quantity=table.steps(size, market, "size"),
        entry_price=average_ticks(number(row, "entry_price"), market.instrument, "entry_price"),
    )
