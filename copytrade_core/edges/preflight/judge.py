"""The invariants of a session, judged at the venue when a drill is over: return values are no evidence.

How a drill is driven does not belong here; what a particular scenario must come to is in `scenarios`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from copytrade_core.edges.preflight.judge_caps import over_the_caps
from copytrade_core.edges.preflight.record import DrillRecord
from copytrade_core.edges.preflight.venue_ledger import LedgerOrder
from copytrade_core.model.alert import AlertKind
from copytrade_core.model.instrument import Market
from copytrade_core.model.order_row import OrderRow, OrderState
from copytrade_core.model.side import Side
from copytrade_core.model.verdict import RefusalReason, Refused


class Invariant(StrEnum):
    """What must hold after every drill."""

    ONE_ORDER_PER_INTENT = "one_order_per_intent"
    JOURNAL_FIRST = "journal_first"
    NO_BLIND_RESEND = "no_blind_resend"
    NOTHING_BESIDE_UNKNOWN = "nothing_beside_unknown"
    POSITION_IS_FILLS = "position_is_fills"
    BOOK_IS_VENUE = "book_is_venue"
    SOURCE_CLOSE_ENDS = "source_close_ends"
    NOTHING_AFTER_STOP = "nothing_after_stop"
    EXITS_NEVER_HELD_BACK = "exits_never_held_back"
    UNKNOWN_RESOLVED_OR_HALTED = "unknown_resolved_or_halted"
    RESTART_CHANGES_NOTHING = "restart_changes_nothing"
    WITHIN_CAPS = "within_caps"
    STALE_BLOCKS_ENTRIES = "stale_blocks_entries"
    FOREIGN_UNTOUCHED = "foreign_untouched"
    STAND_IN_UNDERSTOOD = "stand_in_understood"
    NEVER_FLAT_BY_ACCIDENT = "never_flat_by_accident"
    COMES_TO_REST = "comes_to_rest"
    SESSION_SURVIVES = "session_survives"
    """No venue and no network may end a session with an exception."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One broken invariant and what broke it."""

    invariant: Invariant
    what: str


_PLAIN_REFUSALS = (
    RefusalReason.NO_POSITION,
    RefusalReason.MISSING_QUANTITY,
    RefusalReason.EXPIRED,
    RefusalReason.BELOW_MINIMUM,
)
"""Why an exit may be refused: there is nothing to leave, or the wish itself is broken. A budget is not among them."""


def judge(record: DrillRecord) -> tuple[Violation, ...]:
    """Every broken invariant of one drill; a restart is compared with an uninterrupted run in `comparison`."""
    found: list[Violation] = []
    for rule in _RULES:
        found.extend(rule(record))
    return tuple(found)


def _ours(record: DrillRecord) -> dict[str, list[LedgerOrder]]:
    """The venue's orders that carry an id of ours."""
    by_id: defaultdict[str, list[LedgerOrder]] = defaultdict(list)
    for order in record.ledger.orders:
        if order.client_order_id is not None and order.client_order_id in record.rows:
            by_id[order.client_order_id].append(order)
    return by_id


def _one_order_per_intent(record: DrillRecord) -> Iterator[Violation]:
    """At most one live order for one leg of one episode, and never more filled than one of them asked for."""
    ours = _ours(record)
    for client_order_id, orders in ours.items():
        if len(orders) > 1:
            yield _broken(Invariant.ONE_ORDER_PER_INTENT, f"{len(orders)} orders with the id {client_order_id}")
    legs: defaultdict[tuple[str, str], list[LedgerOrder]] = defaultdict(list)
    asked: dict[tuple[str, str], int] = {}
    for client_order_id, orders in ours.items():
        row = record.rows[client_order_id]
        leg = (row.order.episode_id, row.order.leg)
        legs[leg].extend(orders)
        asked[leg] = max(asked.get(leg, 0), row.order.quantity)
    for leg, orders in legs.items():
        in_time = sorted(orders, key=lambda order: (order.created_at_ms, order.venue_order_id))
        for earlier, later in pairwise(in_time):
            if earlier.ended_at_ms is None or earlier.ended_at_ms > later.created_at_ms:
                yield _broken(Invariant.ONE_ORDER_PER_INTENT, f"two orders worked at once for {leg}")
        if sum(order.filled for order in orders) > asked[leg]:
            yield _broken(Invariant.ONE_ORDER_PER_INTENT, f"{leg} filled more than it asked for")


def _journal_first(record: DrillRecord) -> Iterator[Violation]:
    for sent in record.sent:
        if not sent.journalled:
            yield _broken(
                Invariant.JOURNAL_FIRST, f"{sent.order.client_order_id} left at step {sent.step} before its row"
            )


def _no_blind_resend(record: DrillRecord) -> Iterator[Violation]:
    """The same bytes leave twice only when the first can take effect no more."""
    last: dict[str, int] = {}
    for sent in record.sent:
        client_order_id = sent.order.client_order_id
        before = last.get(client_order_id)
        if before is not None and sent.at_ms <= before + record.submit_deadline_ms:
            yield _broken(Invariant.NO_BLIND_RESEND, f"{client_order_id} left twice within its deadline")
        last[client_order_id] = sent.at_ms


def _nothing_beside_unknown(record: DrillRecord) -> Iterator[Violation]:
    for sent in record.sent:
        if sent.beside is not None:
            yield _broken(Invariant.NOTHING_BESIDE_UNKNOWN, f"{sent.order.leg} left while {sent.beside} was unknown")


def _position_is_fills(record: DrillRecord) -> Iterator[Violation]:
    """What the venue holds is what our intents filled and what others did, nothing else."""
    expected: defaultdict[tuple[Market, Side], int] = defaultdict(int)
    for (market, side), steps in record.foreign_steps.items():
        expected[market, side] += steps
    for row, steps in _filled(record):
        expected[row.order.market, row.order.side] += steps
    actual = {(each.market, each.side): int(each.quantity) for each in record.ledger.positions}
    for key in sorted({*expected, *actual}):
        if expected[key] != actual.get(key, 0):
            yield _broken(
                Invariant.POSITION_IS_FILLS,
                f"{key}: fills explain {expected[key]}, the venue holds {actual.get(key, 0)}",
            )


def _filled(record: DrillRecord) -> Iterator[tuple[OrderRow, int]]:
    """Steps each row filled at the venue, negative for exits."""
    ids = {
        order.venue_order_id: record.rows[order.client_order_id]
        for orders in _ours(record).values()
        for order in orders
        if order.client_order_id is not None
    }
    for fill in record.ledger.fills:
        row = ids.get(fill.venue_order_id)
        if row is not None:
            yield row, int(fill.quantity) if row.order.kind.is_entry else -int(fill.quantity)


def _by_episode(record: DrillRecord) -> dict[str, int]:
    """Steps of ours at the venue for each episode."""
    held: defaultdict[str, int] = defaultdict(int)
    for row, steps in _filled(record):
        held[row.order.episode_id] += steps
    return held


def _told_a_person(record: DrillRecord, episode_id: str) -> bool:
    """Whether an alert names the episode, one of its orders, or its market."""
    rows = [row for row in record.rows.values() if row.order.episode_id == episode_id]
    subjects = {episode_id, *(row.order.client_order_id for row in rows), *(str(row.order.market) for row in rows)}
    return any(alert.subject in subjects or alert.subject.startswith(tuple(subjects)) for alert in record.alerts)


def _book_is_venue(record: DrillRecord) -> Iterator[Violation]:
    """The book holds for each episode what its orders filled, or a person was told why not."""
    held = _by_episode(record)
    touched = {key for key, steps in record.foreign_steps.items() if steps}
    for episode_id in {*held, *record.book.holdings}:
        holding = record.book.holdings.get(episode_id)
        booked = 0 if holding is None else int(holding.quantity)
        if booked == held.get(episode_id, 0) or _told_a_person(record, episode_id):
            continue
        places = {
            (row.order.market, row.order.side) for row in record.rows.values() if row.order.episode_id == episode_id
        }
        if not places & touched:
            yield _broken(
                Invariant.BOOK_IS_VENUE, f"{episode_id}: the book holds {booked}, its orders {held.get(episode_id, 0)}"
            )


def _source_close_ends(record: DrillRecord) -> Iterator[Violation]:
    if record.halted or not record.schedule.story.policy.exit.follows_source_close:
        return
    held = _by_episode(record)
    open_at_venue = {(each.market, each.side) for each in record.ledger.positions}
    for episode_id in record.closed_told:
        places = {
            (row.order.market, row.order.side) for row in record.rows.values() if row.order.episode_id == episode_id
        }
        if held.get(episode_id, 0) > 0 and places & open_at_venue and not _told_a_person(record, episode_id):
            yield _broken(
                Invariant.SOURCE_CLOSE_ENDS, f"{episode_id} was closed by its source and {held[episode_id]} stay"
            )


def _nothing_after_stop(record: DrillRecord) -> Iterator[Violation]:
    for sent in record.sent:
        controls = sent.controls
        entry_stopped = sent.order.kind.is_entry and controls.stop_new_orders
        if controls.kill or entry_stopped:
            yield _broken(
                Invariant.NOTHING_AFTER_STOP,
                f"{sent.order.kind} {sent.order.leg} left at step {sent.step} after a stop",
            )


def _exits_never_held_back(record: DrillRecord) -> Iterator[Violation]:
    for each in record.records:
        if isinstance(each, Refused) and not each.intent.kind.is_entry and each.reason not in _PLAIN_REFUSALS:
            yield _broken(Invariant.EXITS_NEVER_HELD_BACK, f"{each.intent.leg} was refused: {each.reason}")
    unresolved = any(row.state.is_unresolved for row in record.rows.values())
    for row in record.rows.values():
        if row.order.reduce_only and row.state is OrderState.PLANNED and not unresolved and not record.halted:
            yield _broken(Invariant.EXITS_NEVER_HELD_BACK, f"{row.order.leg} of {row.order.episode_id} never left")


def _unknown_resolved_or_halted(record: DrillRecord) -> Iterator[Violation]:
    told = {alert.subject for alert in record.alerts if alert.kind is AlertKind.UNRESOLVED_ORDER}
    for client_order_id, row in record.rows.items():
        if not row.state.is_unresolved or record.halted:
            continue
        if not (record.controls.stop_new_orders and client_order_id in told):
            yield _broken(
                Invariant.UNKNOWN_RESOLVED_OR_HALTED, f"{client_order_id} is {row.state}, and nobody was told"
            )


def _stale_blocks_entries(record: DrillRecord) -> Iterator[Violation]:
    for what in record.stale_entries:
        yield _broken(Invariant.STALE_BLOCKS_ENTRIES, what)


def _foreign_untouched(record: DrillRecord) -> Iterator[Violation]:
    for client_order_id in record.cancelled:
        if client_order_id not in record.rows:
            yield _broken(Invariant.FOREIGN_UNTOUCHED, f"{client_order_id} is not ours and was cancelled")
    for order in record.ledger.orders:
        if order.client_order_id not in record.rows and not order.is_live and not order.filled:
            yield _broken(Invariant.FOREIGN_UNTOUCHED, f"foreign order {order.venue_order_id} ended")
    for episode_id, steps in _by_episode(record).items():
        if steps < 0:
            yield _broken(Invariant.FOREIGN_UNTOUCHED, f"{episode_id} closed {-steps} steps more than it held")


def _stand_in_understood(record: DrillRecord) -> Iterator[Violation]:
    for request in record.ledger.unknown_requests:
        yield _broken(Invariant.STAND_IN_UNDERSTOOD, f"the stand-in does not know {request}")


def _never_flat_by_accident(record: DrillRecord) -> Iterator[Violation]:
    for what in record.accidents:
        yield _broken(Invariant.NEVER_FLAT_BY_ACCIDENT, what)


def _comes_to_rest(record: DrillRecord) -> Iterator[Violation]:
    unresolved = any(row.state.is_unresolved for row in record.rows.values())
    if not record.settled and not record.halted and not unresolved:
        states = sorted({f"{row.order.kind} {row.state}" for row in record.rows.values() if not row.state.is_final})
        yield _broken(Invariant.COMES_TO_REST, f"still at work at the end: {', '.join(states) or 'nothing live'}")


def _within_caps(record: DrillRecord) -> Iterator[Violation]:
    for what in over_the_caps(record):
        yield _broken(Invariant.WITHIN_CAPS, what)


def _broken(invariant: Invariant, what: str) -> Violation:
    return Violation(invariant=invariant, what=what)


_RULES = (
    _one_order_per_intent,
    _journal_first,
    _no_blind_resend,
    _nothing_beside_unknown,
    _position_is_fills,
    _book_is_venue,
    _source_close_ends,
    _nothing_after_stop,
    _exits_never_held_back,
    _unknown_resolved_or_halted,
    _within_caps,
    _stale_blocks_entries,
    _foreign_untouched,
    _stand_in_understood,
    _never_flat_by_accident,
    _comes_to_rest,
)
