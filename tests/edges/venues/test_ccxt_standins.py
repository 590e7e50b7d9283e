"""The broker over the stand-ins of the three venues, which were written from the documents and not from the broker."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from copytrade_core.edges.standins.binance_usdm_errors import BINANCE_ERRORS
from copytrade_core.edges.standins.bingx_errors import INVALID, REFUSED, InvalidRequest
from copytrade_core.edges.standins.gate_errors import GATE_ERRORS
from copytrade_core.edges.standins.venue_control import ChangeKey, FlipMode, ForeignOrder, ForeignPosition
from copytrade_core.edges.standins.venue_server import VenueServerConfig, VenueStandin, running_venue
from copytrade_core.edges.standins.venue_setup import KeySetup, MarketSetup, VenueSetup, fake_key
from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.ccxt_broker import CcxtBroker, ccxt_broker
from copytrade_core.edges.venues.certify import certificate_of, certify
from copytrade_core.edges.venues.credentials import Credentials
from copytrade_core.edges.venues.envelope import VenueAnswer
from copytrade_core.edges.venues.request_capture import Specimen
from copytrade_core.edges.venues.transport import Loopback
from copytrade_core.model.intent import LimitStyle
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
from copytrade_core.model.units import Steps, Ticks
from copytrade_core.model.venue import PositionMode, Venue, VenueOrder, VenueOrderStatus
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall
from copytrade_core.virtual_exchange.venue_rules import VenueRule
from tests.edges.venues.scripted_venue import NOW_MS
from tests.edges.venues.venue_orders import BTC, ID, an_order

BINGX, GATE, BINANCE = Venue.BINGX, Venue.GATE, Venue.BINANCE
F, C = VenueFaultKind, VenueCall
STEP = {BINGX: "0.0001", GATE: "0.0001", BINANCE: "0.001"}
QUANTITY = {BINGX: Steps(100), GATE: Steps(100), BINANCE: Steps(10)}
OTHER = "c" + "b" * 25


def setup(venue: Venue, mode: PositionMode, **more) -> VenueSetup:
    return VenueSetup(
        now_ms=NOW_MS,
        cash="10000",
        position_mode=mode,
        markets=[
            MarketSetup(
                market=BTC,
                tick_size="0.1",
                step_size=STEP[venue],
                min_quantity=STEP[venue],
                min_notional={BINGX: "2", GATE: "1", BINANCE: "100"}[venue],
                contract_size=STEP[venue] if venue is GATE else None,
            )
        ],
        prices={BTC: [(NOW_MS - 60_000, "60000.0")]},
        **more,
    )


@pytest.fixture(scope="module", params=Venue)
def standin(request) -> Iterator[tuple[Venue, VenueStandin]]:
    venue = request.param
    first = setup(venue, PositionMode.HEDGE)
    with running_venue(VenueServerConfig(venue=venue, setup=first, port=0)) as running:
        yield venue, running


class Desk:
    """A venue's stand-in and the broker on it, with a clock that both follow."""

    def __init__(self, venue: Venue, standin: VenueStandin) -> None:
        self.venue, self.standin = venue, standin
        self.now_ms = NOW_MS
        key = fake_key(venue, KeySetup())
        self.credentials = Credentials(api_key=SecretStr(key.api_key), secret=SecretStr(key.secret))
        self.broker = self.begin(PositionMode.HEDGE)

    def begin(self, mode: PositionMode, **more) -> CcxtBroker:
        self.standin.control.reset(setup(self.venue, mode, **more))
        self.now_ms = NOW_MS
        self.broker = ccxt_broker(
            profile_of(self.venue),
            credentials=self.credentials,
            address=Loopback(base_url=self.standin.base_url),
            certificate=certificate_of(profile_of(self.venue), requests=(), made_at_ms=NOW_MS),
            now_ms=lambda: self.now_ms,
            timeout_s=0.3,
            position_mode=mode,
        )
        self.broker.markets()
        return self.broker

    def order(self, *, quantity: int | None = None, **changes) -> Order:
        return an_order(quantity=QUANTITY[self.venue] if quantity is None else quantity, **changes)

    def later(self, ms: int) -> None:
        self.now_ms += ms
        self.standin.control.set_time(self.now_ms)

    def faults(self, *faults: VenueFault) -> None:
        self.standin.control.set_faults(faults)

    def at_venue(self, client_order_id: str = ID) -> int:
        """How many orders of our id the venue really has."""
        names = (client_order_id, f"t-{client_order_id}")
        return sum(order.client_order_id in names for order in self.standin.control.ledger().orders)


@pytest.fixture
def desk(standin) -> Desk:
    return Desk(*standin)


@pytest.mark.parametrize("mode", PositionMode)
def test_a_position_is_opened_seen_and_closed(desk, mode):
    broker = desk.begin(mode)
    assert broker.positions() == ()
    assert broker.probe().position_mode is mode
    assert broker.set_leverage(BTC, Side.LONG, 3) is True
    assert isinstance(broker.submit(desk.order()), Accepted)
    found = broker.order(BTC, ID)
    assert isinstance(found, VenueOrder), found
    assert (found.status, found.filled, found.buys) == (VenueOrderStatus.FILLED, QUANTITY[desk.venue], True)
    (held,) = broker.positions()
    assert (held.side, held.quantity) == (Side.LONG, QUANTITY[desk.venue])
    (opened,) = broker.fills(BTC, since_ms=NOW_MS - 1000)
    assert (opened.venue_order_id, opened.quantity, opened.buys) == (found.venue_order_id, held.quantity, True)
    assert opened.fee > 0
    assert held.entry_price == opened.price
    assert isinstance(broker.submit(desk.order(reduces=True, client_order_id=OTHER)), Accepted)
    assert broker.position(BTC) == ()
    assert [fill.buys for fill in broker.fills(BTC, since_ms=NOW_MS - 1000)] == [True, False]
    assert {order.client_order_id for order in broker.orders(BTC, since_ms=NOW_MS - 1000)} == {ID, OTHER}
    paid = broker.balance()
    assert paid.equity < 10_000 * 10**8


@pytest.mark.parametrize("mode", PositionMode)
def test_a_short_is_opened_and_closed(desk, mode):
    broker = desk.begin(mode)
    assert isinstance(broker.submit(desk.order(side=Side.SHORT)), Accepted)
    (held,) = broker.positions()
    assert (held.side, held.quantity) == (Side.SHORT, QUANTITY[desk.venue])
    closing = desk.order(side=Side.SHORT, reduces=True, client_order_id=OTHER)
    assert isinstance(broker.submit(closing), Accepted)
    assert broker.positions() == ()


def test_a_resting_order_is_seen_and_taken_back(desk):
    broker = desk.broker
    resting = desk.order(style=LimitStyle(price=Ticks(500_000), post_only=True))
    assert isinstance(broker.submit(resting), Accepted)
    (seen,) = broker.open_orders()
    assert (seen.client_order_id, seen.status, seen.filled) == (ID, VenueOrderStatus.OPEN, 0)
    assert broker.cancel(BTC, ID) is CancelOutcome.DONE
    assert broker.open_orders() == ()
    assert broker.order(BTC, ID).status is VenueOrderStatus.CANCELLED
    assert broker.cancel(BTC, ID) is CancelOutcome.NOT_OPEN
    assert broker.cancel(BTC, OTHER) is CancelOutcome.NOT_OPEN


def test_an_order_that_was_never_sent_is_absent(desk):
    assert desk.broker.order(BTC, ID) == Absent()
    assert desk.broker.orders(BTC, since_ms=NOW_MS - 1000) == ()
    assert desk.broker.fills(BTC, since_ms=NOW_MS - 1000) == ()


def test_closing_where_nothing_is_held_is_a_definite_reject(desk):
    outcome = desk.broker.submit(desk.order(reduces=True))
    assert isinstance(outcome, DefiniteReject), outcome
    assert outcome.reason in (RejectReason.NO_POSITION, RejectReason.REDUCE_ONLY)
    assert desk.at_venue() == 0


def test_an_order_beyond_the_money_is_a_definite_reject(desk):
    outcome = desk.broker.submit(desk.order(quantity=QUANTITY[desk.venue] * 1000))
    assert isinstance(outcome, DefiniteReject), outcome
    assert outcome.reason in (
        RejectReason.INSUFFICIENT_FUNDS,
        RejectReason.OPERATION_REJECTED,
        RejectReason.INVALID_ORDER,
    )
    assert desk.at_venue() == 0


def test_a_second_order_of_the_same_id_never_reads_as_a_reject(desk):
    resting = desk.order(style=LimitStyle(price=Ticks(500_000), post_only=False))
    assert isinstance(desk.broker.submit(resting), Accepted)
    again = desk.broker.submit(resting)
    assert not isinstance(again, DefiniteReject), again
    assert isinstance(again, Accepted if desk.venue is GATE else Exists)


AFTER_ACCEPT = [F.ACCEPT_THEN_HANG, F.ACCEPT_THEN_RESET, F.ACCEPT_THEN_5XX, F.ACCEPT_THEN_GARBAGE]


@pytest.mark.parametrize("kind", AFTER_ACCEPT)
def test_an_order_whose_answer_was_lost_is_unknown_and_found_by_its_id(kind, desk):
    status = 504 if kind is F.ACCEPT_THEN_5XX else None
    desk.faults(VenueFault(kind=kind, call=C.SUBMIT, status=status))
    assert isinstance(desk.broker.submit(desk.order()), Unknown)
    assert isinstance(desk.broker.order(BTC, ID), VenueOrder)
    assert desk.at_venue() == 1


@pytest.mark.parametrize("fault", [{"kind": F.LOST}, {"kind": F.HTTP_STATUS, "status": 503}, {"kind": F.REDIRECT}])
def test_an_order_that_never_arrived_is_unknown_and_absent(fault, desk):
    desk.faults(VenueFault(call=C.SUBMIT, **fault))
    assert isinstance(desk.broker.submit(desk.order()), Unknown)
    assert desk.broker.order(BTC, ID) == Absent()
    assert desk.at_venue() == 0


def test_an_order_that_takes_effect_late_is_not_absent_for_good_before_its_window_has_passed(desk):
    desk.faults(VenueFault(kind=F.DELAYED_APPLY, call=C.SUBMIT, delay_ms=4_000))
    assert isinstance(desk.broker.submit(desk.order()), Unknown)
    assert desk.broker.order(BTC, ID) == Absent(), "not yet"
    desk.later(desk.broker.submit_deadline_ms)
    assert isinstance(desk.broker.order(BTC, ID), VenueOrder)


def test_a_venue_that_twice_got_one_order_says_that_it_exists(desk):
    desk.faults(VenueFault(kind=F.DUPLICATE_ID, call=C.SUBMIT))
    assert isinstance(desk.broker.submit(desk.order()), Exists)
    assert desk.at_venue() == 1


READS = {
    C.POSITIONS: lambda broker: broker.positions(),
    C.OPEN_ORDERS: lambda broker: broker.open_orders(),
    C.ORDERS: lambda broker: broker.orders(BTC, since_ms=NOW_MS - 1000),
    C.ORDER: lambda broker: broker.order(BTC, ID),
    C.FILLS: lambda broker: broker.fills(BTC, since_ms=NOW_MS - 1000),
    C.BALANCE: lambda broker: broker.balance(),
    C.PROBE: lambda broker: broker.probe(),
}


@pytest.mark.parametrize("fault", [{"kind": F.GARBAGE}, {"kind": F.HTTP_STATUS, "status": 502}, {"kind": F.RESET}])
@pytest.mark.parametrize("call", READS)
def test_a_read_that_failed_is_unavailable(call, fault, desk):
    desk.faults(VenueFault(call=call, **fault))
    assert isinstance(READS[call](desk.broker), Unavailable)
    assert not isinstance(READS[call](desk.broker), Unavailable), "once only"


def test_foreign_orders_and_positions_are_seen(desk):
    control = desk.standin.control
    control.inject(ForeignPosition(market=BTC, side=Side.SHORT, quantity="0.05"))
    control.inject(ForeignOrder(market=BTC, buys=True, position_side=Side.LONG, quantity="0.01", price="50000"))
    (held,) = desk.broker.positions()
    assert (held.side, held.quantity) == (Side.SHORT, 5 * QUANTITY[desk.venue])
    (order,) = desk.broker.open_orders()
    assert order.client_order_id != ID


def test_a_mode_that_was_changed_behind_us_is_seen_and_orders_are_refused(desk):
    desk.standin.control.inject(FlipMode())
    assert desk.broker.probe().position_mode is PositionMode.ONE_WAY
    outcome = desk.broker.submit(desk.order())
    if desk.venue is GATE:
        # Gate's orders name no side: only the probe tells that they now mean something else.
        assert isinstance(outcome, Accepted)
    else:
        assert outcome == DefiniteReject(reason=RejectReason.POSITION_MODE, code=outcome.code, message=outcome.message)


def test_a_key_that_was_revoked_or_may_withdraw_is_told_apart(desk):
    control = desk.standin.control
    control.inject(ChangeKey(can_trade=True, can_withdraw=True, ip_restricted=True, is_revoked=False))
    assert desk.broker.probe().can_withdraw is True
    assert desk.broker.submit(desk.order()).code == "not_sent"
    broker = desk.begin(PositionMode.HEDGE)
    assert isinstance(broker.submit(desk.order()), Accepted)
    control.inject(ChangeKey(can_trade=True, can_withdraw=False, ip_restricted=True, is_revoked=True))
    assert isinstance(broker.positions(), Unavailable)
    outcome = broker.submit(desk.order(client_order_id=OTHER))
    assert isinstance(outcome, DefiniteReject), outcome
    assert outcome.reason is RejectReason.AUTHENTICATION


@pytest.mark.parametrize("skew_ms", [-120_000, 120_000])
def test_a_clock_that_is_off_is_measured_and_orders_are_refused_for_it(skew_ms, desk):
    desk.now_ms = NOW_MS + skew_ms
    outcome = desk.broker.submit(desk.order())
    assert isinstance(outcome, DefiniteReject), outcome
    assert outcome.reason in (RejectReason.BAD_REQUEST, RejectReason.AUTHENTICATION)
    assert desk.at_venue() == 0


def test_the_stand_ins_are_sent_what_was_certified(standin, facts):
    venue, running = standin

    def stand_in(mode: PositionMode) -> str:
        running.control.reset(setup(venue, mode))
        return running.base_url

    key = fake_key(venue, KeySetup())
    made = certify(
        venue,
        stand_in=stand_in,
        credentials=Credentials(api_key=SecretStr(key.api_key), secret=SecretStr(key.secret)),
        specimen=Specimen(market=BTC, quantity=QUANTITY[venue], resting_price=Ticks(300_000), now_ms=NOW_MS),
        timeout_s=2.0,
        made_at_ms=NOW_MS,
    )
    stored = json.loads((facts / f"{venue}.json").read_text())["requests"]
    sent = [[r.call, r.method, r.path, dict(r.params)] for r in made.requests]
    missing = [row for row in stored if row not in sent]
    # Here something is open and held, so that nothing has to be proved empty.
    assert {row[0].partition(" ")[2] for row in missing} <= {"open_orders", "positions", "position"}


WORDS = {BINGX: REFUSED, GATE: GATE_ERRORS, BINANCE: BINANCE_ERRORS}
NOT_OF_A_SUBMIT = {
    *(VenueRule.UNKNOWN_ORDER, VenueRule.ORDER_NOT_OPEN, VenueRule.MODE_CHANGE_WITH_EXPOSURE, VenueRule.BAD_LEVERAGE),
    # An order that waits for a trigger is asked of BingX only.
    VenueRule.WOULD_TRIGGER,
}


@pytest.mark.parametrize("venue", Venue)
@pytest.mark.parametrize("rule", [rule for rule in VenueRule if rule not in NOT_OF_A_SUBMIT])
def test_every_refusal_that_a_venue_is_known_to_word_is_understood(venue, rule):
    """A code without a line in the table would be right but slow: the order is looked for until its window ends."""
    said = WORDS[venue][rule]
    sentence = INVALID[InvalidRequest.SIDE_IN_ONE_WAY_MODE].message
    answer = VenueAnswer(status=said.status, code=said.code, message=said.message.replace("{sentence}", sentence))
    outcome = profile_of(venue).errors.outcome(answer)
    if rule is VenueRule.DUPLICATE_CLIENT_ID:
        assert outcome == Exists(code=said.code)
    else:
        assert isinstance(outcome, DefiniteReject), outcome
