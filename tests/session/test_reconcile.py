"""Ledger against venue: equal, explained by what is in flight, a mismatch, or foreign."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.intent import IntentKind
from copytrade_core.model.order_row import OrderRow, OrderState
from copytrade_core.model.side import Side
from copytrade_core.model.units import Steps
from copytrade_core.model.venue import PositionMode
from copytrade_core.orders.lifecycle import moved
from copytrade_core.session.foreign_closes import shares_of
from copytrade_core.session.reconcile import Agreement, compare
from tests.order_floor import an_order, planned_row, position, sent_row, trade, venue_order
from tests.trading_floor import START_MS, holding

HEDGE, ONE_WAY = PositionMode.HEDGE, PositionMode.ONE_WAY


def compared(*, held=(), rows=(), positions=(), open_orders=(), mode=HEDGE):
    by_id: dict[str, OrderRow] = {row.order.client_order_id: row for row in rows}
    return compare(holdings=held, rows=by_id, positions=positions, open_orders=open_orders, mode=mode, at_ms=START_MS)


def test_what_the_ledger_holds_and_the_venue_shows_is_equal():
    result = compared(held=[holding("one", quantity=60), holding("two", quantity=40)], positions=[position(100)])
    assert [line.agreement for line in result.lines] == [Agreement.EQUAL]
    assert result.fault is None


def test_a_difference_within_what_is_in_flight_is_explained():
    row = sent_row(an_order(quantity=40))
    for venue in (60, 80, 100):
        result = compared(held=[holding("one", quantity=60)], rows=[row], positions=[position(venue)])
        assert result.fault is None, venue
    beyond = compared(held=[holding("one", quantity=60)], rows=[row], positions=[position(101)])
    assert beyond.lines[0].agreement is Agreement.MISMATCH


def test_an_order_that_never_left_explains_nothing():
    row = planned_row(an_order(quantity=40))
    result = compared(held=[holding("one", quantity=60)], rows=[row], positions=[position(100)])
    assert result.lines[0].agreement is Agreement.MISMATCH


def test_an_exit_in_flight_explains_less_and_never_the_other_side():
    row = sent_row(an_order(kind=IntentKind.CLOSE, quantity=60))
    held = [holding("one", quantity=60)]
    assert compared(held=held, rows=[row], positions=[]).fault is None
    assert compared(held=held, rows=[row], positions=[position(70)]).fault is not None


def test_a_position_nobody_here_has_is_foreign_and_blocks():
    result = compared(positions=[position(5, Side.SHORT)])
    assert (result.lines, result.foreign_positions) == ((), (position(5, Side.SHORT),))
    assert result.fault is not None


def test_an_order_nobody_here_knows_is_foreign_and_blocks():
    row = sent_row()
    stranger = replace(venue_order(row), client_order_id=None)
    assert compared(rows=[row], open_orders=[venue_order(row)]).fault is None
    assert compared(rows=[row], open_orders=[stranger]).foreign_orders == (stranger,)
    assert compared(open_orders=[venue_order(row)]).fault is not None


def test_both_legs_of_a_hedge_are_compared_each_for_itself():
    held = [holding("long", quantity=60), holding("short", quantity=60, side=Side.SHORT)]
    both = [position(60), position(60, Side.SHORT)]
    assert compared(held=held, positions=both).fault is None
    assert compared(held=held, positions=[]).fault is not None, "two legs gone are not one leg flat"


@given(long=st.integers(1, 100), short=st.integers(1, 100))
def test_one_way_accounts_are_compared_net(long, short):
    held = [holding("long", quantity=long), holding("short", quantity=short, side=Side.SHORT)]
    net = long - short
    shown = [position(abs(net), Side.LONG if net > 0 else Side.SHORT)] if net else []
    assert compared(held=held, positions=shown, mode=ONE_WAY).fault is None


@given(
    held=st.integers(0, 50),
    entering=st.integers(1, 50),
    filled=st.integers(0, 50),
    venue=st.integers(0, 120),
    state=st.sampled_from([OrderState.JOURNALLED, OrderState.UNKNOWN, OrderState.SUBMITTED]),
)
def test_a_difference_is_explained_exactly_within_the_open_quantity(held, entering, filled, venue, state):
    filled = min(filled, entering)
    row = sent_row(an_order(quantity=entering))
    row = row if state is OrderState.JOURNALLED else moved(row, state, "")
    row = replace(row, filled=Steps(filled))
    result = compared(
        held=[holding("one", quantity=held)] if held else [],
        rows=[row],
        positions=[position(venue)] if venue else [],
    )
    assert (result.fault is None) == (held <= venue <= held + entering - filled)


def test_foreign_closes_that_add_up_are_shared_oldest_holding_first():
    old, new = holding("old", quantity=60), holding("new", quantity=40, minutes=5)
    shares = shares_of([trade("a", quantity=70), trade("b", quantity=30)], [new, old], 100)
    assert shares is not None
    assert [(s.trade.trade_id, s.holding.episode_id, s.quantity) for s in shares] == [
        ("a", "old", 60),
        ("a", "new", 10),
        ("b", "new", 30),
    ]
    assert len({s.fill_id for s in shares}) == 3


@given(
    trades=st.lists(st.integers(1, 50), min_size=1, max_size=5),
    held=st.lists(st.integers(1, 50), min_size=1, max_size=4),
    missing=st.integers(1, 200),
)
def test_foreign_closes_explain_everything_that_is_missing_or_nothing(trades, held, missing):
    missing = min(missing, sum(held))
    shares = shares_of(
        [trade(f"t{n}", quantity=quantity) for n, quantity in enumerate(trades)],
        [holding(f"e{n}", quantity=quantity, minutes=n) for n, quantity in enumerate(held)],
        missing,
    )
    assert (shares is not None) == (sum(trades) == missing)
    if shares is not None:
        assert sum(share.quantity for share in shares) == missing
        for n, quantity in enumerate(held):
            assert sum(share.quantity for share in shares if share.holding.episode_id == f"e{n}") <= quantity
        assert len({share.fill_id for share in shares}) == len(shares)
