"""A shadow session beside a real venue's face: every order is validated to its last field, and none ever reaches it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from copytrade_core.edges.runtime.runtime_files import SHADOW_FILE
from copytrade_core.edges.runtime.runtime_stamp import stamp_of
from copytrade_core.edges.runtime.shadow_orders import ShadowOrders, shadow_findings
from copytrade_core.edges.standins.venue_control import ChangeKey, FlipMode
from copytrade_core.edges.standins.venue_server import VenueServerConfig, VenueStandin, running_venue
from copytrade_core.edges.standins.venue_setup import KeySetup, MarketSetup, VenueSetup, fake_key
from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.certify import certificate_of
from copytrade_core.edges.venues.credentials import Credentials
from copytrade_core.edges.venues.shadow_venue import ShadowVenue, shadow_venue
from copytrade_core.edges.venues.transport import Loopback
from copytrade_core.model.broker import Broker
from copytrade_core.model.errors import BadConfig
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import LimitStyle, StopStyle
from copytrade_core.model.order import Order
from copytrade_core.model.outcome import Accepted, DefiniteReject, RejectReason, Unavailable
from copytrade_core.model.side import Side
from copytrade_core.model.units import Ticks
from copytrade_core.model.venue import PositionMode, Venue, VenueBalance, VenueProbe
from copytrade_core.session.shadow import SHADOW, ShadowAt, ShadowedPaper
from copytrade_core.session.venue_look import DesiredOrder, VenueLook
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall
from tests.edges.venues.scripted_venue import NOW_MS
from tests.edges.venues.venue_orders import BTC, ID, ORDER_PATH, an_order
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

    def begin(
        self, mode: PositionMode = PositionMode.HEDGE, account: PositionMode | None = None, **key: bool
    ) -> ShadowVenue:
        rights = KeySetup(**key)
        self.standin.control.reset(setup(self.venue, account or mode, rights))
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

    def rules(self, look: ShadowVenue) -> Instrument:
        """What orders are built with, where ours are the venue's."""
        listed = look.markets()
        assert not isinstance(listed, Unavailable)
        return listed[BTC].instrument

    def desired(self, look: ShadowVenue, order: Order, mark: Ticks | None = MARK, **changes: Any) -> DesiredOrder:
        rules = replace(self.rules(look), **changes)
        return look.desired(order, rules=rules, mark=mark, at_ms=NOW_MS)

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
    offered = {name for name in dir(ShadowVenue) if not name.startswith("_")}
    assert offered == {"markets", "probe", "desired", "balance", "leverage", "close"}, "reads, a form, and an end"
    assert {name for name in dir(VenueLook) if not name.startswith("_")} == {"markets", "probe", "desired"}
    markets = look.markets()
    assert not isinstance(markets, Unavailable)
    adapter, table = look._adapter, look._table
    assert table is not None
    with pytest.raises(BadConfig, match="nothing but reads"):
        adapter.place(desk.order(), table)
    with pytest.raises(BadConfig, match="nothing but reads"):
        adapter.set_leverage(markets[BTC], Side.LONG, 3)
    with pytest.raises(BadConfig, match="nothing but reads"):
        adapter.cancel(markets[BTC], ID)
    assert desk.orders == 0


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH"])
def test_below_ccxt_no_request_but_a_read_leaves(desk: Desk, method: str) -> None:
    """Whoever had the client in hand: the connections themselves refuse, before a byte is sent."""
    look = desk.begin()
    assert not isinstance(look.markets(), Unavailable)
    reads = getattr(look._look.probe, "__self__")  # noqa: B009 (the broker behind the look)
    for client in (look._client, reads._client):
        url, sent = f"https://somewhere.invalid{ORDER_PATH[desk.venue]}", client.guard.adapter.sent_count
        with pytest.raises(BadConfig, match="nothing but reads"):
            getattr(client.stock, "session").request(method, url, data=b"{}")  # noqa: B009 (not part of what we use)
        assert client.guard.adapter.sent_count == sent
    ledger = desk.standin.control.ledger()
    assert (list(ledger.orders), list(ledger.unknown_requests)) == ([], [])
    look.close()


@pytest.mark.parametrize("mode", PositionMode)
def test_the_account_is_read(desk: Desk, mode: PositionMode) -> None:
    look = desk.begin(mode)
    probe = look.probe()
    assert isinstance(probe, VenueProbe)
    assert (probe.position_mode, probe.can_withdraw) == (mode, False)
    assert isinstance(look.balance(), VenueBalance)
    assert look.leverage(BTC, Side.LONG) is None or isinstance(look.leverage(BTC, Side.LONG), int)
    if desk.venue is BINGX:
        assert isinstance(look.leverage(BTC, Side.SHORT), int)


def test_a_key_that_may_withdraw_is_not_even_looked_with(desk: Desk) -> None:
    look = desk.begin(can_withdraw=True)
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


OFF_GRID: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "quantity": ({"step_size": Decimal("0.0001333")}, {}, "quantity"),
    "price": ({"tick_size": Decimal("0.07")}, {"style": LimitStyle(price=Ticks(500_001), post_only=False)}, "price"),
}


@pytest.mark.parametrize("name", OFF_GRID)
def test_an_order_off_the_venues_grid_says_how_far_it_would_be_moved(desk: Desk, name: str) -> None:
    """Built with rules whose grid is not the venue's; it is never moved on its way out."""
    rules, changes, field = OFF_GRID[name]
    desired = desk.desired(desk.begin(), desk.order(**changes), **rules)
    assert desired.fault is not None
    assert (desired.fault.kind, desired.fault.field) == ("off_grid", field), desired.fault
    assert desired.rounding is not None
    moved = desired.rounding.quantity_bps if field == "quantity" else desired.rounding.price_bps
    assert moved > 0
    assert f"{moved} bps" in desired.fault.detail
    assert desired.request == ()


def test_an_order_of_another_grid_that_the_venue_holds_as_well_is_sent_in_the_venues_units(desk: Desk) -> None:
    """Ten of our steps are one of the venue's: the same quantity, and the mark is of another tick as well."""
    look = desk.begin()
    ours = desk.rules(look)
    finer = {"step_size": ours.step_size / 10, "tick_size": ours.tick_size / 10}
    order = desk.order(quantity=10 * desk.order().quantity)
    there, here = desk.desired(look, desk.order()), desk.desired(look, order, mark=Ticks(10 * MARK), **finer)
    assert there.fault is here.fault is None, here.fault
    assert there.request == here.request
    assert here.rounding is not None
    assert (here.rounding.quantity_bps, here.rounding.price_bps) == (0, 0)


@pytest.mark.parametrize("mode", PositionMode)
def test_an_order_said_in_another_mode_than_the_accounts_says_so(desk: Desk, mode: PositionMode) -> None:
    other = next(each for each in PositionMode if each is not mode)
    look = desk.begin(mode, account=other)
    assert isinstance(look.probe(), VenueProbe)
    desired = desk.desired(look, desk.order())
    assert desired.fault is not None
    assert (desired.fault.kind, desired.fault.field) == ("position_mode", "position_mode")


@pytest.mark.parametrize("mode", PositionMode)
@pytest.mark.parametrize("reduces", [False, True])
def test_an_order_is_shown_as_the_venue_would_get_it(desk: Desk, mode: PositionMode, reduces: bool) -> None:
    look = desk.begin(mode)
    order = desk.order(style=LimitStyle(price=Ticks(500_000), post_only=True), reduces=reduces)
    desired = desk.desired(look, order)
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
    desired = desk.desired(desk.begin(), change(desk.order()))
    assert desired.fault is not None
    assert desired.fault.field == field, desired.fault
    assert desired.request == ()


def test_a_market_order_without_a_mark_cannot_be_judged(desk: Desk) -> None:
    desired = desk.desired(desk.begin(), desk.order(), mark=None)
    assert desired.fault is not None
    assert desired.fault.kind == "no_reference_price"


def test_a_stop_that_the_venue_cannot_find_again_is_refused(desk: Desk) -> None:
    order = desk.order(style=StopStyle(trigger=Ticks(500_000)), reduces=True)
    desired = desk.desired(desk.begin(), order)
    assert (desired.fault is None) == profile_of(desk.venue).limits.has_stops


def test_a_venue_that_does_not_answer_makes_no_order_valid(desk: Desk) -> None:
    look = desk.begin()
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
    desired = broken.desired(desk.order(), rules=desk.rules(look), mark=MARK, at_ms=NOW_MS)
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
        shadow=ShadowAt(venue="bingx", look=look, position_mode=PositionMode.HEDGE),
        instruments=kept.session.settings.instruments,
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
    found = shadow_findings(tmp_path, stamp_of(FACTS), runs={FACTS.run_id})
    assert (found.orders_count, found.invalid, found.foreign) == (2, (), ())
    ledger = bingx.standin.control.ledger()
    assert (list(ledger.orders), list(ledger.positions)) == ([], [])


def test_an_order_that_the_venue_would_not_take_is_rejected_and_named(tmp_path: Path, bingx: Desk) -> None:
    kept, _ = shadowed(tmp_path, floor_venue(bingx))
    outcome = kept.session.broker.submit(replace(an_order(market=BTC), quantity=0))
    assert isinstance(outcome, DefiniteReject)
    assert (outcome.reason, outcome.code) == (RejectReason.INVALID_ORDER, SHADOW)
    assert "quantity" in outcome.message
    found = shadow_findings(tmp_path, stamp_of(FACTS), runs={FACTS.run_id})
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
    found = shadow_findings(tmp_path, stamp_of(FACTS), runs={FACTS.run_id})
    assert found.orders_count == 1
    assert [each.field for each in found.foreign] == ["venue", "schema_version"]


def test_rules_in_which_the_venue_is_stricter_are_named_and_the_session_goes_on(tmp_path: Path, bingx: Desk) -> None:
    """What they forbid, the orders say one by one."""
    kept, _ = shadowed(tmp_path, floor_venue(bingx, min_notional="5"))
    found = shadow_findings(tmp_path, stamp_of(FACTS), runs={FACTS.run_id})
    assert [rule.partition(" is ")[0] for rule in found.rules] == [f"{BTC}: min_notional"]
    assert isinstance(kept.session.broker.submit(replace(an_order(), quantity=3)), DefiniteReject)
    assert isinstance(
        kept.session.broker.submit(replace(an_order(client_order_id="c" + "b" * 25), quantity=6)), Accepted
    )
    found = shadow_findings(tmp_path, stamp_of(FACTS), runs={FACTS.run_id})
    assert found.orders_count == 2
    assert [row["rounding_quantity_bps"] for row in found.orders] == [0, 0]
    (invalid,) = found.invalid
    assert invalid.startswith(f"{ID}: notional")


def test_rows_of_other_runs_of_the_session_belong_to_other_days(tmp_path: Path, bingx: Desk) -> None:
    kept, _ = shadowed(tmp_path, floor_venue(bingx))
    kept.open()
    found = shadow_findings(tmp_path, stamp_of(FACTS), runs={"yesterday"})
    assert (found.orders_count, found.looks, found.foreign) == (0, (), ())


def test_a_venue_that_falls_silent_is_no_information_and_the_session_goes_on(tmp_path: Path, bingx: Desk) -> None:
    kept, _ = shadowed(tmp_path, floor_venue(bingx))
    kept.open()
    bingx.standin.control.set_faults(
        [VenueFault(kind=VenueFaultKind.HTTP_STATUS, call=VenueCall.PROBE, nth=1, count=99, status=503)]
    )
    kept.session.runner.reconcile()
    kept.session.runner.reconcile()
    kept.close()
    assert kept.session.states == ["filled", "filled"]
    found = shadow_findings(tmp_path, stamp_of(FACTS), runs={FACTS.run_id})
    assert (found.orders_count, found.invalid, found.faults) == (2, (), ())
    assert found.unanswered_count == 1, "the second look showed what the first had shown"
    assert found.looks[0]["key"] == {"can_trade": True, "can_withdraw": False, "ip_restricted": True}
    assert found.looks[-1]["key"] is None


def test_an_account_whose_mode_was_changed_is_a_fault_of_the_account_and_of_every_order(
    tmp_path: Path, bingx: Desk
) -> None:
    kept, _ = shadowed(tmp_path, floor_venue(bingx))
    bingx.standin.control.inject(FlipMode())
    kept.session.runner.reconcile()
    kept.open()
    found = shadow_findings(tmp_path, stamp_of(FACTS), runs={FACTS.run_id})
    assert [fault.partition(":")[0] for fault in found.faults] == ["position_mode"]
    assert found.orders_count == len(found.invalid) > 0
    assert all(": position_mode: " in said for said in found.invalid)


def test_a_key_that_turns_unsafe_ends_the_session_and_that_is_written_down(tmp_path: Path, bingx: Desk) -> None:
    kept, _ = shadowed(tmp_path, floor_venue(bingx))
    bingx.standin.control.inject(ChangeKey(can_trade=True, can_withdraw=True, ip_restricted=True, is_revoked=False))
    with pytest.raises(BadConfig, match="may withdraw"):
        kept.session.runner.reconcile()
    found = shadow_findings(tmp_path, stamp_of(FACTS), runs={FACTS.run_id})
    assert found.faults == ("permissions: this API key may withdraw",)


def test_a_key_that_may_only_read_is_enough(tmp_path: Path, bingx: Desk) -> None:
    look = floor_venue(bingx)
    bingx.standin.control.inject(ChangeKey(can_trade=False, can_withdraw=False, ip_restricted=True, is_revoked=False))
    kept, _ = shadowed(tmp_path, look)
    kept.open()
    found = shadow_findings(tmp_path, stamp_of(FACTS), runs={FACTS.run_id})
    assert (found.orders_count, found.invalid, found.faults) == (1, (), ())
    assert found.looks[0]["key"] == {"can_trade": False, "can_withdraw": False, "ip_restricted": True}
