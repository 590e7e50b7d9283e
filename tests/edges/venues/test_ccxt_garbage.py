"""A body that is not the venue's envelope is never "flat", never "no orders" and never an accepted order."""

from __future__ import annotations

from typing import Any, cast

import ccxt
import pytest
import requests

from copytrade_core.model.outcome import CancelOutcome, Unavailable, Unknown
from copytrade_core.model.side import Side
from copytrade_core.model.venue import Venue
from tests.edges.venues.scripted_venue import NOW_MS, Reply
from tests.edges.venues.venue_orders import BTC, ID, SCRIPTS, an_order

BODIES = {
    "empty": b"",
    "html": b"<html><body>Bad gateway</body></html>",
    "word": b"ok",
    "null": b"null",
    "number": b"1",
    "text": b'"ok"',
    "object": b"{}",
    "other object": b'{"status":"ok","timestamp":1}',
    "rows of nothing": b"[{}]",
    "rows of numbers": b"[1,2]",
    "cut": b'{"code":0,"msg":"","data":{"orders":[{"orderId":1',
    "code without data": b'{"code":0,"msg":""}',
    "no data": b'{"code":0,"msg":"","data":null}',
    "empty data": b'{"code":0,"msg":"","data":{}}',
    "data of another call": b'{"code":0,"msg":"","data":{"serverTime":1}}',
    "no code": b'{"msg":"","data":[]}',
    "code that is no number": b'{"code":true,"msg":"","data":[]}',
    "not a number": b'{"code":0,"data":[NaN]}',
}
READS = {
    "positions": lambda broker: broker.positions(),
    "position": lambda broker: broker.position(BTC),
    "open_orders": lambda broker: broker.open_orders(),
    "orders": lambda broker: broker.orders(BTC, since_ms=NOW_MS - 1000),
    "order": lambda broker: broker.order(BTC, ID),
    "fills": lambda broker: broker.fills(BTC, since_ms=NOW_MS - 1000),
    "balance": lambda broker: broker.balance(),
    "probe": lambda broker: broker.probe(),
    "set_leverage": lambda broker: broker.set_leverage(BTC, Side.LONG, 2),
}


@pytest.fixture(params=Venue)
def garbled(request, scripted, broker_at):
    """A broker with its markets, before a venue that is about to speak nonsense."""
    SCRIPTS[request.param].script(scripted)
    broker = broker_at(scripted.base_url, request.param)
    broker.markets()
    return broker


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_garbage_body_is_believed_by_no_call(body, garbled, scripted):
    scripted.everywhere = Reply(raw=body)
    for name, read in READS.items():
        assert isinstance(read(garbled), Unavailable), name
    assert isinstance(garbled.submit(an_order()), Unknown)
    assert garbled.cancel(BTC, ID) is CancelOutcome.UNKNOWN


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("venue", Venue)
def test_garbage_instead_of_markets_is_unavailable(venue, body, scripted, broker_at):
    scripted.everywhere = Reply(raw=body)
    assert isinstance(broker_at(scripted.base_url, venue).markets(), Unavailable)


def test_an_empty_list_in_place_of_an_object_is_no_account(garbled, scripted):
    scripted.everywhere = Reply([])
    for name in ("balance", "probe", "order"):
        assert isinstance(READS[name](garbled), Unavailable), name


def test_the_stock_client_calls_such_an_account_flat(scripted):
    """Why answers are judged: this is what stock ccxt makes of them."""
    scripted.everywhere = Reply(raw=b'{"code":0,"msg":""}')
    stock = cast(
        "Any", ccxt.bingx({"apiKey": "k", "secret": "s", "session": requests.Session(), "enableRateLimit": False})
    )
    stock.urls["api"]["swap"] = scripted.base_url + "/openApi"
    stock.options["defaultType"] = "swap"
    stock.set_markets(stock.parse_markets([SCRIPTS[Venue.BINGX].contract("BTC-USDT", 4, 1, "0.0001")]))
    assert stock.fetch_positions() == []
    assert stock.fetch_open_orders() == []
    assert stock.create_order("BTC/USDT:USDT", "market", "buy", 0.01)["id"] is None
