"""Gate's stand-in speaks Gate well enough for the stock ccxt client: what it signs, sends and reads is real."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any
from urllib.parse import urlsplit

import ccxt
import httpx
import pytest
import requests
from requests.adapters import HTTPAdapter

from copytrade_core.edges.standins.gate_dialect import GateDialect
from copytrade_core.edges.standins.venue_control import ChangeKey, ForeignOrder
from copytrade_core.edges.standins.venue_server import VenueServerConfig, VenueStandin, running_venue
from copytrade_core.edges.standins.venue_setup import MarketSetup, VenueSetup
from copytrade_core.model.errors import BadInput
from copytrade_core.model.instrument import Market
from copytrade_core.model.units import Ppm
from copytrade_core.model.venue import PositionMode, Venue
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall
from copytrade_core.virtual_exchange.venue_rules import Basis, VenueRule

NOW_MS = 1_790_000_000_000
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
MARKETS = [
    MarketSetup(
        market=BTC, tick_size="0.1", step_size="0.0001", min_quantity="0.0001", min_notional="1", contract_size="0.001"
    ),
    MarketSetup(market=ETH, tick_size="0.01", step_size="0.01", min_quantity="0.05", min_notional="1"),
]
SETUP = VenueSetup(
    now_ms=NOW_MS,
    cash="10000",
    markets=MARKETS,
    prices={
        BTC: [(NOW_MS - 7_200_000, "59000"), (NOW_MS - 3_600_000, "60000"), (NOW_MS + 60_000, "58000")],
        ETH: [(NOW_MS - 7_200_000, "3000")],
    },
)
HEDGED = VenueSetup(now_ms=NOW_MS, cash="10000", markets=MARKETS, prices=SETUP.prices, position_mode=PositionMode.HEDGE)
LONG_ID = "t-" + "a" * 26


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
        usual = {"apiKey": "standin-gate-key", "secret": "standin-gate-secret", "session": session}
        stock: Any = ccxt.gate
        self.stock: Any = stock(
            usual
            | {
                "enableRateLimit": False,
                "has": {"fetchCurrencies": False},
                "options": {
                    "defaultType": "swap",
                    "unifiedAccount": False,
                    "fetchMarkets": {"types": ["swap"]},
                    "swap": {"fetchMarkets": {"settlementCurrencies": ["usdt"]}},
                },
            }
            | config
        )
        self.late_ms = 0
        self.stock.milliseconds = lambda: now_ms() - self.late_ms


@pytest.fixture(scope="module")
def shared() -> Generator[VenueStandin]:
    with running_venue(VenueServerConfig(venue=Venue.GATE, setup=SETUP, port=0)) as standin:
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
def gate(connect: Callable[..., Client]) -> Any:
    stock = connect().stock
    stock.load_markets()
    return stock


def held(gate: Any) -> dict[tuple[str, str], float]:
    """Open positions as ccxt reads them: contracts by market and side."""
    return {(p["symbol"], p["side"]): p["contracts"] for p in gate.fetch_positions() if p["contracts"]}


# -------------------------------------------------------------------------------------------------------------- markets
def test_ccxt_reads_contract_size_grid_and_minimums(gate):
    markets = gate.load_markets()
    bitcoin, ether = markets[BTC], markets[ETH]
    assert (bitcoin["id"], bitcoin["contractSize"], bitcoin["limits"]["amount"]["min"]) == ("BTC_USDT", 0.001, 1)
    assert (ether["id"], ether["contractSize"], ether["limits"]["amount"]["min"]) == ("ETH_USDT", 0.01, 5)
    assert (bitcoin["precision"], bitcoin["active"]) == ({"amount": 1, "price": 0.1}, True)


def test_sizes_are_text_only_for_a_client_that_says_it_reads_text(standin):
    url = f"{standin.base_url}/api/v4/futures/usdt/contracts/ETH_USDT"
    assert httpx.get(url).json()["order_size_min"] == 5
    assert httpx.get(url, headers={"X-Gate-Size-Decimal": "1"}).json()["order_size_min"] == "5"


def test_prices_and_candles_show_nothing_of_the_future(gate):
    ticker = gate.fetch_ticker(BTC)
    assert (ticker["last"], ticker["high"], ticker["low"], ticker["ask"]) == (60000, 60000, 59000, 60000)
    candles = gate.fetch_ohlcv(BTC, "1h", since=NOW_MS - 7_200_000 - 7_200_000)
    assert [row[0] for row in candles] == [NOW_MS // 3_600_000 * 3_600_000 - 3_600_000]
    assert gate.fetch_tickers()[ETH]["last"] == 3000


# ------------------------------------------------------------------------------------------------------- open and close
def test_a_one_way_position_is_opened_and_closed_by_a_reduce_only_order(gate):
    opened = gate.create_order(BTC, "market", "buy", 3, None, {"clientOrderId": "c1"})
    assert (opened["status"], opened["filled"], opened["clientOrderId"]) == ("closed", 3, "t-c1")
    position = gate.fetch_position(BTC)
    assert (position["side"], position["contracts"], position["contractSize"]) == ("long", 3, 0.001)
    assert position["info"]["mode"] == "single"
    gate.create_order(BTC, "market", "sell", 5, None, {"clientOrderId": "c2", "reduceOnly": True})
    assert held(gate) == {}
    fills = gate.fetch_my_trades(BTC, since=NOW_MS - 1000)
    assert [(fill["side"], fill["amount"]) for fill in fills] == [("buy", 3), ("sell", 3)]
    assert fills[0]["fee"] == {"cost": pytest.approx(0.09001, rel=1e-3), "currency": "USDT"}


def test_a_flat_contract_stays_in_the_list_with_size_zero(gate):
    assert gate.fetch_positions() == []
    gate.create_order(BTC, "market", "buy", 3)
    gate.create_order(BTC, "market", "sell", 3, None, {"reduceOnly": True})
    assert [(row["contract"], row["size"]) for row in gate.privateFuturesGetSettlePositions({"settle": "usdt"})] == [
        ("BTC_USDT", "0")
    ]
    assert gate.privateFuturesGetSettlePositions({"settle": "usdt", "holding": "true"}) == []


def test_a_sale_without_reduce_only_turns_a_one_way_position_round(gate):
    gate.create_order(BTC, "market", "buy", 3)
    gate.create_order(BTC, "market", "sell", 5)
    assert held(gate) == {(BTC, "short"): 2}


def test_dual_mode_keeps_both_sides_and_reduce_only_picks_the_side(gate):
    answered = gate.set_position_mode(True, BTC)
    assert answered["in_dual_mode"] is True
    gate.create_order(BTC, "market", "buy", 3)
    gate.create_order(BTC, "market", "sell", 2)
    assert held(gate) == {(BTC, "long"): 3, (BTC, "short"): 2}
    gate.create_order(BTC, "market", "sell", 3, None, {"reduceOnly": True})
    assert held(gate) == {(BTC, "short"): 2}
    gate.create_order(BTC, "market", "buy", 2, None, {"reduceOnly": True})
    assert held(gate) == {}
    modes = [row["mode"] for row in gate.privateFuturesGetSettlePositions({"settle": "usdt"})]
    assert modes == ["dual_long", "dual_short"]


@pytest.mark.parametrize(
    ("setup", "body"), [(SETUP, {"close": True}), (HEDGED, {"auto_size": "close_long", "reduce_only": True})]
)
def test_size_zero_closes_all_of_a_position(standin, gate, setup, body):
    standin.control.reset(setup)
    gate.create_order(BTC, "market", "buy", 3)
    gate.privateFuturesPostSettleOrders(
        {"settle": "usdt", "contract": "BTC_USDT", "size": 0, "price": "0", "tif": "ioc", **body}
    )
    assert held(gate) == {}


def test_money_follows_the_fills(gate):
    assert gate.fetch_balance()["USDT"] == {"free": 10000, "used": 0, "total": 10000}
    gate.create_order(BTC, "market", "buy", 100)
    account = gate.privateFuturesGetSettleAccounts({"settle": "usdt"})
    parts = [float(account[name]) for name in ("position_margin", "order_margin", "available")]
    assert sum(parts) == pytest.approx(float(account["total"]))
    assert parts[0] == pytest.approx(600, rel=0.01)
    assert float(account["total"]) == pytest.approx(10000 - 6001 * 0.0005, rel=1e-5)
    assert float(account["unrealised_pnl"]) < 0


def test_what_is_available_never_exceeds_the_total_by_a_profit_on_paper(standin, gate):
    gate.set_leverage(100, BTC, {"cross_leverage_limit": "100"})
    gate.create_order(BTC, "market", "sell", 100)
    standin.control.set_time(NOW_MS + 60_000)
    account = gate.privateFuturesGetSettleAccounts({"settle": "usdt"})
    assert float(account["unrealised_pnl"]) == pytest.approx(200, rel=0.01)
    assert account["available"] == account["total"]
    assert (account["position_margin"], account["order_margin"]) == ("0", "0")


# ----------------------------------------------------------------------------------------------------- ids and look-ups
def test_a_limit_order_rests_is_found_by_our_id_and_taken_back_by_it(gate):
    gate.create_order(BTC, "limit", "buy", 2, 59000.5, {"clientOrderId": "c-limit"})
    found = gate.fetch_order(None, BTC, {"clientOrderId": "c-limit"})
    assert (found["status"], found["price"], found["amount"], found["timeInForce"]) == ("open", 59000.5, 2, "GTC")
    assert [order["clientOrderId"] for order in gate.fetch_open_orders(BTC)] == ["t-c-limit"]
    ended = gate.cancel_order("t-c-limit", BTC)
    assert (ended["status"], ended["info"]["finish_as"], ended["info"]["left"]) == ("canceled", "cancelled", "2")
    assert gate.fetch_open_orders() == []


def test_cancel_ignores_a_client_id_among_the_parameters(gate):
    kept = gate.create_order(BTC, "limit", "buy", 2, 59000, {"clientOrderId": "kept"})
    other = gate.create_order(BTC, "limit", "buy", 2, 59000, {"clientOrderId": "other"})
    gate.cancel_order(other["id"], BTC, {"clientOrderId": "kept"})
    assert [order["id"] for order in gate.fetch_open_orders(BTC)] == [kept["id"]]


def test_a_later_order_takes_over_an_id_and_the_earlier_is_found_by_number_only(gate):
    first = gate.create_order(BTC, "limit", "buy", 1, 59000, {"clientOrderId": "same"})
    second = gate.create_order(BTC, "limit", "buy", 2, 59000, {"clientOrderId": "same"})
    assert first["id"] != second["id"]
    assert gate.fetch_order(None, BTC, {"clientOrderId": "same"})["id"] == second["id"]
    assert gate.fetch_order(first["id"], BTC)["amount"] == 1
    assert len(gate.fetch_open_orders(BTC)) == 2


def test_an_unfilled_order_vanishes_first_by_our_id_and_then_altogether(standin, gate):
    gate.create_order(BTC, "market", "buy", 1, None, {"clientOrderId": "filled"})
    order = gate.create_order(BTC, "limit", "buy", 1, 50000, {"clientOrderId": "unfilled"})
    gate.cancel_order("t-unfilled", BTC)
    standin.control.set_time(NOW_MS + 60_000)
    assert gate.fetch_order(None, BTC, {"clientOrderId": "unfilled"})["status"] == "canceled"
    standin.control.set_time(NOW_MS + 61_000)
    with pytest.raises(ccxt.OrderNotFound, match=r"ORDER_NOT_FOUND.*t-unfilled"):
        gate.fetch_order(None, BTC, {"clientOrderId": "unfilled"})
    with pytest.raises(ccxt.OrderNotFound, match=r"CLIENT_ID_NOT_FOUND.*t-never"):
        gate.fetch_order(None, BTC, {"clientOrderId": "never"})
    assert gate.fetch_order(None, BTC, {"clientOrderId": "filled"})["status"] == "closed"
    assert gate.fetch_order(order["id"], BTC)["status"] == "canceled"
    standin.control.set_time(NOW_MS + 601_000)
    with pytest.raises(ccxt.OrderNotFound, match=f"ORDER_NOT_FOUND.*{order['id']}"):
        gate.fetch_order(order["id"], BTC)
    assert [o["clientOrderId"] for o in gate.fetch_closed_orders(BTC, since=NOW_MS - 1000)] == ["t-filled"]


def test_the_list_by_time_has_finished_orders_only(standin, gate):
    gate.create_order(BTC, "market", "buy", 1)
    gate.create_order(BTC, "limit", "buy", 1, 50000)
    asked = {"settle": "usdt", "contract": "BTC_USDT", "from": NOW_MS // 1000, "to": NOW_MS // 1000}
    assert [row["status"] for row in gate.privateFuturesGetSettleOrdersTimerange(asked)] == ["finished"]
    later = asked | {"from": NOW_MS // 1000 + 1, "to": NOW_MS // 1000 + 9}
    assert gate.privateFuturesGetSettleOrdersTimerange(later) == []
    assert gate.privateFuturesGetSettleMyTradesTimerange(later) == []


def test_somebody_elses_order_has_no_text_of_ours(standin, gate):
    standin.control.inject(ForeignOrder(market=BTC, buys=True, quantity="0.001", price="50000"))
    assert [order["clientOrderId"] for order in gate.fetch_open_orders()] == ["api"]


# -------------------------------------------------------------------------------------------------------- partial fills
def test_a_partial_fill_is_followed_by_its_rest(standin, gate):
    standin.control.set_faults(
        [VenueFault(kind=VenueFaultKind.PARTIAL_FILL, call=VenueCall.SUBMIT, ratio=Ppm(400_000), delay_ms=2_000)]
    )
    order = gate.create_order(BTC, "market", "buy", 10, None, {"clientOrderId": "p"})
    assert (order["status"], order["filled"], order["remaining"]) == ("open", 4, 6)
    standin.control.set_time(NOW_MS + 2_000)
    assert gate.fetch_order(None, BTC, {"clientOrderId": "p"})["filled"] == 10
    assert [fill["amount"] for fill in gate.fetch_my_trades(BTC)] == [4, 6]


def test_a_cut_market_order_ends_as_ioc_with_the_rest_left(standin, gate):
    standin.control.set_faults([VenueFault(kind=VenueFaultKind.PARTIAL_FILL, ratio=Ppm(400_000))])
    order = gate.create_order(BTC, "market", "sell", 10)
    assert (order["info"]["finish_as"], order["info"]["size"], order["info"]["left"]) == ("ioc", "-10", "-6")
    assert (order["status"], order["filled"], held(gate)) == ("canceled", 4, {(BTC, "short"): 4})


# ------------------------------------------------------------------------------------------------------------- refusals
def _too_much(gate):
    gate.create_order(BTC, "market", "buy", 100_000 // 60)
    gate.create_order(BTC, "market", "buy", 1_000)


def _nothing_to_reduce(gate):
    gate.create_order(BTC, "market", "sell", 1, None, {"reduceOnly": True})


def _wrong_way(gate):
    gate.create_order(BTC, "market", "buy", 1)
    gate.create_order(BTC, "market", "buy", 1, None, {"reduceOnly": True})


def _would_take(gate):
    gate.create_order(BTC, "limit", "buy", 1, 60000, {"postOnly": True})


def _finished(gate):
    gate.create_order(BTC, "market", "buy", 1, None, {"clientOrderId": "done"})
    gate.cancel_order("t-done", BTC)


def _mode_with_position(gate):
    gate.create_order(BTC, "market", "buy", 1)
    gate.set_position_mode(True, BTC)


def _raw(**body: Any) -> Callable[[Any], object]:
    usual = {"settle": "usdt", "contract": "BTC_USDT", "size": 1, "price": "0", "tif": "ioc"}
    return lambda gate: gate.privateFuturesPostSettleOrders(usual | body)


REFUSED: dict[str, tuple[Callable[[Any], object], type[Exception], str]] = {
    "too much": (_too_much, ccxt.InsufficientFunds, "INSUFFICIENT_AVAILABLE"),
    "nothing to reduce": (_nothing_to_reduce, ccxt.InvalidOrder, "POSITION_EMPTY"),
    "a reduction that adds": (_wrong_way, ccxt.InvalidOrder, "INCREASE_POSITION"),
    "post-only that takes": (_would_take, ccxt.OrderImmediatelyFillable, "ORDER_POC_IMMEDIATE"),
    "a finished order": (_finished, ccxt.ExchangeError, "ORDER_FINISHED"),
    "a mode under a position": (_mode_with_position, ccxt.BadRequest, "POSITION_HOLDING"),
    "the mode that is set": (lambda gate: gate.set_position_mode(False, BTC), ccxt.InvalidOrder, "NO_CHANGE"),
    "too small": (_raw(contract="ETH_USDT", size=4), ccxt.InvalidOrder, "SIZE_TOO_SMALL"),
    "too much leverage": (
        lambda gate: gate.set_leverage(100, BTC, {"leverage": "101"}),
        ccxt.InvalidOrder,
        "LEVERAGE_TOO_HIGH",
    ),
    "no such contract": (_raw(contract="XYZ_USDT"), ccxt.BadSymbol, "CONTRACT_NOT_FOUND"),
    "a text without prefix": (_raw(text="mine"), ccxt.BadRequest, "INVALID_PARAM_VALUE"),
    "a long text": (_raw(text="t-" + "a" * 29), ccxt.BadRequest, "INVALID_PARAM_VALUE"),
    "an odd text": (_raw(text="t-ä"), ccxt.BadRequest, "INVALID_PARAM_VALUE"),
    "half a contract": (_raw(size="1.5"), ccxt.BadRequest, "INVALID_PARAM_VALUE"),
    "no size": (_raw(size=0), ccxt.BadRequest, "INVALID_ARGUMENT"),
    "no number": (_raw(size="NaN"), ccxt.BadRequest, "INVALID_PARAM_VALUE"),
    "a market order that rests": (_raw(tif="gtc"), ccxt.BadRequest, "INVALID_PARAM_VALUE"),
    "a price off the grid": (_raw(price="60000.05", tif="gtc"), ccxt.BadRequest, "INVALID_PARAM_VALUE"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_comes_through_ccxt_with_its_label(standin, gate, case):
    ask, raised, label = REFUSED[case]
    with pytest.raises(raised, match=f'"label":"{label}"') as caught:
        ask(gate)
    assert caught.type is raised
    assert all(basis in set(Basis) for basis in standin.control.ledger().dialect_used.values())


def test_a_duplicate_that_was_booked_looks_like_an_invalid_order_to_ccxt(standin, gate):
    standin.control.set_faults([VenueFault(kind=VenueFaultKind.DUPLICATE_ID, call=VenueCall.SUBMIT)])
    with pytest.raises(ccxt.InvalidOrder, match="REPEATED_CREATION"):
        gate.create_order(BTC, "market", "buy", 1, None, {"clientOrderId": "doubled"})
    assert gate.fetch_order(None, BTC, {"clientOrderId": "doubled"})["filled"] == 1


def test_the_test_flag_places_a_real_order(gate):
    gate.create_order(BTC, "market", "buy", 1, None, {"test": True})
    assert held(gate) == {(BTC, "long"): 1}


def test_ccxt_leaves_the_prefix_away_from_an_id_that_begins_with_a_t(gate):
    with pytest.raises(ccxt.BadRequest, match="invalid argument: text"):
        gate.create_order(BTC, "market", "buy", 1, None, {"clientOrderId": "twice"})


def test_an_id_of_28_characters_with_its_prefix_is_as_long_as_ccxt_lets_pass(gate):
    assert gate.create_order(BTC, "market", "buy", 1, None, {"text": LONG_ID})["clientOrderId"] == LONG_ID


# --------------------------------------------------------------------------------------------------------------- access
@pytest.mark.parametrize(
    ("config", "raised", "label"),
    [
        ({"apiKey": "another"}, ccxt.AuthenticationError, "INVALID_KEY"),
        ({"secret": "another"}, ccxt.AuthenticationError, "INVALID_SIGNATURE"),
    ],
)
def test_only_its_own_key_and_signature_are_let_in(connect, config, raised, label):
    with pytest.raises(raised, match=label):
        connect(**config).stock.fetch_balance()


def test_a_clock_a_minute_off_is_refused_and_half_a_minute_is_not(connect):
    client = connect()
    client.late_ms = 30_000
    assert client.stock.fetch_balance()["USDT"]["total"] == 10000
    for late_ms in (62_000, -62_000):
        client.late_ms = late_ms
        with pytest.raises(ccxt.AuthenticationError, match="REQUEST_EXPIRED"):
            client.stock.fetch_balance()


def test_an_order_after_its_own_expiry_is_refused(connect):
    client = connect().stock
    client.headers = {"x-gate-exptime": str(NOW_MS - 1)}
    with pytest.raises(ccxt.AuthenticationError, match="REQUEST_EXPIRED"):
        client.create_order(BTC, "market", "buy", 1)
    client.headers = {"x-gate-exptime": str(NOW_MS)}
    assert client.create_order(BTC, "market", "buy", 1)["filled"] == 1


def test_a_query_with_odd_characters_is_signed_as_it_is_read(gate):
    asked = {"settle": "usdt", "contract": "BTC_USDT", "status": "open", "last_id": "a b+c/é&="}
    assert gate.privateFuturesGetSettleOrders(asked) == []


def test_a_key_that_is_revoked_or_may_only_read_says_so(standin, gate):
    def key(**rights: bool) -> ChangeKey:
        usual = {"can_trade": True, "can_withdraw": False, "ip_restricted": True, "is_revoked": False}
        return ChangeKey(**(usual | rights))

    standin.control.inject(key(can_trade=False))
    with pytest.raises(ccxt.PermissionDenied, match="READ_ONLY"):
        gate.create_order(BTC, "market", "buy", 1)
    assert held(gate) == {}
    standin.control.inject(key(is_revoked=True))
    with pytest.raises(ccxt.AuthenticationError, match="INVALID_KEY"):
        gate.fetch_open_orders()
    standin.control.inject(key(can_withdraw=True, ip_restricted=False))
    told = gate.privateAccountGetMainKeys()
    assert {"name": "wallet", "read_only": False} in told["perms"]
    assert told["ip_whitelist"] == gate.privateAccountGetDetail()["ip_whitelist"] == []


def test_an_endpoint_that_gate_does_not_have_is_not_found_and_recorded(standin):
    assert httpx.get(f"{standin.base_url}/api/v4/futures/usdt/dual_comp/positions").status_code == 404
    assert httpx.get(f"{standin.base_url}/api/v4/futures/btc/contracts").status_code == 404
    assert standin.control.ledger().unknown_requests == (
        "GET /api/v4/futures/usdt/dual_comp/positions",
        "GET /api/v4/futures/btc/contracts",
    )


def test_leverage_is_confirmed_as_one_row_or_as_two(standin, gate):
    cross = {"cross_leverage_limit": "7"}
    answered = gate.set_leverage(7, BTC, cross)
    assert (answered["leverage"], answered["cross_leverage_limit"]) == ("0", "7")
    assert gate.set_leverage(5, BTC)["leverage"] == "5"
    standin.control.reset(HEDGED)
    gate.load_markets()
    for rows in (
        gate.set_leverage(7, BTC, cross),
        gate.privateFuturesPostSettleDualCompPositionsContractLeverage(
            {"settle": "usdt", "contract": "BTC_USDT", "leverage": "0", "cross_leverage_limit": "7"}
        ),
    ):
        assert [(row["mode"], row["cross_leverage_limit"]) for row in rows] == [("dual_long", "7"), ("dual_short", "7")]


# ---------------------------------------------------------------------------------------------------- shapes of answers
NUMBER, TEXT, FLAG, NOTHING, ROW = "number", "text", "flag", "nothing", "row"
ORDER_KEYS = {
    **dict.fromkeys(("refu", "tkfr", "mkfr", "id", "price", "iceberg", "user", "fill_price", "create_time"), NUMBER),
    **dict.fromkeys(("update_time", "finish_time", "left", "refr", "size", "stp_id", "update_id", "pnl"), NUMBER),
    **dict.fromkeys(("pnl_margin", "market_order_slip_ratio"), NUMBER),
    **dict.fromkeys(("contract", "tif", "text", "finish_as", "status", "biz_info", "amend_text", "stp_act"), TEXT),
    **dict.fromkeys(("is_reduce_only", "is_close", "is_liq"), FLAG),
    "bbo": TEXT,
}
POSITION_KEYS = {
    **dict.fromkeys(("value", "leverage", "realised_point", "entry_price", "mark_price", "history_point"), NUMBER),
    **dict.fromkeys(("realised_pnl", "size", "cross_leverage_limit", "pending_orders", "adl_ranking"), NUMBER),
    **dict.fromkeys(("maintenance_rate", "unrealised_pnl", "user", "leverage_max", "history_pnl"), NUMBER),
    **dict.fromkeys(("risk_limit", "margin", "last_close_pnl", "liq_price", "update_time", "update_id"), NUMBER),
    **dict.fromkeys(("initial_margin", "maintenance_margin", "open_time", "trade_max_size"), NUMBER),
    **dict.fromkeys(("mode", "contract"), TEXT),
    "close_order": NOTHING,
}
TRADE_KEYS = {
    **dict.fromkeys(("price", "fee", "create_time", "point_fee", "trade_id", "order_id", "size"), NUMBER),
    **dict.fromkeys(("text", "contract", "role", "biz_info", "amend_text"), TEXT),
}
ACCOUNT_KEYS = {
    **dict.fromkeys(("order_margin", "point", "update_time", "update_id", "bonus", "unrealised_pnl"), NUMBER),
    **dict.fromkeys(("total", "available", "position_margin", "user"), NUMBER),
    **dict.fromkeys(("enable_credit", "in_dual_mode"), FLAG),
    "currency": TEXT,
    "history": ROW,
}


def kind_of(value: object) -> str:
    """The JSON kind; ccxt's fixtures quote every number, so a number and its text are one kind."""
    if value is None or isinstance(value, bool | dict):
        return NOTHING if value is None else FLAG if isinstance(value, bool) else ROW
    try:
        _ = float(str(value))
    except ValueError:
        return TEXT
    return NUMBER


def test_answers_have_the_keys_and_kinds_of_ccxts_recorded_ones(gate):
    order = gate.create_order(BTC, "market", "buy", 100)["info"]
    position = gate.privateFuturesGetSettlePositions({"settle": "usdt"})[0]
    trade = gate.privateFuturesGetSettleMyTradesTimerange({"settle": "usdt", "contract": "BTC_USDT"})[0]
    account = gate.privateFuturesGetSettleAccounts({"settle": "usdt"})
    for row, keys in ((order, ORDER_KEYS), (position, POSITION_KEYS), (trade, TRADE_KEYS), (account, ACCOUNT_KEYS)):
        assert {name: kind_of(row[name]) for name in keys} == keys
    assert (type(order["id"]), type(order["create_time"]), type(order["size"])) == (int, float, str)


def test_every_rule_has_a_label_and_no_option_is_known():
    dialect = GateDialect()
    assert set(dialect.errors) == set(VenueRule)
    assert dialect.symbol_of(Market(BTC)) == "BTC_USDT"
    with pytest.raises(BadInput, match="no option create_answer"):
        _ = GateDialect({"create_answer": "rich"})
