"""The in-process broker: what each fault looks like to a client, and what it did at the venue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from copytrade_core.model.intent import IntentKind, MarketStyle, OrderStyle
from copytrade_core.model.order import Order
from copytrade_core.model.outcome import (
    Absent,
    Accepted,
    CancelOutcome,
    DefiniteReject,
    Exists,
    RejectReason,
    Unavailable,
    Unknown,
)
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Ppm, Steps, Ticks
from copytrade_core.model.venue import PositionMode, VenueOrder, VenueOrderStatus, VenueProbe
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultBook, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall
from copytrade_core.virtual_exchange.venue_engine import VenueEngine
from copytrade_core.virtual_exchange.venue_rule_sets import BINGX, VENUE_RULES
from copytrade_core.virtual_exchange.virtual_broker import VirtualBroker
from tests.trading_floor import BTC, START_MS
from tests.venue_floor import FREE_BINANCE, FREE_BINGX, engine, holds, later, limit, path

K, C = VenueFaultKind, VenueCall
TIMEOUT_MS = 10_000
UNANSWERED = [
    (K.LOST, {}, "timeout", TIMEOUT_MS),
    (K.HANG, {}, "timeout", TIMEOUT_MS),
    (K.RESET, {}, "reset", 0),
    (K.GARBAGE, {}, "bad_response", 0),
    (K.REDIRECT, {}, "redirect", 0),
    (K.HTTP_STATUS, {"status": 429}, "http_429", 0),
    (K.SLOW, {"delay_ms": TIMEOUT_MS}, "timeout", TIMEOUT_MS),
]
DONE_UNANSWERED = [
    (K.ACCEPT_THEN_HANG, {}, "timeout", TIMEOUT_MS),
    (K.ACCEPT_THEN_RESET, {}, "reset", 0),
    (K.ACCEPT_THEN_GARBAGE, {}, "bad_response", 0),
    (K.ACCEPT_THEN_5XX, {"status": 503}, "http_503", 0),
]


def order(
    name: str = "a",
    quantity: int = 100,
    *,
    kind: IntentKind = IntentKind.OPEN,
    side: Side = Side.LONG,
    style: OrderStyle | None = None,
) -> Order:
    """An order as the broker gets it."""
    return Order(
        client_order_id=name,
        kind=kind,
        episode_id="e",
        market=BTC,
        side=side,
        leg="base",
        replaces="base",
        buys=side.entry_buys if kind.is_entry else side.exit_buys,
        reduce_only=not kind.is_entry,
        style=style or MarketStyle(),
        quantity=Steps(quantity),
        worst_notional=Money(0),
        live_from_ms=START_MS,
        expires_at_ms=None,
        reason="test",
    )


def close(name: str = "z", quantity: int = 100, **more) -> Order:
    return order(name, quantity, kind=IntentKind.CLOSE, **more)


def broker(*faults: VenueFault, venue: VenueEngine | None = None, mode: PositionMode | None = None) -> VirtualBroker:
    venue = venue or engine()
    return VirtualBroker(
        venue,
        faults=VenueFaultBook(faults, seed=1),
        position_mode=mode or venue.position_mode,
        timeout_ms=TIMEOUT_MS,
        can_withdraw=False,
        ip_restricted=None,
    )


def fault(kind: VenueFaultKind, call: VenueCall | None = None, **more) -> VenueFault:
    return VenueFault(kind=kind, call=call, **more)


def reads(client: VirtualBroker) -> dict[VenueCall, Callable[[], object]]:
    return {
        C.MARKETS: client.markets,
        C.POSITIONS: client.positions,
        C.POSITION: lambda: client.position(BTC),
        C.OPEN_ORDERS: client.open_orders,
        C.ORDERS: lambda: client.orders(BTC, since_ms=0),
        C.ORDER: lambda: client.order(BTC, "a"),
        C.FILLS: lambda: client.fills(BTC, since_ms=0),
        C.BALANCE: client.balance,
        C.PROBE: client.probe,
    }


def test_without_faults_an_order_is_accepted_and_queries_tell_the_rest():
    venue = engine()
    client = broker(venue=venue)
    assert client.order(BTC, "a") == Absent()
    accepted = client.submit(order())
    assert isinstance(accepted, Accepted)
    found = client.order(BTC, "a")
    assert isinstance(found, VenueOrder)
    assert (found.venue_order_id, found.status, found.filled) == (accepted.venue_order_id, VenueOrderStatus.FILLED, 100)
    assert client.orders(BTC, since_ms=START_MS) == (found,)
    assert client.open_orders() == ()
    assert client.positions() == client.position(BTC) == venue.positions()
    assert client.fills(BTC, since_ms=START_MS) == venue.all_fills()
    assert client.balance() == venue.balance()
    assert client.markets() == venue.markets
    assert venue.now_ms == START_MS, "a call costs no time"


@pytest.mark.parametrize("rules", VENUE_RULES.values(), ids=VENUE_RULES)
@pytest.mark.parametrize("mode", PositionMode)
def test_every_venue_takes_our_ids_and_gives_them_back(rules, mode):
    venue = engine(rules)
    assert venue.set_position_mode(mode) is None
    client = broker(venue=venue)
    name = "c" + "a2" * 12 + "z"
    assert isinstance(client.submit(order(name, style=limit(90_000))), Accepted)
    found = client.order(BTC, name)
    assert isinstance(found, VenueOrder)
    assert found.client_order_id == name
    assert client.open_orders() == client.orders(BTC, since_ms=0) == (found,)
    assert client.cancel(BTC, name) is CancelOutcome.DONE
    assert isinstance(client.submit(order("c" * 26)), Accepted)
    assert isinstance(client.submit(close("d" * 26)), Accepted)
    assert client.positions() == ()


def test_a_broker_says_what_its_venue_allows():
    assert (broker().submit_deadline_ms, broker().same_id_after_not_placed) == (5_000, True)
    assert broker(venue=engine(FREE_BINANCE)).same_id_after_not_placed is False


def test_orders_speak_the_mode_of_the_client():
    hedge, one_way = engine(), engine(FREE_BINANCE)
    for venue in (hedge, one_way):
        client = broker(venue=venue)
        for each in (order("a", side=Side.SHORT), close("z", 40, side=Side.SHORT)):
            assert isinstance(client.submit(each), Accepted)
        assert holds(venue) == [("short", 60, 100_000)]
    assert [o.position_side for o in hedge.all_orders()] == [Side.SHORT, Side.SHORT]
    assert [(o.position_side, o.reduce_only) for o in one_way.all_orders()] == [(None, False), (None, True)]


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (order(quantity=50_000), RejectReason.INSUFFICIENT_FUNDS),
        (order(quantity=1), RejectReason.INVALID_ORDER),
        (order(name="?" * 3), RejectReason.BAD_REQUEST),
        (close(), RejectReason.NO_POSITION),
        (order(style=limit(100_000, post_only=True)), RejectReason.INVALID_ORDER),
    ],
)
def test_a_refusal_of_the_venue_is_a_definite_reject(wish, reason):
    venue = engine()
    outcome = broker(venue=venue).submit(wish)
    assert isinstance(outcome, DefiniteReject)
    assert outcome.reason is reason
    assert venue.all_orders() == ()


def test_a_mode_that_is_not_the_accounts_is_rejected_as_such():
    outcome = broker(mode=PositionMode.ONE_WAY).submit(order())
    assert isinstance(outcome, DefiniteReject)
    assert outcome.reason is RejectReason.POSITION_MODE


def test_a_used_id_exists():
    client = broker()
    client.submit(order())
    assert isinstance(client.submit(order()), Exists)


@pytest.mark.parametrize(("kind", "more", "why", "cost_ms"), UNANSWERED)
def test_a_read_without_an_answer_is_unavailable_and_never_empty(kind, more, why, cost_ms):
    for call in reads(broker()):
        venue = engine()
        client = broker(fault(kind, call, **more), venue=venue)
        answer = reads(client)[call]()
        assert answer == Unavailable(call=call.value, why=why)
        assert venue.now_ms - START_MS == cost_ms
        assert not isinstance(reads(client)[call](), Unavailable), "the fault is over"


@pytest.mark.parametrize(("kind", "more", "why", "cost_ms"), UNANSWERED)
def test_a_submit_that_did_not_arrive_is_unknown_and_places_nothing(kind, more, why, cost_ms):
    venue = engine()
    assert broker(fault(kind, C.SUBMIT, **more), venue=venue).submit(order()) == Unknown(why=why, code="")
    assert len(venue.all_orders()) == (1 if kind is K.SLOW else 0), "a slow one did arrive"
    assert venue.now_ms - START_MS == cost_ms


@pytest.mark.parametrize(("kind", "more", "why", "cost_ms"), DONE_UNANSWERED)
def test_a_submit_whose_answer_was_lost_is_unknown_and_placed_once(kind, more, why, cost_ms):
    venue = engine()
    client = broker(fault(kind, C.SUBMIT, **more), venue=venue)
    assert client.submit(order()) == Unknown(why=why, code="")
    assert [o.client_order_id for o in venue.all_orders()] == ["a"]
    assert venue.now_ms - START_MS == cost_ms
    assert isinstance(client.submit(order()), Exists)


@pytest.mark.parametrize(("kind", "more", "why", "cost_ms"), DONE_UNANSWERED)
def test_a_cancel_whose_answer_was_lost_is_unknown_and_done(kind, more, why, cost_ms):
    venue = engine()
    client = broker(fault(kind, C.CANCEL, **more), venue=venue)
    client.submit(order(style=limit(90_000)))
    assert client.cancel(BTC, "a") is CancelOutcome.UNKNOWN
    assert venue.open_orders() == ()
    assert venue.now_ms - START_MS == cost_ms
    assert client.cancel(BTC, "a") is CancelOutcome.NOT_OPEN


@pytest.mark.parametrize(("kind", "more", "why", "cost_ms"), UNANSWERED[:-1])
def test_a_cancel_that_did_not_arrive_is_unknown_and_cancels_nothing(kind, more, why, cost_ms):
    venue = engine()
    client = broker(fault(kind, C.CANCEL, **more), venue=venue)
    client.submit(order(style=limit(90_000)))
    assert client.cancel(BTC, "a") is CancelOutcome.UNKNOWN
    assert len(venue.open_orders()) == 1
    assert client.cancel(BTC, "a") is CancelOutcome.DONE


def test_a_slow_answer_within_the_time_out_is_an_answer():
    venue = engine()
    client = broker(fault(K.SLOW, C.SUBMIT, delay_ms=9_999), fault(K.SLOW, C.ORDER, delay_ms=5), venue=venue)
    assert isinstance(client.submit(order()), Accepted)
    assert isinstance(client.order(BTC, "a"), VenueOrder)
    assert venue.now_ms == START_MS + 10_004


@pytest.mark.parametrize(("delay_ms", "arrives"), [(4_999, True), (5_000, True), (5_001, False)])
def test_a_late_apply_happens_within_the_receive_window_or_never(delay_ms, arrives):
    venue = engine()
    client = broker(fault(K.DELAYED_APPLY, delay_ms=delay_ms), venue=venue)
    assert isinstance(client.submit(order()), Unknown)
    assert client.order(BTC, "a") == Absent()
    later(venue, 60)
    assert isinstance(client.order(BTC, "a"), VenueOrder) is arrives


def test_an_injected_reject_places_nothing_and_carries_its_code():
    venue = engine()
    reject = fault(K.REJECT, C.SUBMIT, code="101204", message="no", reason=RejectReason.INSUFFICIENT_FUNDS)
    outcome = broker(reject, venue=venue).submit(order())
    assert outcome == DefiniteReject(reason=RejectReason.INSUFFICIENT_FUNDS, code="101204", message="no")
    assert venue.all_orders() == ()


def test_a_read_may_be_rejected_too():
    client = broker(fault(K.REJECT, C.POSITIONS, code="100413", message="Incorrect apiKey"))
    assert client.positions() == Unavailable(call="positions", why="rejected_100413")


def test_the_next_orders_are_rejected_and_then_no_more():
    client = broker(fault(K.REJECT_NEXT_N_ORDERS, count=2))
    kinds = [type(client.submit(order(name))) for name in "abc"]
    assert kinds == [DefiniteReject, DefiniteReject, Accepted]


def test_reduce_only_rejects_hit_closes_only():
    client = broker(fault(K.SIMULATE_BINGX_REDUCEONLY_REJECT))
    assert isinstance(client.submit(order()), Accepted)
    outcome = client.submit(close())
    assert isinstance(outcome, DefiniteReject)
    assert outcome.reason is RejectReason.REDUCE_ONLY


def test_a_doubled_request_is_booked_once_and_reported_as_existing():
    venue = engine()
    outcome = broker(fault(K.DUPLICATE_ID, code="101481"), venue=venue).submit(order())
    assert outcome == Exists(code="101481")
    assert len(venue.all_orders()) == 1


def test_a_doubled_request_that_the_venue_refuses_is_a_reject():
    assert isinstance(broker(fault(K.DUPLICATE_ID)).submit(close()), DefiniteReject)


def test_an_order_fills_in_part():
    client = broker(fault(K.PARTIAL_FILL, ratio=Ppm(250_000)))
    assert isinstance(client.submit(order()), Accepted)
    found = client.order(BTC, "a")
    assert isinstance(found, VenueOrder)
    assert (found.status, found.filled) == (VenueOrderStatus.CANCELLED, 25)


def test_injected_slippage_is_drawn_within_its_bound_and_by_seed():
    def price(seed: int) -> int:
        venue = engine(replace(BINGX, slippage=Ppm(0), slippage_slope=Ppm(0)))
        client = broker(venue=venue)
        client._faults = VenueFaultBook([fault(K.MAX_SLIPPAGE_BPS, bps=50)], seed=seed)
        client.submit(order())
        return venue.all_fills()[0].price

    found = [price(seed) for seed in range(40)]
    assert found == [price(seed) for seed in range(40)]
    assert all(100_000 <= each <= 100_500 for each in found)
    assert len(set(found)) > 20


def test_an_order_may_stay_out_of_sight():
    venue = engine()
    client = broker(fault(K.NOT_VISIBLE, C.SUBMIT, delay_ms=3_000), venue=venue)
    assert isinstance(client.submit(order()), Accepted)
    assert client.order(BTC, "a") == Absent()
    assert client.open_orders() == client.orders(BTC, since_ms=0) == ()
    assert len(cast("tuple[object, ...]", client.fills(BTC, since_ms=0))) == 1
    later(venue, 3)
    assert isinstance(client.order(BTC, "a"), VenueOrder)


@pytest.mark.parametrize("call", [C.FILLS, C.ORDERS])
def test_a_read_may_lie_by_lagging(call):
    venue = engine()
    later(venue, 10)
    client = broker(fault(K.NOT_VISIBLE, call, delay_ms=5_000), venue=venue)
    client.submit(order())
    assert reads(client)[call]() == ()
    assert reads(client)[call]() != ()


@pytest.mark.parametrize("call", [C.POSITIONS, C.POSITION, C.OPEN_ORDERS])
def test_an_empty_list_needs_a_second_reading_that_agrees(call):
    def answer(*faults: VenueFault) -> object:
        venue = engine()
        later(venue, 10)
        client = broker(*faults, venue=venue)
        client.submit(order())
        client.submit(order("b", style=limit(90_000)))
        return reads(client)[call]()

    lag = fault(K.NOT_VISIBLE, call, delay_ms=5_000)
    assert answer() != ()
    assert answer(lag) == Unavailable(call=call.value, why="two readings disagree")
    assert answer(lag, fault(K.RESET, call, nth=2)) == Unavailable(call=call.value, why="reset")
    twice = replace(lag, count=2)
    assert answer(twice, fault(K.RESET, C.BALANCE)) == Unavailable(call=call.value, why="no balance: reset")
    assert answer(twice) == ()


def test_a_key_that_may_withdraw_sends_nothing_once_it_is_known():
    venue = engine()
    client = VirtualBroker(
        venue,
        faults=VenueFaultBook((), seed=0),
        position_mode=venue.position_mode,
        timeout_ms=TIMEOUT_MS,
        can_withdraw=True,
        ip_restricted=None,
    )
    probe = client.probe()
    assert isinstance(probe, VenueProbe)
    assert probe.can_withdraw
    outcome = client.submit(order())
    assert isinstance(outcome, DefiniteReject)
    assert outcome.reason is RejectReason.PERMISSION
    assert venue.all_orders() == ()


@pytest.mark.parametrize(("skew_ms", "refused"), [(-1_001, True), (-1_000, False), (5_000, False), (5_001, True)])
def test_a_skewed_clock_refuses_signed_calls_beyond_the_window(skew_ms, refused):
    venue = engine()
    client = broker(fault(K.CLOCK_SKEW, skew_ms=skew_ms, count=4), venue=venue)
    probe = client.probe()
    assert isinstance(probe, VenueProbe)
    assert probe.clock_skew_ms == skew_ms
    assert isinstance(client.submit(order()), DefiniteReject) is refused
    assert isinstance(client.positions(), Unavailable) is refused
    assert not isinstance(client.markets(), Unavailable), "the list of markets is not signed"
    assert len(venue.all_orders()) == int(not refused)


def test_others_trade_on_the_account_before_the_call_that_shows_it():
    venue = engine()
    client = broker(
        fault(K.EXTERNAL_POSITION, C.POSITIONS, nth=3, market=BTC, side=Side.SHORT, quantity=Steps(7)),
        fault(K.EXTERNAL_ORDER, C.OPEN_ORDERS, market=BTC, buys=True, quantity=Steps(9), price=Ticks(90_000)),
        venue=venue,
    )
    assert client.positions() == ()
    assert [p.quantity for p in cast("tuple", client.positions())] == [7]
    assert [(o.client_order_id, o.quantity) for o in cast("tuple", client.open_orders())] == [(None, 9)]


def test_a_mode_may_flip_behind_our_back():
    venue = engine()
    client = broker(fault(K.MODE_FLIPPED, C.SUBMIT, nth=2), venue=venue)
    assert isinstance(client.submit(order()), Accepted)
    outcome = client.submit(close())
    assert isinstance(outcome, DefiniteReject)
    assert outcome.reason is RejectReason.POSITION_MODE
    probe = client.probe()
    assert isinstance(probe, VenueProbe)
    assert probe.position_mode is PositionMode.ONE_WAY
    assert holds(venue) == [("long", 100, 100_000)]


def test_what_could_not_happen_is_not_met_and_waits():
    venue = engine()
    client = broker(
        fault(K.EXTERNAL_ORDER, C.PROBE, market=BTC, buys=True, quantity=Steps(1), price=Ticks(90_000)),
        fault(K.RESET, C.PROBE),
        fault(K.GARBAGE, C.PROBE),
        venue=venue,
    )
    assert [getattr(client.probe(), "why", None) for _ in range(3)] == ["reset", "bad_response", None]
    assert client._faults.met() == ((K.RESET, C.PROBE), (K.GARBAGE, C.PROBE))
    assert [f.kind for f in client._faults.waiting()] == [K.EXTERNAL_ORDER]


def test_leverage_is_set_refused_or_unavailable():
    venue = engine()
    client = broker(fault(K.ACCEPT_THEN_RESET, C.SET_LEVERAGE), fault(K.LOST, C.SET_LEVERAGE), venue=venue)
    assert client.set_leverage(BTC, Side.LONG, 7) == Unavailable(call="set_leverage", why="reset")
    assert client.set_leverage(BTC, Side.LONG, 8) == Unavailable(call="set_leverage", why="timeout")
    assert venue.leverage(BTC, Side.LONG) == 7
    assert client.set_leverage(BTC, Side.LONG, 9) is True
    assert client.set_leverage(BTC, Side.LONG, 999) is False


def test_waiting_for_a_lost_answer_lets_the_market_go_on():
    venue = engine(FREE_BINGX, path([(0, 100_000), (9, 80_000)]))
    client = broker(fault(K.LOST, C.ORDER), venue=venue)
    client.submit(order(style=limit(90_000)))
    assert isinstance(client.order(BTC, "a"), Unavailable)
    found = client.order(BTC, "a")
    assert isinstance(found, VenueOrder)
    assert found.status is VenueOrderStatus.FILLED
