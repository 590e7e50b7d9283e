"""What stock ccxt does not protect an order from, one test for each; several show the stock client doing the damage."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import ccxt
import pytest
import requests
from pydantic import SecretStr

from copytrade_core.edges.venues.adapter import OrderRequest
from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.credentials import Credentials
from copytrade_core.edges.venues.stock_client import guarded_client, refuse_hidden_tries
from copytrade_core.edges.venues.transport import Loopback, RealVenue
from copytrade_core.model.errors import BadConfig, BadInput
from copytrade_core.model.intent import LimitStyle, StopStyle
from copytrade_core.model.outcome import Accepted, CancelOutcome, DefiniteReject, RejectReason, Unavailable, Unknown
from copytrade_core.model.side import Side
from copytrade_core.model.units import Ticks
from copytrade_core.model.venue import PositionMode, Venue
from tests.edges.venues import binance_script, bingx_script, gate_script
from tests.edges.venues.scripted_venue import KEY, NOW_MS, SECRET, Reply
from tests.edges.venues.venue_orders import BTC, ID, ORDER_PATH, POSITION_PATH, SCRIPTS, an_order

BINGX, GATE, BINANCE = Venue.BINGX, Venue.GATE, Venue.BINANCE
QUANTITY = {BINGX: 100, GATE: 100, BINANCE: 10}


def stock_client(venue: Venue, base_url: str, **config: object):
    """The client as it is sold, sent to a stand-in by its URLs."""
    settings = {"apiKey": KEY, "secret": SECRET, "session": requests.Session(), "enableRateLimit": False, **config}
    stock = getattr(ccxt, profile_of(venue).ccxt_id)(settings)
    api = stock.urls["api"]
    if venue is BINGX:
        api["swap"] = base_url + "/openApi"
        stock.options["defaultType"] = "swap"
        stock.set_markets(stock.parse_markets([bingx_script.contract("BTC-USDT", 4, 1, "0.0001")]))
    elif venue is GATE:
        api["private"]["futures"] = base_url + "/api/v4"
        stock.options |= {"unifiedAccount": False, "defaultType": "swap"}
        stock.set_markets([stock.parse_contract_market(gate_script.contract("BTC_USDT", "0.0001", "0.1"), "usdt")])
    else:
        api["fapiPrivate"] = base_url + "/fapi/v1"
        stock.set_markets(stock.parse_markets([binance_script.symbol("BTCUSDT", "0.1", "0.001")]))
    return stock


@pytest.fixture
def client_at(credentials):
    def make(base_url: str, venue: Venue, now_ms=lambda: NOW_MS):
        return guarded_client(
            profile_of(venue),
            address=Loopback(base_url=base_url),
            credentials=credentials,
            now_ms=now_ms,
            timeout_s=2.0,
        )

    return make


# --- the test flag ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", [GATE, BINANCE])
def test_the_stock_client_places_a_real_order_for_a_test_flag(venue, scripted):
    SCRIPTS[venue].script(scripted)
    stock = stock_client(venue, scripted.base_url)
    stock.create_order(BTC, "market", "buy", 100 if venue is GATE else 0.01, None, {"test": True, "clientOrderId": ID})
    assert len(scripted.sent("POST", ORDER_PATH[venue])) == 1


@pytest.mark.parametrize("venue", Venue)
@pytest.mark.parametrize("flag", ["test", "maxRetriesOnFailure", "cost", "closePosition"])
def test_a_parameter_that_must_never_be_sent_is_refused_before_sending(venue, flag, scripted, client_at):
    client = client_at(scripted.base_url, venue)
    request = OrderRequest(symbol=BTC, type="market", side="buy", amount="1", price=None, params={flag: True})
    with pytest.raises(BadInput, match=flag):
        client.place(request)
    assert scripted.asked == []


# --- hidden second tries ---------------------------------------------------------------------------------------------


def test_the_stock_client_sends_an_order_again_when_told_to(scripted):
    scripted.on("POST", bingx_script.ORDER, Reply(status=503, raw=b"busy"))
    stock = stock_client(BINGX, scripted.base_url, options={"maxRetriesOnFailure": 2})
    with pytest.raises(ccxt.ExchangeNotAvailable):
        stock.create_order(BTC, "market", "buy", 0.01)
    assert len(scripted.sent("POST", bingx_script.ORDER)) == 3


@pytest.mark.parametrize("options", [{"maxRetriesOnFailure": 1}, {"trade/order": {"maxRetriesOnFailure": 3}}])
def test_a_client_that_would_send_again_is_refused_before_sending(options, scripted, client_at):
    bingx_script.script(scripted)
    client = client_at(scripted.base_url, BINGX)
    client.stock.options |= options
    request = OrderRequest(symbol=BTC, type="market", side="buy", amount="1", price=None, params={})
    with pytest.raises(BadConfig, match="maxRetriesOnFailure"):
        client.place(request)
    with pytest.raises(BadConfig, match="maxRetriesOnFailure"):
        refuse_hidden_tries(client.stock)
    assert scripted.asked == []


# --- BingX by client id ----------------------------------------------------------------------------------------------


def test_the_stock_client_asks_bingx_for_the_order_none(scripted):
    bingx_script.script(scripted)
    stock_client(BINGX, scripted.base_url).fetch_order(None, BTC, {"clientOrderId": ID})
    assert scripted.sent("GET", bingx_script.ORDER)[0].params["orderId"] == "None"


def test_an_order_is_looked_up_by_our_id_alone(scripted, broker_at):
    bingx_script.script(scripted)
    found = broker_at(scripted.base_url).order(BTC, ID)
    assert not isinstance(found, Unavailable)
    asked = scripted.sent("GET", bingx_script.ORDER)[0].params
    assert asked["clientOrderId"] == ID
    assert "orderId" not in asked


@pytest.mark.parametrize("venue", Venue)
def test_the_word_none_as_an_order_id_is_no_id(venue, scripted, broker_at):
    SCRIPTS[venue].script(scripted)
    row = SCRIPTS[venue].order_row(ID, **{"id" if venue is GATE else "orderId": "None"})
    url = f"{ORDER_PATH[venue]}/t-{ID}" if venue is GATE else ORDER_PATH[venue]
    scripted.on("GET", url, bingx_script.ok({"order": row}) if venue is BINGX else Reply(row))
    assert isinstance(broker_at(scripted.base_url, venue).order(BTC, ID), Unavailable)


def test_an_id_is_compared_as_bingx_keeps_it(scripted, broker_at):
    bingx_script.script(scripted)
    broker = broker_at(scripted.base_url)
    scripted.on("GET", bingx_script.ORDER, bingx_script.ok({"order": bingx_script.order_row(ID.upper())}))
    assert getattr(broker.order(BTC, ID), "client_order_id", None) == ID
    scripted.on("GET", bingx_script.ORDER, bingx_script.ok({"order": bingx_script.order_row("cother")}))
    assert isinstance(broker.order(BTC, ID), Unavailable)
    mixed = broker.submit(an_order(client_order_id="cAbc"))
    assert mixed == DefiniteReject(reason=RejectReason.INVALID_ORDER, code="not_sent", message=mixed.message)
    assert "client_order_id" in mixed.message


# --- sides and reduce-only, by mode ----------------------------------------------------------------------------------

WANTED = [
    (BINGX, PositionMode.HEDGE, Side.LONG, False, {"side": "BUY", "positionSide": "LONG"}, {"reduceOnly"}),
    (BINGX, PositionMode.HEDGE, Side.LONG, True, {"side": "SELL", "positionSide": "LONG"}, {"reduceOnly"}),
    (BINGX, PositionMode.HEDGE, Side.SHORT, False, {"side": "SELL", "positionSide": "SHORT"}, {"reduceOnly"}),
    (BINGX, PositionMode.HEDGE, Side.SHORT, True, {"side": "BUY", "positionSide": "SHORT"}, {"reduceOnly"}),
    (BINGX, PositionMode.ONE_WAY, Side.SHORT, False, {"side": "SELL", "positionSide": "BOTH"}, {"reduceOnly"}),
    (BINGX, PositionMode.ONE_WAY, Side.LONG, True, {"positionSide": "BOTH", "reduceOnly": "true"}, set()),
    (GATE, PositionMode.HEDGE, Side.LONG, False, {"size": "100"}, {"reduce_only", "hedged", "auto_size"}),
    (GATE, PositionMode.HEDGE, Side.LONG, True, {"size": "-100", "reduce_only": "true"}, {"hedged"}),
    (GATE, PositionMode.HEDGE, Side.SHORT, True, {"size": "100", "reduce_only": "true"}, {"hedged"}),
    (GATE, PositionMode.ONE_WAY, Side.LONG, True, {"size": "-100", "reduce_only": "true"}, {"hedged"}),
    (BINANCE, PositionMode.HEDGE, Side.LONG, True, {"side": "SELL", "positionSide": "LONG"}, {"reduceOnly", "hedged"}),
    (BINANCE, PositionMode.HEDGE, Side.SHORT, True, {"side": "BUY", "positionSide": "SHORT"}, {"reduceOnly"}),
    (BINANCE, PositionMode.ONE_WAY, Side.LONG, True, {"side": "SELL", "reduceOnly": "true"}, {"positionSide"}),
    (BINANCE, PositionMode.ONE_WAY, Side.LONG, False, {"side": "BUY"}, {"positionSide", "reduceOnly"}),
]


@pytest.mark.parametrize(("venue", "mode", "side", "reduces", "has", "has_not"), WANTED)
def test_an_order_names_its_side_and_reduces_only_as_the_mode_wants(
    venue, mode, side, reduces, has, has_not, scripted, broker_at
):
    SCRIPTS[venue].script(scripted)
    broker = broker_at(scripted.base_url, venue, mode=mode)
    outcome = broker.submit(an_order(side=side, reduces=reduces, quantity=QUANTITY[venue]))
    assert isinstance(outcome, Accepted), outcome
    sent = scripted.sent("POST", ORDER_PATH[venue])[0].params
    assert {name: sent.get(name) for name in has} == has
    assert has_not & set(sent) == set()


@pytest.mark.parametrize("side", Side)
def test_leverage_is_set_for_a_side_at_bingx_and_must_be_confirmed(side, scripted, broker_at):
    bingx_script.script(scripted)
    assert broker_at(scripted.base_url).set_leverage(BTC, side, 3) is True
    assert broker_at(scripted.base_url, mode=PositionMode.ONE_WAY).set_leverage(BTC, side, 3) is True
    assert [asked.params["side"] for asked in scripted.sent("POST", bingx_script.LEVERAGE)] == [side.upper(), "BOTH"]
    scripted.on("POST", bingx_script.LEVERAGE, bingx_script.ok({"leverage": 20, "symbol": "BTC-USDT"}))
    assert broker_at(scripted.base_url).set_leverage(BTC, side, 3) is False


# --- contracts, and small numbers ------------------------------------------------------------------------------------


def test_gate_is_asked_in_contracts_and_answers_in_contracts(scripted, broker_at):
    gate_script.script(scripted)
    scripted.on("GET", gate_script.CONTRACTS, Reply([gate_script.contract("BTC_USDT", "0.01", "0.1")]))
    scripted.on("GET", gate_script.POSITIONS, Reply([gate_script.position_row(size="7")]))
    broker = broker_at(scripted.base_url, GATE)
    market = broker.markets()[BTC]
    assert (str(market.instrument.step_size), market.contract_steps) == ("0.01", 1)
    broker.submit(an_order(quantity=3))
    assert scripted.sent("POST", gate_script.ORDERS)[0].params["size"] == "3"
    (held,) = broker.positions()
    assert str(market.instrument.quantity(held.quantity)) == "0.07"


def test_parts_of_a_contract_are_steps_where_gate_allows_them(scripted, broker_at):
    gate_script.script(scripted)
    row = gate_script.contract("BTC_USDT", "0.01", "0.1") | {"enable_decimal": True, "order_size_min": "0.1"}
    scripted.on("GET", gate_script.CONTRACTS, Reply([row]))
    broker = broker_at(scripted.base_url, GATE)
    market = broker.markets()[BTC]
    assert (str(market.instrument.step_size), market.contract_steps) == ("0.001", 10)
    assert broker.submit(an_order(quantity=15)).code == "not_sent", "no whole contract"


def test_small_quantities_and_prices_are_sent_without_an_exponent(scripted, broker_at):
    bingx_script.script(scripted)
    scripted.on("GET", bingx_script.CONTRACTS, bingx_script.ok([bingx_script.contract("X-USDT", 5, 3, "0.00001")]))
    broker = broker_at(scripted.base_url)
    outcome = broker.submit(
        an_order(LimitStyle(price=Ticks(2_000_000_000), post_only=False), quantity=1, market="X/USDT:USDT")
    )
    assert isinstance(outcome, Accepted), outcome
    sent = scripted.sent("POST", bingx_script.ORDER)[0].params
    assert (sent["quantity"], sent["price"]) == ("0.00001", "2000000")


def test_the_stock_client_sends_a_small_quantity_with_an_exponent(scripted):
    bingx_script.script(scripted)
    stock = stock_client(BINGX, scripted.base_url)
    stock.set_markets(stock.parse_markets([bingx_script.contract("X-USDT", 5, 3, "0.00001")]))
    stock.create_order("X/USDT:USDT", "market", "buy", 0.00001)
    assert scripted.sent("POST", bingx_script.ORDER)[0].params["quantity"] == "1e-05"


def test_fills_of_bingx_are_asked_for_in_coins(scripted, broker_at):
    bingx_script.script(scripted)
    broker_at(scripted.base_url).fills(BTC, since_ms=NOW_MS - 1)
    assert scripted.sent("GET", bingx_script.FILLS)[0].params["tradingUnit"] == "COIN"


# --- cancel ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("venue", "path", "param"),
    [
        (BINGX, bingx_script.ORDER, ("clientOrderID", ID)),
        (GATE, f"{gate_script.ORDERS}/t-{ID}", ("contract", "BTC_USDT")),
        (BINANCE, binance_script.ORDER, ("origClientOrderId", ID)),
    ],
)
def test_a_cancel_names_our_id_where_the_venue_reads_it(venue, path, param, scripted, broker_at):
    SCRIPTS[venue].script(scripted)
    assert broker_at(scripted.base_url, venue).cancel(BTC, ID) is CancelOutcome.DONE
    (sent,) = scripted.sent("DELETE", path)
    assert param in sent.params.items()
    assert "orderId" not in sent.params


def test_the_stock_client_ignores_a_client_id_when_it_cancels_at_gate(scripted):
    stock = stock_client(GATE, scripted.base_url)
    with pytest.raises(ccxt.BaseError):
        stock.cancel_order("58828270140", BTC, {"clientOrderId": ID})
    assert scripted.asked[0].path == f"{gate_script.ORDERS}/58828270140"


# --- empty is not flat -----------------------------------------------------------------------------------------------


def empty_and_full(venue: Venue) -> tuple[Reply, Reply]:
    row = SCRIPTS[venue].position_row()
    return (bingx_script.ok([]), bingx_script.ok([row])) if venue is BINGX else (Reply([]), Reply([row]))


@pytest.mark.parametrize("venue", Venue)
def test_flat_is_said_only_after_two_equal_readings_and_a_balance(venue, scripted, broker_at):
    SCRIPTS[venue].script(scripted)
    broker = broker_at(scripted.base_url, venue)
    empty, full = empty_and_full(venue)
    assert broker.positions() == ()
    assert len(scripted.sent("GET", POSITION_PATH[venue])) == 2
    scripted.on("GET", POSITION_PATH[venue], empty, full)
    assert isinstance(broker.positions(), Unavailable), "the second reading disagrees"
    scripted.on("GET", POSITION_PATH[venue], empty, Reply(hang_up=True))
    assert isinstance(broker.positions(), Unavailable), "the second reading failed"
    scripted.on("GET", POSITION_PATH[venue], empty)
    balance = bingx_script.BALANCE if venue is BINGX else SCRIPTS[venue].ACCOUNT
    scripted.on("GET", balance, Reply(raw=b"{}"))
    for read in (broker.positions, broker.open_orders, lambda: broker.position(BTC)):
        assert isinstance(read(), Unavailable), "the account itself cannot be seen"
    scripted.on("GET", POSITION_PATH[venue], full)
    assert len(broker.positions()) == 1, "what is there needs no proof"


# --- keys ------------------------------------------------------------------------------------------------------------


def test_the_stock_client_reads_a_revoked_key_as_a_flood(scripted):
    stock = stock_client(BINANCE, scripted.base_url)
    scripted.on("GET", binance_script.OPEN_ORDERS, binance_script.refusal(-2015, "Invalid API-key"))
    stock.options["hasAlreadyAuthenticatedSuccessfully"] = True
    with pytest.raises(ccxt.DDoSProtection):
        stock.fapiPrivateGetOpenOrders({})


def test_a_revoked_key_is_a_definite_reject_also_after_a_success(scripted, broker_at):
    binance_script.script(scripted)
    broker = broker_at(scripted.base_url, BINANCE)
    assert isinstance(broker.submit(an_order(quantity=10)), Accepted)
    broker._client.stock.options["hasAlreadyAuthenticatedSuccessfully"] = True
    scripted.on("POST", binance_script.ORDER, binance_script.refusal(-2015, "Invalid API-key, IP", status=401))
    outcome = broker.submit(an_order(quantity=10))
    assert isinstance(outcome, DefiniteReject)
    assert outcome.reason is RejectReason.AUTHENTICATION
    scripted.on("GET", binance_script.POSITIONS, binance_script.refusal(-2015, "Invalid API-key", status=401))
    assert broker.positions() == Unavailable(call="positions", why=broker.positions().why)
    assert "-2015" in broker.positions().why


RIGHTS_TO_WITHDRAW = [
    (BINGX, bingx_script.RIGHTS, bingx_script.ok({"permissions": ["2", "3", "5"], "ipAddresses": []})),
    (GATE, gate_script.RIGHTS, Reply({"perms": [{"name": n, "read_only": False} for n in ("futures", "wallet")]})),
    (BINANCE, binance_script.RIGHTS, Reply({"enableWithdrawals": True, "enableFutures": True})),
]


@pytest.mark.parametrize(("venue", "path", "rights"), RIGHTS_TO_WITHDRAW)
def test_a_key_that_may_withdraw_is_not_traded_with(venue, path, rights, scripted, broker_at):
    SCRIPTS[venue].script(scripted)
    broker = broker_at(scripted.base_url, venue)
    assert broker.probe().can_withdraw is False
    scripted.on("GET", path, rights)
    found = broker.probe()
    assert (found.can_withdraw, found.can_trade) == (True, True)
    outcome = broker.submit(an_order(quantity=QUANTITY[venue]))
    assert isinstance(outcome, DefiniteReject)
    assert (outcome.reason, outcome.code) == (RejectReason.PERMISSION, "not_sent")
    assert scripted.sent("POST", ORDER_PATH[venue]) == []


@pytest.mark.parametrize("field", ["api_key", "secret"])
@pytest.mark.parametrize("text", ["", " ", " padded", "padded\n"])
def test_missing_credentials_are_refused_by_field(field, text):
    given = {"api_key": SecretStr("k"), "secret": SecretStr("s")} | {field: SecretStr(text)}
    with pytest.raises(BadConfig, match=field):
        Credentials(**given)


# --- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", Venue)
def test_our_clock_dates_every_request_and_the_skew_is_measured(venue, scripted, broker_at):
    SCRIPTS[venue].script(scripted)
    at = [NOW_MS]
    broker = broker_at(scripted.base_url, venue, now_ms=lambda: at[0])
    assert broker.probe().clock_skew_ms == 40
    at[0] += 86_400_000
    assert broker.probe().clock_skew_ms == 40 - 86_400_000
    broker.submit(an_order(quantity=QUANTITY[venue]))
    sent = scripted.sent("POST", ORDER_PATH[venue])[0]
    stamp = sent.headers.get("timestamp") or sent.params["timestamp"]
    assert stamp == str(at[0] // 1000 if venue is GATE else at[0])


@pytest.mark.parametrize("venue", Venue)
def test_the_window_in_which_an_order_may_take_effect_is_sent_with_it(venue, scripted, broker_at):
    SCRIPTS[venue].script(scripted)
    broker = broker_at(scripted.base_url, venue)
    broker.submit(an_order(quantity=QUANTITY[venue]))
    sent = scripted.sent("POST", ORDER_PATH[venue])[0]
    if venue is GATE:
        assert sent.headers["x-gate-exptime"] == str(NOW_MS + broker.submit_deadline_ms)
        broker.balance()
        assert "x-gate-exptime" not in scripted.asked[-1].headers
    else:
        assert sent.params["recvWindow"] == str(broker.submit_deadline_ms)
    assert broker.submit_deadline_ms == 5000


def test_the_stock_client_sends_bingx_no_window_at_all(scripted):
    bingx_script.script(scripted)
    stock_client(BINGX, scripted.base_url).create_order(BTC, "market", "buy", 0.01)
    assert "recvWindow" not in scripted.sent("POST", bingx_script.ORDER)[0].params


@pytest.mark.parametrize(("address", "waits"), [(Loopback(base_url="http://127.0.0.1:9"), False), (RealVenue(), True)])
def test_the_clients_own_brake_is_on_at_the_venue_and_off_on_a_virtual_clock(address, waits, credentials):
    """ccxt's brake sleeps until `milliseconds` has moved on, which it never does while a virtual clock stands still."""
    client = guarded_client(
        profile_of(BINGX), address=address, credentials=credentials, now_ms=lambda: NOW_MS, timeout_s=1.0
    )
    assert cast("Any", client.stock).enableRateLimit is waits


# --- markets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", Venue)
def test_markets_cost_one_public_request_and_are_shared(venue, scripted, broker_at):
    SCRIPTS[venue].script(scripted)
    first = broker_at(scripted.base_url, venue)
    assert BTC in first.markets()
    assert len(scripted.asked) == 1
    assert first.loaded.client.has["fetchCurrencies"] is False
    assert not {"x-bx-apikey", "x-mbx-apikey", "key"} & set(scripted.asked[0].headers)
    second = broker_at(scripted.base_url, venue, markets=first.loaded)
    assert second.markets() is first.markets()
    assert isinstance(second.submit(an_order(quantity=QUANTITY[venue])), Accepted)
    assert [asked.method for asked in scripted.asked] == ["GET", "POST"]


def test_markets_of_another_venue_are_refused(scripted, broker_at):
    gate_script.script(scripted)
    gate = broker_at(scripted.base_url, GATE)
    gate.markets()
    with pytest.raises(BadConfig, match="markets"):
        broker_at(scripted.base_url, BINGX, markets=gate.loaded)


# --- refused before a byte leaves ------------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", Venue)
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"market": "NOPE/USDT:USDT"}, "market"),
        ({"client_order_id": ""}, "client_order_id"),
        ({"client_order_id": "c" * 41}, "client_order_id"),
        ({"client_order_id": "c?"}, "client_order_id"),
        ({"quantity": 0}, "quantity"),
        ({"style": LimitStyle(price=Ticks(0), post_only=False)}, "price"),
    ],
)
def test_what_a_venue_cannot_take_is_refused_here_and_names_the_field(venue, change, field, scripted, broker_at):
    SCRIPTS[venue].script(scripted)
    broker = broker_at(scripted.base_url, venue)
    outcome = broker.submit(an_order(**({"quantity": 1} | change)))
    assert isinstance(outcome, DefiniteReject)
    assert outcome.code == "not_sent"
    assert outcome.message.startswith(field)
    assert scripted.sent("POST", ORDER_PATH[venue]) == []


@pytest.mark.parametrize("venue", [BINGX, BINANCE])
def test_a_notional_under_the_minimum_is_refused_where_the_venue_states_one(venue, scripted, broker_at):
    SCRIPTS[venue].script(scripted)
    outcome = broker_at(scripted.base_url, venue).submit(an_order(LimitStyle(price=Ticks(1), post_only=False)))
    assert (outcome.code, outcome.message.partition(":")[0]) == ("not_sent", "notional")
    assert scripted.sent("POST", ORDER_PATH[venue]) == []


@pytest.mark.parametrize("venue", [GATE, BINANCE])
def test_a_stop_that_could_not_be_found_again_is_refused(venue, scripted, broker_at):
    SCRIPTS[venue].script(scripted)
    stop = an_order(StopStyle(trigger=Ticks(300_000)), reduces=True, quantity=QUANTITY[venue])
    outcome = broker_at(scripted.base_url, venue).submit(stop)
    assert isinstance(outcome, DefiniteReject)
    assert outcome.message.startswith("style")
    assert scripted.sent("POST", ORDER_PATH[venue]) == []


def test_an_id_that_begins_like_gates_own_prefix_is_refused(scripted, broker_at):
    gate_script.script(scripted)
    outcome = broker_at(scripted.base_url, GATE).submit(an_order(client_order_id="tabc"))
    assert outcome.message.startswith("client_order_id")
    assert scripted.sent("POST", gate_script.ORDERS) == []


@pytest.mark.parametrize("venue", Venue)
def test_without_markets_nothing_is_sent(venue, scripted, broker_at):
    outcome = broker_at(scripted.base_url, venue).submit(an_order())
    assert isinstance(outcome, DefiniteReject)
    assert outcome.code == "not_sent"
    assert {asked.method for asked in scripted.asked} == {"GET"}


def test_an_unreachable_venue_is_unknown_after_sending_was_tried(scripted, broker_at, unused_port):
    bingx_script.script(scripted)
    loaded = broker_at(scripted.base_url)
    loaded.markets()
    away = broker_at(f"http://127.0.0.1:{unused_port}", markets=loaded.loaded)
    assert isinstance(away.submit(an_order()), Unknown)
    assert isinstance(away.balance(), Unavailable)


def test_a_profile_cannot_be_changed_after_it_was_certified(scripted, broker_at):
    profile = profile_of(BINGX)
    with pytest.raises(dataclasses.FrozenInstanceError):
        profile.submit_deadline_ms = 0  # pyright: ignore[reportAttributeAccessIssue] - that it is refused is the test
