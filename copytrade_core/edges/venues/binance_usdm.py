"""Binance USD-M: how its calls are made. Its facts are in `binance_usdm_profile`."""

from __future__ import annotations

from typing_extensions import override

from copytrade_core.edges.venues.adapter import PAGE, OrderRequest, VenueAdapter
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
    rows,
    text,
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

_LONG, _SHORT, _BOTH = "LONG", "SHORT", "BOTH"


class BinanceUsdmAdapter(VenueAdapter):
    """Binance USD-M."""

    @override
    def load_markets(self) -> MarketTable:
        found = rows(self.client.ask("fapiPublicGetExchangeInfo", {}), "symbols")
        _ = self.client.stock.set_markets(self.client.stock.parse_markets(found))
        now_ms = self.now_ms()
        known = (
            venue_market(row, in_contracts=False, now_ms=now_ms, source="binance fapi exchangeInfo")
            for row in (self.client.stock.markets or {}).values()
        )
        return market_table((market for market in known if market is not None), in_contracts=False)

    @override
    def order_request(self, order: Order, table: MarketTable) -> OrderRequest:
        market = table.of(order.market)
        params: dict[str, object] = {"clientOrderId": order.client_order_id, "hedged": self.hedged}
        if order.reduce_only:
            params["reduceOnly"] = True
        kind, price = "market", None
        match order.style:
            case LimitStyle(price=limit, post_only=post_only):
                kind, price = "limit", plain(market.instrument.price(limit))
                params["timeInForce"] = "PO" if post_only else "GTC"
            case StopStyle():
                raise BadInput("a stop is an algo order at Binance", where=Where(field="style"))
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
    def cancel(self, market: VenueMarket, client_order_id: str) -> None:
        _ = self.client.stock.cancel_order(None, market.instrument.market, {"clientOrderId": client_order_id})

    @override
    def order(self, market: VenueMarket, client_order_id: str, table: MarketTable) -> VenueOrder:
        asked = {"symbol": market.symbol, "origClientOrderId": client_order_id}
        return self._order(one_row(self.client.ask("fapiPrivateGetOrder", asked)), market, table)

    @override
    def open_orders(self, table: MarketTable) -> tuple[VenueOrder, ...]:
        found = listed(self.client.ask("fapiPrivateGetOpenOrders", {}))
        return tuple(self._order(row, table.named(text(row, "symbol")), table) for row in found)

    @override
    def orders(self, market: VenueMarket, since_ms: int, table: MarketTable) -> tuple[VenueOrder, ...]:
        asked = {"symbol": market.symbol, "startTime": since_ms, "limit": PAGE}
        found = whole_page(listed(self.client.ask("fapiPrivateGetAllOrders", asked)), PAGE)
        return tuple(self._order(row, market, table) for row in found)

    @override
    def fills(self, market: VenueMarket, since_ms: int, table: MarketTable) -> tuple[VenueFill, ...]:
        asked = {"symbol": market.symbol, "startTime": since_ms, "limit": PAGE}
        found = whole_page(listed(self.client.ask("fapiPrivateGetUserTrades", asked)), PAGE)
        return tuple(sorted((_fill(row, market, table) for row in found), key=lambda f: (f.time_ms, f.trade_id)))

    @override
    def positions(self, market: Market | None, table: MarketTable) -> tuple[VenuePosition, ...]:
        found = [_position(row, table) for row in listed(self.client.ask("fapiPrivateV3GetPositionRisk", {}))]
        return tuple(one for one in found if one is not None and market in (None, one.market))

    @override
    def balance(self) -> VenueBalance:
        row = one_row(self.client.ask("fapiPrivateV3GetAccount", {}))
        return VenueBalance(equity=money(row, "totalMarginBalance"), free=Money(max(0, money(row, "availableBalance"))))

    @override
    def probe(self) -> VenueProbe:
        before_ms = self.now_ms()
        clock = one_row(self.client.ask("fapiPublicGetTime", {}))
        skew_ms = self.skew_of(epoch_ms(clock, "serverTime"), before_ms, self.now_ms())
        rights = one_row(self.client.ask("sapiGetAccountApiRestrictions", {}))
        mode = one_row(self.client.ask("fapiPrivateGetPositionSideDual", {}))
        return VenueProbe(
            can_trade=flag(rights, "enableFutures"),
            can_withdraw=flag(rights, "enableWithdrawals"),
            ip_restricted=flag(rights, "ipRestrict") if "ipRestrict" in rights else None,
            position_mode=PositionMode.HEDGE if flag(mode, "dualSidePosition") else PositionMode.ONE_WAY,
            clock_skew_ms=skew_ms,
        )

    @override
    def set_leverage(self, market: VenueMarket, side: Side, leverage: int) -> bool:
        answer = row_at(self.client.stock.set_leverage(leverage, market.instrument.market, {}), ())
        return number(answer, "leverage") == leverage

    def _order(self, row: Row, market: VenueMarket, table: MarketTable) -> VenueOrder:
        return order_of(self.unified(row, market), table)


def _fill(row: Row, market: VenueMarket, table: MarketTable) -> VenueFill:
    side, fee = text(row, "side"), number(row, "commission")
    if side not in ("BUY", "SELL"):
        raise BadAnswer(f"side {side!r}", where=Where(field="side"))
    if fee:
        in_quote_currency(text(row, "commissionAsset"), market, "commissionAsset")
    return VenueFill(
        trade_id=text(row, "id"),
        venue_order_id=text(row, "orderId"),
        market=market.instrument.market,
        buys=side == "BUY",
        price=ticks(number(row, "price"), market.instrument, "price"),
        quantity=table.steps(number(row, "qty"), market, "qty"),
        fee=fee_money(fee),
        is_maker=flag(row, "maker"),
        time_ms=epoch_ms(row, "time"),
    )


def _position(row: Row, table: MarketTable) -> VenuePosition | None:
    amount = number(row, "positionAmt")
    if amount == 0:
        return None
    side = text(row, "positionSide")
    if side not in (_LONG, _SHORT, _BOTH):
        raise BadAnswer(f"position side {side!r}", where=Where(field="positionSide"))
    market = table.named(text(row, "symbol"))
    is_long = side == _LONG or (side == _BOTH and amount > 0)
    return VenuePosition(
        market=market.instrument.market,
        side=Side.LONG if is_long else Side.SHORT,
        quantity=table.steps(amount, market, "positionAmt"),
        entry_price=average_ticks(number(row, "entryPrice"), market.instrument, "entryPrice"),
    )
