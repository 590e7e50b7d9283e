"""Funding is owed by what was held at its instant: later fills are undone, whatever is held now."""

from __future__ import annotations

from copytrade_core.ledger.post import opened_book, post_funding
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps
from copytrade_core.session.held_then import HeldThen, held_then
from copytrade_core.session.ports import Traded
from tests.trading_floor import BTC

DUE = 1_000_000
BOOK = opened_book(Money(1_000))


def traded(change: int, at_ms: int) -> Traded:
    return Traded(episode_id="one", market=BTC, side=Side.LONG, change=Steps(change), time_ms=at_ms)


def test_what_was_closed_after_the_instant_was_held_at_it():
    fills = [traded(5, DUE - 10), traded(3, DUE - 5), traded(-8, DUE + 1)]
    assert held_then(BOOK, fills, BTC, DUE) == (HeldThen(episode_id="one", side=Side.LONG, quantity=Steps(8)),)


def test_what_was_closed_before_or_opened_after_the_instant_was_not():
    assert held_then(BOOK, [traded(5, DUE - 10), traded(-5, DUE)], BTC, DUE) == ()
    assert held_then(BOOK, [traded(5, DUE + 1), traded(-5, DUE + 2)], BTC, DUE) == ()


def test_a_payment_of_what_is_held_no_more_leaves_the_cash_all_the_same():
    assert post_funding(BOOK, "one", Money(7)).cash == 993
