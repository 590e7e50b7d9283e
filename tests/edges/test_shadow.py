"""A shadow session beside a real venue's face: every order is validated to its last field, and none ever reaches it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from copytrade_core.edges.runtime_files import SHADOW_FILE
from copytrade_core.edges.runtime_stamp import stamp_of
from copytrade_core.edges.shadow_orders import ShadowOrders, shadow_findings
from copytrade_core.edges.standins.venue_server import VenueServerConfig, VenueStandin, running_venue
from copytrade_core.edges.standins.venue_setup import KeySetup, MarketSetup, VenueSetup, fake_key
from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.certify import certificate_of
from copytrade_core.edges.venues.credentials import Credentials
from copytrade_core.edges.venues.shadow_venue import ShadowVenue, shadow_venue
from copytrade_core.edges.venues.transport import Loopback
from copytrade_core.model.broker import Broker
from copytrade_core.model.errors import BadConfig
from copytrade_core.model.intent import LimitStyle, StopStyle
from copytrade_core.model.order import Order
from copytrade_core.model.outcome import Accepted, DefiniteReject, RejectReason, Unavailable
from copytrade_core.model.side import Side
from copytrade_core.model.units import Ticks
from copytrade_core.model.venue import PositionMode, Venue, VenueBalance, VenueProbe
from copytrade_core.session.shadow import SHADOW, ShadowedPaper, VenueLook
from tests.edges.venues.scripted_venue import NOW_MS
from tests.edges.venues.venue_orders import BTC, ID, an_order
from tests.runtime_floor import FACTS, Kept

BINGX = Venue.BINGX
MARK = Ticks(600_000)


def setup(venue: Venue, mode: PositionMode, key: KeySetup) -> VenueSetup:
    step = "0.001" if venue is Venue.BINANCE else "0.0001"
    return VenueSetup(
        now_ms=NOW_MS,
        cash="10000",
        position_mode=mode,
        key=key,
        markets=[
            MarketSetup(
                market=BTC,
                tick_size="0.1",
                step_size=step,
                min_quantity=step,
                min_notional="100" if venue is Venue.BINANCE else "2",
                contract_size=step if venue is Venue.GATE else None,
            )
        ],
        prices={BTC: [(NOW_MS - 60_000, "60000.0")]},
    )


@pytest.fixture(scope="module", params=Venue)
def standin(request) -> Iterator[tuple[Venue, VenueStandin]]:
    first = setup(request.param, PositionMode.HEDGE, KeySetup())
    with running_venue(VenueServerConfig(venue=request.param, setup=first, port=0)) as running:
        yield request.param, running


class Desk:
    """A venue's stand-in and a shadow's look at it."""

    def __init__(self, venue: Venue, standin: VenueStandin) -> None:
        self.venue, self.standin = venue, standin

    def begin(self, mode: PositionMode = PositionMode.HEDGE, **key) -> ShadowVenue:
        rights = KeySetup(**key)
        self.standin.control.reset(setup(self.venue, mode, rights))
        fake = fake_key(self.venue, rights)
        return shadow_venue(
            profile_of(self.venue),
            credentials=Credentials(api_key=SecretStr(fake.api_key), secret=SecretStr(fake.secret)),
            address=Loopback(base_url=self.standin.base_url),
            certificate=certificate_of(profile_of(self.venue), requests=(), made_at_ms=NOW_MS),
            now_ms=lambda: NOW_MS,
            timeout_s=1.0,
            position_mode=mode,
        )

    def order(self, **changes: Any) -> Order:
        changes.setdefault("quantity", 10 if self.venue is Venue.BINANCE else 100)
        return an_order(**changes)

    @property
    def orders(self) -> int:
        return len(self.standin.control.ledger().orders)


@pytest.fixture
def desk(standin) -> Desk:
    return Desk(*standin)


def test_what_looks_at_a_venue_has_no_way_to_send(desk: Desk) -> None:
    """By its class, and by the connection under it, whoever asks."""
    look = desk.begin()
    assert not isinstance(look, Broker)
    for name in ("submit", "cancel", "set_leverage", "place", "order_request"):
        assert not hasattr(ShadowVenue, name)
        assert not hasattr(VenueLook, name)
    markets = look.markets()
    assert not isinstance(markets, Unavailable)
    adapter, table = look._adapter, look._table
    assert table is not None
    with pytest.raises(BadConfig, match="nothing but reads"):
        adapter.place(desk.order(), table)
    with pytest.raises(BadConfig, match="nothing but reads"):
        adapter.set_leverage(markets[BTC], Side.LONG, 3)
    assert desk.orders == 0


@pytest.mark.parametrize("mode", PositionMode)
def test_the_account_is_read(desk: Desk, mode: PositionMode) -> None:
    look = desk.begin(mode)
    probe = look.probe()
    assert isinstance(probe, VenueProbe)
    assert (probe.position_mode, probe.can_withdraw) == (mode, False)
    assert isinstance(look.balance(), VenueBalance)
    assert look.positions() == ()
    assert look.leverage(BTC, Side.LONG) is None or isinstance(look.leverage(BTC, Side.LONG), int)
    if desk.venue is BINGX:
        assert isinstance(look.leverage(BTC, Side.SHORT), int)


def test_a_key_that_may_withdraw_is_not_even_looked_with(desk: Desk) -> None:
    look = desk.begin(can_withdraw=True)
    if desk.venue is Venue.GATE:  # tells no rights
        return
    with pytest.raises(BadConfig, match="may withdraw"):
        look.probe()


def test_a_key_without_an_address_list_is_refused_where_the_venue_tells(desk: Desk) -> None:
    look = desk.begin(ip_restricted=False)
    told = look._look.probe()
    assert isinstance(told, VenueProbe)
    if desk.venue is BINGX:
        assert told.ip_restricted is False
    if told.ip_restricted is None:
        assert look.probe() == told, "this venue does not tell"
        return
    with pytest.raises(BadConfig) as refused:
        look.probe()
    assert refused.value.where.field == "ip_allow_list"


@pytest.mark.parametrize("mode", PositionMode)
@pytest.mark.parametrize("reduces", [False, True])
def test_an_order_is_shown_as_the_venue_would_get_it(desk: Desk, mode: PositionMode, reduces: bool) -> None:
    look = desk.begin(mode)
    order = desk.order(style=LimitStyle(price=Ticks(500_000), post_only=True), reduces=reduces)
    desired = look.desired(order, mark=MARK, at_ms=NOW_MS)
    assert desired.fault is None, desired.fault
    fields = dict(desired.request)
    assert ID in {value.removeprefix("t-") for value in fields.values()}
    assert "50000" in fields.values()
    if desk.venue is BINGX:
        one_way = mode is PositionMode.ONE_WAY
        assert fields == {
            "symbol": "BTC-USDT",
            "type": "LIMIT",
            "side": "SELL" if reduces else "BUY",
            "positionSide": "BOTH" if one_way else "LONG",
            "quantity": "0.01",
            "price": "50000",
            "timeInForce": "PostOnly",
            "clientOrderID": ID,
            "recvWindow": "5000",
        } | ({"reduceOnly": "true"} if reduces and one_way else {})
    assert desk.orders == 0


FAULTS = {
    "quantity": (lambda order: replace(order, quantity=0), "quantity"),
    "id": (lambda order: replace(order, client_order_id="c" * 100), "client_order_id"),
    "market": (lambda order: replace(order, market="XYZ/USDT:USDT"), "market"),
    "notional": (
        lambda order: replace(order, quantity=1, style=LimitStyle(price=Ticks(10), post_only=False)),
        "notional",
    ),
    "price": (lambda order: replace(order, style=LimitStyle(price=Ticks(0), post_only=False)), "price"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_an_order_that_could_not_be_sent_says_which_field(desk: Desk, name: str) -> None:
    change, field = FAULTS[name]
    if desk.venue is Venue.GATE and name == "notional":
        pytest.skip("Gate states no minimum notional")
    desired = desk.begin().desired(change(desk.order()), mark=MARK, at_ms=NOW_MS)
    assert desired.fault is not None
    assert desired.fault.field == field, desired.fault
    assert desired.request == ()


def test_a_market_order_without_a_mark_cannot_be_judged(desk: Desk) -> None:
    desired = desk.begin().desired(desk.order(), mark=None, at_ms=NOW_MS)
    assert desired.fault is not None
    assert desired.fault.kind == "no_reference_price"


def test_a_stop_that_the_venue_cannot_find_again_is_refused(desk: Desk) -> None:
    order = desk.order(style=StopStyle(trigger=Ticks(500_000)), reduces=True)
    desired = desk.begin().desired(order, mark=MARK, at_ms=NOW_MS)
    assert (desired.fault is None) == profile_of(desk.venue).limits.has_stops


def test_a_venue_that_does_not_answer_makes_no_order_valid(desk: Desk) -> None:
    look = desk.begin()
    desk.standin.control.set_faults([])
    broken = shadow_venue(
        profile_of(desk.venue),
        credentials=Credentials(api_key=SecretStr("k" * 20), secret=SecretStr("hush" * 5)),
        address=Loopback(base_url="http://127.0.0.1:9"),
        certificate=certificate_of(profile_of(desk.venue), requests=(), made_at_ms=NOW_MS),
        now_ms=lambda: NOW_MS,
        timeout_s=0.2,
        position_mode=PositionMode.HEDGE,
    )
    assert isinstance(broken.markets(), Unavailable)
    desired = broken.desired(desk.order(), mark=MARK, at_ms=NOW_MS)
    assert desired.fault is not None
    assert "hush" not in repr((desired, broken.probe(), broken.__dict__))
    look.close()


# -- a whole shadow session --------------------------------------------------------------------------------------------


@pytest.fixture
def bingx() -> Iterator[Desk]:
    first = setup(BINGX, PositionMode.HEDGE, KeySetup())
    with running_venue(VenueServerConfig(venue=BINGX, setup=first, port=0)) as running:
        yield Desk(BINGX, running)


def floor_venue(desk: Desk, *, min_notional: str = "2") -> ShadowVenue:
    """The stand-in lists the floor's market: one tick is 1 USDT, one step 0.00001."""
    look = desk.begin()
    rules = setup(BINGX, PositionMode.HEDGE, KeySetup())
    market = MarketSetup(
        market=BTC,
        tick_size="1",
        step_size="0.00001",
        min_quantity="0.00001",
        min_notional=min_notional,
        contract_size=None,
    )
    rules.markets = [market]
    rules.prices = {BTC: [(NOW_MS - 60_000, "100000")]}
    desk.standin.control.reset(rules)
    return look


def shadowed(folder: Path, look: ShadowVenue) -> tuple[Kept, ShadowOrders]:
    kept = Kept(folder)
    sink = ShadowOrders(journal=kept.journal, files=kept.files)
    kept.session.broker = ShadowedPaper(
        paper=kept.session.venue,
        venue=look,
        sink=sink,
        mark=kept.session.watch.mark,
        now_ms=kept.session.now_ms,
    )
    kept.session.start()
    return kept, sink


def test_a_shadow_session_writes_its_orders_and_the_venue_never_sees_one(tmp_path: Path, bingx: Desk) -> None:
    kept, _ = shadowed(tmp_path, floor_venue(bingx))
    kept.open()
    kept.close()
    assert kept.session.states == ["filled", "filled"], "on paper"
    rows = [json.loads(line) for line in (tmp_path / SHADOW_FILE).read_text().splitlines()]
    assert [(row["kind"], row["fault"], row["submitted"]) for row in rows] == [
        ("open", None, False),
        ("close", None, False),
    ]
    assert rows[0]["request"]["positionSide"] == rows[1]["request"]["positionSide"] == "LONG"
    assert kept.journal.ask("SELECT kind, fault_kind FROM shadow_orders ORDER BY number") == [
        ("open", None),
        ("close", None),
    ]
    found = shadow_findings(tmp_path, stamp_of(FACTS))
    assert (found.orders_count, found.invalid, found.foreign) == (2, (), ())
    ledger = bingx.standin.control.ledger()
    assert (list(ledger.orders), list(ledger.positions)) == ([], [])


def test_an_order_that_the_venue_would_not_take_is_rejected_and_named(tmp_path: Path, bingx: Desk) -> None:
    kept, _ = shadowed(tmp_path, floor_venue(bingx))
    outcome = kept.session.broker.submit(replace(an_order(market=BTC), quantity=0))
    assert isinstance(outcome, DefiniteReject)
    assert (outcome.reason, outcome.code) == (RejectReason.INVALID_ORDER, SHADOW)
    assert "quantity" in outcome.message
    found = shadow_findings(tmp_path, stamp_of(FACTS))
    assert found.orders_count == 1
    assert found.invalid[0].startswith(f"{ID}: quantity")


def test_an_order_that_is_sent_again_after_a_crash_is_written_once(tmp_path: Path, bingx: Desk) -> None:
    kept, _ = shadowed(tmp_path, floor_venue(bingx))
    order = replace(an_order(), quantity=100)
    assert isinstance(kept.session.broker.submit(order), Accepted)
    again = ShadowOrders(journal=kept.journal, files=kept.files)
    assert isinstance(kept.session.broker, ShadowedPaper)
    kept.session.broker._sink = again
    kept.session.broker.submit(order)
    assert len((tmp_path / SHADOW_FILE).read_text().splitlines()) == 1
    assert kept.journal.ask("SELECT count(*) FROM shadow_orders") == [(1,)]


def test_a_row_of_another_session_is_named_and_not_counted(tmp_path: Path, bingx: Desk) -> None:
    kept, _ = shadowed(tmp_path, floor_venue(bingx))
    kept.open()
    other = replace(stamp_of(FACTS), venue="gate")
    with (tmp_path / SHADOW_FILE).open("a") as file:
        file.write(json.dumps({**other.words(), "client_order_id": "c2", "fault": None}) + "\nnonsense\n")
    found = shadow_findings(tmp_path, stamp_of(FACTS))
    assert found.orders_count == 1
    assert [each.field for each in found.foreign] == ["venue", "schema_version"]


def test_a_session_starts_under_the_venues_real_rules(tmp_path: Path, bingx: Desk) -> None:
    with pytest.raises(BadConfig, match="min_notional"):
        shadowed(tmp_path, floor_venue(bingx, min_notional="5"))
