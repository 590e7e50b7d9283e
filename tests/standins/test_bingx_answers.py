"""The shape of every answer against an independent witness: keys and JSON types of answers that others have recorded.

The tables are facts of ccxt's static response fixtures (`bingx.json`) and of the samples in BingX's documentation.
ccxt's recorder writes most numbers as text, so `numeric` accepts both; `text` and `flag` are exact.
"""

from __future__ import annotations

from collections.abc import Generator
from decimal import Decimal, InvalidOperation

import pytest

from copytrade_core.edges.standins.venue_server import VenueServerConfig, VenueStandin, running_venue
from copytrade_core.model.venue import Venue
from tests.standins.venue_desk import NOW, ORDER, BingxDesk, run_setup

SWAP = "/openApi/swap"
CONTRACT = {
    "contractId": "text",
    "symbol": "text",
    "size": "numeric",
    "quantityPrecision": "numeric",
    "pricePrecision": "numeric",
    "feeRate": "numeric",
    "makerFeeRate": "numeric",
    "takerFeeRate": "numeric",
    "tradeMinLimit": "numeric",
    "tradeMinQuantity": "numeric",
    "tradeMinUSDT": "numeric",
    "maxLongLeverage": "numeric",
    "maxShortLeverage": "numeric",
    "currency": "text",
    "asset": "text",
    "status": "numeric",
    "apiStateOpen": "text",
    "apiStateClose": "text",
    "ensureTrigger": "flag",
    "triggerFeeRate": "numeric",
}
TICKER = {
    "symbol": "text",
    "priceChange": "numeric",
    "priceChangePercent": "numeric",
    "lastPrice": "numeric",
    "lastQty": "numeric",
    "highPrice": "numeric",
    "lowPrice": "numeric",
    "volume": "numeric",
    "quoteVolume": "numeric",
    "openPrice": "numeric",
    "openTime": "numeric",
    "closeTime": "numeric",
    "askPrice": "numeric",
    "askQty": "numeric",
    "bidPrice": "numeric",
    "bidQty": "numeric",
}
KLINE = dict.fromkeys(("open", "close", "high", "low", "volume", "time"), "numeric")
BALANCE = {
    "userId": "text",
    "asset": "text",
    "balance": "numeric",
    "equity": "numeric",
    "unrealizedProfit": "numeric",
    "realisedProfit": "numeric",
    "availableMargin": "numeric",
    "usedMargin": "numeric",
    "freezedMargin": "numeric",
    "shortUid": "text",
}
POSITION = {
    "positionId": "text",
    "symbol": "text",
    "currency": "text",
    "positionAmt": "numeric",
    "availableAmt": "numeric",
    "positionSide": "text",
    "isolated": "flag",
    "avgPrice": "numeric",
    "initialMargin": "numeric",
    "margin": "numeric",
    "leverage": "numeric",
    "unrealizedProfit": "numeric",
    "realisedProfit": "numeric",
    "liquidationPrice": "numeric",
    "pnlRatio": "numeric",
    "maxMarginReduction": "numeric",
    "riskRate": "numeric",
    "markPrice": "numeric",
    "positionValue": "numeric",
    "onlyOnePosition": "flag",
    "updateTime": "numeric",
}
LEAN_CREATE = {
    "symbol": "text",
    "orderId": "numeric",
    "side": "text",
    "positionSide": "text",
    "type": "text",
    "clientOrderID": "text",
    "workingType": "text",
}
RICH_CREATE = {
    "orderId": "numeric",
    "orderID": "text",
    "symbol": "text",
    "positionSide": "text",
    "side": "text",
    "type": "text",
    "price": "numeric",
    "quantity": "numeric",
    "quoteOrderQty": "numeric",
    "stopPrice": "numeric",
    "workingType": "text",
    "clientOrderID": "text",
    "clientOrderId": "text",
    "timeInForce": "text",
    "priceRate": "numeric",
    "stopLoss": "text",
    "takeProfit": "text",
    "reduceOnly": "flag",
    "activationPrice": "numeric",
    "closePosition": "text",
    "stopGuaranteed": "text",
    "status": "text",
    "avgPrice": "numeric",
    "executedQty": "numeric",
}
ORDER_ROW = {
    "symbol": "text",
    "orderId": "numeric",
    "side": "text",
    "positionSide": "text",
    "type": "text",
    "origQty": "numeric",
    "price": "numeric",
    "executedQty": "numeric",
    "avgPrice": "numeric",
    "cumQuote": "numeric",
    "stopPrice": "text",
    "profit": "numeric",
    "commission": "numeric",
    "status": "text",
    "time": "numeric",
    "updateTime": "numeric",
    "clientOrderId": "text",
    "leverage": "text",
    "takeProfit": "object",
    "stopLoss": "object",
    "advanceAttr": "numeric",
    "positionID": "numeric",
    "takeProfitEntrustPrice": "numeric",
    "stopLossEntrustPrice": "numeric",
    "orderType": "text",
    "workingType": "text",
    "onlyOnePosition": "flag",
    "reduceOnly": "flag",
    "postOnly": "flag",
    "stopGuaranteed": "text",
    "triggerOrderId": "numeric",
}
FILL = {
    "filledTm": "text",
    "volume": "numeric",
    "price": "numeric",
    "amount": "numeric",
    "commission": "numeric",
    "currency": "text",
    "orderId": "text",
    "liquidatedPrice": "text",
    "liquidatedMarginRatio": "text",
    "filledTime": "text",
    "clientOrderID": "text",
    "symbol": "text",
    "onlyOnePosition": "flag",
    # Documented, absent from the recorded row of 2024:
    "side": "text",
    "type": "text",
    "positionSide": "text",
}
FILL_HISTORY = {
    "filledTm": "text",
    "volume": "numeric",
    "price": "numeric",
    "qty": "numeric",
    "quoteQty": "numeric",
    "commission": "numeric",
    "commissionAsset": "text",
    "orderId": "text",
    "tradeId": "text",
    "filledTime": "text",
    "symbol": "text",
    "role": "text",
    "side": "text",
    "positionSide": "text",
}
LEVERAGE = {
    "longLeverage": "numeric",
    "shortLeverage": "numeric",
    "maxLongLeverage": "numeric",
    "maxShortLeverage": "numeric",
    "availableLongVol": "numeric",
    "availableShortVol": "numeric",
    "availableLongVal": "numeric",
    "availableShortVal": "numeric",
    "maxPositionLongVal": "numeric",
    "maxPositionShortVal": "numeric",
}
PERMISSIONS = {"apiKey": "text", "permissions": "list", "ipAddresses": "list", "note": "text"}


def kind_of(value: object) -> set[str]:
    """Every kind that a JSON value may count as."""
    if isinstance(value, bool):
        return {"flag"}
    if isinstance(value, int | float):
        return {"numeric"}
    if isinstance(value, list):
        return {"list"}
    if isinstance(value, dict):
        return {"object"}
    assert isinstance(value, str)
    try:
        _ = Decimal(value)
    except InvalidOperation:
        return {"text"}
    return {"text", "numeric"}


def misfits(row: dict[str, object], expected: dict[str, str]) -> dict[str, str]:
    """What differs from the recorded shape: missing, added, or of another kind."""
    found = dict.fromkeys(set(expected) - set(row), "missing") | dict.fromkeys(set(row) - set(expected), "added")
    for name in set(row) & set(expected):
        if expected[name] not in kind_of(row[name]):
            found[name] = f"{row[name]!r} is no {expected[name]}"
    return found


@pytest.fixture(scope="module")
def venue() -> Generator[VenueStandin]:
    with running_venue(VenueServerConfig(venue=Venue.BINGX, setup=run_setup(), port=0)) as standin:
        yield standin


@pytest.fixture(scope="module")
def desk(venue: VenueStandin) -> Generator[BingxDesk]:
    """A client of a venue where one order has filled and one rests."""
    desk = BingxDesk(venue.base_url)
    with desk.client:
        assert desk.place("c1")["code"] == 0
        assert desk.place("c2", type="LIMIT", price="50000")["code"] == 0
        venue.control.set_time(NOW + 60_000)
        desk.now_ms = NOW + 60_000
        yield desk


RANGE = {"startTs": NOW, "endTs": NOW + 60_000}


@pytest.mark.parametrize(
    ("path", "parameters", "where", "shape"),
    [
        ("/v2/quote/contracts", {}, (0,), CONTRACT),
        ("/v2/quote/ticker", {"symbol": "BTC-USDT"}, (), TICKER),
        ("/v3/quote/klines", {"symbol": "BTC-USDT", "interval": "1m"}, (0,), KLINE),
        ("/v3/user/balance", {}, (0,), BALANCE),
        ("/v2/user/positions", {"symbol": "BTC-USDT"}, (0,), POSITION),
        ("/v2/trade/leverage", {"symbol": "BTC-USDT"}, (), LEVERAGE),
        ("/v2/trade/order", {"symbol": "BTC-USDT", "clientOrderID": "c1"}, ("order",), ORDER_ROW),
        ("/v2/trade/openOrder", {"symbol": "BTC-USDT", "clientOrderID": "c2"}, ("order",), ORDER_ROW),
        ("/v2/trade/openOrders", {}, ("orders", 0), ORDER_ROW),
        ("/v2/trade/allOrders", {"symbol": "BTC-USDT"}, ("orders", 0), ORDER_ROW),
        ("/v1/trade/fullOrder", {"symbol": "BTC-USDT"}, ("orders", 1), ORDER_ROW),
        ("/v2/trade/allFillOrders", {"symbol": "BTC-USDT", **RANGE}, ("fill_orders", 0), FILL),
        ("/v2/trade/fillHistory", {"symbol": "BTC-USDT", **RANGE}, ("fill_orders", 0), FILL_HISTORY),
    ],
)
def test_a_row_has_the_recorded_keys_and_types(desk: BingxDesk, path, parameters, where, shape):
    row = desk.data("GET", SWAP + path, **parameters)
    for step in where:
        row = row[step]
    assert misfits(row, shape) == {}


def test_the_permission_answer_has_the_documented_keys(desk: BingxDesk):
    assert misfits(desk.data("GET", "/openApi/v1/account/apiPermissions"), PERMISSIONS) == {}


def test_both_create_answers_have_the_recorded_keys_and_types(venue: VenueStandin):
    with running_venue(
        VenueServerConfig(venue=Venue.BINGX, setup=run_setup(options={"create_answer": "rich"}), port=0)
    ) as rich:
        desk = BingxDesk(rich.base_url)
        with desk.client:
            assert misfits(desk.place()["data"], RICH_CREATE) == {}
    desk = BingxDesk(venue.base_url)
    with desk.client:
        desk.now_ms = NOW + 60_000
        assert misfits(desk.place("c9", quantity="0.001")["data"]["order"], LEAN_CREATE) == {}


def test_every_answer_is_in_the_envelope_and_every_refusal_too(desk: BingxDesk):
    assert list(desk.answer("GET", f"{SWAP}/v2/user/positions")) == ["code", "msg", "data"]
    refused = desk.request("GET", ORDER, symbol="BTC-USDT", clientOrderID="nobody")
    assert (refused.status_code, refused.headers["content-type"].split(";")[0]) == (200, "application/json")
    assert refused.json() == {"code": 80016, "msg": "order does not exist", "data": {}}


def test_a_wrong_shape_is_found():
    row: dict[str, object] = {"apiKey": 5, "permissions": [], "ipAddresses": [], "more": 1}
    assert set(misfits(row, PERMISSIONS)) == {"apiKey", "note", "more"}
