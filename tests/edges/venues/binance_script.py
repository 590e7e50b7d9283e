"""Answers of Binance USD-M as its documentation and ccxt's fixtures show them, for a scripted venue."""

from __future__ import annotations

from typing import Any

from tests.edges.venues.scripted_venue import NOW_MS, Reply, ScriptedVenue

FAPI = "/fapi/v1"
ORDER = f"{FAPI}/order"
OPEN_ORDERS = f"{FAPI}/openOrders"
ALL_ORDERS = f"{FAPI}/allOrders"
FILLS = f"{FAPI}/userTrades"
POSITIONS = "/fapi/v3/positionRisk"
ACCOUNT = "/fapi/v3/account"
INFO = f"{FAPI}/exchangeInfo"
MODE = f"{FAPI}/positionSide/dual"
TIME = f"{FAPI}/time"
LEVERAGE = f"{FAPI}/leverage"
RIGHTS = "/sapi/v1/account/apiRestrictions"
VENUE_ID = 8389765919471093760


def refusal(code: int, message: str = "", *, status: int = 400) -> Reply:
    return Reply({"code": code, "msg": message}, status=status)


def symbol(name: str, tick: str, step: str) -> dict[str, Any]:
    base = name.removesuffix("USDT")
    return {
        "symbol": name,
        "pair": name,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": 2,
        "quantityPrecision": 3,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "4529764", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "1000", "stepSize": step},
            {"filterType": "MARKET_LOT_SIZE", "minQty": step, "maxQty": "120", "stepSize": step},
            {"filterType": "MIN_NOTIONAL", "notional": "100"},
        ],
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def order_row(client_order_id: str, **changes: object) -> dict[str, Any]:
    return {
        "orderId": VENUE_ID,
        "clientOrderId": client_order_id,
        "symbol": "BTCUSDT",
        "side": "BUY",
        "positionSide": "LONG",
        "type": "LIMIT",
        "status": "NEW",
        "origQty": "0.010",
        "executedQty": "0.000",
        "price": "30000.0",
        "avgPrice": "0.0",
        "cumQuote": "0",
        "time": NOW_MS,
        "updateTime": NOW_MS,
        **changes,
    }


def fill_row(**changes: object) -> dict[str, Any]:
    return {
        "id": 698759,
        "orderId": VENUE_ID,
        "symbol": "BTCUSDT",
        "side": "BUY",
        "positionSide": "LONG",
        "price": "30000.0",
        "qty": "0.010",
        "commission": "0.15",
        "commissionAsset": "USDT",
        "time": NOW_MS,
        "maker": False,
        "buyer": True,
        **changes,
    }


def position_row(**changes: object) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "positionSide": "LONG",
        "positionAmt": "0.010",
        "entryPrice": "30000.04",
        "markPrice": "30000",
        **changes,
    }


def script(venue: ScriptedVenue, *, dual: bool = True) -> None:
    """An account that is flat and can trade."""
    venue.on("GET", INFO, Reply({"symbols": [symbol("BTCUSDT", "0.1", "0.001"), symbol("ETHUSDT", "0.01", "0.001")]}))
    venue.on("GET", TIME, Reply({"serverTime": NOW_MS + 40}))
    venue.on("GET", RIGHTS, Reply({"ipRestrict": True, "enableWithdrawals": False, "enableFutures": True}))
    venue.on("GET", MODE, Reply({"dualSidePosition": dual}))
    venue.on("GET", ACCOUNT, Reply({"totalMarginBalance": "1000.5", "availableBalance": "900.25"}))
    venue.on("GET", POSITIONS, Reply([]))
    venue.on("GET", OPEN_ORDERS, Reply([]))
    venue.on("GET", ALL_ORDERS, Reply([]))
    venue.on("GET", FILLS, Reply([]))
    venue.on("POST", ORDER, lambda asked: Reply(order_row(asked.params["newClientOrderId"])))
    venue.on("GET", ORDER, lambda asked: Reply(order_row(asked.params["origClientOrderId"])))
    venue.on("DELETE", ORDER, lambda asked: Reply(order_row(asked.params["origClientOrderId"], status="CANCELED")))
    venue.on("POST", LEVERAGE, lambda asked: Reply({"leverage": int(asked.params["leverage"]), "symbol": "BTCUSDT"}))
