"""Answers of Gate USDT futures as its documentation and ccxt's fixtures show them, for a scripted venue."""

from __future__ import annotations

from typing import Any

from tests.edges.venues.scripted_venue import NOW_MS, Asked, Reply, ScriptedVenue

USDT = "/api/v4/futures/usdt"
ORDERS = f"{USDT}/orders"
POSITIONS = f"{USDT}/positions"
FILLS = f"{USDT}/my_trades_timerange"
ENDED = f"{USDT}/orders_timerange"
ACCOUNT = f"{USDT}/accounts"
CONTRACTS = f"{USDT}/contracts"
TIME = "/api/v4/spot/time"
RIGHTS = "/api/v4/account/main_keys"
VENUE_ID = 58828270140


def refusal(label: str, message: str = "", *, status: int = 400) -> Reply:
    return Reply({"label": label, "message": message}, status=status)


def contract(name: str, size: str, tick: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "direct",
        "status": "trading",
        "quanto_multiplier": size,
        "order_price_round": tick,
        "order_size_min": "1",
        "order_size_max": "1000000",
        "order_price_deviate": "0.5",
        "mark_price": "30000",
        "leverage_min": "1",
        "leverage_max": "100",
        "enable_decimal": False,
    }


def order_row(client_order_id: str, **changes: object) -> dict[str, Any]:
    return {
        "id": VENUE_ID,
        "contract": "BTC_USDT",
        "create_time": NOW_MS / 1000,
        "status": "open",
        "size": "100",
        "left": "100",
        "price": "30000",
        "fill_price": "0",
        "tif": "gtc",
        "text": f"t-{client_order_id}",
        "is_reduce_only": False,
        **changes,
    }


def fill_row(**changes: object) -> dict[str, Any]:
    return {
        "trade_id": "3335259",
        "create_time": NOW_MS / 1000,
        "contract": "BTC_USDT",
        "order_id": str(VENUE_ID),
        "size": "100",
        "price": "30000",
        "role": "taker",
        "fee": "0.15",
        **changes,
    }


def position_row(**changes: object) -> dict[str, Any]:
    return {"contract": "BTC_USDT", "mode": "dual_long", "size": "100", "entry_price": "30000.04", **changes}


def script(venue: ScriptedVenue, *, dual: bool = True) -> None:
    """An account that is flat and can trade."""
    venue.on("GET", CONTRACTS, Reply([contract("BTC_USDT", "0.0001", "0.1"), contract("ETH_USDT", "0.01", "0.01")]))
    venue.on("GET", TIME, Reply({"server_time": NOW_MS + 40}))
    rights = [{"name": "futures", "read_only": False}, {"name": "wallet", "read_only": True}]
    venue.on("GET", RIGHTS, Reply({"ip_whitelist": ["127.0.0.1"], "perms": rights}))
    account = {"total": "1000", "unrealised_pnl": "0.5", "available": "900.25", "in_dual_mode": dual}
    venue.on("GET", ACCOUNT, Reply(account))
    venue.on("GET", POSITIONS, Reply([]))
    venue.on("GET", ORDERS, Reply([]))
    venue.on("GET", ENDED, Reply([]))
    venue.on("GET", FILLS, Reply([]))
    venue.on("POST", ORDERS, lambda asked: Reply(order_row(asked.params["text"].removeprefix("t-")), status=201))
    for letter in "abcde":
        name = "c" + letter * 25
        path = f"{ORDERS}/t-{name}"
        venue.on("GET", path, Reply(order_row(name)))
        venue.on("DELETE", path, Reply(order_row(name, status="finished", finish_as="cancelled")))
    venue.on("POST", f"{POSITIONS}/BTC_USDT/leverage", _leverage("single"))
    venue.on("POST", f"{USDT}/dual_comp/positions/BTC_USDT/leverage", _both_leverages)


def _leverage(mode: str) -> Any:
    return lambda asked: Reply(position_row(mode=mode, cross_leverage_limit=asked.params["cross_leverage_limit"]))


def _both_leverages(asked: Asked) -> Reply:
    limit = asked.params["cross_leverage_limit"]
    return Reply([position_row(mode=mode, cross_leverage_limit=limit) for mode in ("dual_long", "dual_short")])
