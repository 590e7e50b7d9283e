"""BingX's trading endpoints: what is placed, refused, found, listed and cancelled, and in which words."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from copytrade_core.edges.standins.venue_control import FlipMode, ForeignOrder
from copytrade_core.edges.standins.venue_server import VenueServerConfig, VenueStandin, running_venue
from copytrade_core.model.side import Side
from copytrade_core.model.venue import PositionMode, Venue, VenueOrderStatus
from tests.standins.venue_desk import BTC, NOW, ORDER, BingxDesk, run_setup

SWAP = "/openApi/swap"
BIG_ID = 10**18


@pytest.fixture(scope="module")
def running() -> Generator[VenueStandin]:
    with running_venue(VenueServerConfig(venue=Venue.BINGX, setup=run_setup(), port=0)) as standin:
        yield standin


@pytest.fixture
def venue(running: VenueStandin) -> VenueStandin:
    running.control.reset(run_setup())
    return running


@pytest.fixture
def desk(venue: VenueStandin) -> Generator[BingxDesk]:
    desk = BingxDesk(venue.base_url)
    with desk.client:
        yield desk


def limit(desk: BingxDesk, client_order_id: str, price: str = "50000", **more: object) -> dict[str, object]:
    answer = desk.place(client_order_id, type="LIMIT", price=price, **more)
    assert answer["code"] == 0, answer
    return answer["data"]["order"]


def found(desk: BingxDesk, client_order_id: str) -> dict[str, object]:
    return desk.data("GET", ORDER, symbol="BTC-USDT", clientOrderID=client_order_id)["order"]


def test_a_lean_create_answer_has_an_id_and_neither_status_nor_fill(desk: BingxDesk):
    order = desk.place("cAbC")["data"]["order"]
    assert order["orderId"] > BIG_ID
    assert order["clientOrderID"] == "cabc"
    assert {"status", "executedQty", "avgPrice"} & set(order) == set()


def test_a_rich_create_answer_tells_a_market_order_as_not_yet_filled(desk: BingxDesk, venue: VenueStandin):
    venue.control.reset(run_setup(options={"create_answer": "rich"}))
    row = desk.place("c1")["data"]
    assert (row["status"], row["executedQty"], row["orderId"]) == ("PENDING", "0.0000", int(row["orderID"]))
    assert found(desk, "c1")["executedQty"] == "0.0100"


def test_an_order_is_found_by_either_id_and_ours_in_any_case(desk: BingxDesk):
    number = desk.place("c1")["data"]["order"]["orderId"]
    by_venue_id = desk.data("GET", ORDER, symbol="BTC-USDT", orderId=number)["order"]
    assert by_venue_id == found(desk, "C1") == desk.data("GET", ORDER, symbol="BTC-USDT", clientOrderId="c1")["order"]
    assert by_venue_id["status"] == "FILLED"
    assert by_venue_id["commission"].startswith("-")


def test_the_text_none_as_order_id_is_an_error_and_not_a_missing_order(desk: BingxDesk):
    _ = desk.place("c1")
    answer = desk.answer("GET", ORDER, symbol="BTC-USDT", orderId="None", clientOrderID="c1")
    assert answer["code"] == 109400
    assert desk.answer("GET", ORDER, symbol="BTC-USDT")["code"] == 80001


def test_an_unknown_order_is_told_differently_by_a_query_and_by_a_cancel(desk: BingxDesk):
    assert desk.answer("GET", ORDER, symbol="BTC-USDT", clientOrderID="nobody")["code"] == 80016
    assert desk.answer("DELETE", ORDER, symbol="BTC-USDT", clientOrderID="nobody")["code"] == 109414
    _ = desk.place("c1")
    assert desk.answer("DELETE", ORDER, symbol="BTC-USDT", clientOrderID="c1")["code"] == 80018


def test_an_id_can_be_used_once_for_ever(desk: BingxDesk, venue: VenueStandin):
    assert desk.place("c1")["code"] == 0
    assert desk.place("c1")["code"] == 109201
    venue.control.set_time(NOW + 2_000)
    desk.now_ms = NOW + 2_000
    later = desk.place("C1")
    assert (later["code"], later["msg"]) == (101481, "clientOrderID cannot be repeated")
    assert len(venue.control.ledger().orders) == 1


@pytest.mark.parametrize("code", ["101481", "109201", "101400"])
def test_each_known_way_to_tell_a_duplicate_can_be_chosen(desk: BingxDesk, venue: VenueStandin, code):
    venue.control.reset(run_setup(options={"duplicate_id": code}))
    _ = desk.place("c1")
    again = desk.place("c1")
    assert again["code"] == int(code)
    assert "order number" in again["msg"] or "clientOrderID" in again["msg"]


@pytest.mark.parametrize("code", [101205, 109420])
def test_both_codes_for_nothing_to_close_can_be_chosen(desk: BingxDesk, venue: VenueStandin, code):
    venue.control.reset(run_setup(options={"no_position": str(code)}))
    assert desk.place(side="SELL")["code"] == code


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"quantity": "0.0001"}, 101400, "minimum order amount is 0.0002 BTC"),
        ({"type": "LIMIT", "price": "100", "quantity": "0.001"}, 101400, "minimum nominal value"),
        ({"quantity": "3"}, 101204, "Insufficient margin"),
        ({"reduceOnly": "true"}, 109400, "'ReduceOnly' field can not be filled"),
        ({"positionSide": "BOTH"}, 109400, "can only be set to LONG or SHORT"),
        ({"symbol": "NOPE-USDT"}, 109425, "NOPE-USDT not exist"),
        ({"symbol": None}, 80014, "parameter symbol is must"),
        ({"quantity": None}, 80014, "parameter quantity is must"),
        ({"quantity": "much"}, 109400, "quantity: much"),
        ({"quantity": "NaN"}, 109400, "quantity: NaN"),
        ({"side": "HOLD"}, 109400, "side: HOLD"),
        ({"type": "LIMIT"}, 80014, "parameter price is must"),
        ({"type": "TRAILING_TP_SL"}, 109400, "type: TRAILING_TP_SL"),
        ({"type": "LIMIT", "price": "61000", "timeInForce": "PostOnly"}, 101215, "always acts as a maker"),
        ({"type": "STOP_MARKET", "stopPrice": "59000"}, 110412, "Stop Loss price"),
        ({"clientOrderID": "x" * 41}, 109400, "clientOrderId"),
    ],
)
def test_a_refusal_has_the_venues_code_and_sentence_and_places_nothing(
    desk: BingxDesk, venue: VenueStandin, changes, code, says
):
    answer = desk.place(**changes)
    assert (answer["code"], answer["data"]) == (code, {})
    assert says in answer["msg"]
    assert venue.control.ledger().orders == ()


def test_in_one_way_mode_reduce_only_is_taken_and_the_side_must_be_both(desk: BingxDesk, venue: VenueStandin):
    venue.control.reset(run_setup(position_mode=PositionMode.ONE_WAY))
    wrong = desk.place()
    assert (wrong["code"], "set to BOTH" in wrong["msg"]) == (109400, True)
    assert desk.place("c1", positionSide="BOTH")["code"] == 0
    assert desk.place("c2", positionSide="BOTH", side="SELL", reduceOnly="true")["code"] == 0
    assert venue.control.ledger().positions == ()
    assert desk.place("c3", positionSide="BOTH", side="SELL", reduceOnly="true")["code"] == 101205


def test_digits_beyond_the_precision_are_cut_off_not_refused(desk: BingxDesk, venue: VenueStandin):
    assert desk.place("c1", type="LIMIT", price="50000.1999", quantity="0.01009999")["code"] == 0
    order = venue.control.ledger().orders[0]
    assert (order.price, order.quantity) == (500_001, 100)


def test_a_resting_order_is_listed_until_it_is_cancelled(desk: BingxDesk, venue: VenueStandin):
    number = limit(desk, "c1")["orderId"]
    _ = limit(desk, "c2", price="49000")
    listed = desk.data("GET", f"{SWAP}/v2/trade/openOrders", symbol="BTC-USDT")["orders"]
    assert [(row["clientOrderId"], row["status"]) for row in listed] == [("c1", "PENDING"), ("c2", "PENDING")]
    assert desk.data("GET", f"{SWAP}/v2/trade/openOrders")["orders"] == listed
    assert desk.data("GET", f"{SWAP}/v2/trade/openOrders", symbol="ETH-USDT")["orders"] == []
    single = desk.data("GET", f"{SWAP}/v2/trade/openOrder", symbol="BTC-USDT", orderId=number)["order"]
    assert single == listed[0]
    cancelled = desk.data("DELETE", ORDER, symbol="BTC-USDT", clientOrderID="c1")["order"]
    assert (cancelled["orderId"], cancelled["status"]) == (number, "CANCELLED")
    assert desk.answer("GET", f"{SWAP}/v2/trade/openOrder", symbol="BTC-USDT", orderId=number)["code"] == 80016
    assert [order.status for order in venue.control.ledger().orders] == [
        VenueOrderStatus.CANCELLED,
        VenueOrderStatus.OPEN,
    ]


def test_a_limit_fills_when_the_price_jumps_beyond_it_at_the_better_price(desk: BingxDesk, venue: VenueStandin):
    venue.control.reset(run_setup(prices={BTC: [(NOW, "60000.0"), (NOW + 10_000, "49000.0")]}))
    _ = limit(desk, "c1")
    venue.control.set_time(NOW + 10_000)
    desk.now_ms = NOW + 10_000
    row = found(desk, "c1")
    assert (row["status"], row["executedQty"], row["avgPrice"]) == ("FILLED", "0.0100", "49000.0")
    trade = desk.data("GET", f"{SWAP}/v2/trade/fillHistory", symbol="BTC-USDT", startTs=NOW, endTs=NOW + 10_000)
    assert [(row["role"], row["price"]) for row in trade["fill_orders"]] == [("maker", "49000.0")]


def test_a_stop_waits_as_new_and_becomes_a_market_order(desk: BingxDesk, venue: VenueStandin):
    venue.control.reset(run_setup(prices={BTC: [(NOW, "60000.0"), (NOW + 10_000, "54000.0")]}))
    _ = desk.place("c1")
    assert desk.place("c2", type="STOP_MARKET", side="SELL", stopPrice="55000")["code"] == 0
    row = found(desk, "c2")
    assert (row["type"], row["status"], row["stopPrice"]) == ("STOP_MARKET", "NEW", "55000.0")
    venue.control.set_time(NOW + 10_000)
    assert venue.control.ledger().positions == ()


@pytest.mark.parametrize("path", [f"{SWAP}/v2/trade/allOrders", f"{SWAP}/v1/trade/fullOrder"])
def test_the_history_of_orders_has_final_ones_newest_first_within_its_range(desk: BingxDesk, venue: VenueStandin, path):
    _ = desk.place("c1")
    venue.control.set_time(NOW + 1_000)
    desk.now_ms = NOW + 1_000
    _ = limit(desk, "c2")

    def ids(**more: object) -> list[str]:
        return [row["clientOrderId"] for row in desk.data("GET", path, symbol="BTC-USDT", **more)["orders"]]

    assert ids() == ["c2", "c1"]
    assert ids(startTime=NOW + 1) == ["c2"]
    assert ids(startTime=NOW, endTime=NOW) == ["c1"]
    assert ids(limit=1) == ["c2"]
    assert desk.data("GET", path)["orders"][0]["clientOrderId"] == "c2"
    assert desk.answer("GET", path, symbol="BTC-USDT", startTime=NOW + 5, endTime=NOW)["code"] == 109400


def test_trades_are_told_in_whole_seconds_of_utc_plus_8_with_a_z_that_lies(desk: BingxDesk):
    _ = desk.place("c1")
    trades = f"{SWAP}/v2/trade/allFillOrders"
    rows = desk.data("GET", trades, symbol="BTC-USDT", startTs=NOW, endTs=NOW, tradingUnit="COIN")["fill_orders"]
    assert [(row["filledTm"], row["filledTime"]) for row in rows] == [
        ("2026-05-17T14:40:00Z", "2026-05-17T14:40:00.000+0800")
    ]
    assert (rows[0]["volume"], rows[0]["clientOrderID"], rows[0]["side"]) == ("0.0100", "c1", "BUY")
    assert desk.answer("GET", trades, symbol="BTC-USDT", startTs=NOW)["code"] == 80014


def test_a_test_order_is_judged_and_never_placed(desk: BingxDesk, venue: VenueStandin):
    asked = {"symbol": "BTC-USDT", "type": "MARKET", "side": "BUY", "positionSide": "LONG"}
    assert desk.answer("POST", f"{ORDER}/test", quantity="0.01", **asked)["code"] == 0
    assert desk.answer("POST", f"{ORDER}/test", quantity="3", **asked)["code"] == 101204
    assert desk.answer("POST", f"{ORDER}/test", **asked)["code"] == 80014
    ledger = venue.control.ledger()
    assert (ledger.orders, ledger.cash) == ((), 10_000 * 10**8)


def test_positions_balance_and_leverage_agree_with_the_ledger(desk: BingxDesk, venue: VenueStandin):
    assert desk.data("GET", f"{SWAP}/v2/user/positions") == []
    answer = desk.data("POST", f"{SWAP}/v2/trade/leverage", symbol="BTC-USDT", side="LONG", leverage=20)
    assert (answer["leverage"], answer["symbol"]) == (20, "BTC-USDT")
    _ = desk.place("c1")
    _ = desk.place("c2", side="SELL", positionSide="SHORT", quantity="0.02")
    rows = desk.data("GET", f"{SWAP}/v2/user/positions", symbol="BTC-USDT")
    assert {(row["positionSide"], row["positionAmt"], row["leverage"]) for row in rows} == {
        ("LONG", "0.0100", 20),
        ("SHORT", "0.0200", 10),
    }
    assert {row["onlyOnePosition"] for row in rows} == {False}
    balance = desk.data("GET", f"{SWAP}/v3/user/balance")[0]
    ledger = venue.control.ledger()
    assert round(float(balance["equity"]) * 10**8) == ledger.equity
    assert round(float(balance["balance"]) * 10**8) == ledger.cash
    shown = desk.data("GET", f"{SWAP}/v2/trade/leverage", symbol="BTC-USDT")
    assert (shown["longLeverage"], shown["shortLeverage"], shown["maxLongLeverage"]) == (20, 10, 125)


@pytest.mark.parametrize(
    ("side", "leverage", "code"), [("BOTH", 5, 109400), ("LONG", 126, 101414), ("LONG", "", 80014), ("", 5, 80014)]
)
def test_leverage_is_refused_for_a_wrong_side_or_beyond_its_maximum(desk: BingxDesk, side, leverage, code):
    path = f"{SWAP}/v2/trade/leverage"
    assert desk.answer("POST", path, symbol="BTC-USDT", side=side, leverage=leverage)["code"] == code


def test_the_mode_changes_only_without_positions_and_orders(desk: BingxDesk):
    path = f"{SWAP}/v1/positionSide/dual"
    assert desk.data("GET", path) == {"dualSidePosition": "true"}
    assert desk.data("POST", path, dualSidePosition="false") == {"dualSidePosition": "false"}
    assert desk.place("c1", positionSide="BOTH")["code"] == 0
    assert desk.answer("POST", path, dualSidePosition="true")["code"] == 109400
    assert desk.answer("POST", path)["code"] == 80014


def test_what_others_do_to_the_account_is_seen_like_our_own(desk: BingxDesk, venue: VenueStandin):
    venue.control.inject(ForeignOrder(market=BTC, buys=True, quantity="0.01", price="40000", position_side=Side.LONG))
    row = desk.data("GET", f"{SWAP}/v2/trade/openOrders")["orders"][0]
    assert (row["clientOrderId"], row["price"]) == ("", "40000.0")
    venue.control.inject(FlipMode())
    assert desk.data("GET", f"{SWAP}/v1/positionSide/dual") == {"dualSidePosition": "false"}


def test_klines_and_ticker_follow_the_price_path(desk: BingxDesk, venue: VenueStandin):
    path = [(NOW, "60000.0"), (NOW + 30_000, "60100.0"), (NOW + 60_000, "59000.0")]
    venue.control.reset(run_setup(prices={BTC: path}))
    venue.control.set_time(NOW + 180_000)
    bars = desk.data("GET", f"{SWAP}/v3/quote/klines", symbol="BTC-USDT", interval="1m", startTime=NOW)
    assert [(bar["time"], bar["open"], bar["high"], bar["close"]) for bar in bars] == [
        (NOW + 120_000, "59000.0", "59000.0", "59000.0"),
        (NOW + 60_000, "59000.0", "59000.0", "59000.0"),
        (NOW, "60000.0", "60100.0", "60100.0"),
    ]
    assert len(desk.data("GET", f"{SWAP}/v3/quote/klines", symbol="BTC-USDT", interval="1m", limit=1)) == 1
    assert desk.answer("GET", f"{SWAP}/v3/quote/klines", symbol="BTC-USDT", interval="7m")["code"] == 109400
    assert desk.answer("GET", f"{SWAP}/v3/quote/klines", symbol="BTC-USDT", interval="1m", limit=1441)["code"] == 109400
    ticker = desk.data("GET", f"{SWAP}/v2/quote/ticker", symbol="BTC-USDT")
    assert (ticker["lastPrice"], ticker["highPrice"], ticker["lowPrice"]) == ("59000.0", "60100.0", "59000.0")
    assert [row["symbol"] for row in desk.data("GET", f"{SWAP}/v2/quote/ticker")] == ["BTC-USDT", "ETH-USDT"]
