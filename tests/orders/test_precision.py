"""Whether an order fits a venue's grid, minimums and id rule, and how much bringing it there changes."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.intent import IntentKind, LimitStyle, MarketStyle, StopStyle
from copytrade_core.model.order import Order
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks
from copytrade_core.model.venue import VenueMarket
from copytrade_core.orders.precision import (
    OrderFault,
    OrderFaultKind,
    OrderLimits,
    Quantised,
    check_order,
    quantise,
    to_venue_grid,
)

K = OrderFaultKind
BTC = Market("BTC/USDT:USDT")
LIMITS = OrderLimits(
    id_length_max=26, id_alphabet="abcdefghijklmnopqrstuvwxyz234567", id_prefix_taken="t", has_stops=True
)


def a_market(*, tick: str = "0.1", step: str = "0.001", contract: int = 1, **changes) -> VenueMarket:
    instrument = Instrument(
        market=BTC,
        tick_size=Decimal(tick),
        step_size=Decimal(step),
        min_quantity=Steps(2),
        min_notional=Money(5 * 10**8),
        as_of=datetime(2026, 1, 1, tzinfo=UTC),
        source="test",
    )
    usual = VenueMarket(instrument=instrument, symbol="BTC-USDT", contract_steps=Steps(contract), is_open=True)
    return dataclasses.replace(usual, **changes)


def an_order(**changes) -> Order:
    usual = Order(
        client_order_id="c" + "a" * 25,
        kind=IntentKind.OPEN,
        episode_id="e",
        market=BTC,
        side=Side.LONG,
        leg="",
        replaces="",
        buys=True,
        reduce_only=False,
        style=LimitStyle(price=Ticks(300_000), post_only=False),
        quantity=Steps(10),
        worst_notional=Money(0),
        live_from_ms=0,
        expires_at_ms=None,
        reason="",
    )
    return dataclasses.replace(usual, **changes)


def limit(price: int) -> LimitStyle:
    return LimitStyle(price=Ticks(price), post_only=False)


def test_a_good_order_has_no_fault():
    assert check_order(an_order(), a_market(), LIMITS, mark=None) is None
    assert check_order(an_order(style=MarketStyle()), a_market(), LIMITS, mark=Ticks(300_000)) is None


FAULTS = [
    ({"market": Market("ETH/USDT:USDT")}, {}, K.WRONG_MARKET, "market"),
    ({}, {"is_open": False}, K.MARKET_CLOSED, "market"),
    ({"client_order_id": ""}, {}, K.BAD_ID, "client_order_id"),
    ({"client_order_id": "c" * 27}, {}, K.BAD_ID, "client_order_id"),
    ({"client_order_id": "cA"}, {}, K.BAD_ID, "client_order_id"),
    ({"client_order_id": "ta"}, {}, K.BAD_ID, "client_order_id"),
    ({"quantity": Steps(0)}, {}, K.OUT_OF_RANGE, "quantity"),
    ({"quantity": Steps(10**12 + 1)}, {}, K.OUT_OF_RANGE, "quantity"),
    ({"quantity": Steps(15)}, {"contract_steps": Steps(10)}, K.OFF_GRID, "quantity"),
    ({"quantity": Steps(1)}, {}, K.BELOW_MIN_QUANTITY, "quantity"),
    ({"style": limit(0)}, {}, K.OUT_OF_RANGE, "price"),
    ({"style": limit(2**31)}, {}, K.OUT_OF_RANGE, "price"),
    ({"style": limit(1)}, {}, K.BELOW_MIN_NOTIONAL, "notional"),
    ({"style": limit(2**31 - 1), "quantity": Steps(10**9)}, {}, K.OUT_OF_RANGE, "notional"),
    ({"style": MarketStyle()}, {}, K.NO_REFERENCE_PRICE, "price"),
]


@pytest.mark.parametrize(("order", "market", "kind", "field"), FAULTS)
def test_a_fault_names_the_field(order, market, kind, field):
    found = check_order(an_order(**order), a_market(**market), LIMITS, mark=None)
    assert found is not None
    assert (found.kind, found.field) == (kind, field)


def test_a_stop_is_refused_where_it_could_not_be_found_again():
    stop = an_order(style=StopStyle(trigger=Ticks(300_000)), reduce_only=True)
    assert check_order(stop, a_market(), LIMITS, mark=None) is None
    found = check_order(stop, a_market(), dataclasses.replace(LIMITS, has_stops=False), mark=None)
    assert found is not None
    assert (found.kind, found.field) == (K.STYLE_UNSUPPORTED, "style")


def test_a_reduction_is_never_refused_for_being_small_or_for_a_closed_market():
    close = an_order(reduce_only=True, quantity=Steps(1), style=MarketStyle())
    assert check_order(close, a_market(is_open=False), LIMITS, mark=None) is None


def test_a_quantity_is_rounded_down_to_whole_contracts_and_the_change_is_told():
    assert quantise(Decimal("0.0237"), Decimal("30000.04"), a_market(contract=10), buys=True) == Quantised(
        quantity=Steps(20), price=Ticks(300_001), quantity_change_bps=1562, price_change_bps=1
    )
    sold = quantise(Decimal("0.02"), Decimal("30000.04"), a_market(), buys=False)
    assert sold == Quantised(quantity=Steps(20), price=Ticks(300_000), quantity_change_bps=0, price_change_bps=1)
    unpriced = quantise(Decimal("0.02"), None, a_market(), buys=False)
    assert isinstance(unpriced, Quantised)
    assert unpriced.price is None


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "0", "-1"])
@pytest.mark.parametrize("field", ["quantity", "price"])
def test_what_is_no_positive_number_is_refused(field, value):
    given_ = {"quantity": Decimal(1), "price": Decimal(1)} | {field: Decimal(value)}
    found = quantise(given_["quantity"], given_["price"], a_market(), buys=True)
    assert isinstance(found, OrderFault)
    assert (found.kind, found.field) == (K.NOT_FINITE, field)


@pytest.mark.parametrize(
    ("quantity", "price", "field"),
    [("0.0009", "1", "quantity"), ("1E+10", "1", "quantity"), ("1", "1E+9", "price"), ("1", "0.01", "price")],
)
def test_what_is_off_the_scale_is_refused(quantity, price, field):
    found = quantise(Decimal(quantity), Decimal(price), a_market(), buys=False)
    assert isinstance(found, OrderFault)
    assert (found.kind, found.field) == (K.OUT_OF_RANGE, field)


@given(
    quantity=st.decimals(min_value="0.001", max_value="1000", places=8),
    price=st.decimals(min_value="1", max_value="100000", places=6),
    contract=st.sampled_from([1, 10, 1000]),
    buys=st.booleans(),
)
def test_nothing_grows_and_the_change_is_never_understated(quantity, price, contract, buys):
    market = a_market(contract=contract)
    done = quantise(quantity, price, market, buys=buys)
    instrument = market.instrument
    if isinstance(done, OrderFault):
        assert quantity < instrument.step_size * contract
        return
    asked = instrument.quantity(done.quantity)
    assert asked <= quantity < asked + instrument.step_size * contract
    assert done.quantity % contract == 0
    assert done.price is not None
    spoken = instrument.price(done.price)
    assert (spoken >= price) if buys else (spoken <= price)
    assert abs(spoken - price) < instrument.tick_size
    for change, before, after in (
        (done.quantity_change_bps, quantity, asked),
        (done.price_change_bps, price, spoken),
    ):
        assert change * before >= abs(after - before) * 10_000 > (change - 1) * before


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        (limit(300_004), limit(30_001)),
        (StopStyle(trigger=Ticks(300_004)), StopStyle(trigger=Ticks(30_001))),
        (MarketStyle(), MarketStyle()),
    ],
)
def test_an_order_is_recounted_on_the_venues_grid(style, expected):
    ours, theirs = a_market().instrument, a_market(tick="1", step="0.01")
    moved = to_venue_grid(an_order(style=style, quantity=Steps(1234)), ours, theirs)
    assert not isinstance(moved, OrderFault)
    order, change = moved
    assert (order.style, order.quantity, order.client_order_id) == (expected, 123, an_order().client_order_id)
    assert change.quantity_change_bps == 33
    assert isinstance(to_venue_grid(an_order(quantity=Steps(9)), ours, theirs), OrderFault)
