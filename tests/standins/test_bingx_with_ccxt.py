"""The stock synchronous ccxt client against BingX's stand-in: it signs, parses and maps errors for real.

The last tests show the traps that stock ccxt leaves open; a broker that relies on it must meet them here.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import ccxt
import pytest

from copytrade_core.edges.standins.venue_control import ChangeKey, VenueControl
from copytrade_core.edges.standins.venue_server import VenueServerConfig, VenueStandin, running_venue
from copytrade_core.model.venue import PositionMode, Venue
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall
from tests.standins.venue_desk import BTC, ETH, NOW, run_setup, stock_bingx

HEDGED = {"hedged": True}


@pytest.fixture(scope="module")
def running() -> Generator[VenueStandin]:
    with running_venue(VenueServerConfig(venue=Venue.BINGX, setup=run_setup(), port=0)) as standin:
        yield standin


@pytest.fixture
def control(running: VenueStandin) -> VenueControl:
    running.control.reset(run_setup())
    return running.control


@pytest.fixture
def client(running: VenueStandin, control: VenueControl) -> Generator[Any]:
    client = stock_bingx(running.base_url, timeout_ms=300)
    control.reset(run_setup())
    yield client
    client.session.close()


def test_markets_are_parsed_with_their_grid_and_minimums(client: Any):
    market = client.market(BTC)
    assert (market["id"], market["contractSize"], market["active"], market["linear"]) == ("BTC-USDT", 1, True, True)
    assert market["precision"] == {"amount": 0.0001, "price": 0.1}
    assert (market["limits"]["amount"]["min"], market["limits"]["cost"]["min"]) == (0.0002, 2)
    assert client.market(ETH)["precision"] == {"amount": 0.01, "price": 0.01}


def test_a_trade_from_open_to_close_in_hedge_mode(client: Any, control: VenueControl):
    opened = client.create_order(BTC, "market", "buy", 0.01, None, HEDGED | {"clientOrderId": "c1"})
    assert (opened["clientOrderId"], opened["status"], opened["filled"]) == ("c1", None, None)
    order = client.fetch_order(opened["id"], BTC)
    assert (order["status"], order["filled"], order["average"]) == ("closed", 0.01, 60006.0)
    position = client.fetch_positions([BTC])[0]
    assert (position["side"], position["contracts"], position["entryPrice"]) == ("long", 0.01, 60006.0)
    closed = client.create_order(BTC, "market", "sell", 0.01, None, HEDGED | {"reduceOnly": True})
    assert client.fetch_order(closed["id"], BTC)["status"] == "closed"
    assert client.fetch_positions() == []
    trades = client.fetch_my_trades(BTC, since=NOW - 1000)
    assert [(trade["order"], trade["side"], trade["amount"]) for trade in trades] == [
        (opened["id"], "buy", 0.01),
        (closed["id"], "sell", 0.01),
    ]
    ledger = control.ledger()
    assert sum(round(trade["fee"]["cost"] * 10**8) for trade in trades) == sum(fill.fee for fill in ledger.fills)
    assert round(client.fetch_balance()["USDT"]["total"] * 10**8) == ledger.equity


def test_a_rich_create_answer_parses_as_open_and_unfilled(client: Any, control: VenueControl):
    control.reset(run_setup(options={"create_answer": "rich"}))
    opened = client.create_order(BTC, "market", "buy", 0.01, None, HEDGED)
    assert (opened["status"], opened["filled"], opened["amount"]) == ("open", 0, 0.01)
    assert client.fetch_order(opened["id"], BTC)["filled"] == 0.01


def test_a_resting_order_is_listed_and_cancelled(client: Any):
    order = client.create_order(BTC, "limit", "buy", 0.01, 50_000, HEDGED | {"clientOrderId": "c1", "postOnly": True})
    assert [each["id"] for each in client.fetch_open_orders(BTC)] == [order["id"]]
    assert client.fetch_open_orders()[0]["price"] == 50_000
    cancelled = client.cancel_order(None, BTC, {"clientOrderId": "c1"})
    assert (cancelled["id"], cancelled["status"]) == (order["id"], "canceled")
    assert client.fetch_open_orders(BTC) == []
    assert [each["status"] for each in client.fetch_orders(BTC)] == ["canceled"]


def test_one_way_mode_nets_and_reduces(client: Any, control: VenueControl):
    assert client.fetch_position_mode()["hedged"] is True
    _ = client.set_position_mode(hedged=False)
    assert client.fetch_position_mode()["hedged"] is False
    _ = client.create_order(BTC, "market", "sell", 0.02)
    _ = client.create_order(BTC, "market", "buy", 0.01, None, {"reduceOnly": True})
    assert [(each["side"], each["contracts"]) for each in client.fetch_positions()] == [("short", 0.01)]
    assert control.ledger().position_mode is PositionMode.ONE_WAY


def test_leverage_ticker_klines_and_time(client: Any, control: VenueControl):
    _ = client.set_leverage(7, BTC, {"side": "LONG"})
    assert client.fetch_leverage(BTC)["longLeverage"] == 7
    control.set_time(NOW + 60_000)
    assert client.fetch_time() == NOW + 60_000
    assert client.fetch_ticker(BTC)["last"] == 60_000
    assert client.fetch_ohlcv(BTC, "1m", since=NOW) == [[NOW, 60_000, 60_000, 60_000, 60_000, 0]]


@pytest.mark.parametrize(
    ("arguments", "params", "error"),
    [
        (("market", "buy", 3), {}, ccxt.InsufficientFunds),
        (("market", "sell", 0.01), {"reduceOnly": True}, ccxt.InvalidOrder),
        (("limit", "buy", 0.0002, 5_000), {}, ccxt.InvalidOrder),
        (("market", "buy", 0.01), {"hedged": False}, ccxt.BadRequest),
        (("market", "buy", 0.01), {"clientOrderId": "x" * 41}, ccxt.BadRequest),
    ],
)
def test_refusals_become_ccxts_own_errors(client: Any, control: VenueControl, arguments, params, error):
    with pytest.raises(error):
        _ = client.create_order(BTC, *arguments, params=HEDGED | params)
    assert control.ledger().orders == ()


def test_a_used_id_is_a_duplicate_and_a_revoked_key_an_authentication_error(client: Any, control: VenueControl):
    params = HEDGED | {"clientOrderId": "c1"}
    _ = client.create_order(BTC, "market", "buy", 0.01, None, params)
    with pytest.raises(ccxt.DuplicateOrderId):
        _ = client.create_order(BTC, "market", "buy", 0.01, None, params)
    control.inject(ChangeKey(can_trade=True, can_withdraw=False, ip_restricted=True, is_revoked=True))
    with pytest.raises(ccxt.AuthenticationError):
        _ = client.fetch_positions()
    assert len(control.ledger().orders) == 1


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (VenueFaultKind.ACCEPT_THEN_HANG, ccxt.RequestTimeout),
        (VenueFaultKind.ACCEPT_THEN_RESET, ccxt.NetworkError),
        (VenueFaultKind.LOST, ccxt.RequestTimeout),
    ],
)
def test_a_lost_answer_is_a_network_error_whatever_happened_to_the_order(client, control, kind, error):
    control.set_faults([VenueFault(kind=kind, call=VenueCall.SUBMIT)])
    with pytest.raises(error):
        _ = client.create_order(BTC, "market", "buy", 0.01, None, HEDGED)
    assert len(control.ledger().orders) == (0 if kind is VenueFaultKind.LOST else 1)


def test_trap_a_garbage_answer_is_an_order_without_id_and_a_flat_account(client: Any, control: VenueControl):
    control.set_faults([VenueFault(kind=VenueFaultKind.ACCEPT_THEN_GARBAGE, call=VenueCall.SUBMIT)])
    believed = client.create_order(BTC, "market", "buy", 0.01, None, HEDGED)
    assert believed["id"] is None
    control.set_faults([VenueFault(kind=VenueFaultKind.GARBAGE, call=VenueCall.POSITIONS)])
    assert client.fetch_positions() == []
    assert len(control.ledger().positions) == 1


def test_trap_no_order_id_becomes_the_text_none(client: Any):
    with pytest.raises(ccxt.BadRequest, match="orderId: None"):
        _ = client.fetch_order(None, BTC)


def test_trap_a_late_request_is_called_a_bad_symbol(client: Any, control: VenueControl):
    control.set_time(NOW + 6_000)
    with pytest.raises(ccxt.BadSymbol, match="timestamp mismatch"):
        _ = client.create_order(BTC, "market", "buy", 0.01, None, HEDGED)


def test_trap_a_cancel_that_comes_too_late_is_a_plain_exchange_error(client: Any):
    order = client.create_order(BTC, "market", "buy", 0.01, None, HEDGED)
    with pytest.raises(ccxt.ExchangeError, match="80018") as caught:
        _ = client.cancel_order(order["id"], BTC)
    assert not isinstance(caught.value, ccxt.OrderNotFound)


def test_trap_the_time_of_a_trade_is_read_eight_hours_too_late(client: Any, control: VenueControl):
    _ = client.create_order(BTC, "market", "buy", 0.01, None, HEDGED)
    read = client.fetch_my_trades(BTC, since=NOW - 1000)[0]["timestamp"]
    assert read - control.ledger().fills[0].time_ms == 8 * 3600 * 1000


def test_trap_a_redirect_of_a_read_is_followed_with_the_key(client: Any, control: VenueControl):
    control.set_faults([VenueFault(kind=VenueFaultKind.REDIRECT, call=VenueCall.BALANCE)])
    with pytest.raises(ccxt.BaseError):
        _ = client.fetch_balance()
    assert control.ledger().unknown_requests == ("GET /redirected",)
