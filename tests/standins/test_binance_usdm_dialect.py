"""Binance USD-M's stand-in speaks Binance well enough for the stock ccxt client: what it signs and reads is real."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any
from urllib.parse import urlsplit

import ccxt
import httpx
import pytest
import requests
from requests.adapters import HTTPAdapter

from copytrade_core.edges.standins.binance_usdm_dialect import BinanceUsdmDialect
from copytrade_core.edges.standins.venue_control import ChangeKey, ForeignOrder
from copytrade_core.edges.standins.venue_server import VenueServerConfig, VenueStandin, running_venue
from copytrade_core.edges.standins.venue_setup import MarketSetup, VenueSetup
from copytrade_core.model.errors import BadInput
from copytrade_core.model.instrument import Market
from copytrade_core.model.units import Ppm
from copytrade_core.model.venue import PositionMode, Venue
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall
from copytrade_core.virtual_exchange.venue_rules import VenueRule

NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
MARKETS = [
    MarketSetup(market=BTC, tick_size="0.1", step_size="0.001", min_quantity="0.001", min_notional="100"),
    MarketSetup(market=ETH, tick_size="0.01", step_size="0.001", min_quantity="0.002", min_notional="5"),
]
PRICES = {
    BTC: [(NOW_MS - 7_200_000, "59000"), (NOW_MS - 3_600_000, "60000"), (NOW_MS + 60_000, "58000")],
    ETH: [(NOW_MS - 7_200_000, "3000")],
}
SETUP = VenueSetup(now_ms=NOW_MS, cash="10000", markets=MARKETS, prices=PRICES)
HEDGED = VenueSetup(now_ms=NOW_MS, cash="10000", markets=MARKETS, prices=PRICES, position_mode=PositionMode.HEDGE)


class ToLoopback(HTTPAdapter):
    """Whatever host a URL names, the connection goes to one stand-in on this machine."""

    def __init__(self, base_url: str) -> None:
        super().__init__(max_retries=0)
        self._port = urlsplit(base_url).port

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        return self.poolmanager.connection_from_host("127.0.0.1", self._port, "http")

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Loopback speaks no TLS."""


class Client:
    """A stock ccxt client whose clock is the stand-in's; `late_ms` sets it wrong."""

    def __init__(self, base_url: str, now_ms: Callable[[], int], **config: Any) -> None:
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", ToLoopback(base_url))
        stock: Any = ccxt.binanceusdm
        self.stock: Any = stock(
            {
                "apiKey": "standin-binance-key",
                "secret": "standin-binance-secret",
                "session": session,
                "enableRateLimit": False,
                "has": {"fetchCurrencies": False},
                "options": {"warnOnFetchOpenOrdersWithoutSymbol": False, "recvWindow": 5_000},
            }
            | config
        )
        self.late_ms = 0
        self.stock.milliseconds = lambda: now_ms() - self.late_ms


@pytest.fixture(scope="module")
def shared() -> Generator[VenueStandin]:
    with running_venue(VenueServerConfig(venue=Venue.BINANCE, setup=SETUP, port=0)) as standin:
        yield standin


@pytest.fixture
def standin(shared: VenueStandin) -> VenueStandin:
    """A new run: empty account, one-way mode."""
    shared.control.reset(SETUP)
    return shared


@pytest.fixture
def connect(standin: VenueStandin) -> Generator[Callable[..., Client]]:
    made: list[Client] = []

    def connect(**config: Any) -> Client:
        made.append(Client(standin.base_url, lambda: int(standin.control.state()["as_of_ms"]), **config))
        return made[-1]

    yield connect
    for client in made:
        client.stock.session.close()
    ledger = standin.control.ledger()
    assert ledger.internal_errors == ()
    assert ledger.unknown_requests == ()


@pytest.fixture
def binance(connect: Callable[..., Client]) -> Any:
    stock = connect().stock
    stock.load_markets()
    return stock


def held(binance: Any) -> dict[tuple[str, str], float]:
    """Open positions as ccxt reads them: base quantity by market and side."""
    return {(p["symbol"], p["side"]): p["contracts"] for p in binance.fetch_positions()}


# ------------------------------------------------------------------------------------------------------------- markets
def test_ccxt_reads_the_grid_and_the_minimums_from_the_filters(binance):
    market = binance.market(BTC)
    assert (market["id"], market["contractSize"], market["active"], market["linear"]) == ("BTCUSDT", 1, True, True)
    assert (market["precision"]["amount"], market["precision"]["price"]) == (0.001, 0.1)
    assert (market["limits"]["amount"]["min"], market["limits"]["cost"]["min"]) == (0.001, 100)
    assert binance.market(ETH)["limits"]["amount"]["min"] == 0.002


def test_prices_and_klines_show_nothing_of_the_future(standin, binance):
    ticker = binance.fetch_ticker(BTC)
    assert (ticker["last"], ticker["high"], ticker["low"], ticker["open"]) == (60000, 60000, 59000, 59000)
    assert binance.fetch_bids_asks()[BTC]["ask"] == 60000
    assert binance.fetch_tickers()[ETH]["last"] == 3000
    rows = binance.fetch_ohlcv(BTC, "30m", since=NOW_MS - DAY_MS)
    assert [row[0] for row in rows] == [
        NOW_MS // 1_800_000 * 1_800_000 - back for back in (5_400_000, 3_600_000, 1_800_000)
    ]
    assert binance.fetch_time() == NOW_MS
    assert binance.fapiPublicGetTickerPrice({"symbol": "BTCUSDT"})["price"] == "60000.0"
    assert binance.fetch_funding_rates([BTC])[BTC]["markPrice"] == 60000
    assert binance.fapiPublicGetKlines({"symbol": "BTCUSDT", "interval": "30m", "limit": 1})[0][0] == rows[-1][0]


# ------------------------------------------------------------------------------------------------------ open and close
def test_a_one_way_position_is_opened_and_closed_by_a_reduce_only_order(binance):
    assert binance.fetch_positions() == []
    opened = binance.create_order(BTC, "market", "buy", 0.01, None, {"clientOrderId": "c1"})
    assert (opened["status"], opened["filled"], opened["clientOrderId"]) == ("closed", 0.01, "c1")
    position = binance.fetch_positions([BTC])[0]
    assert (position["side"], position["contracts"], position["hedged"]) == ("long", 0.01, False)
    assert position["info"]["positionSide"] == "BOTH"
    binance.create_order(BTC, "market", "sell", 0.05, None, {"clientOrderId": "c2", "reduceOnly": True})
    assert held(binance) == {}
    fills = binance.fetch_my_trades(BTC, since=NOW_MS - 1000)
    assert [(fill["side"], fill["amount"]) for fill in fills] == [("buy", 0.01), ("sell", 0.01)]
    assert fills[0]["fee"] == {"cost": pytest.approx(0.30003, rel=1e-3), "currency": "USDT"}
    assert binance.fetch_order(None, BTC, {"clientOrderId": "c2"})["status"] == "expired"


def test_hedge_mode_keeps_both_sides_and_the_side_says_what_closes(binance):
    assert binance.set_position_mode(True) == {"code": 200, "msg": "success"}
    assert binance.fetch_position_mode()["hedged"] is True
    binance.create_order(BTC, "market", "buy", 0.03, None, {"hedged": True})
    binance.create_order(BTC, "market", "sell", 0.02, None, {"hedged": True})
    assert held(binance) == {(BTC, "long"): 0.03, (BTC, "short"): 0.02}
    assert [row["info"]["positionAmt"] for row in binance.fetch_positions()] == ["0.030", "-0.020"]
    closed = binance.create_order(BTC, "market", "sell", 0.03, None, {"hedged": True, "reduceOnly": True})
    assert (closed["info"]["positionSide"], closed["reduceOnly"]) == ("LONG", True)
    binance.create_order(BTC, "market", "buy", 0.02, None, {"hedged": True, "reduceOnly": True})
    assert held(binance) == {}


def test_a_sale_without_reduce_only_turns_a_one_way_position_round(binance):
    binance.create_order(BTC, "market", "buy", 0.03)
    binance.create_order(BTC, "market", "sell", 0.05)
    assert held(binance) == {(BTC, "short"): 0.02}


def test_money_follows_the_fills(binance):
    assert binance.fetch_balance()["USDT"] == {"free": 10000, "used": 0, "total": 10000}
    binance.create_order(BTC, "market", "buy", 0.1)
    account = binance.fapiPrivateV3GetAccount()
    assert float(account["totalInitialMargin"]) == pytest.approx(300, rel=0.01)
    assert float(account["totalWalletBalance"]) == pytest.approx(10000 - 6001 * 0.0005, rel=1e-5)
    assert float(account["totalMarginBalance"]) == pytest.approx(
        float(account["totalWalletBalance"]) + float(account["totalUnrealizedProfit"])
    )
    assert account["positions"][0]["positionAmt"] == "0.100"


def test_a_market_order_is_told_filled_only_to_who_asks_for_the_result(binance):
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
    acknowledged = binance.fapiPrivatePostOrder(order | {"newClientOrderId": "a"})
    assert (acknowledged["status"], acknowledged["executedQty"]) == ("NEW", "0.000")
    told = binance.fapiPrivatePostOrder(order | {"newClientOrderId": "b", "newOrderRespType": "RESULT"})
    assert (told["status"], told["executedQty"]) == ("FILLED", "0.010")
    assert binance.fetch_order(None, BTC, {"clientOrderId": "a"})["filled"] == 0.01


def test_the_test_endpoint_places_nothing_and_the_test_flag_places_a_real_order(binance):
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
    assert binance.fapiPrivatePostOrderTest(order)["status"] == "NEW"
    with pytest.raises(ccxt.InvalidOrder, match="-4164"):
        binance.fapiPrivatePostOrderTest(order | {"quantity": "0.001"})
    assert held(binance) == {}
    assert binance.fetch_orders(BTC) == []
    binance.create_order(BTC, "market", "buy", 0.01, None, {"test": True})
    assert held(binance) == {(BTC, "long"): 0.01}


# ---------------------------------------------------------------------------------------------------- ids and look-ups
def test_a_limit_order_rests_is_found_by_our_id_and_taken_back_by_it(binance):
    binance.create_order(BTC, "limit", "buy", 0.02, 59000.5, {"clientOrderId": "c-limit"})
    found = binance.fetch_order(None, BTC, {"clientOrderId": "c-limit"})
    assert (found["status"], found["price"], found["amount"], found["timeInForce"]) == ("open", 59000.5, 0.02, "GTC")
    assert [order["clientOrderId"] for order in binance.fetch_open_orders()] == ["c-limit"]
    assert binance.fetch_open_order(found["id"], BTC)["clientOrderId"] == "c-limit"
    ended = binance.cancel_order(None, BTC, {"clientOrderId": "c-limit"})
    assert (ended["status"], ended["info"]["cumQty"]) == ("canceled", "0.000")
    assert binance.fetch_open_orders(BTC) == []
    with pytest.raises(ccxt.OrderNotFound, match="-2013"):
        binance.fetch_open_order(found["id"], BTC)


def test_an_id_is_taken_only_while_its_order_is_open_and_finds_the_latest_afterwards(binance):
    first = binance.create_order(BTC, "limit", "buy", 0.01, 59000, {"clientOrderId": "same"})
    with pytest.raises(ccxt.InvalidOrder, match="-4116"):
        binance.create_order(BTC, "market", "buy", 0.01, None, {"clientOrderId": "same"})
    binance.cancel_order(first["id"], BTC)
    second = binance.create_order(BTC, "market", "buy", 0.01, None, {"clientOrderId": "same"})
    third = binance.create_order(BTC, "market", "buy", 0.01, None, {"clientOrderId": "same"})
    assert len({first["id"], second["id"], third["id"]}) == 3
    assert binance.fetch_order(None, BTC, {"clientOrderId": "same"})["id"] == third["id"]
    assert binance.fetch_order(first["id"], BTC)["status"] == "canceled"
    assert [order["id"] for order in binance.fetch_orders(BTC)] == [first["id"], second["id"], third["id"]]


def test_an_unfilled_order_is_forgotten_three_days_after_it_was_made(standin, binance):
    order = binance.create_order(BTC, "limit", "buy", 0.01, 50000, {"clientOrderId": "gone"})
    binance.cancel_order(order["id"], BTC)
    standin.control.set_time(NOW_MS + 3 * DAY_MS)
    assert binance.fetch_order(None, BTC, {"clientOrderId": "gone"})["status"] == "canceled"
    standin.control.set_time(NOW_MS + 3 * DAY_MS + 1)
    with pytest.raises(ccxt.OrderNotFound, match="-2013"):
        binance.fetch_order(None, BTC, {"clientOrderId": "gone"})
    assert binance.fetch_orders(BTC) == []


def test_lists_reach_seven_days_and_no_further(standin, binance):
    binance.create_order(BTC, "market", "buy", 0.01)
    asked = {"symbol": "BTCUSDT", "startTime": NOW_MS, "endTime": NOW_MS + 7 * DAY_MS}
    assert len(binance.fapiPrivateGetAllOrders(asked)) == len(binance.fapiPrivateGetUserTrades(asked)) == 1
    for endpoint in (binance.fapiPrivateGetAllOrders, binance.fapiPrivateGetUserTrades):
        with pytest.raises(ccxt.BadRequest, match="-1127"):
            endpoint(asked | {"endTime": NOW_MS + 7 * DAY_MS + 1})
        with pytest.raises(ccxt.BadRequest, match="-1023"):
            endpoint(asked | {"endTime": NOW_MS - 1})
        with pytest.raises(ccxt.BadRequest, match="-1130"):
            endpoint(asked | {"limit": 1001})
    standin.control.set_time(NOW_MS + 8 * DAY_MS)
    assert binance.fapiPrivateGetAllOrders({"symbol": "BTCUSDT"}) == []
    assert len(binance.fapiPrivateGetAllOrders({"symbol": "BTCUSDT", "startTime": NOW_MS})) == 1


def test_a_page_has_the_oldest_rows_from_a_start_and_the_newest_without_one(binance):
    ids = [binance.create_order(BTC, "market", "buy", 0.01)["id"] for _ in range(3)]
    assert [order["id"] for order in binance.fetch_orders(BTC, NOW_MS, 2)] == ids[:2]
    assert [order["id"] for order in binance.fetch_orders(BTC, None, 2)] == ids[1:]
    assert [fill["order"] for fill in binance.fetch_my_trades(BTC, None, None, {"orderId": ids[1]})] == [ids[1]]


def test_somebody_elses_order_carries_a_name_of_the_venue(standin, binance):
    standin.control.inject(ForeignOrder(market=BTC, buys=True, quantity="0.01", price="50000"))
    assert [order["clientOrderId"][:4] for order in binance.fetch_open_orders()] == ["web_"]


# ------------------------------------------------------------------------------------------------------- partial fills
def test_a_partial_fill_is_followed_by_its_rest(standin, binance):
    standin.control.set_faults(
        [VenueFault(kind=VenueFaultKind.PARTIAL_FILL, call=VenueCall.SUBMIT, ratio=Ppm(400_000), delay_ms=2_000)]
    )
    order = binance.create_order(BTC, "market", "buy", 0.01, None, {"clientOrderId": "p"})
    assert (order["status"], order["filled"], order["remaining"]) == ("open", 0.004, 0.006)
    standin.control.set_time(NOW_MS + 2_000)
    assert binance.fetch_order(None, BTC, {"clientOrderId": "p"})["filled"] == 0.01
    assert [fill["amount"] for fill in binance.fetch_my_trades(BTC)] == [0.004, 0.006]


def test_a_cut_market_order_ends_expired_with_what_it_filled(standin, binance):
    standin.control.set_faults([VenueFault(kind=VenueFaultKind.PARTIAL_FILL, ratio=Ppm(400_000))])
    order = binance.create_order(BTC, "market", "sell", 0.01)
    assert (order["status"], order["filled"], held(binance)) == ("expired", 0.004, {(BTC, "short"): 0.004})


# ------------------------------------------------------------------------------------------------------------ refusals
Case = tuple[Callable[[Any], object], type[Exception], int]


def _raw(**more: Any) -> Callable[[Any], object]:
    usual = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01", "newClientOrderId": "raw"}
    return lambda binance: binance.fapiPrivatePostOrder(
        {name: value for name, value in (usual | more).items() if value is not None}
    )


def _limit(**more: Any) -> Callable[[Any], object]:
    return _raw(**({"type": "LIMIT", "price": "59000", "timeInForce": "GTC"} | more))


def _twice(first: Callable[[Any], object], second: Callable[[Any], object]) -> Callable[[Any], object]:
    def both(binance: Any) -> object:
        first(binance)
        return second(binance)

    return both


REFUSED: dict[str, Case] = {
    "too much": (_raw(quantity="4"), ccxt.InsufficientFunds, -2019),
    "too large a position": (_raw(quantity="16"), ccxt.OperationRejected, -2027),
    "nothing to reduce": (_raw(side="SELL", reduceOnly="true"), ccxt.InvalidOrder, -2022),
    "a reduction that adds": (_twice(_raw(), _raw(reduceOnly="true")), ccxt.InvalidOrder, -2022),
    "a side in one-way mode": (_raw(positionSide="LONG"), ccxt.OperationRejected, -4061),
    "an odd side of the position": (_raw(positionSide="UP"), ccxt.BadRequest, -4060),
    "too small": (_raw(symbol="ETHUSDT", quantity="0.001"), ccxt.BadRequest, -4004),
    "too little money": (_raw(quantity="0.001"), ccxt.InvalidOrder, -4164),
    "no quantity": (_raw(quantity="0"), ccxt.BadRequest, -4003),
    "a quantity left out": (_raw(quantity=None), ccxt.BadRequest, -1102),
    "no number": (_raw(quantity="NaN"), ccxt.BadRequest, -1102),
    "off the grid": (_raw(quantity="0.0105"), ccxt.BadRequest, -1111),
    "a price off the grid": (_limit(price="59000.05"), ccxt.BadRequest, -1111),
    "post-only that takes": (_limit(price="60000", timeInForce="GTX"), ccxt.OrderNotFillable, -5022),
    "a limit without a term": (_limit(timeInForce=None), ccxt.BadRequest, -1102),
    "an odd term": (_limit(timeInForce="SOON"), ccxt.BadRequest, -1115),
    "an odd type": (_raw(type="MAYBE"), ccxt.BadRequest, -1116),
    "an odd direction": (_raw(side="HOLD"), ccxt.BadRequest, -1117),
    "an odd flag": (_raw(reduceOnly="perhaps"), ccxt.BadRequest, -1100),
    "a long id": (_raw(newClientOrderId="a" * 37), ccxt.BadRequest, -4015),
    "an odd id": (_raw(newClientOrderId="ä"), ccxt.BadRequest, -4015),
    "no such market": (_raw(symbol="XYZUSDT"), ccxt.BadSymbol, -1121),
    "the mode that is set": (lambda binance: binance.set_position_mode(False), ccxt.OperationRejected, -4059),
    "a mode under a position": (
        _twice(_raw(), lambda binance: binance.set_position_mode(True)),
        ccxt.OperationRejected,
        -4068,
    ),
    "a mode under an order": (
        _twice(_limit(), lambda binance: binance.set_position_mode(True)),
        ccxt.OperationRejected,
        -4067,
    ),
    "no leverage": (
        lambda binance: binance.fapiPrivatePostLeverage({"symbol": "BTCUSDT", "leverage": 126}),
        ccxt.BadRequest,
        -4028,
    ),
    "a cancel of what is done": (
        _twice(_raw(), lambda binance: binance.cancel_order(None, BTC, {"clientOrderId": "raw"})),
        ccxt.OrderNotFound,
        -2011,
    ),
    "a cancel of what never was": (
        lambda binance: binance.cancel_order(None, BTC, {"clientOrderId": "never"}),
        ccxt.OrderNotFound,
        -2011,
    ),
    "a look for what never was": (
        lambda binance: binance.fetch_order(None, BTC, {"clientOrderId": "never"}),
        ccxt.OrderNotFound,
        -2013,
    ),
    "a look in another market": (
        _twice(_raw(), lambda binance: binance.fetch_order(None, ETH, {"clientOrderId": "raw"})),
        ccxt.OrderNotFound,
        -2013,
    ),
    "a look by the text None": (lambda binance: binance.fetch_order("None", BTC), ccxt.BadRequest, -1100),
}
HEDGED_REFUSED: dict[str, Case] = {
    "reduce-only": (_raw(positionSide="LONG", reduceOnly="true"), ccxt.BadRequest, -1106),
    "no side": (_raw(), ccxt.OperationRejected, -4061),
    "nothing to close": (_raw(side="SELL", positionSide="LONG"), ccxt.InvalidOrder, -2022),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_comes_through_ccxt_with_its_code(binance, case):
    ask, raised, code = REFUSED[case]
    with pytest.raises(raised, match=f'"code":{code},') as caught:
        ask(binance)
    assert caught.type is raised


@pytest.mark.parametrize("case", HEDGED_REFUSED)
def test_hedge_mode_refuses_with_its_own_codes(standin, binance, case):
    standin.control.reset(HEDGED)
    ask, raised, code = HEDGED_REFUSED[case]
    with pytest.raises(raised, match=f'"code":{code},') as caught:
        ask(binance)
    assert caught.type is raised


def test_a_sentence_names_the_minimum(binance):
    with pytest.raises(ccxt.InvalidOrder, match="must be no smaller than 100 "):
        binance.create_order(BTC, "market", "buy", 0.001)


def test_a_small_reduction_is_taken(standin, binance):
    binance.create_order(BTC, "market", "buy", 0.01)
    binance.create_order(BTC, "market", "sell", 0.001, None, {"reduceOnly": True})
    assert held(binance) == {(BTC, "long"): 0.009}


def test_a_duplicate_that_was_booked_says_so_and_the_order_is_there(standin, binance):
    standin.control.set_faults([VenueFault(kind=VenueFaultKind.DUPLICATE_ID, call=VenueCall.SUBMIT)])
    with pytest.raises(ccxt.InvalidOrder, match="-4116"):
        binance.create_order(BTC, "market", "buy", 0.01, None, {"clientOrderId": "twice"})
    assert binance.fetch_order(None, BTC, {"clientOrderId": "twice"})["filled"] == 0.01


# -------------------------------------------------------------------------------------------------------------- access
@pytest.mark.parametrize(
    ("config", "code"), [({"apiKey": "another"}, -2015), ({"secret": "another"}, -1022)], ids=["key", "secret"]
)
def test_only_its_own_key_and_signature_are_let_in(connect, config, code):
    client = connect(**config).stock
    client.load_markets()
    with pytest.raises(ccxt.AuthenticationError, match=f'"code":{code},'):
        client.fetch_balance()


def test_a_request_without_key_stamp_or_signature_is_refused(standin):
    url, key = f"{standin.base_url}/fapi/v3/account", {"X-MBX-APIKEY": "standin-binance-key"}
    assert httpx.get(url).json()["code"] == -2014
    assert httpx.get(url, headers=key).json()["code"] == -1102
    assert httpx.get(url, headers=key, params={"timestamp": NOW_MS}).json()["code"] == -1102
    assert httpx.get(url, headers=key, params={"timestamp": "9" * 5000}).json()["code"] == -1102
    assert httpx.get(url, headers=key, params={"timestamp": NOW_MS, "recvWindow": 60_001}).json()["code"] == -1131


@pytest.mark.parametrize("late_ms", [5_001, -1_000])
def test_a_request_outside_its_window_is_refused(connect, late_ms):
    client = connect()
    client.stock.load_markets()
    client.late_ms = late_ms
    with pytest.raises(ccxt.InvalidNonce, match="-1021"):
        client.stock.create_order(BTC, "market", "buy", 0.01)
    client.late_ms += -1 if late_ms > 0 else 1
    assert client.stock.create_order(BTC, "market", "buy", 0.01)["filled"] == 0.01


def _key(**rights: bool) -> ChangeKey:
    usual = {"can_trade": True, "can_withdraw": False, "ip_restricted": True, "is_revoked": False}
    return ChangeKey(**(usual | rights))


def test_a_key_that_may_not_trade_reads_and_places_nothing(standin, binance):
    standin.control.inject(_key(can_trade=False))
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        binance.create_order(BTC, "market", "buy", 0.01)
    assert held(binance) == {}
    assert binance.sapiGetAccountApiRestrictions()["enableFutures"] is False


def test_a_revoked_key_looks_like_a_ban_once_ccxt_believes_it_was_let_in_before(standin, binance):
    assert binance.fetch_balance()["USDT"]["total"] == 10000
    standin.control.inject(_key(is_revoked=True))
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        binance.fetch_open_orders()
    binance.options["hasAlreadyAuthenticatedSuccessfully"] = True
    with pytest.raises(ccxt.DDoSProtection, match="-2015"):
        binance.fetch_open_orders()


def test_the_rights_of_the_key_are_told(standin, binance):
    told = binance.sapiGetAccountApiRestrictions()
    assert (told["enableFutures"], told["enableWithdrawals"], told["ipRestrict"]) == (True, False, True)
    standin.control.inject(_key(can_withdraw=True, ip_restricted=False))
    told = binance.sapiGetAccountApiRestrictions()
    assert (told["enableWithdrawals"], told["ipRestrict"]) == (True, False)


def test_leverage_is_set_for_both_sides_and_read_back(binance):
    assert binance.set_leverage(7, BTC) == {"leverage": 7, "maxNotionalValue": "1000000", "symbol": "BTCUSDT"}
    assert binance.fetch_leverages([BTC])[BTC]["longLeverage"] == 7


def test_an_endpoint_that_is_not_served_is_not_found_and_recorded(standin):
    assert httpx.post(f"{standin.base_url}/fapi/v1/algoOrder").status_code == 404
    assert httpx.get(f"{standin.base_url}/fapi/v2/account").status_code == 404
    assert standin.control.ledger().unknown_requests == ("POST /fapi/v1/algoOrder", "GET /fapi/v2/account")


# --------------------------------------------------------------------------------------------------- shapes of answers
NUMBER, TEXT, FLAG = "number", "text", "flag"
ORDER_KEYS = {
    **dict.fromkeys(("orderId", "price", "avgPrice", "origQty", "executedQty", "cumQty", "cumQuote"), NUMBER),
    **dict.fromkeys(("stopPrice", "goodTillDate", "updateTime"), NUMBER),
    **dict.fromkeys(("symbol", "status", "clientOrderId", "timeInForce", "type", "side", "positionSide"), TEXT),
    **dict.fromkeys(("workingType", "origType", "priceMatch", "selfTradePreventionMode"), TEXT),
    **dict.fromkeys(("reduceOnly", "closePosition", "priceProtect"), FLAG),
}
POSITION_KEYS = {
    **dict.fromkeys(("positionAmt", "entryPrice", "breakEvenPrice", "markPrice", "unRealizedProfit"), NUMBER),
    **dict.fromkeys(("liquidationPrice", "isolatedMargin", "notional", "isolatedWallet", "initialMargin"), NUMBER),
    **dict.fromkeys(("maintMargin", "positionInitialMargin", "openOrderInitialMargin", "adl"), NUMBER),
    **dict.fromkeys(("bidNotional", "askNotional", "updateTime"), NUMBER),
    **dict.fromkeys(("symbol", "positionSide", "marginAsset"), TEXT),
}
TRADE_KEYS = {
    **dict.fromkeys(("id", "orderId", "price", "qty", "realizedPnl", "quoteQty", "commission", "time"), NUMBER),
    **dict.fromkeys(("symbol", "side", "marginAsset", "commissionAsset", "positionSide"), TEXT),
    **dict.fromkeys(("maker", "buyer"), FLAG),
}
TOTALS_KEYS = dict.fromkeys(
    (
        *("totalInitialMargin", "totalMaintMargin", "totalWalletBalance", "totalUnrealizedProfit"),
        *("totalMarginBalance", "totalPositionInitialMargin", "totalOpenOrderInitialMargin"),
        *("totalCrossWalletBalance", "totalCrossUnPnl", "availableBalance", "maxWithdrawAmount"),
    ),
    NUMBER,
)
ASSET_KEYS = {
    **dict.fromkeys(("walletBalance", "unrealizedProfit", "marginBalance", "maintMargin", "initialMargin"), NUMBER),
    **dict.fromkeys(("positionInitialMargin", "openOrderInitialMargin", "crossWalletBalance"), NUMBER),
    **dict.fromkeys(("crossUnPnl", "availableBalance", "maxWithdrawAmount", "updateTime"), NUMBER),
    "asset": TEXT,
}
ACCOUNT_POSITION_KEYS = {
    **dict.fromkeys(("positionAmt", "unrealizedProfit", "isolatedMargin", "notional", "isolatedWallet"), NUMBER),
    **dict.fromkeys(("initialMargin", "maintMargin", "updateTime"), NUMBER),
    **dict.fromkeys(("symbol", "positionSide"), TEXT),
}


def kind_of(value: object) -> str:
    """The JSON kind; ccxt's fixtures quote some numbers, so a number and its text are one kind."""
    if isinstance(value, bool):
        return FLAG
    try:
        _ = float(str(value))
    except ValueError:
        return TEXT
    return NUMBER


def test_answers_have_the_keys_and_kinds_of_ccxts_recorded_ones(binance):
    order = binance.create_order(BTC, "market", "buy", 0.1)["info"]
    account = binance.fapiPrivateV3GetAccount()
    trade = binance.fapiPrivateGetUserTrades({"symbol": "BTCUSDT"})[0]
    position = binance.fapiPrivateV3GetPositionRisk()[0]
    for row, keys in ((order, ORDER_KEYS), (position, POSITION_KEYS), (trade, TRADE_KEYS)):
        assert {name: kind_of(row.get(name, "absent")) for name in row} == keys
    assert {name: kind_of(account[name]) for name in TOTALS_KEYS} == TOTALS_KEYS
    assert {name: kind_of(value) for name, value in account["assets"][0].items()} == ASSET_KEYS
    assert {name: kind_of(value) for name, value in account["positions"][0].items()} == ACCOUNT_POSITION_KEYS
    assert (type(order["orderId"]), type(order["price"]), type(trade["id"])) == (int, str, int)
    kline = binance.fapiPublicGetKlines({"symbol": "BTCUSDT", "interval": "30m", "limit": 1})[0]
    assert [type(part) for part in kline] == [int, str, str, str, str, str, int, str, int, str, str, str]


def test_every_rule_has_a_code_and_no_option_is_known():
    dialect = BinanceUsdmDialect()
    assert set(dialect.errors) == set(VenueRule)
    assert dialect.symbol_of(Market(BTC)) == "BTCUSDT"
    with pytest.raises(BadInput, match="no option create_answer"):
        _ = BinanceUsdmDialect({"create_answer": "rich"})
