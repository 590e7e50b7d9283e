"""BingX's words for an order, a fill, a position, a balance and a contract: the rows inside its envelopes.

Keys and JSON types are those of the documented samples and of ccxt's recorded answers. Which rows are asked for is not
known here.
"""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal

from copytrade_core.edges.standins.bingx_numbers import decimals_of, money_text
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import LimitStyle, MarketStyle, StopStyle
from copytrade_core.model.side import Side
from copytrade_core.model.units import MONEY_SCALE, RATE_SCALE, Ticks
from copytrade_core.model.venue import (
    PositionMode,
    VenueBalance,
    VenueFill,
    VenueMarket,
    VenueOrderStatus,
    VenuePosition,
)
from copytrade_core.virtual_exchange.venue_ask import EngineOrder
from copytrade_core.virtual_exchange.venue_rules import VenueRules

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
_POSITION_ID_BASE = 1_800_000_000_000_000_000


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
        "avgPrice": _price_text(Decimal(0), instrument),
        "executedQty": _quantity_text(0, instrument),
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
        "origQty": _quantity_text(order.quantity, instrument),
        "price": _price_text(price, instrument),
        "executedQty": _quantity_text(order.filled, instrument),
        "avgPrice": _price_text(average_price(order, instrument), instrument),
        "cumQuote": money_text(order.quote),
        "stopPrice": _price_text(trigger, instrument) if trigger else "",
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
        "volume": _quantity_text(fill.quantity, instrument),
        "price": _price_text(instrument.price(fill.price), instrument),
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
    quantity = _quantity_text(fill.quantity, instrument)
    return {
        **_filled_times(fill),
        "volume": quantity,
        "price": _price_text(instrument.price(fill.price), instrument),
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


def position_row(
    position: VenuePosition, market: VenueMarket, *, mark: Ticks, leverage: int, mode: PositionMode, now_ms: int
) -> Row:
    """One open position. The venue shows its side also in one-way mode."""
    instrument = market.instrument
    value, entered = (instrument.notional(price, position.quantity) for price in (mark, position.entry_price))
    margin = entered // leverage
    gained = (value - entered) * position.side.sign
    quantity = _quantity_text(position.quantity, instrument)
    return {
        "positionId": str(_POSITION_ID_BASE + zlib.crc32(f"{market.symbol} {position.side}".encode())),
        "symbol": market.symbol,
        "currency": "USDT",
        "positionAmt": quantity,
        "availableAmt": quantity,
        "positionSide": position.side.value.upper(),
        "isolated": False,
        "avgPrice": _price_text(instrument.price(position.entry_price), instrument),
        "initialMargin": money_text(margin),
        "margin": money_text(margin + gained),
        "leverage": leverage,
        "unrealizedProfit": money_text(gained),
        "realisedProfit": "0.0000",
        "liquidationPrice": 0,
        "pnlRatio": f"{Decimal(gained) / margin:.4f}" if margin else "0.0000",
        "maxMarginReduction": "0.0000",
        "riskRate": "0.0000",
        "markPrice": _price_text(instrument.price(mark), instrument),
        "positionValue": money_text(value),
        "onlyOnePosition": mode is PositionMode.ONE_WAY,
        "updateTime": now_ms,
    }


def balance_row(balance: VenueBalance, unrealised: int) -> Row:
    """The USDT row of the account."""
    return {
        "userId": "100***000",
        "asset": "USDT",
        "balance": money_text(balance.equity - unrealised),
        "equity": money_text(balance.equity),
        "unrealizedProfit": money_text(unrealised),
        "realisedProfit": "0.0000",
        "availableMargin": money_text(balance.free),
        "usedMargin": money_text(balance.equity - balance.free),
        "freezedMargin": "0.0000",
        "shortUid": "10000000",
    }


def contract_row(market: VenueMarket, rules: VenueRules, number: int) -> Row:
    """One row of the contract list. Precision is told as a count of decimals."""
    instrument = market.instrument
    base = instrument.market.partition("/")[0]
    maker, taker = (float(Decimal(rate) / RATE_SCALE) for rate in (rules.maker_fee, rules.taker_fee))
    return {
        "contractId": str(100 + number),
        "symbol": market.symbol,
        "size": f"{instrument.step_size.normalize():f}",
        "quantityPrecision": decimals_of(instrument.step_size),
        "pricePrecision": decimals_of(instrument.tick_size),
        "feeRate": taker,
        "makerFeeRate": maker,
        "takerFeeRate": taker,
        "tradeMinLimit": 0,
        "tradeMinQuantity": float(instrument.quantity(instrument.min_quantity)),
        "tradeMinUSDT": float(Decimal(instrument.min_notional) / MONEY_SCALE),
        "maxLongLeverage": rules.leverage_max,
        "maxShortLeverage": rules.leverage_max,
        "currency": "USDT",
        "asset": base,
        "status": 1 if market.is_open else 25,
        "apiStateOpen": "true" if market.is_open else "false",
        "apiStateClose": "true",
        "ensureTrigger": True,
        "triggerFeeRate": "0.00020000",
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


def _price_text(price: Decimal, instrument: Instrument) -> str:
    unit = Decimal(1).scaleb(-decimals_of(instrument.tick_size))
    return f"{price.quantize(unit, rounding=ROUND_HALF_EVEN):f}"


def _quantity_text(steps: int, instrument: Instrument) -> str:
    return f"{instrument.quantity(steps):f}"
