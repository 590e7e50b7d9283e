"""Binance USD-M's words for a market, an order, a trade, a position and an account: the JSON of its answers.

Keys and JSON types are those of the published samples and of ccxt's recorded answers. Which rows are asked for is not
known here.
"""

from __future__ import annotations

from decimal import Decimal

from copytrade_core.edges.standins.plain_numbers import average_price, money_padded, money_plain, on_grid, plain
from copytrade_core.edges.standins.venue_dialect import StandinKey
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import LimitStyle, MarketStyle, StopStyle
from copytrade_core.model.side import Side
from copytrade_core.model.units import MONEY_SCALE, Ticks
from copytrade_core.model.venue import (
    PositionMode,
    VenueBalance,
    VenueFill,
    VenueMarket,
    VenueOrderStatus,
    VenuePosition,
)
from copytrade_core.virtual_exchange.venue_ask import EngineOrder
from copytrade_core.virtual_exchange.venue_matching import CUT, NOTHING_LEFT
from copytrade_core.virtual_exchange.venue_rules import VenueRules

Row = dict[str, object]

FOREVER_MS = 4_133_404_800_000
"""deliveryDate of a perpetual, as Binance publishes it."""
ONBOARD_MS = 1_569_398_400_000
_QUANTITY_MAX = "1000000"
_STATUS = {
    VenueOrderStatus.OPEN: "NEW",
    VenueOrderStatus.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    VenueOrderStatus.FILLED: "FILLED",
    VenueOrderStatus.CANCELLED: "CANCELED",
    VenueOrderStatus.REJECTED: "REJECTED",
    VenueOrderStatus.EXPIRED: "EXPIRED",
}
_EXPIRED_BY = (CUT, NOTHING_LEFT)
"""What the venue ends itself is EXPIRED, what is taken back CANCELED (documented for time in force, else assumed)."""


def order_row(order: EngineOrder, market: VenueMarket) -> Row:
    """One order as a query or a list shows it.

    An order that nobody named carries a name of the venue's, and one that closes is shown as reduce-only in hedge mode
    too (both assumed).
    """
    instrument = market.instrument
    price, in_force, kind = _asked(order, instrument)
    return {
        "orderId": int(order.venue_order_id),
        "symbol": market.symbol,
        "status": "EXPIRED" if order.why in _EXPIRED_BY else _STATUS[order.status],
        "clientOrderId": order.client_order_id or f"web_{order.venue_order_id}",
        "price": price,
        "avgPrice": plain(average_price(order, instrument)),
        "origQty": _quantity(order.quantity, instrument),
        "executedQty": _quantity(order.filled, instrument),
        "cumQuote": money_plain(order.quote),
        "timeInForce": in_force,
        "type": kind,
        "reduceOnly": order.closes,
        "closePosition": False,
        "side": "BUY" if order.buys else "SELL",
        "positionSide": _position_side(order.position_side),
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": kind,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE",
        "goodTillDate": 0,
        "time": order.created_at_ms,
        "updateTime": order.updated_at_ms,
    }


def sent_row(order: EngineOrder, market: VenueMarket) -> Row:
    """One order as the answer to a new order or to a cancel shows it: without `time`, with `cumQty`."""
    row = order_row(order, market)
    del row["time"]
    return row | {"cumQty": row["executedQty"]}


def acknowledged_row(order: EngineOrder, market: VenueMarket) -> Row:
    """The answer `ACK` to a new order: taken, and nothing about what it did since."""
    nothing = _quantity(0, market.instrument)
    untold: Row = {"status": "NEW", "executedQty": nothing, "cumQty": nothing, "cumQuote": "0", "avgPrice": "0.00"}
    return sent_row(order, market) | untold


def trade_row(fill: VenueFill, order: EngineOrder, market: VenueMarket) -> Row:
    """One trade of ours. `realizedPnl` is always 0: the engine keeps no result of a single trade."""
    instrument = market.instrument
    return {
        "symbol": market.symbol,
        "id": int(fill.trade_id),
        "orderId": int(fill.venue_order_id),
        "side": "BUY" if fill.buys else "SELL",
        "price": on_grid(instrument.price(fill.price), instrument.tick_size),
        "qty": _quantity(fill.quantity, instrument),
        "quoteQty": money_plain(instrument.notional(fill.price, fill.quantity)),
        "realizedPnl": "0",
        "marginAsset": "USDT",
        "commission": money_padded(fill.fee),
        "commissionAsset": "USDT",
        "time": fill.time_ms,
        "positionSide": _position_side(order.position_side),
        "maker": fill.is_maker,
        "buyer": fill.buys,
    }


def position_row(
    held: VenuePosition, market: VenueMarket, *, mark: Ticks, leverage: int, mode: PositionMode, now_ms: int
) -> Row:
    """One open position of `v3/positionRisk`; a short one has a negative amount in both modes."""
    instrument, sign = market.instrument, held.side.sign
    value, entered = (instrument.notional(price, held.quantity) for price in (mark, held.entry_price))
    margin = money_padded(value // leverage)
    entry = plain(instrument.price(held.entry_price))
    return {
        "symbol": market.symbol,
        "positionSide": _position_side(held.side if mode is PositionMode.HEDGE else None),
        "positionAmt": _quantity(sign * held.quantity, instrument),
        "entryPrice": entry,
        "breakEvenPrice": entry,
        "markPrice": f"{instrument.price(mark):.8f}",
        "unRealizedProfit": money_padded(sign * (value - entered)),
        "liquidationPrice": "0",
        "isolatedMargin": "0",
        "notional": money_padded(sign * value),
        "marginAsset": "USDT",
        "isolatedWallet": "0",
        "initialMargin": margin,
        "maintMargin": "0",
        "positionInitialMargin": margin,
        "openOrderInitialMargin": "0",
        "adl": 1,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": now_ms,
    }


def account_row(balance: VenueBalance, unrealised: int, positions: list[Row], now_ms: int) -> Row:
    """`v3/account`: the sums, the USDT row and the positions."""
    wallet, used = money_padded(balance.equity - unrealised), money_padded(max(0, balance.equity - balance.free))
    profit, equity, free = money_padded(unrealised), money_padded(balance.equity), money_padded(balance.free)
    shared: Row = {"availableBalance": free, "maxWithdrawAmount": free}
    totals: Row = {
        "totalInitialMargin": used,
        "totalMaintMargin": money_padded(0),
        "totalWalletBalance": wallet,
        "totalUnrealizedProfit": profit,
        "totalMarginBalance": equity,
        "totalPositionInitialMargin": used,
        "totalOpenOrderInitialMargin": money_padded(0),
        "totalCrossWalletBalance": wallet,
        "totalCrossUnPnl": profit,
    }
    asset: Row = {
        "asset": "USDT",
        "walletBalance": wallet,
        "unrealizedProfit": profit,
        "marginBalance": equity,
        "maintMargin": money_padded(0),
        "initialMargin": used,
        "positionInitialMargin": used,
        "openOrderInitialMargin": money_padded(0),
        "crossWalletBalance": wallet,
        "crossUnPnl": profit,
        "updateTime": now_ms,
    }
    return {**totals, **shared, "assets": [asset | shared], "positions": positions}


def symbol_row(market: VenueMarket) -> Row:
    """One market of `exchangeInfo`. Documented: the precisions are not the grid; the filters are."""
    rules = market.instrument
    base, quote = rules.market.partition(":")[0].split("/")
    return {
        "symbol": market.symbol,
        "pair": market.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": FOREVER_MS,
        "onboardDate": ONBOARD_MS,
        "status": "TRADING" if market.is_open else "SETTLING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": base,
        "quoteAsset": quote,
        "marginAsset": quote,
        "pricePrecision": _decimals(rules.tick_size),
        "quantityPrecision": _decimals(rules.step_size),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "filters": _filters(rules),
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }


def bracket_row(market: VenueMarket, rules: VenueRules) -> Row:
    """One market of `leverageBracket`: a single bracket."""
    bracket: Row = {
        "bracket": 1,
        "initialLeverage": rules.leverage_max,
        "notionalCap": 1_000_000,
        "notionalFloor": 0,
        "maintMarginRatio": 0.004,
        "cum": 0.0,
    }
    return {"symbol": market.symbol, "notionalCoef": 1.0, "brackets": [bracket]}


def rights_row(key: StandinKey) -> Row:
    """What the key may do, as `account/apiRestrictions` tells it."""
    return {
        "ipRestrict": key.ip_restricted,
        "createTime": ONBOARD_MS,
        "enableInternalTransfer": False,
        "enableFutures": key.can_trade,
        "enablePortfolioMarginTrading": False,
        "enableVanillaOptions": False,
        "permitsUniversalTransfer": False,
        "enableReading": True,
        "enableSpotAndMarginTrading": False,
        "enableWithdrawals": key.can_withdraw,
        "enableMargin": False,
    }


def quote_text(steps: int, price: Ticks, instrument: Instrument) -> str:
    """Money of a quantity at a price, of any size."""
    return plain(Decimal(steps * price * instrument.money_per_tick_step) / MONEY_SCALE)


def _asked(order: EngineOrder, instrument: Instrument) -> tuple[str, str, str]:
    """Price, time in force and type as the order asked for them."""
    match order.style:
        case LimitStyle(price=price, post_only=post_only):
            return on_grid(instrument.price(price), instrument.tick_size), "GTX" if post_only else "GTC", "LIMIT"
        case MarketStyle():
            return "0", "GTC", "MARKET"
        case StopStyle():
            return "0", "GTC", "STOP_MARKET"


def _filters(rules: Instrument) -> list[Row]:
    tick, step = plain(rules.tick_size), plain(rules.step_size)
    least = plain(rules.quantity(max(1, rules.min_quantity)))
    lot: Row = {"stepSize": step, "maxQty": _QUANTITY_MAX, "minQty": least}
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "100000000", "tickSize": tick},
        {"filterType": "LOT_SIZE", **lot},
        {"filterType": "MARKET_LOT_SIZE", **lot},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MIN_NOTIONAL", "notional": money_plain(rules.min_notional)},
    ]


def _position_side(side: Side | None) -> str:
    return "BOTH" if side is None else side.value.upper()


def _quantity(steps: int, instrument: Instrument) -> str:
    return on_grid(instrument.quantity(steps), instrument.step_size)


def _decimals(unit: Decimal) -> int:
    return len(on_grid(unit, unit).partition(".")[2])
