"""Answers of BingX as its documentation and ccxt's fixtures show them, for a scripted venue."""

from __future__ import annotations

from typing import Any

from tests.edges.venues.scripted_venue import NOW_MS, Asked, Reply, ScriptedVenue

SWAP = "/openApi/swap"
ORDER = f"{SWAP}/v2/trade/order"
POSITIONS = f"{SWAP}/v2/user/positions"
OPEN_ORDERS = f"{SWAP}/v2/trade/openOrders"
FULL_ORDERS = f"{SWAP}/v1/trade/fullOrder"
FILLS = f"{SWAP}/v2/trade/allFillOrders"
BALANCE = f"{SWAP}/v3/user/balance"
CONTRACTS = f"{SWAP}/v2/quote/contracts"
LEVERAGE = f"{SWAP}/v2/trade/leverage"
MODE = f"{SWAP}/v1/positionSide/dual"
TIME = f"{SWAP}/v2/server/time"
RIGHTS = "/openApi/v1/account/apiPermissions"
VENUE_ID = 1597783850786750464


def ok(data: object) -> Reply:
    return Reply({"code": 0, "msg": "", "data": data})


def refusal(code: int, message: str = "") -> Reply:
    return Reply({"code": code, "msg": message, "data": {}})


def contract(symbol: str, quantity: int, price: int, minimum: str) -> dict[str, Any]:
    return {
        "contractId": "100",
        "symbol": symbol,
        "quantityPrecision": quantity,
        "pricePrecision": price,
        "tradeMinQuantity": minimum,
        "tradeMinUSDT": "2",
        "currency": "USDT",
        "asset": symbol.partition("-")[0],
        "status": 1,
        "apiStateOpen": "true",
        "apiStateClose": "true",
    }


def order_row(client_order_id: str, **changes: object) -> dict[str, Any]:
    return {
        "symbol": "BTC-USDT",
        "orderId": VENUE_ID,
        "side": "BUY",
        "positionSide": "LONG",
        "type": "LIMIT",
        "origQty": "0.0100",
        "price": "30000.0",
        "executedQty": "0.0000",
        "avgPrice": "0.0",
        "status": "NEW",
        "time": NOW_MS,
        "updateTime": NOW_MS,
        "clientOrderId": client_order_id,
        **changes,
    }


def fill_row(**changes: object) -> dict[str, Any]:
    return {
        "symbol": "BTC-USDT",
        "orderId": str(VENUE_ID),
        "side": "BUY",
        "tradeId": "77",
        "volume": "0.0100",
        "price": "30000.0",
        "amount": "300.0",
        "commission": "-0.1500",
        "currency": "USDT",
        "filledTime": "2026-01-01T08:00:00.000+0800",
        **changes,
    }


def position_row(**changes: object) -> dict[str, Any]:
    return {
        "symbol": "BTC-USDT",
        "positionSide": "LONG",
        "positionAmt": "0.0100",
        "avgPrice": "30000.04",
        "positionId": "9",
        **changes,
    }


def named(asked: Asked) -> str:
    return asked.params.get("clientOrderID") or asked.params.get("clientOrderId", "")


def created(asked: Asked) -> Reply:
    """The lean create answer."""
    row = {"symbol": "BTC-USDT", "orderId": VENUE_ID, "side": asked.params["side"], "clientOrderID": named(asked)}
    return ok({"order": row | {"positionSide": asked.params["positionSide"], "type": asked.params["type"]}})


def script(venue: ScriptedVenue, *, dual: str = "true") -> None:
    """An account that is flat and can trade."""
    venue.on("GET", CONTRACTS, ok([contract("BTC-USDT", 4, 1, "0.0001"), contract("PEPE-USDT", 0, 8, "100")]))
    venue.on("GET", TIME, ok({"serverTime": NOW_MS + 40}))
    venue.on("GET", RIGHTS, ok({"permissions": [2, 3], "ipAddresses": ["127.0.0.1"]}))
    venue.on("GET", MODE, ok({"dualSidePosition": dual}))
    venue.on(
        "GET", BALANCE, ok([{"asset": "USDT", "equity": "1000.5", "availableMargin": "900.25", "balance": "1000"}])
    )
    venue.on("GET", POSITIONS, ok([]))
    venue.on("GET", OPEN_ORDERS, ok({"orders": []}))
    venue.on("GET", FULL_ORDERS, ok({"orders": []}))
    venue.on("GET", FILLS, ok({"fill_orders": []}))
    venue.on("POST", ORDER, created)
    venue.on("GET", ORDER, lambda asked: ok({"order": order_row(named(asked))}))
    venue.on("DELETE", ORDER, lambda asked: ok({"order": order_row(named(asked), status="CANCELLED")}))
    venue.on("POST", LEVERAGE, lambda asked: ok({"leverage": int(asked.params["leverage"]), "symbol": "BTC-USDT"}))
