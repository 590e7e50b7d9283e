"""From a venue's rows to values on our grid: exactly, or the whole answer is unavailable."""

from __future__ import annotations

from decimal import Decimal

import pytest

from copytrade_core.edges.venues.parse import BadAnswer, fee_money, number, plain
from copytrade_core.model.outcome import Unavailable
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks
from copytrade_core.model.venue import (
    PositionMode,
    Venue,
    VenueBalance,
    VenueFill,
    VenueOrder,
    VenueOrderStatus,
    VenuePosition,
    VenueProbe,
)
from tests.edges.venues import binance_script, bingx_script, gate_script
from tests.edges.venues.scripted_venue import NOW_MS, Reply
from tests.edges.venues.venue_orders import BTC, ID, POSITION_PATH, SCRIPTS

BINGX, GATE, BINANCE = Venue.BINGX, Venue.GATE, Venue.BINANCE
S = VenueOrderStatus
ORDERS = {
    BINGX: (bingx_script.FULL_ORDERS, lambda rows: bingx_script.ok({"orders": rows})),
    GATE: (gate_script.ENDED, Reply),
    BINANCE: (binance_script.ALL_ORDERS, Reply),
}
FILLS = {
    BINGX: (bingx_script.FILLS, lambda rows: bingx_script.ok({"fill_orders": rows})),
    GATE: (gate_script.FILLS, Reply),
    BINANCE: (binance_script.FILLS, Reply),
}
HELD = {BINGX: bingx_script.ok, GATE: Reply, BINANCE: Reply}
STEPS = {BINGX: Steps(100), GATE: Steps(100), BINANCE: Steps(10)}


def orders(venue, scripted, broker_at, **changes):
    SCRIPTS[venue].script(scripted)
    path, wrap = ORDERS[venue]
    scripted.on("GET", path, wrap([SCRIPTS[venue].order_row(ID, **changes)]))
    return broker_at(scripted.base_url, venue).orders(BTC, since_ms=NOW_MS - 1000)


def fills(venue, scripted, broker_at, *rows):
    SCRIPTS[venue].script(scripted)
    path, wrap = FILLS[venue]
    scripted.on("GET", path, wrap([SCRIPTS[venue].fill_row(**changes) for changes in rows]))
    return broker_at(scripted.base_url, venue).fills(BTC, since_ms=NOW_MS - 1000)


def positions(venue, scripted, broker_at, **changes):
    SCRIPTS[venue].script(scripted)
    scripted.on("GET", POSITION_PATH[venue], HELD[venue]([SCRIPTS[venue].position_row(**changes)]))
    return broker_at(scripted.base_url, venue).positions()


@pytest.mark.parametrize("venue", Venue)
def test_an_order_is_read_exactly(venue, scripted, broker_at):
    (found,) = orders(venue, scripted, broker_at)
    assert found == VenueOrder(
        client_order_id=ID,
        venue_order_id=str(SCRIPTS[venue].VENUE_ID),
        market=BTC,
        buys=True,
        status=S.OPEN,
        quantity=STEPS[venue],
        filled=Steps(0),
        created_at_ms=NOW_MS,
    )


STATUSES = [
    (BINGX, {"status": "PENDING"}, S.OPEN),
    (BINGX, {"status": "PARTIALLY_FILLED", "executedQty": "0.005"}, S.PARTIALLY_FILLED),
    (BINGX, {"status": "FILLED", "executedQty": "0.0100"}, S.FILLED),
    (BINGX, {"status": "CANCELLED"}, S.CANCELLED),
    (GATE, {"left": "40"}, S.PARTIALLY_FILLED),
    (GATE, {"status": "finished", "finish_as": "filled", "left": "0"}, S.FILLED),
    (GATE, {"status": "finished", "finish_as": "ioc", "left": "40"}, S.CANCELLED),
    (GATE, {"status": "finished", "finish_as": "position_closed", "left": "100"}, S.CANCELLED),
    (GATE, {"status": "finished", "finish_as": "reduce_only", "left": "100"}, S.CANCELLED),
    (BINANCE, {"status": "PARTIALLY_FILLED", "executedQty": "0.003"}, S.PARTIALLY_FILLED),
    (BINANCE, {"status": "FILLED", "executedQty": "0.010"}, S.FILLED),
    (BINANCE, {"status": "CANCELED"}, S.CANCELLED),
    (BINANCE, {"status": "EXPIRED"}, S.EXPIRED),
    (BINANCE, {"status": "REJECTED"}, S.REJECTED),
]


@pytest.mark.parametrize(("venue", "changes", "status"), STATUSES)
def test_a_status_is_understood(venue, changes, status, scripted, broker_at):
    (found,) = orders(venue, scripted, broker_at, **changes)
    assert found.status is status


BAD_ORDERS = [
    (BINGX, {"status": "DANCING"}),
    (BINGX, {"side": "MAYBE"}),
    (BINGX, {"origQty": "0.01005"}),
    (BINGX, {"origQty": "NaN"}),
    (BINGX, {"origQty": "Infinity"}),
    (BINGX, {"executedQty": "0.02"}),
    (BINGX, {"time": None}),
    (BINGX, {"orderId": ""}),
    (GATE, {"size": "1.5"}),
    (GATE, {"size": "x"}),
    (GATE, {"left": "200"}),
    (GATE, {"create_time": 12}),
    (BINANCE, {"status": "DANCING"}),
    (BINANCE, {"origQty": "0.0105"}),
    (BINANCE, {"executedQty": "1e400"}),
    (BINANCE, {"symbol": "NOPEUSDT"}),
]


@pytest.mark.parametrize(("venue", "changes"), BAD_ORDERS)
def test_one_order_that_cannot_be_read_makes_the_list_unavailable(venue, changes, scripted, broker_at):
    if "symbol" not in changes:
        assert isinstance(orders(venue, scripted, broker_at, **changes), Unavailable)
        return
    SCRIPTS[venue].script(scripted)
    scripted.on("GET", SCRIPTS[venue].OPEN_ORDERS, Reply([SCRIPTS[venue].order_row(ID, **changes)]))
    assert isinstance(broker_at(scripted.base_url, venue).open_orders(), Unavailable)


@pytest.mark.parametrize("venue", Venue)
def test_an_order_that_nobody_named_is_foreign_not_unreadable(venue, scripted, broker_at):
    field = {BINGX: "clientOrderId", GATE: "text", BINANCE: "clientOrderId"}[venue]
    (found,) = orders(venue, scripted, broker_at, **{field: {BINGX: "", GATE: "web", BINANCE: "web_1"}[venue]})
    assert found.client_order_id in (None, "web_1")


@pytest.mark.parametrize("venue", Venue)
def test_a_list_that_is_as_long_as_asked_for_proves_nothing(venue, scripted, broker_at):
    SCRIPTS[venue].script(scripted)
    path, wrap = ORDERS[venue]
    scripted.on("GET", path, wrap([SCRIPTS[venue].order_row(f"c{n}") for n in range(1000)]))
    assert isinstance(broker_at(scripted.base_url, venue).orders(BTC, since_ms=NOW_MS - 1), Unavailable)


@pytest.mark.parametrize("venue", Venue)
def test_a_list_of_fills_that_may_be_cut_explains_nothing(venue, scripted, broker_at):
    assert isinstance(fills(venue, scripted, broker_at, *({} for _ in range(1000))), Unavailable)


@pytest.mark.parametrize("venue", Venue)
def test_a_fill_is_read_exactly_and_its_fee_is_what_was_paid(venue, scripted, broker_at):
    (found,) = fills(venue, scripted, broker_at, {})
    assert found == VenueFill(
        trade_id={BINGX: "77", GATE: "3335259", BINANCE: "698759"}[venue],
        venue_order_id=str(SCRIPTS[venue].VENUE_ID),
        market=BTC,
        buys=True,
        price=Ticks(300_000),
        quantity=STEPS[venue],
        fee=Money(15_000_000),
        is_maker=False,
        time_ms=NOW_MS,
    )


@pytest.mark.parametrize(
    ("venue", "rebate"),
    [
        (BINGX, {"commission": "0.03", "role": "maker"}),
        (GATE, {"fee": "-0.03", "role": "maker"}),
        (BINANCE, {"commission": "-0.03", "maker": True}),
    ],
)
def test_a_rebate_is_a_negative_fee(venue, rebate, scripted, broker_at):
    (found,) = fills(venue, scripted, broker_at, rebate)
    assert (found.fee, found.is_maker) == (-3_000_000, True)


def test_a_trade_that_bingx_did_not_number_has_the_same_id_on_every_reading(scripted, broker_at):
    bare = {"tradeId": None}
    first = fills(BINGX, scripted, broker_at, bare, bare, bare | {"price": "30000.1"})
    again = fills(BINGX, scripted, broker_at, bare | {"price": "30000.1"}, bare, bare, bare)
    assert len({fill.trade_id for fill in first}) == 3
    assert {fill.trade_id for fill in first} < {fill.trade_id for fill in again}


def test_the_side_of_a_fill_comes_from_its_order_where_bingx_leaves_it_out(scripted, broker_at):
    bingx_script.script(scripted)
    scripted.on("GET", bingx_script.FILLS, bingx_script.ok({"fill_orders": [bingx_script.fill_row(side=None)] * 2}))
    scripted.on("GET", bingx_script.ORDER, bingx_script.ok({"order": bingx_script.order_row(ID, side="SELL")}))
    found = broker_at(scripted.base_url).fills(BTC, since_ms=NOW_MS - 1)
    assert [fill.buys for fill in found] == [False, False]
    assert len(scripted.sent("GET", bingx_script.ORDER)) == 1
    scripted.on("GET", bingx_script.ORDER, bingx_script.refusal(80016))
    assert isinstance(broker_at(scripted.base_url).fills(BTC, since_ms=NOW_MS - 1), Unavailable)


BAD_FILLS = [
    (BINGX, {"price": "30000.05"}),
    (BINGX, {"volume": "0.00015"}),
    (BINGX, {"commission": "inf"}),
    (BINGX, {"filledTime": "2026-01-01T08:00:00"}),
    (BINGX, {"filledTime": None}),
    (BINGX, {"side": "UP"}),
    (BINGX, {"currency": "BTC"}),
    (GATE, {"point_fee": "0.1"}),
    (GATE, {"price": "30000.05"}),
    (GATE, {"size": "0.5"}),
    (GATE, {"fee": "NaN"}),
    (BINANCE, {"price": "nan"}),
    (BINANCE, {"commissionAsset": "BNB"}),
    (BINANCE, {"side": "HOLD"}),
    (BINANCE, {"time": 5}),
    (BINANCE, {"maker": "perhaps"}),
]


@pytest.mark.parametrize(("venue", "changes"), BAD_FILLS)
def test_one_fill_that_cannot_be_booked_makes_the_list_unavailable(venue, changes, scripted, broker_at):
    assert isinstance(fills(venue, scripted, broker_at, {}, changes), Unavailable)


@pytest.mark.parametrize("venue", Venue)
def test_fills_come_oldest_first(venue, scripted, broker_at):
    later, earlier = {
        BINGX: ({"tradeId": "1", "filledTime": "2026-01-01T08:00:01.000+0800"}, {"tradeId": "2"}),
        GATE: ({"trade_id": "1", "create_time": NOW_MS / 1000 + 1}, {"trade_id": "2"}),
        BINANCE: ({"id": 1, "time": NOW_MS + 1000}, {"id": 2}),
    }[venue]
    assert [fill.trade_id for fill in fills(venue, scripted, broker_at, later, earlier)] == ["2", "1"]


@pytest.mark.parametrize("venue", Venue)
def test_a_position_is_read_and_its_average_price_is_the_nearest_tick(venue, scripted, broker_at):
    assert positions(venue, scripted, broker_at) == (
        VenuePosition(market=BTC, side=Side.LONG, quantity=STEPS[venue], entry_price=Ticks(300_000)),
    )


@pytest.mark.parametrize(
    ("venue", "changes"),
    [
        (BINGX, {"positionSide": "SHORT"}),
        (BINGX, {"positionSide": "BOTH", "positionAmt": "-0.01"}),
        (GATE, {"mode": "dual_short", "size": "-100"}),
        (GATE, {"mode": "single", "size": "-100"}),
        (BINANCE, {"positionSide": "SHORT", "positionAmt": "-0.010"}),
        (BINANCE, {"positionSide": "BOTH", "positionAmt": "-0.010"}),
    ],
)
def test_a_short_position_is_short_in_every_mode(venue, changes, scripted, broker_at):
    (held,) = positions(venue, scripted, broker_at, **changes)
    assert (held.side, held.quantity) == (Side.SHORT, STEPS[venue])


BAD_POSITIONS = [
    (BINGX, {"positionSide": "UP"}),
    (BINGX, {"positionAmt": "0.01005"}),
    (BINGX, {"positionAmt": "nan"}),
    (BINGX, {"avgPrice": "0"}),
    (BINGX, {"avgPrice": "-inf"}),
    (BINGX, {"symbol": "NOPE-USDT"}),
    (GATE, {"mode": "triple"}),
    (GATE, {"size": "0.5"}),
    (GATE, {"contract": "NOPE_USDT"}),
    (BINANCE, {"positionSide": ""}),
    (BINANCE, {"positionAmt": "0.0105"}),
    (BINANCE, {"symbol": "NOPEUSDT"}),
]


@pytest.mark.parametrize(("venue", "changes"), BAD_POSITIONS)
def test_one_position_that_cannot_be_read_is_never_flat(venue, changes, scripted, broker_at):
    assert isinstance(positions(venue, scripted, broker_at, **changes), Unavailable)


@pytest.mark.parametrize("venue", Venue)
def test_balance_and_probe_are_read(venue, scripted, broker_at):
    SCRIPTS[venue].script(scripted)
    broker = broker_at(scripted.base_url, venue)
    assert broker.balance() == VenueBalance(equity=Money(100_050_000_000), free=Money(90_025_000_000))
    assert broker.probe() == VenueProbe(
        can_trade=True,
        can_withdraw=False,
        ip_restricted=True,
        position_mode=PositionMode.HEDGE,
        clock_skew_ms=40,
    )


@pytest.mark.parametrize("dual", ["true", True])
def test_the_mode_of_bingx_is_read_as_text_and_as_a_truth_value(dual, scripted, broker_at):
    bingx_script.script(scripted, dual=dual)
    assert broker_at(scripted.base_url).probe().position_mode is PositionMode.HEDGE


@pytest.mark.parametrize(("venue", "path", "field"), [(BINGX, bingx_script.MODE, "dualSidePosition")])
def test_a_mode_that_is_neither_is_unavailable(venue, path, field, scripted, broker_at):
    SCRIPTS[venue].script(scripted)
    scripted.on("GET", path, bingx_script.ok({field: "maybe"}))
    assert isinstance(broker_at(scripted.base_url, venue).probe(), Unavailable)


@pytest.mark.parametrize("venue", Venue)
def test_markets_have_the_venues_grid_and_minimums(venue, scripted, broker_at):
    SCRIPTS[venue].script(scripted)
    market = broker_at(scripted.base_url, venue).markets()[BTC]
    instrument = market.instrument
    assert (market.symbol, market.is_open) == ({BINGX: "BTC-USDT", GATE: "BTC_USDT", BINANCE: "BTCUSDT"}[venue], True)
    assert instrument.tick_size == Decimal("0.1")
    assert instrument.step_size == {BINANCE: Decimal("0.001")}.get(venue, Decimal("0.0001"))
    assert instrument.min_quantity == 1
    assert instrument.min_notional == {BINGX: 2, GATE: 0, BINANCE: 100}[venue] * 10**8
    assert instrument.as_of.timestamp() * 1000 == NOW_MS


def test_a_market_that_money_cannot_be_counted_in_is_not_listed(scripted, broker_at):
    bingx_script.script(scripted)
    rows = [bingx_script.contract("BTC-USDT", 4, 1, "0.0001"), bingx_script.contract("FINE-USDT", 4, 8, "1")]
    scripted.on("GET", bingx_script.CONTRACTS, bingx_script.ok(rows))
    assert set(broker_at(scripted.base_url).markets()) == {BTC}


def test_a_market_in_which_nothing_can_be_opened_is_closed(scripted, broker_at):
    bingx_script.script(scripted)
    row = bingx_script.contract("BTC-USDT", 4, 1, "0.0001") | {"apiStateOpen": "false"}
    scripted.on("GET", bingx_script.CONTRACTS, bingx_script.ok([row]))
    assert broker_at(scripted.base_url).markets()[BTC].is_open is False


def test_a_fee_is_never_understated():
    assert fee_money(Decimal("0.000000001")) == 1
    assert fee_money(Decimal("-0.000000019")) == -1


@pytest.mark.parametrize(
    ("value", "shown"), [("1E-8", "0.00000001"), ("30000.0", "30000"), ("1E+3", "1000"), ("0", "0")]
)
def test_decimals_are_spoken_plainly(value, shown):
    assert plain(Decimal(value)) == shown


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-inf", "x", "", None, "null", True])
def test_what_is_no_finite_number_is_a_bad_answer(value):
    with pytest.raises(BadAnswer, match="price"):
        number({"price": value}, "price")
