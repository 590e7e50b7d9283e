"""A session's way to a venue: one order for one wish, whatever is lost on the way."""

from __future__ import annotations

import pytest

from copytrade_core.model.errors import BadConfig
from copytrade_core.model.intent import MarketStyle
from copytrade_core.model.outcome import RejectReason
from copytrade_core.model.side import Side
from copytrade_core.model.units import Steps
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import PlaceAsk, VenueCall
from tests.session_floor import Session
from tests.trading_floor import BTC, opened

UNANSWERED = [
    VenueFaultKind.ACCEPT_THEN_HANG,
    VenueFaultKind.ACCEPT_THEN_RESET,
    VenueFaultKind.ACCEPT_THEN_5XX,
    VenueFaultKind.ACCEPT_THEN_GARBAGE,
    VenueFaultKind.DUPLICATE_ID,
]


def on_submit(kind: VenueFaultKind, nth: int = 1, **parameters):
    if kind is VenueFaultKind.ACCEPT_THEN_5XX:
        parameters["status"] = 503
    return VenueFault(kind=kind, call=VenueCall.SUBMIT, nth=nth, **parameters)


def test_what_the_lead_opens_and_closes_is_held_and_left_once():
    session = Session()
    session.open()
    session.let_pass(3)
    assert session.in_book == session.at_venue == 1000
    session.close()
    session.let_pass(3)
    assert (session.in_book, session.at_venue, session.orders) == (0, 0, 2)
    assert session.runner.settled
    assert session.states == ["filled", "filled"]
    assert session.alarms == set()


@pytest.mark.parametrize("kind", UNANSWERED)
@pytest.mark.parametrize("nth", [1, 2])
def test_an_order_that_was_taken_without_an_answer_is_found_and_never_sent_again(kind, nth):
    """nth 1: the open; nth 2: the close."""
    session = Session(faults=[on_submit(kind, nth)])
    session.open()
    session.let_pass(20)
    session.close()
    session.let_pass(20)
    assert (session.in_book, session.at_venue, session.orders) == (0, 0, 2)
    assert session.alarms == set()


def test_an_open_that_never_arrived_is_given_back_after_its_absence_is_proved():
    session = Session(faults=[on_submit(VenueFaultKind.LOST)])
    session.open()
    assert session.states == ["unknown"]
    session.let_pass(30)
    assert session.states == ["unknown"], "absence takes the deadline, a margin and six rounds"
    session.let_pass(15)
    assert session.states == ["not_placed"]
    assert (session.orders, session.in_book) == (0, 0)
    assert not session.panel.controls.stop_new_orders


def test_a_close_that_never_arrived_leaves_again_under_the_same_id():
    session = Session(faults=[on_submit(VenueFaultKind.LOST, 2)])
    session.open()
    session.let_pass(2)
    session.close()
    session.let_pass(60)
    assert (session.in_book, session.at_venue, session.orders) == (0, 0, 2)
    assert len(session.runner.rows) == 2


def test_an_order_that_is_applied_late_is_not_called_absent():
    session = Session(faults=[on_submit(VenueFaultKind.DELAYED_APPLY, delay_ms=4_500)])
    session.open()
    session.let_pass(60)
    assert (session.in_book, session.at_venue, session.orders) == (1000, 1000, 1)


def test_a_read_that_fails_for_ever_stops_new_orders_and_sends_nothing_again():
    silent = VenueFault(kind=VenueFaultKind.GARBAGE, call=VenueCall.ORDER, count=10_000)
    session = Session(faults=[on_submit(VenueFaultKind.LOST), silent])
    session.open()
    session.let_pass(120)
    assert session.states == ["unknown"]
    assert session.orders == 0
    assert session.panel.controls.stop_new_orders
    assert "unresolved_order" in session.alarms


def test_a_process_that_died_after_sending_adopts_its_order():
    session = Session(faults=[on_submit(VenueFaultKind.ACCEPT_THEN_HANG)])
    session.open()
    session.crash()
    session.let_pass(20)
    assert (session.in_book, session.at_venue, session.orders) == (1000, 1000, 1)


def test_a_reject_is_told_to_the_strategy_and_nothing_is_held():
    fault = on_submit(VenueFaultKind.REJECT, code="101204", message="no", reason=RejectReason.INSUFFICIENT_FUNDS)
    session = Session(faults=[fault])
    session.open()
    session.let_pass(5)
    assert session.states == ["rejected"]
    assert session.runner.state.strategy.backoff.failures == 1
    assert (session.orders, session.in_book) == (0, 0)


def test_a_key_that_is_refused_stops_new_orders_and_calls_a_person():
    fault = on_submit(VenueFaultKind.REJECT, code="100413", message="no", reason=RejectReason.AUTHENTICATION)
    session = Session(faults=[fault])
    session.open()
    assert session.panel.controls.stop_new_orders
    assert session.alarms == {"authentication"}


def test_a_stop_between_the_wish_and_the_sending_holds_the_entry_back():
    session = Session()
    session.runner.tell(opened(session.episode))
    session.panel.set(stop_new_orders=True)
    session.runner.pump()
    session.let_pass(5)
    assert (session.orders, session.states) == (0, ["not_placed"])


def test_a_close_passes_a_stop():
    session = Session()
    session.open()
    session.let_pass(2)
    session.panel.set(stop_new_orders=True)
    session.close()
    session.let_pass(2)
    assert (session.in_book, session.at_venue) == (0, 0)


def test_a_kill_cancels_what_works_and_leaves_positions_alone():
    session = Session()
    session.open()
    session.let_pass(2)
    session.panel.set(kill=True)
    session.runner.kill()
    session.close()
    session.runner.pump()
    assert (session.at_venue, session.orders) == (1000, 1)


def test_a_foreign_position_blocks_entries_and_is_left_alone():
    session = Session()
    session.engine.inject_position(BTC, Side.SHORT, Steps(7))
    session.runner.reconcile()
    session.open()
    session.let_pass(2)
    assert session.orders == 1, "only the stranger's"
    assert session.at_venue == 7
    assert "foreign_position" in session.alarms


def test_a_position_that_someone_else_closed_takes_its_result_from_the_venues_fills():
    session = Session()
    session.open()
    session.let_pass(2)
    by_hand(session, Side.LONG, 1000)
    session.runner.reconcile()
    assert session.in_book == 0
    assert session.alarms == {"foreign_order"}
    assert session.runner.reconcile().fault is None


def test_what_someone_else_closed_in_part_is_booked_and_the_rest_can_be_left():
    session = Session()
    session.open()
    session.let_pass(2)
    by_hand(session, Side.LONG, 400)
    session.runner.reconcile()
    assert session.in_book == session.at_venue == 600
    session.close()
    session.let_pass(2)
    assert (session.in_book, session.at_venue) == (0, 0)


def test_positions_that_cannot_be_read_are_never_flat():
    session = Session()
    session.open()
    session.let_pass(2)
    session.faults.arm([VenueFault(kind=VenueFaultKind.GARBAGE, call=VenueCall.POSITIONS, count=10_000)])
    result = session.runner.reconcile()
    assert result.unavailable is not None
    assert session.in_book == 1000
    session.let_pass(31)
    session.runner.reconcile()
    assert "venue_unavailable" in session.alarms


def test_positions_that_lag_are_not_a_loss():
    """The venue shows no position for ten seconds after the fill: entries are blocked, the book is left alone."""
    lagging = VenueFault(kind=VenueFaultKind.NOT_VISIBLE, call=VenueCall.POSITIONS, count=4, delay_ms=10_000)
    session = Session()
    session.faults.arm([lagging])
    session.open()
    session.let_pass(1)
    assert session.runner.reconcile().fault is not None
    assert session.in_book == 1000
    session.let_pass(12)
    assert session.runner.reconcile().fault is None
    assert session.alarms == set()


def test_a_session_does_not_start_with_a_key_that_may_withdraw():
    session = Session()
    session.venue._can_withdraw = True
    with pytest.raises(BadConfig, match="may withdraw"):
        session.start()


def by_hand(session: Session, side: Side, quantity: int) -> None:
    """Somebody closes a position at the venue's own page."""
    session.engine.inject_order(
        PlaceAsk(
            client_order_id=None,
            market=BTC,
            buys=side.exit_buys,
            position_side=side,
            reduce_only=None,
            style=MarketStyle(),
            quantity=Steps(quantity),
        )
    )
