"""The project's own broker trades at the stand-ins of Gate and Binance USD-M, in both modes and through faults."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from copytrade_core.edges.standins.venue_server import VenueServerConfig, VenueStandin, running_venue
from copytrade_core.edges.standins.venue_setup import MarketSetup, VenueSetup
from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.ccxt_broker import CcxtBroker, ccxt_broker
from copytrade_core.edges.venues.certify import certificate_of, certify
from copytrade_core.edges.venues.credentials import Credentials
from copytrade_core.edges.venues.request_capture import Specimen
from copytrade_core.edges.venues.transport import Loopback
from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import IntentKind, LimitStyle, MarketStyle
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
from copytrade_core.model.venue import PositionMode, Venue, VenueOrder, VenueOrderStatus, VenuePosition
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall
from tests.edges.venues.venue_orders import an_order

NOW_MS = 1_790_000_000_000
BTC = Market("BTC/USDT:USDT")
VENUES = (Venue.GATE, Venue.BINANCE)
OPEN_ID, CLOSE_ID, LIMIT_ID = ("c" + letter * 25 for letter in "abd")


def setup(mode: PositionMode) -> VenueSetup:
    market = MarketSetup(
        market=BTC, tick_size="0.1", step_size="0.001", min_quantity="0.001", min_notional="5", contract_size="0.001"
    )
    prices: dict[str, list[tuple[int, str]]] = {BTC: [(NOW_MS - 1000, "60000"), (NOW_MS + 60_000, "59000")]}
    return VenueSetup(now_ms=NOW_MS, cash="10000", markets=[market], prices=prices, position_mode=mode)


@pytest.fixture(scope="module")
def standins() -> Generator[dict[Venue, VenueStandin]]:
    start = setup(PositionMode.HEDGE)
    with (
        running_venue(VenueServerConfig(venue=Venue.GATE, setup=start, port=0)) as gate,
        running_venue(VenueServerConfig(venue=Venue.BINANCE, setup=start, port=0)) as binance,
    ):
        yield {Venue.GATE: gate, Venue.BINANCE: binance}


@pytest.fixture
def begin(standins: dict[Venue, VenueStandin]) -> Generator[Callable[..., tuple[VenueStandin, CcxtBroker]]]:
    used: list[VenueStandin] = []

    def begin(venue: Venue, mode: PositionMode) -> tuple[VenueStandin, CcxtBroker]:
        standin = standins[venue]
        standin.control.reset(setup(mode))
        used.append(standin)
        profile = profile_of(venue)
        broker = ccxt_broker(
            profile,
            credentials=Credentials(
                api_key=SecretStr(f"standin-{venue}-key"), secret=SecretStr(f"standin-{venue}-secret")
            ),
            address=Loopback(base_url=standin.base_url),
            certificate=certificate_of(profile, requests=(), made_at_ms=NOW_MS),
            now_ms=lambda: int(standin.control.state()["as_of_ms"]),
            timeout_s=0.5,
            position_mode=mode,
        )
        return standin, broker

    yield begin
    for standin in used:
        ledger = standin.control.ledger()
        assert (ledger.internal_errors, ledger.unknown_requests) == ((), ())


def order(name: str, *, reduces: bool = False, quantity: int = 10, price: int | None = None) -> Order:
    style = MarketStyle() if price is None else LimitStyle(price=Ticks(price), post_only=False)
    made = an_order(style, reduces=reduces, quantity=quantity, client_order_id=name)
    return replace(made, kind=IntentKind.CLOSE if reduces else IntentKind.OPEN)


@pytest.mark.parametrize("mode", PositionMode)
@pytest.mark.parametrize("venue", VENUES)
def test_a_trade_goes_from_open_to_flat(begin, venue, mode):
    standin, broker = begin(venue, mode)
    probe = broker.probe()
    assert (probe.can_trade, probe.can_withdraw, probe.ip_restricted) == (True, False, True)
    assert (probe.position_mode, probe.clock_skew_ms) == (mode, 0)
    assert broker.set_leverage(BTC, Side.LONG, 5) is True
    assert broker.position(BTC) == ()
    assert isinstance(broker.submit(order(OPEN_ID)), Accepted)
    found = broker.order(BTC, OPEN_ID)
    assert isinstance(found, VenueOrder)
    assert (found.status, found.filled, found.created_at_ms) == (VenueOrderStatus.FILLED, 10, NOW_MS)
    assert broker.position(BTC) == (
        VenuePosition(market=BTC, side=Side.LONG, quantity=Steps(10), entry_price=Ticks(600_060)),
    )
    assert isinstance(broker.submit(order(CLOSE_ID, reduces=True)), Accepted)
    assert broker.positions() == ()
    fills = broker.fills(BTC, since_ms=NOW_MS - 1)
    assert [(fill.buys, fill.quantity, fill.is_maker) for fill in fills] == [(True, 10, False), (False, 10, False)]
    assert {each.client_order_id for each in broker.orders(BTC, since_ms=NOW_MS - 1)} == {OPEN_ID, CLOSE_ID}
    at_venue = standin.control.ledger()
    assert sum(fill.fee for fill in fills) == sum(line.fees for line in at_venue.orders)
    balance = broker.balance()
    assert balance.equity == balance.free == at_venue.cash


@pytest.mark.parametrize("mode", PositionMode)
@pytest.mark.parametrize("venue", VENUES)
def test_a_resting_order_is_seen_taken_back_and_not_taken_back_twice(begin, venue, mode):
    _, broker = begin(venue, mode)
    assert isinstance(broker.submit(order(LIMIT_ID, price=590_000)), Accepted)
    assert [each.client_order_id for each in broker.open_orders()] == [LIMIT_ID]
    assert broker.cancel(BTC, LIMIT_ID) is CancelOutcome.DONE
    assert broker.open_orders() == ()
    assert broker.cancel(BTC, LIMIT_ID) is CancelOutcome.NOT_OPEN
    assert broker.order(BTC, "c" + "e" * 25) == Absent()


@pytest.mark.parametrize("mode", PositionMode)
@pytest.mark.parametrize("venue", VENUES)
def test_a_close_of_nothing_is_a_definite_reject(begin, venue, mode):
    _, broker = begin(venue, mode)
    answered = broker.submit(order(CLOSE_ID, reduces=True))
    reason = RejectReason.NO_POSITION if venue is Venue.GATE else RejectReason.REDUCE_ONLY
    assert isinstance(answered, DefiniteReject)
    assert answered.reason is reason


FAULTS: dict[VenueFaultKind, tuple[dict[str, Any], type[object], bool]] = {
    VenueFaultKind.LOST: ({}, Unknown, False),
    VenueFaultKind.RESET: ({}, Unknown, False),
    VenueFaultKind.GARBAGE: ({}, Unknown, False),
    VenueFaultKind.REDIRECT: ({}, Unknown, False),
    VenueFaultKind.HTTP_STATUS: ({"status": 429}, Unknown, False),
    VenueFaultKind.ACCEPT_THEN_HANG: ({}, Unknown, True),
    VenueFaultKind.ACCEPT_THEN_RESET: ({}, Unknown, True),
    VenueFaultKind.ACCEPT_THEN_5XX: ({"status": 502}, Unknown, True),
    VenueFaultKind.ACCEPT_THEN_GARBAGE: ({}, Unknown, True),
    VenueFaultKind.DUPLICATE_ID: ({}, Exists, True),
    VenueFaultKind.REJECT_NEXT_N_ORDERS: ({}, DefiniteReject, False),
}


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("venue", VENUES)
def test_what_the_broker_makes_of_a_fault_agrees_with_what_the_venue_did(begin, venue, kind):
    standin, broker = begin(venue, PositionMode.HEDGE)
    given, outcome, is_booked = FAULTS[kind]
    assert isinstance(broker.markets(), dict)
    standin.control.set_faults([VenueFault(kind=kind, call=VenueCall.SUBMIT, **given)])
    assert isinstance(broker.submit(order(OPEN_ID)), outcome)
    assert [line.client_order_id is not None for line in standin.control.ledger().orders] == [True] * is_booked
    assert isinstance(broker.order(BTC, OPEN_ID), VenueOrder if is_booked else Absent)


@pytest.mark.parametrize("venue", VENUES)
def test_a_read_that_lags_shows_the_account_as_it_was(begin, venue):
    standin, broker = begin(venue, PositionMode.HEDGE)
    standin.control.set_time(NOW_MS + 5_000)
    assert isinstance(broker.submit(order(OPEN_ID)), Accepted)
    lag: dict[str, Any] = {"kind": VenueFaultKind.NOT_VISIBLE, "delay_ms": 3_000}
    standin.control.set_faults(
        [VenueFault(call=call, **lag) for call in (VenueCall.ORDER, VenueCall.POSITIONS, VenueCall.FILLS)]
    )
    assert broker.order(BTC, OPEN_ID) == Absent()
    assert broker.positions() == Unavailable(call="positions", why="two readings disagree")
    assert broker.fills(BTC, since_ms=NOW_MS) == ()
    assert isinstance(broker.order(BTC, OPEN_ID), VenueOrder)
    assert len(broker.fills(BTC, since_ms=NOW_MS)) == 1


@pytest.mark.parametrize("venue", VENUES)
def test_every_call_of_the_broker_can_be_certified_against_the_stand_in(standins, venue):
    standin = standins[venue]

    def empty(mode: PositionMode) -> str:
        standin.control.reset(setup(mode))
        return standin.base_url

    certificate = certify(
        venue,
        stand_in=empty,
        credentials=Credentials(api_key=SecretStr(f"standin-{venue}-key"), secret=SecretStr(f"standin-{venue}-secret")),
        specimen=Specimen(market=BTC, quantity=Steps(10), resting_price=Ticks(550_000), now_ms=NOW_MS),
        timeout_s=5.0,
        made_at_ms=NOW_MS,
    )
    modes = {request.call.partition(" ")[0] for request in certificate.requests}
    assert modes == {mode.value for mode in profile_of(venue).position_modes}
    assert standin.control.ledger().unknown_requests == ()
