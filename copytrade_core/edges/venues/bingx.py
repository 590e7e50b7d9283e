"""BingX USDT-M: how its calls are made.

Orders by our id go over implicit endpoints: `fetch_order` would send the text `None` as order id. Its facts are in
`bingx_profile`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from typing_extensions import override

from copytrade_core.edges.venues.adapter import PAGE, OrderRequest, VenueAdapter
from copytrade_core.edges.venues.bingx_profile import RECEIVE_WINDOW_MS
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
    money,
    number,
    plain,
    row_at,
    rows,
    text,
    text_or_none,
    ticks,
    whole_page,
)
from copytrade_core.model.errors import Where
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

_WINDOW = {"recvWindow": RECEIVE_WINDOW_MS}
_ORDER = (("data", "order"), ("data",))
_RIGHT_FUTURES = "3"
_RIGHT_WITHDRAW = "5"


class BingxAdapter(VenueAdapter):
    """BingX."""

    @override
    def load_markets(self) -> MarketTable:
        # `load_markets` would ask for spot and coin-margined markets too, and for a private wallet page.
        found = self.client.stock.parse_markets(rows(self.client.ask("swapV2PublicGetQuoteContracts", {}), "data"))
        _ = self.client.stock.set_markets(found)
        now_ms = self.now_ms()
        known = (
            venue_market(row, in_contracts=False, now_ms=now_ms, source="bingx quote/contracts")
            for row in (self.client.stock.markets or {}).values()
        )
        return market_table((market for market in known if market is not None), in_contracts=False)

    @override
    def order_request(self, order: Order, table: MarketTable) -> OrderRequest:
        market = table.of(order.market)
        amount = table.spoken(order.quantity, market)
        # ccxt makes floats of quantity and prices (1e-05 for a small one); the text given again here goes out instead.
        params: dict[str, object] = {
            "clientOrderId": order.client_order_id,
            "hedged": self.hedged,
            "quantity": amount,
            **_WINDOW,
        }
        if order.reduce_only:
            params["reduceOnly"] = True
        kind, price = "market", None
        match order.style:
            case LimitStyle(price=limit, post_only=post_only):
                kind, price = "limit", plain(market.instrument.price(limit))
                params |= {"price": price, "timeInForce": "PostOnly" if post_only else "GTC"}
            case StopStyle(trigger=trigger):
                kind = "STOP_MARKET"
                params |= {"stopPrice": plain(market.instrument.price(trigger)), "workingType": "MARK_PRICE"}
            case MarketStyle():
                pass
        return OrderRequest(
            symbol=order.market,
            type=kind,
            side="buy" if order.buys else "sell",
            amount=amount,
            price=price,
            params=params,
        )

    @override
    def cancel(self, market: VenueMarket, client_order_id: str) -> None:
        _ = self.client.stock.cancel_order(
            None, market.instrument.market, {"clientOrderId": client_order_id, **_WINDOW}
        )

    @override
    def order(self, market: VenueMarket, client_order_id: str, table: MarketTable) -> VenueOrder:
        # The documents spell it so here; ccxt spells it `clientOrderID` where it creates and cancels.
        asked = {"symbol": market.symbol, "clientOrderId": client_order_id, **_WINDOW}
        row = row_at(self.client.ask("swapV2PrivateGetTradeOrder", asked), *_ORDER)
        return order_of(self.unified(row, market), table)

    @override
    def open_orders(self, table: MarketTable) -> tuple[VenueOrder, ...]:
        found = rows(self.client.ask("swapV2PrivateGetTradeOpenOrders", _WINDOW), "data", "orders")
        return tuple(order_of(self.unified(row, table.named(text(row, "symbol"))), table) for row in found)

    @override
    def orders(self, market: VenueMarket, since_ms: int, table: MarketTable) -> tuple[VenueOrder, ...]:
        asked = {"symbol": market.symbol, "startTime": since_ms, "endTime": self.now_ms(), "limit": PAGE, **_WINDOW}
        found = whole_page(rows(self.client.ask("swapV1PrivateGetTradeFullOrder", asked), "data", "orders"), PAGE)
        return tuple(order_of(self.unified(row, market), table) for row in found)

    @override
    def fills(self, market: VenueMarket, since_ms: int, table: MarketTable) -> tuple[VenueFill, ...]:
        asked = {
            "symbol": market.symbol,
            # In its default unit the venue counts contract sheets, which are not base units.
            "tradingUnit": "COIN",
            "startTs": since_ms,
            "endTs": self.now_ms(),
            **_WINDOW,
        }
        answer = self.client.ask("swapV2PrivateGetTradeAllFillOrders", asked)
        found = whole_page(rows(answer, "data", "fill_orders"), PAGE)
        sides: dict[str, bool] = {}
        seen: dict[str, int] = {}
        fills = [self._fill(row, market, table, sides, seen) for row in found]
        return tuple(sorted(fills, key=lambda fill: (fill.time_ms, fill.trade_id)))

    def _fill(
        self, row: Row, market: VenueMarket, table: MarketTable, sides: dict[str, bool], seen: dict[str, int]
    ) -> VenueFill:
        order_id = text(row, "orderId")
        side = text_or_none(row, "side")
        if side is None and order_id not in sides:
            asked = {"symbol": market.symbol, "orderId": order_id, **_WINDOW}
            order = row_at(self.client.ask("swapV2PrivateGetTradeOrder", asked), *_ORDER)
            sides[order_id] = _buys(text(order, "side"))
        time_ms = _fill_ms(row)
        in_quote_currency(text_or_none(row, "currency"), market, "currency")
        return VenueFill(
            trade_id=text_or_none(row, "tradeId", "fillId", "id") or _made_id(row, order_id, time_ms, seen),
            venue_order_id=order_id,
            market=market.instrument.market,
            buys=sides[order_id] if side is None else _buys(side),
            price=ticks(number(row, "price"), market.instrument, "price"),
            quantity=table.steps(number(row, "volume"), market, "volume"),
            # Paid commission is negative here; ccxt drops the sign.
            fee=fee_money(-number(row, "commission")),
            is_maker=(text_or_none(row, "role") or "").lower() == "maker" or row.get("maker") is True,
            time_ms=time_ms,
        )

    @override
    def positions(self, market: Market | None, table: MarketTable) -> tuple[VenuePosition, ...]:
        found = [
            _position(row, table) for row in rows(self.client.ask("swapV2PrivateGetUserPositions", _WINDOW), "data")
        ]
        return tuple(one for one in found if one is not None and market in (None, one.market))

    @override
    def balance(self) -> VenueBalance:
        found = rows(self.client.ask("swapV3PrivateGetUserBalance", _WINDOW), "data")
        # An account that never held anything answers one row without a name.
        for row in found:
            if row.get("asset") == "USDT" or (len(found) == 1 and row.get("asset") == ""):
                return VenueBalance(equity=money(row, "equity"), free=Money(max(0, money(row, "availableMargin"))))
        raise BadAnswer("no USDT balance", where=Where(field="asset"))

    @override
    def probe(self) -> VenueProbe:
        before_ms = self.now_ms()
        clock = row_at(self.client.ask("swapV2PublicGetServerTime", {}), ("data",))
        skew_ms = self.skew_of(epoch_ms(clock, "serverTime"), before_ms, self.now_ms())
        rights = row_at(self.client.ask("accountV1PrivateGetAccountApiPermissions", _WINDOW), ("data",))
        granted = rights.get("permissions")
        if not isinstance(granted, list):
            raise BadAnswer("no list of rights", where=Where(field="permissions"))
        codes = {str(right) for right in granted}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        mode = row_at(self.client.ask("swapV1PrivateGetPositionSideDual", _WINDOW), ("data",))
        return VenueProbe(
            can_trade=_RIGHT_FUTURES in codes,
            can_withdraw=_RIGHT_WITHDRAW in codes,
            ip_restricted=bool(rights.get("ipAddresses")),
            # ccxt compares with the text "true" only, and so reads JSON's true as one-way.
            position_mode=PositionMode.HEDGE if flag(mode, "dualSidePosition") else PositionMode.ONE_WAY,
            clock_skew_ms=skew_ms,
        )

    @override
    def set_leverage(self, market: VenueMarket, side: Side, leverage: int) -> bool:
        name = side.value.upper() if self.hedged else "BOTH"
        params = {"side": name, **_WINDOW}
        answer = row_at(self.client.stock.set_leverage(leverage, market.instrument.market, params), ("data",))
        return number(answer, "leverage", f"{side.value}Leverage") == leverage

    @override
    def leverage(self, market: VenueMarket, side: Side) -> int | None:
        answer = row_at(
            self.client.ask("swapV2PrivateGetTradeLeverage", {"symbol": market.symbol, **_WINDOW}), ("data",)
        )
        return int(number(answer, f"{side.value}Leverage"))

    @override
    def echoes(self, answered: str | None, client_order_id: str) -> bool:
        return answered is None or answered.lower() == client_order_id.lower()


def _buys(side: str) -> bool:
    if side.upper() not in ("BUY", "SELL"):
        raise BadAnswer(f"side {side!r}", where=Where(field="side"))
    return side.upper() == "BUY"


def _fill_ms(row: Row) -> int:
    named = text(row, "filledTime", "filledTm")
    try:
        moment = datetime.fromisoformat(named)
    except ValueError:
        return epoch_ms(row, "filledTime", "filledTm")
    if moment.tzinfo is None:
        raise BadAnswer("a time without a zone", where=Where(field="filledTime"))
    return round(moment.timestamp() * 1000)


def _made_id(row: Row, order_id: str, time_ms: int, seen: dict[str, int]) -> str:
    """An id for a trade that the venue did not number: the same one on every reading."""
    facts = f"{order_id}:{time_ms}:{text(row, 'price')}:{text(row, 'volume')}"
    seen[facts] = seen.get(facts, 0) + 1
    return f"{facts}:{seen[facts]}"


def _position(row: Row, table: MarketTable) -> VenuePosition | None:
    amount = number(row, "positionAmt")
    if amount == 0:
        return None
    market = table.named(text(row, "symbol"))
    side = text(row, "positionSide").upper()
    if side not in ("LONG", "SHORT", "BOTH"):
        raise BadAnswer(f"position side {side!r}", where=Where(field="positionSide"))
    is_long = side == "LONG" or (side == "BOTH" and amount > Decimal(0))
    return VenuePosition(
        market=market.instrument.market,
        side=Side.LONG if is_long else Side.SHORT,
        quantity=table.steps(amount, market, "positionAmt"),
        entry_price=average_ticks(number(row, "avgPrice"), market.instrument, "avgPrice"),
    )
