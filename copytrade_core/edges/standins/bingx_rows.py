"""BingX's words for an order and a fill: the rows inside its envelopes.

Keys and JSON types are those of the documented samples and of ccxt's recorded answers. Which rows are asked for is not
known here.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal

from copytrade_core.edges.standins.bingx_numbers import money_text, price_text, quantity_text
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import LimitStyle, MarketStyle, StopStyle
from copytrade_core.model.side import Side
from copytrade_core.model.units import MONEY_SCALE
from copytrade_core.model.venue import PositionMode, VenueFill, VenueOrderStatus
from copytrade_core.virtual_exchange.venue_ask import EngineOrder

Row = dict[str, object]

_STATUS = {
    VenueOrderStatus.OPEN: "PENDING",
    VenueOrderStatus.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    VenueOrderStatus.FILLED: "FILLED",
    VenueOrderStatus.CANCELLED: "CANCELLED",
    VenueOrderStatus.REJECTED: "FAILED",
    VenueOrderStatus.EXPIRED: "CANCELLED",
}
_WORKING_TYPE = "MARK_PRICE"
_WALL_CLOCK = timezone(timedelta(hours=8))


def type_of(order: EngineOrder) -> str:
    """The order's type as BingX writes it."""
    match order.style:
        case MarketStyle():
            return "MARKET"
        case LimitStyle():
            return "LIMIT"
        case StopStyle():
            return "STOP_MARKET"


def position_side_of(order: EngineOrder) -> str:
    """`LONG` or `SHORT` in hedge mode, `BOTH` where the order named no side."""
    return "BOTH" if order.position_side is None else order.position_side.value.upper()


def lean_create_row(order: EngineOrder, symbol: str) -> Row:
    """The short answer to a new order: no status, nothing about fills."""
    return {
        "symbol": symbol,
        "orderId": int(order.venue_order_id),
        "side": "BUY" if order.buys else "SELL",
        "positionSide": position_side_of(order),
        "type": type_of(order),
        "clientOrderID": order.client_order_id or "",
        "workingType": "",
    }


def rich_create_row(order: EngineOrder, symbol: str, instrument: Instrument) -> Row:
    """The long answer to a new order. It is written before the order trades, so `executedQty` says nothing."""
    price, trigger = _prices(order, instrument)
    number = int(order.venue_order_id)
    return {
        "orderId": number,
        "orderID": str(number),
        "symbol": symbol,
        "positionSide": position_side_of(order),
        "side": "BUY" if order.buys else "SELL",
        "type": type_of(order),
        "price": float(price),
        "quantity": float(instrument.quantity(order.quantity)),
        "quoteOrderQty": 0,
        "stopPrice": float(trigger),
        "workingType": _WORKING_TYPE,
        "clientOrderID": order.client_order_id or "",
        "clientOrderId": order.client_order_id or "",
        "timeInForce": "PostOnly" if isinstance(order.style, LimitStyle) and order.style.post_only else "GTC",
        "priceRate": 0,
        "stopLoss": "",
        "takeProfit": "",
        "reduceOnly": order.reduce_only,
        "activationPrice": 0,
        "closePosition": "",
        "stopGuaranteed": "",
        "status": "PENDING",
        "avgPrice": price_text(Decimal(0), instrument),
        "executedQty": quantity_text(0, instrument),
    }


def order_row(order: EngineOrder, symbol: str, instrument: Instrument, *, leverage: int, mode: PositionMode) -> Row:
    """One order as every query shows it. `profit` stays zero, as in the recorded answers."""
    price, trigger = _prices(order, instrument)
    nothing: Row = {"type": "", "quantity": 0, "stopPrice": 0, "price": 0, "workingType": "", "stopGuaranteed": ""}
    waits = isinstance(order.style, StopStyle) and not order.triggered
    return {
        "symbol": symbol,
        "orderId": int(order.venue_order_id),
        "side": "BUY" if order.buys else "SELL",
        "positionSide": position_side_of(order),
        "type": type_of(order),
        "origQty": quantity_text(order.quantity, instrument),
        "price": price_text(price, instrument),
        "executedQty": quantity_text(order.filled, instrument),
        "avgPrice": price_text(average_price(order, instrument), instrument),
        "cumQuote": money_text(order.quote),
        "stopPrice": price_text(trigger, instrument) if trigger else "",
        "profit": "0.0000",
        "commission": money_text(-order.fees),
        "status": "NEW" if waits and not order.status.is_final else _STATUS[order.status],
        "time": order.created_at_ms,
        "updateTime": order.updated_at_ms,
        "clientOrderId": order.client_order_id or "",
        "leverage": f"{leverage}X",
        "takeProfit": nothing,
        "stopLoss": nothing,
        "advanceAttr": 0,
        "positionID": 0,
        "takeProfitEntrustPrice": 0,
        "stopLossEntrustPrice": 0,
        "orderType": "",
        "workingType": _WORKING_TYPE,
        "onlyOnePosition": mode is PositionMode.ONE_WAY,
        "reduceOnly": order.reduce_only,
        "postOnly": isinstance(order.style, LimitStyle) and order.style.post_only,
        "stopGuaranteed": "false",
        "triggerOrderId": 0,
    }


def fill_row(fill: VenueFill, order: EngineOrder, symbol: str, instrument: Instrument, *, mode: PositionMode) -> Row:
    """One trade as `allFillOrders` shows it: seconds only, no trade id, no maker or taker."""
    return {
        **_filled_times(fill),
        "volume": quantity_text(fill.quantity, instrument),
        "price": price_text(instrument.price(fill.price), instrument),
        "amount": money_text(instrument.notional(fill.price, fill.quantity)),
        "commission": money_text(-fill.fee),
        "currency": "USDT",
        "orderId": fill.venue_order_id,
        "liquidatedPrice": "",
        "liquidatedMarginRatio": "",
        "clientOrderID": order.client_order_id or "",
        "symbol": symbol,
        "side": "BUY" if fill.buys else "SELL",
        "type": type_of(order),
        "positionSide": position_side_of(order),
        "onlyOnePosition": mode is PositionMode.ONE_WAY,
    }


def fill_history_row(fill: VenueFill, order: EngineOrder, symbol: str, instrument: Instrument) -> Row:
    """One trade as `fillHistory` shows it: with its trade id and its role."""
    quantity = quantity_text(fill.quantity, instrument)
    return {
        **_filled_times(fill),
        "volume": quantity,
        "price": price_text(instrument.price(fill.price), instrument),
        "qty": quantity,
        "quoteQty": money_text(instrument.notional(fill.price, fill.quantity)),
        "commission": money_text(-fill.fee),
        "commissionAsset": "USDT",
        "orderId": fill.venue_order_id,
        "tradeId": fill.trade_id,
        "symbol": symbol,
        "role": "maker" if fill.is_maker else "taker",
        "side": "BUY" if fill.buys else "SELL",
        "positionSide": position_side_of(order),
    }


def average_price(order: EngineOrder, instrument: Instrument) -> Decimal:
    """Mean price of an order's fills, 0 before the first."""
    if not order.filled:
        return Decimal(0)
    return Decimal(order.quote) / MONEY_SCALE / instrument.quantity(order.filled)


def leverage_side(order: EngineOrder) -> Side:
    """Whose leverage an order's row shows."""
    return order.position_side or (Side.LONG if order.buys != order.closes else Side.SHORT)


def _filled_times(fill: VenueFill) -> Row:
    """The time of a trade, twice, in whole seconds of UTC+8. The `Z` of the first is wrong, at the venue too.

    In the recorded answer both fields show 21:19:45 and the order's id (a snowflake, so it has the millisecond in its
    upper 42 bits) says 13:19:45 UTC.
    """
    wall = datetime.fromtimestamp(fill.time_ms // 1000, tz=_WALL_CLOCK).strftime("%Y-%m-%dT%H:%M:%S")
    return {"filledTm": f"{wall}Z", "filledTime": f"{wall}.000+0800"}


def _prices(order: EngineOrder, instrument: Instrument) -> tuple[Decimal, Decimal]:
    """The order's limit price and its trigger, 0 where it has none."""
    match order.style:
        case LimitStyle(price=price):
            return instrument.price(price), Decimal(0)
        case StopStyle(trigger=trigger):
            return Decimal(0), instrument.price(trigger)
        case MarketStyle():
            return average_price(order, instrument), Decimal(0)
