"""Every fault over HTTP: what the client gets, and what the venue really did."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Mapping

import httpx
import pytest

from copytrade_core.edges.standins.control import StandinRefused
from copytrade_core.edges.standins.venue_control import VenueControl
from copytrade_core.edges.standins.venue_server import VenueServerConfig, VenueStandin, running_venue
from copytrade_core.model.instrument import Market
from copytrade_core.model.side import Side
from copytrade_core.model.units import Ppm, Steps, Ticks
from copytrade_core.model.venue import PositionMode, Venue
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall
from tests.standins.venue_desk import BTC, NOW, ORDER, BingxDesk, run_setup, with_faults

POSITIONS = "/openApi/swap/v2/user/positions"
TIMEOUT_S = 0.3


@pytest.fixture(scope="module")
def running() -> Generator[VenueStandin]:
    with running_venue(VenueServerConfig(venue=Venue.BINGX, setup=run_setup(), port=0)) as standin:
        yield standin


@pytest.fixture
def control(running: VenueStandin) -> VenueControl:
    running.control.reset(run_setup())
    return running.control


@pytest.fixture
def desk(running: VenueStandin) -> Generator[BingxDesk]:
    desk = BingxDesk(running.base_url, timeout_s=TIMEOUT_S)
    with desk.client:
        yield desk


def placed(control: VenueControl) -> list[str | None]:
    return [order.client_order_id for order in control.ledger().orders]


def met(control: VenueControl) -> dict[tuple[str, str], int]:
    return {(line.kind, line.call): line.count for line in control.ledger().faults_met}


@pytest.mark.parametrize(
    ("fault", "arrived", "error"),
    [
        ({"kind": "lost", "call": "submit"}, [], httpx.ReadTimeout),
        ({"kind": "hang", "call": "submit"}, [], httpx.ReadTimeout),
        ({"kind": "reset", "call": "submit"}, [], httpx.TransportError),
        ({"kind": "accept_then_hang", "call": "submit"}, ["c1"], httpx.ReadTimeout),
        ({"kind": "accept_then_reset", "call": "submit"}, ["c1"], httpx.TransportError),
        ({"kind": "slow", "call": "submit", "delay_ms": 500}, ["c1"], httpx.ReadTimeout),
        ({"kind": "delayed_apply", "call": "submit", "delay_ms": 2_000}, [], httpx.TransportError),
    ],
)
def test_a_broken_connection_says_nothing_about_the_order(
    desk: BingxDesk, control: VenueControl, fault, arrived, error
):
    control.reset(with_faults(fault))
    with pytest.raises(error):
        _ = desk.place("c1")
    assert placed(control) == arrived
    assert met(control) == {(fault["kind"], "submit"): 1}
    assert desk.place("c2")["code"] == 0


def test_a_hang_costs_the_server_only_as_long_as_the_client_waits(desk: BingxDesk, control: VenueControl):
    control.reset(with_faults({"kind": "lost", "call": "submit", "count": 3}))
    started = time.monotonic()
    for number in range(3):
        with pytest.raises(httpx.ReadTimeout):
            _ = desk.place(f"c{number}")
    assert desk.place("c9")["code"] == 0
    assert time.monotonic() - started < 3 * TIMEOUT_S + 1.0


def test_a_delayed_order_arrives_when_the_clock_has_come_there(desk: BingxDesk, control: VenueControl):
    control.reset(with_faults({"kind": "delayed_apply", "call": "submit", "delay_ms": 2_000}))
    with pytest.raises(httpx.TransportError):
        _ = desk.place("c1")
    assert desk.answer("GET", ORDER, symbol="BTC-USDT", clientOrderID="c1")["code"] == 80016
    control.set_time(NOW + 2_000)
    desk.now_ms = NOW + 2_000
    assert desk.data("GET", ORDER, symbol="BTC-USDT", clientOrderID="c1")["order"]["status"] == "FILLED"


def test_a_delay_beyond_the_receive_window_never_arrives(desk: BingxDesk, control: VenueControl):
    control.reset(with_faults({"kind": "delayed_apply", "call": "submit", "delay_ms": 6_000}))
    with pytest.raises(httpx.TransportError):
        _ = desk.place("c1")
    control.set_time(NOW + 60_000)
    assert placed(control) == []


@pytest.mark.parametrize("status", [418, 429, 500, 502, 504])
def test_a_gateway_status_is_an_html_page_and_nothing_is_done(desk: BingxDesk, control: VenueControl, status):
    control.reset(with_faults({"kind": "http_status", "call": "submit", "status": status}))
    answer = desk.request("POST", ORDER, symbol="BTC-USDT", type="MARKET", side="BUY", positionSide="LONG", quantity=1)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html")
    assert ("retry-after" in answer.headers) is (status in (418, 429))
    assert placed(control) == []


def test_a_gateway_page_after_the_order_was_taken(desk: BingxDesk, control: VenueControl):
    control.reset(with_faults({"kind": "accept_then_5xx", "call": "submit", "status": 502}))
    answer = desk.request(
        "POST", ORDER, symbol="BTC-USDT", type="MARKET", side="BUY", positionSide="LONG", quantity="0.01"
    )
    assert answer.status_code == 502
    assert placed(control) == [None]


@pytest.mark.parametrize(("kind", "count"), [("garbage", 0), ("accept_then_garbage", 6)])
def test_garbage_is_http_200_with_no_envelope_in_several_shapes(desk: BingxDesk, control: VenueControl, kind, count):
    control.reset(with_faults({"kind": kind, "call": "submit", "count": 6}))
    asked = {"symbol": "BTC-USDT", "type": "MARKET", "side": "BUY", "positionSide": "LONG", "quantity": "0.001"}
    answers = [desk.request("POST", ORDER, **asked) for _ in range(6)]
    assert {answer.status_code for answer in answers} == {200}
    assert not any(b'"code"' in answer.content for answer in answers)
    assert len({answer.content for answer in answers}) > 1
    assert len(placed(control)) == count


def test_a_rejection_has_the_faults_own_code_and_places_nothing(desk: BingxDesk, control: VenueControl):
    control.reset(
        with_faults({"kind": "reject", "call": "submit", "code": "101253", "message": "margin is not enough"})
    )
    assert desk.place() == {"code": 101253, "msg": "margin is not enough", "data": {}}
    assert placed(control) == []


def test_the_short_form_rejects_the_next_orders_and_then_no_more(desk: BingxDesk, control: VenueControl):
    control.set_faults([VenueFault(kind=VenueFaultKind.REJECT_NEXT_N_ORDERS, count=2)])
    assert [desk.place(f"c{number}")["code"] for number in range(3)] == [101204, 101204, 0]


@pytest.mark.parametrize(
    ("reason", "code"),
    [("insufficient_funds", 101204), ("invalid_order", 101400), ("no_position", 101205), ("reduce_only", 101290)],
)
def test_a_rejection_without_a_code_has_the_venues_words_for_its_reason(
    desk: BingxDesk, control: VenueControl, reason, code
):
    control.reset(with_faults({"kind": "reject_next_n_orders", "reason": reason}))
    assert desk.place("c1")["code"] == code


def test_orders_that_close_can_be_rejected_as_reduce_only(desk: BingxDesk, control: VenueControl):
    assert desk.place("c1")["code"] == 0
    control.set_faults([VenueFault(kind=VenueFaultKind.SIMULATE_BINGX_REDUCEONLY_REJECT)])
    assert desk.place("c2")["code"] == 0
    assert desk.place("c3", side="SELL")["code"] == 101290
    assert desk.place("c4", side="SELL")["code"] == 0


def test_a_probability_of_one_half_rejects_some_and_the_same_ones_for_the_same_seed(
    desk: BingxDesk, control: VenueControl
):
    def run(seed: int) -> list[int]:
        control.reset(with_faults({"kind": "reject_probability", "ratio": 500_000, "count": 20}, seed=seed))
        return [desk.place(f"c{number}", quantity="0.0002")["code"] for number in range(20)]

    first = run(1)
    assert set(first) == {0, 101204}
    assert first == run(1) != run(2)


def test_a_duplicate_is_an_order_that_was_taken(desk: BingxDesk, control: VenueControl):
    control.reset(with_faults({"kind": "duplicate_id"}))
    assert desk.place("c1")["code"] == 101481
    assert placed(control) == ["c1"]
    control.reset(with_faults({"kind": "duplicate_id"}))
    assert desk.place("c1", quantity="3")["code"] == 101204


def test_a_partial_fill_stops_half_way_and_the_rest_follows(desk: BingxDesk, control: VenueControl):
    control.set_faults([VenueFault(kind=VenueFaultKind.PARTIAL_FILL, ratio=Ppm(500_000), delay_ms=5_000)])
    assert desk.place("c1")["code"] == 0
    row = desk.data("GET", ORDER, symbol="BTC-USDT", clientOrderID="c1")["order"]
    assert (row["status"], row["executedQty"]) == ("PARTIALLY_FILLED", "0.0050")
    control.set_time(NOW + 5_000)
    assert control.ledger().orders[0].filled == 100


def test_a_redirect_points_to_a_path_that_voids_the_run_when_it_is_followed(desk: BingxDesk, control: VenueControl):
    control.reset(with_faults({"kind": "redirect", "call": "submit"}))
    asked = {"symbol": "BTC-USDT", "type": "MARKET", "side": "BUY", "positionSide": "LONG", "quantity": "0.01"}
    answer = desk.request("POST", ORDER, **asked)
    assert (answer.status_code, placed(control)) == (302, [])
    assert control.ledger().unknown_requests == ()
    followed = desk.client.get(answer.headers["location"])
    assert followed.status_code == 404
    assert control.ledger().unknown_requests == ("GET /redirected",)


def test_a_skewed_clock_is_shown_by_the_time_and_refuses_signed_calls(desk: BingxDesk, control: VenueControl):
    control.set_faults([VenueFault(kind=VenueFaultKind.CLOCK_SKEW, skew_ms=8_000, count=2)])
    assert desk.client.get("/openApi/swap/v2/server/time").json()["data"]["serverTime"] == NOW + 8_000
    assert desk.place("c1")["code"] == 100421
    assert desk.place("c1")["code"] == 0


def test_an_order_that_is_not_visible_is_missing_from_reads_and_there_all_the_same(
    desk: BingxDesk, control: VenueControl
):
    hides = (VenueCall.ORDER, VenueCall.ORDERS, VenueCall.FILLS, VenueCall.POSITIONS)
    control.set_faults(
        [VenueFault(kind=VenueFaultKind.NOT_VISIBLE, call=VenueCall.SUBMIT, delay_ms=3_000, hides=hides)]
    )
    assert desk.place("c1")["code"] == 0
    assert desk.answer("GET", ORDER, symbol="BTC-USDT", clientOrderID="c1")["code"] == 80016
    assert desk.data("GET", POSITIONS) == []
    ledger = control.ledger()
    assert (len(ledger.orders), len(ledger.positions)) == (1, 1)
    control.set_time(NOW + 3_000)
    desk.now_ms = NOW + 3_000
    assert desk.data("GET", ORDER, symbol="BTC-USDT", clientOrderID="c1")["order"]["status"] == "FILLED"
    assert len(desk.data("GET", POSITIONS)) == 1


def test_a_read_that_lags_shows_the_account_as_it_was(desk: BingxDesk, control: VenueControl):
    control.set_time(NOW + 10_000)
    desk.now_ms = NOW + 10_000
    assert desk.place("c1")["code"] == 0
    control.set_time(NOW + 11_000)
    control.set_faults([VenueFault(kind=VenueFaultKind.NOT_VISIBLE, call=VenueCall.POSITIONS, delay_ms=5_000)])
    assert desk.data("GET", POSITIONS) == []
    assert len(desk.data("GET", POSITIONS)) == 1


def test_a_fault_on_the_position_of_one_market_hits_the_venues_one_request(desk: BingxDesk, control: VenueControl):
    control.set_faults([VenueFault(kind=VenueFaultKind.RESET, call=VenueCall.POSITION)])
    with pytest.raises(httpx.TransportError):
        _ = desk.data("GET", POSITIONS)
    assert desk.data("GET", POSITIONS) == []
    assert met(control) == {("reset", "position"): 1}


def test_others_trade_on_the_account_before_a_call(desk: BingxDesk, control: VenueControl):
    control.set_faults(
        [
            VenueFault(
                kind=VenueFaultKind.EXTERNAL_ORDER,
                call=VenueCall.OPEN_ORDERS,
                market=Market(BTC),
                buys=True,
                quantity=Steps(10),
                price=Ticks(500_000),
            ),
            VenueFault(
                kind=VenueFaultKind.EXTERNAL_POSITION,
                call=VenueCall.POSITIONS,
                market=Market(BTC),
                side=Side.SHORT,
                quantity=Steps(10),
            ),
            VenueFault(kind=VenueFaultKind.MODE_FLIPPED, call=VenueCall.BALANCE),
        ]
    )
    assert len(desk.data("GET", "/openApi/swap/v2/trade/openOrders")["orders"]) == 1
    assert [row["positionSide"] for row in desk.data("GET", POSITIONS)] == ["SHORT"]
    _ = desk.data("GET", "/openApi/swap/v3/user/balance")
    assert control.ledger().position_mode is PositionMode.ONE_WAY


def test_slippage_can_be_bounded_by_the_seeds_fault(desk: BingxDesk, control: VenueControl):
    control.set_faults([VenueFault(kind=VenueFaultKind.MAX_SLIPPAGE_BPS, bps=0)])
    assert desk.place("c1")["code"] == 0
    assert control.ledger().fills[0].price == 600_000


def test_a_fault_on_a_market_that_is_not_there_is_refused(control: VenueControl):
    fault = {"kind": "external_position", "call": "submit", "market": "DOGE/USDT:USDT", "side": "long", "quantity": 1}
    with pytest.raises(StandinRefused, match="no market DOGE"):
        control.reset(with_faults(fault))


def test_the_nth_call_is_hit_and_no_other(desk: BingxDesk, control: VenueControl):
    control.set_faults(
        [VenueFault(kind=VenueFaultKind.HTTP_STATUS, call=VenueCall.BALANCE, nth=3, count=2, status=503)]
    )
    path = "/openApi/swap/v3/user/balance"
    assert [desk.request("GET", path).status_code for _ in range(5)] == [200, 200, 503, 503, 200]


EVERY_KIND: Mapping[VenueFaultKind, Mapping[str, object]] = {
    VenueFaultKind.DELAYED_APPLY: {"delay_ms": 100},
    VenueFaultKind.ACCEPT_THEN_5XX: {"status": 500},
    VenueFaultKind.REJECT: {"code": "1", "message": "no"},
    VenueFaultKind.HTTP_STATUS: {"status": 500},
    VenueFaultKind.PARTIAL_FILL: {"ratio": 500_000},
    VenueFaultKind.SLOW: {"delay_ms": 1},
    VenueFaultKind.CLOCK_SKEW: {"skew_ms": 1},
    VenueFaultKind.NOT_VISIBLE: {"delay_ms": 1},
    VenueFaultKind.EXTERNAL_ORDER: {"market": BTC, "buys": True, "quantity": 10, "price": 500_000},
    VenueFaultKind.EXTERNAL_POSITION: {"market": BTC, "side": "long", "quantity": 10},
    VenueFaultKind.REJECT_PROBABILITY: {"ratio": 1_000_000},
    VenueFaultKind.MAX_SLIPPAGE_BPS: {"bps": 5},
}


@pytest.mark.parametrize("kind", VenueFaultKind)
def test_every_kind_of_fault_can_happen_to_an_order_over_http(desk: BingxDesk, control: VenueControl, kind):
    control.reset(with_faults({"kind": kind, "call": "submit", **EVERY_KIND.get(kind, {})}))
    closes = kind is VenueFaultKind.SIMULATE_BINGX_REDUCEONLY_REJECT
    assert not closes or desk.place("c1")["code"] == 0
    with contextlib.suppress(httpx.TransportError, ValueError):
        _ = desk.place("c2", side="SELL" if closes else "BUY")
    ledger = control.ledger()
    assert (ledger.unknown_requests, ledger.internal_errors) == ((), ())
    assert met(control) == {(kind.value, "submit"): 1}
