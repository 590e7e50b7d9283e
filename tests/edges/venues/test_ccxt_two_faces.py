"""One venue, two faces: what the broker makes of HTTP is what the virtual broker says in process, faults included."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr

from copytrade_core.edges.standins.venue_run import Ground, begun
from copytrade_core.edges.standins.venue_server import DIALECTS, VenueServerConfig, VenueStandin, running_venue
from copytrade_core.edges.standins.venue_setup import KeySetup, MarketSetup, VenueSetup, fake_key
from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.ccxt_broker import LoadedMarkets, ccxt_broker
from copytrade_core.edges.venues.certify import certificate_of
from copytrade_core.edges.venues.credentials import Credentials
from copytrade_core.edges.venues.transport import Loopback
from copytrade_core.model.broker import Broker
from copytrade_core.model.intent import LimitStyle
from copytrade_core.model.outcome import Absent, Accepted, DefiniteReject, Exists, RejectReason, Unavailable, Unknown
from copytrade_core.model.side import Side
from copytrade_core.model.units import Ticks
from copytrade_core.model.venue import PositionMode, Venue, VenueFill, VenueOrder, VenueProbe
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultBook, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall
from copytrade_core.virtual_exchange.virtual_broker import VirtualBroker
from tests.edges.venues.scripted_venue import NOW_MS
from tests.edges.venues.venue_orders import BTC, an_order

STEP = {Venue.BINGX: "0.0001", Venue.GATE: "0.0001", Venue.BINANCE: "0.001"}
QUANTITY = {Venue.BINGX: 100, Venue.GATE: 100, Venue.BINANCE: 10}
SEEDS = range(12)
K, C, R = VenueFaultKind, VenueCall, RejectReason
KINDS = [
    *(K.ACCEPT_THEN_RESET, K.ACCEPT_THEN_5XX, K.ACCEPT_THEN_GARBAGE, K.DUPLICATE_ID, K.HTTP_STATUS, K.GARBAGE, K.RESET),
    *(K.REDIRECT, K.DELAYED_APPLY, K.REJECT_NEXT_N_ORDERS, K.MODE_FLIPPED),
]
IDS = ["c" + letter * 25 for letter in "abcd"]


def setup(venue: Venue, mode: PositionMode) -> VenueSetup:
    return VenueSetup(
        now_ms=NOW_MS,
        cash="1000",
        position_mode=mode,
        markets=[
            MarketSetup(
                market=BTC,
                tick_size="0.1",
                step_size=STEP[venue],
                min_quantity=STEP[venue],
                min_notional="5",
                contract_size=STEP[venue] if venue is Venue.GATE else None,
            )
        ],
        prices={BTC: [(NOW_MS - 60_000, "60000.0"), (NOW_MS + 30_000, "59000.0"), (NOW_MS + 90_000, "61000.0")]},
    )


@pytest.fixture(scope="module", params=Venue)
def standin(request) -> Iterator[tuple[Venue, VenueStandin, list[LoadedMarkets]]]:
    venue = request.param
    config = VenueServerConfig(venue=venue, setup=setup(venue, PositionMode.HEDGE), port=0)
    with running_venue(config) as running:
        yield venue, running, []


def told(value: object) -> object:
    """What both faces must agree on: everything but ids, times and words."""
    match value:
        case Accepted() | Absent() | Exists() | Unknown() | Unavailable():
            return type(value).__name__
        case DefiniteReject(reason=reason):
            # Binance has one code for both.
            return R.REDUCE_ONLY if reason is R.NO_POSITION else reason
        case VenueOrder():
            return (value.client_order_id, value.market, value.buys, value.status, value.quantity, value.filled)
        case VenueFill():
            # BingX does not tell who was the maker of a fill.
            return (value.market, value.buys, value.price, value.quantity, value.fee)
        case VenueProbe():
            return dataclasses.replace(value, ip_restricted=None)
        case tuple():
            return sorted(map(told, value), key=repr)
        case _:
            return value


def drawn_fault(draw: random.Random, venue: Venue) -> VenueFault:
    # Gate's orders name no side, so a changed mode makes something else of them, and its probe reads the balance too.
    kind = draw.choice([kind for kind in KINDS if venue is not Venue.GATE or kind is not K.MODE_FLIPPED])
    call, status, delay_ms = C.SUBMIT, None, None
    if kind in (K.HTTP_STATUS, K.GARBAGE, K.RESET, K.REDIRECT):
        calls = [C.SUBMIT, C.CANCEL, C.ORDER, C.OPEN_ORDERS, C.ORDERS, C.FILLS, C.POSITIONS, C.PROBE]
        call = draw.choice([one for one in calls if one is not C.SUBMIT or kind is not K.RESET])
    if kind in (K.HTTP_STATUS, K.ACCEPT_THEN_5XX):
        status = draw.choice([500, 502, 503, 504])
    if kind is K.DELAYED_APPLY:
        delay_ms = draw.choice([1000, 4000, 9000])
    return VenueFault(kind=kind, call=call, status=status, delay_ms=delay_ms)


def drawn_step(draw: random.Random, venue: Venue) -> tuple[str, Callable[[Broker], object]]:
    name, side, size = draw.choice(IDS), draw.choice(list(Side)), QUANTITY[venue] * draw.choice([1, 1, 1, 50])
    since_ms = NOW_MS - 1000
    resting = LimitStyle(price=Ticks(draw.choice([580_000, 595_000])), post_only=draw.random() < 0.5)
    opening = an_order(side=side, quantity=size, client_order_id=name)
    closing = an_order(side=side, quantity=QUANTITY[venue], client_order_id=name, reduces=True)
    limit = an_order(resting, quantity=QUANTITY[venue], client_order_id=name)
    return draw.choice(
        [
            (f"open {side} {name[1]}", lambda broker: broker.submit(opening)),
            (f"close {side} {name[1]}", lambda broker: broker.submit(closing)),
            (f"limit {name[1]}", lambda broker: broker.submit(limit)),
            (f"cancel {name[1]}", lambda broker: broker.cancel(BTC, name)),
            (f"order {name[1]}", lambda broker: broker.order(BTC, name)),
            ("orders", lambda broker: broker.orders(BTC, since_ms=since_ms)),
            ("open_orders", lambda broker: broker.open_orders()),
            ("fills", lambda broker: broker.fills(BTC, since_ms=since_ms)),
            ("positions", lambda broker: broker.positions()),
            ("balance", lambda broker: broker.balance()),
            ("probe", lambda broker: broker.probe()),
        ]
    )


@pytest.mark.parametrize("mode", PositionMode)
@pytest.mark.parametrize("seed", SEEDS)
def test_both_faces_say_the_same(seed, mode, standin):
    venue, running, shared = standin
    draw = random.Random(seed)
    begin = setup(venue, mode)
    running.control.reset(begin)
    engine = begun(begin, Ground(dialect_of=DIALECTS[venue], markets={}, feed=None)).engine
    clock = [NOW_MS]
    key = fake_key(venue, KeySetup())
    over_http = ccxt_broker(
        profile_of(venue),
        credentials=Credentials(api_key=SecretStr(key.api_key), secret=SecretStr(key.secret)),
        address=Loopback(base_url=running.base_url),
        certificate=certificate_of(profile_of(venue), requests=(), made_at_ms=NOW_MS),
        now_ms=lambda: clock[0],
        timeout_s=2.0,
        position_mode=mode,
        markets=shared[0] if shared else None,
    )
    over_http.markets()
    shared[:] = [over_http.loaded]
    story: list[str] = []
    for _ in range(25):
        faults = [drawn_fault(draw, venue)] if draw.random() < 0.4 else []
        running.control.set_faults(faults)
        in_process = VirtualBroker(
            engine,
            faults=VenueFaultBook(faults, seed=0),
            position_mode=mode,
            timeout_ms=2_000,
            can_withdraw=False,
            ip_restricted=None,
        )
        name, step = drawn_step(draw, venue)
        answers = told(step(in_process)), told(step(over_http))
        story.append(f"{name} {[f'{fault.kind} {fault.call}' for fault in faults]} {answers[0]}")
        assert answers[0] == answers[1], "\n".join(story)
        if draw.random() < 0.3:
            clock[0] += draw.choice([500, 3_000, 6_000, 20_000])
            running.control.set_time(clock[0])
            engine.advance(clock[0])
