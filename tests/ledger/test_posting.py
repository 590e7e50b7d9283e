"""The book keeps every unit of money: nothing is lost to rounding, and cash is the sum of what was realised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.ledger.equity import equity, gross_notional
from copytrade_core.ledger.pnl import linear_pnl
from copytrade_core.ledger.post import closed_holding, opened_book, post_fill, post_funding
from copytrade_core.model.errors import BadInput
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money
from tests.trading_floor import BTC, fill, instrument, usdt

RULES = instrument()
SIDES = st.sampled_from(list(Side))
PRICES = st.integers(50_000, 200_000)
LOTS = st.integers(1, 500)


@given(side=SIDES, entry=st.integers(0, 10**14), leave=st.integers(0, 10**14))
def test_one_formula_serves_both_sides(side, entry, leave):
    won = linear_pnl(side, entry_notional=entry, exit_notional=leave)
    assert won == -linear_pnl(side.opposite, entry_notional=entry, exit_notional=leave)
    assert won == -linear_pnl(side, entry_notional=leave, exit_notional=entry)


@given(
    side=SIDES,
    entries=st.lists(st.tuples(PRICES, LOTS, st.integers(0, 10**6)), min_size=1, max_size=5),
    exits=st.lists(st.tuples(PRICES, st.integers(1, 10**6), st.integers(0, 10**6)), min_size=1, max_size=6),
    funding=st.integers(-(10**7), 10**7),
)
def test_partial_reductions_lose_nothing(side, entries, exits, funding):
    book = opened_book(usdt(100_000))
    paid = got = fees = 0
    for number, (price, lots, cost) in enumerate(entries):
        kind = IntentKind.ADD if number else IntentKind.OPEN
        book = post_fill(book, fill("a", kind=kind, side=side, price=price, quantity=lots, fee=cost), RULES)
        paid += RULES.notional(price, lots)
        fees += cost
    book = post_funding(book, "a", Money(funding))
    last = None
    while "a" in book.holdings:
        for price, share, cost in exits:
            held = book.holdings.get("a")
            if held is None:
                break
            lots = held.quantity if (price, share, cost) == exits[-1] else 1 + share % held.quantity
            leaving = fill("a", kind=IntentKind.CLOSE, side=side, price=price, quantity=lots, fee=cost)
            last = closed_holding(held, leaving, RULES)
            book = post_fill(book, leaving, RULES)
            got += RULES.notional(price, lots)
            fees += cost
    assert last is not None
    assert (last.quantity, last.cost) == (0, 0), "the last reduction takes the last of the cost"
    assert last.realised == side.sign * (got - paid)
    assert (last.fees, last.funding, last.entered) == (fees, funding, paid)
    assert book.cash - book.initial_equity == last.realised - last.fees - last.funding
    assert equity(book, {BTC: RULES}, lambda _: 1) == book.cash


@given(side=SIDES, entry=PRICES, lots=LOTS, mark=PRICES)
def test_equity_is_cash_plus_what_closing_at_the_mark_would_win(side, entry, lots, mark):
    book = post_fill(opened_book(usdt(100_000)), fill("a", side=side, price=entry, quantity=lots), RULES)
    closing = fill("a", kind=IntentKind.CLOSE, side=side, price=mark, quantity=lots)
    assert equity(book, {BTC: RULES}, lambda _: mark) == post_fill(book, closing, RULES).cash
    assert gross_notional(book, {BTC: RULES}, lambda _: mark) == RULES.notional(mark, lots)


def test_more_than_is_held_cannot_be_reduced():
    book = post_fill(opened_book(usdt(1000)), fill("a", quantity=3), RULES)
    with pytest.raises(BadInput, match="reduces more than episode a holds") as caught:
        post_fill(book, fill("a", kind=IntentKind.CLOSE, quantity=4), RULES)
    assert caught.value.where.field == "quantity"


def test_what_is_not_held_cannot_be_reduced():
    with pytest.raises(BadInput, match="holds"):
        post_fill(opened_book(usdt(1000)), fill("a", kind=IntentKind.REDUCE, quantity=1), RULES)


def test_episodes_of_one_market_are_kept_apart():
    book = post_fill(opened_book(usdt(1000)), fill("a", quantity=2, price=100_000), RULES)
    book = post_fill(book, fill("b", side=Side.SHORT, quantity=5, price=100_000), RULES)
    book = post_fill(book, fill("a", kind=IntentKind.CLOSE, quantity=2, price=110_000), RULES)
    assert set(book.holdings) == {"b"}
    assert book.cash == usdt(1000.20)
    assert gross_notional(book, {BTC: RULES}, lambda _: 100_000) == usdt(5)
