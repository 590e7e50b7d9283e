"""Each invariant of the judge bites: one change to what a good drill left behind breaks exactly what it should."""

from __future__ import annotations

from dataclasses import replace

import pytest

from copytrade_core.edges.preflight.drill_markets import FIRST_MARKET
from copytrade_core.edges.preflight.drill_policies import DRILL_POLICIES
from copytrade_core.edges.preflight.judge import Invariant, judge
from copytrade_core.edges.preflight.run import RULES
from copytrade_core.edges.preflight.scenarios import BY_NAME
from copytrade_core.edges.preflight.simulation import in_process, judged
from copytrade_core.edges.preflight.venue_ledger import LedgerPosition
from copytrade_core.model.alert import Alert, AlertKind
from copytrade_core.model.order_row import OrderState
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps
from copytrade_core.model.venue import Venue
from tests.session.broken_brokers import Passing

ARENA = in_process(RULES[Venue.BINGX], DRILL_POLICIES)
GOOD = judged(BY_NAME["plain_trade"].schedule(Venue.BINGX), ARENA).record


def ledger(record, **changes):
    return replace(record, ledger=replace(record.ledger, **changes))


def first_sent(record, **changes):
    return replace(record, sent=(replace(record.sent[0], **changes), *record.sent[1:]))


def row_of_close(record, **changes):
    key, row = next((key, row) for key, row in record.rows.items() if row.order.reduce_only)
    return replace(record, rows={**record.rows, key: replace(row, **changes)})


def close_never_was(record):
    """The close is at the venue no more, and what it closed is still there."""
    close = next(order for order in record.ledger.orders if order.reduces)
    held = LedgerPosition(market=FIRST_MARKET, side=Side.LONG, quantity=close.filled)
    fills = tuple(fill for fill in record.ledger.fills if fill.venue_order_id != close.venue_order_id)
    orders = tuple(order for order in record.ledger.orders if order is not close)
    return ledger(record, orders=orders, fills=fills, positions=(held,))


STRANGE = LedgerPosition(market=FIRST_MARKET, side=Side.SHORT, quantity=Steps(5))
FORGED = {
    Invariant.ONE_ORDER_PER_INTENT: lambda r: ledger(r, orders=(r.ledger.orders[2], *r.ledger.orders)),
    Invariant.JOURNAL_FIRST: lambda r: first_sent(r, journalled=False),
    Invariant.NO_BLIND_RESEND: lambda r: replace(r, sent=(r.sent[0], *r.sent)),
    Invariant.NOTHING_BESIDE_UNKNOWN: lambda r: first_sent(r, beside="another"),
    Invariant.POSITION_IS_FILLS: lambda r: ledger(r, positions=(STRANGE,)),
    Invariant.BOOK_IS_VENUE: close_never_was,
    Invariant.SOURCE_CLOSE_ENDS: close_never_was,
    Invariant.NOTHING_AFTER_STOP: lambda r: first_sent(r, controls=replace(r.controls, stop_new_orders=True)),
    Invariant.EXITS_NEVER_HELD_BACK: lambda r: row_of_close(r, state=OrderState.PLANNED),
    Invariant.UNKNOWN_RESOLVED_OR_HALTED: lambda r: row_of_close(r, state=OrderState.UNKNOWN),
    Invariant.WITHIN_CAPS: lambda r: replace(r, gross_cap=Money(1)),
    Invariant.STALE_BLOCKS_ENTRIES: lambda r: replace(r, stale_entries=("a base",)),
    Invariant.FOREIGN_UNTOUCHED: lambda r: replace(r, cancelled=("somebody's",)),
    Invariant.STAND_IN_UNDERSTOOD: lambda r: ledger(r, unknown_requests=("GET /nowhere",)),
    Invariant.NEVER_FLAT_BY_ACCIDENT: lambda r: replace(r, accidents=("an episode",)),
    Invariant.COMES_TO_REST: lambda r: replace(r, settled=False),
}
ELSEWHERE = {Invariant.RESTART_CHANGES_NOTHING, Invariant.SESSION_SURVIVES}
"""The first is a comparison of two drills, the second needs a session that falls over."""


def test_every_invariant_is_tried():
    assert set(FORGED) | ELSEWHERE == set(Invariant)
    assert GOOD is not None
    assert judge(GOOD) == ()


@pytest.mark.parametrize("invariant", FORGED)
def test_a_broken_invariant_is_seen(invariant):
    assert invariant in {each.invariant for each in judge(FORGED[invariant](GOOD))}


def test_a_kill_excuses_what_a_person_wanted():
    halted = replace(close_never_was(GOOD), halted=True)
    assert Invariant.SOURCE_CLOSE_ENDS not in {each.invariant for each in judge(halted)}


def test_an_unknown_order_is_excused_only_by_a_stop_and_an_alert_about_it():
    unknown = row_of_close(GOOD, state=OrderState.UNKNOWN)
    key = next(key for key, row in unknown.rows.items() if row.state is OrderState.UNKNOWN)
    told = replace(unknown, alerts=(Alert(kind=AlertKind.UNRESOLVED_ORDER, subject=key, at_ms=0, what=""),))
    stopped = replace(told, controls=replace(told.controls, stop_new_orders=True))

    def broken(record):
        return Invariant.UNKNOWN_RESOLVED_OR_HALTED in {each.invariant for each in judge(record)}

    assert (broken(unknown), broken(told), broken(stopped)) == (True, True, False)


def test_an_alert_about_something_else_excuses_no_close():
    deaf = replace(
        close_never_was(GOOD), alerts=(Alert(kind=AlertKind.VENUE_UNAVAILABLE, subject="account", at_ms=0, what=""),)
    )
    assert Invariant.SOURCE_CLOSE_ENDS in {each.invariant for each in judge(deaf)}


class FallsOver(Passing):
    """A broker that raises where it should answer."""

    def fills(self, market, *, since_ms):
        raise KeyError("fills")


def test_an_exception_that_ends_a_session_is_a_finding():
    arena = in_process(RULES[Venue.BINGX], DRILL_POLICIES, wrap=FallsOver)
    (found,) = judged(BY_NAME["plain_trade"].schedule(Venue.BINGX), arena).violations
    assert found.invariant is Invariant.SESSION_SURVIVES
    assert "KeyError" in found.what
