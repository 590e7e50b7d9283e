"""Journal records as rows of `session.sqlite`: one SQL statement per table and the values for it. Executes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

import msgspec

from copytrade_core.flow import Record
from copytrade_core.model.alert import Alert
from copytrade_core.model.book import WrittenOff
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.event import FundingPaid
from copytrade_core.model.fill import Fill
from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import Hold, Intent, IntentKind, SyncState
from copytrade_core.model.order import Order
from copytrade_core.model.order_row import OrderRow
from copytrade_core.model.side import Side
from copytrade_core.model.units import Steps
from copytrade_core.model.verdict import Approved, Failing, Refused
from copytrade_core.session.ports import Traded
from copytrade_core.session.snapshot import encode_row

Values = tuple[str | int | float | None, ...]
Known = dict[str, tuple[OrderRow, bytes]]
"""Order rows by client order id, each with its JSON."""

INSERT_ORDER = """INSERT INTO orders (client_order_id, sequence, run, intent_digest, kind, episode_id, market, side,
    leg, buys, reduce_only, quantity, planned_at_ms, state, is_final, filled, sent_at_ms, deadline_ms, venue_order_id,
    changed_at_ms, why, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
UPDATE_ORDER = """UPDATE orders SET state = ?, is_final = ?, filled = ?, sent_at_ms = ?, deadline_ms = ?,
    venue_order_id = ?, changed_at_ms = ?, why = ?, body = ? WHERE client_order_id = ?"""
INSERT_HISTORY = """INSERT INTO order_history (run, client_order_id, state, filled, at_ms, why)
    VALUES (?, ?, ?, ?, ?, ?)"""
INSERT_FILL_ID = "INSERT INTO fill_ids (fill_id, run, at_ms) VALUES (?, ?, ?)"
INSERT_ALERT = "INSERT INTO alerts (run, at_ms, kind, subject, what) VALUES (?, ?, ?, ?, ?)"
PUT_DONE = """INSERT INTO done_trades (episode_id, run, at_ms, body) VALUES (?, ?, ?, ?) ON CONFLICT (episode_id)
    DO UPDATE SET run = excluded.run, at_ms = excluded.at_ms, body = excluded.body"""
PUT_STATE = """INSERT INTO state (slot, run, at_ms, body, cursor) VALUES (1, ?, ?, ?, ?) ON CONFLICT (slot) DO UPDATE
    SET run = excluded.run, at_ms = excluded.at_ms, body = coalesce(excluded.body, body),
    cursor = coalesce(excluded.cursor, cursor)"""

_INSERT_FILL = """INSERT INTO fills (run, at_ms, client_order_id, kind, episode_id, market, side, leg, buys, time_ms,
    raw_price, price, quantity, fee, slippage, model, reason)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_INSERT_INTENT = """INSERT INTO intents (run, at_ms, kind, episode_id, market, side, leg, outcome, reason,
    client_order_id, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_INSERT_DECISION = """INSERT INTO decisions (run, at_ms, decision, episode_id, leg, reason, numbers, detail)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_INSERT_FUNDING = "INSERT INTO funding (run, at_ms, episode_id, market, cost, time_ms) VALUES (?, ?, ?, ?, ?, ?)"


def changed_rows(rows: tuple[OrderRow, ...], known: Mapping[str, tuple[OrderRow, bytes]]) -> Known:
    """The rows that differ from what is committed; the last of several with one id.

    Raises:
        BadInput: a client order id that another intent has.
    """
    changed: Known = {}
    for row in rows:
        body, order_id = encode_row(row), row.order.client_order_id
        before = known.get(order_id)
        if before is not None and before[0].intent_digest != row.intent_digest:
            raise BadInput(f"the client order id {order_id} names another intent", where=Where(field="client_order_id"))
        if before is None or before[1] != body:
            changed[order_id] = (row, body)
        else:
            changed.pop(order_id, None)
    return changed


def new_order_values(row: OrderRow, body: str, *, sequence: int, run: int, at_ms: int) -> Values:
    """What `INSERT_ORDER` takes."""
    order = row.order
    return (
        order.client_order_id,
        sequence,
        run,
        row.intent_digest,
        order.kind.value,
        order.episode_id,
        order.market,
        order.side.value,
        order.leg,
        order.buys,
        order.reduce_only,
        order.quantity,
        row.planned_at_ms,
        *_changing(row, body, at_ms=at_ms),
    )


def changed_order_values(row: OrderRow, body: str, *, at_ms: int) -> Values:
    """What `UPDATE_ORDER` takes."""
    return (*_changing(row, body, at_ms=at_ms), row.order.client_order_id)


def _changing(row: OrderRow, body: str, *, at_ms: int) -> Values:
    return (
        row.state.value,
        row.state.is_final,
        row.filled,
        row.sent_at_ms,
        row.deadline_ms,
        row.venue_order_id,
        at_ms,
        row.why,
        body,
    )


def history_values(row: OrderRow, *, run: int, at_ms: int) -> Values:
    """What `INSERT_HISTORY` takes."""
    return (run, row.order.client_order_id, row.state.value, row.filled, at_ms, row.why)


def alert_values(alert: Alert, *, run: int) -> Values:
    """What `INSERT_ALERT` takes."""
    return (run, alert.at_ms, alert.kind.value, alert.subject, alert.what)


TRADED = "SELECT episode_id, market, side, kind, quantity, time_ms FROM fills ORDER BY number"


def traded_of_row(row: tuple[str, str, str, str, int, int]) -> Traded:
    """A row of `TRADED`."""
    episode_id, market, side, kind, quantity, time_ms = row
    change = Steps(quantity if IntentKind(kind).is_entry else -quantity)
    return Traded(episode_id=episode_id, market=Market(market), side=Side(side), change=change, time_ms=time_ms)


def record_rows(records: Sequence[Record], *, run: int, at_ms: int) -> Iterator[tuple[str, Values]]:
    """The statements that keep what a step left behind: fills, funding, intents and decisions.

    An order's record follows the approval of the intent that it was built from.
    """
    approved: Approved | None = None
    for record in records:
        match record:
            case Approved():
                approved = record
            case Fill():
                yield _INSERT_FILL, _fill_values(record, run, at_ms)
            case Order():
                yield _INSERT_INTENT, _ordered_values(record, approved, run, at_ms)
            case Refused():
                yield _INSERT_INTENT, _refused_values(record, run, at_ms)
                for failing in (record, *record.also):
                    yield _INSERT_DECISION, _failing_values(record.intent, failing, run, at_ms)
            case Hold():
                numbers = _json(dict(record.numbers))
                yield _INSERT_DECISION, (run, at_ms, "hold", record.episode_id, None, record.reason, numbers, "")
            case SyncState():
                yield _INSERT_DECISION, (run, at_ms, "sync", record.episode_id, None, record.reason, "{}", "")
            case FundingPaid(episode_id=episode_id, market=market, cost=cost, time_ms=time_ms):
                yield _INSERT_FUNDING, (run, at_ms, episode_id, market, cost, time_ms)
            case WrittenOff(holding=holding):
                values = (run, at_ms, "written_off", holding.episode_id, None, "unexplained", _json(holding), "")
                yield _INSERT_DECISION, values
            case _:
                assert_never(record)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _failing_values(intent: Intent, failing: Refused | Failing, run: int, at_ms: int) -> Values:
    numbers = _json(dict(failing.numbers))
    return (run, at_ms, "refused", intent.episode_id, intent.leg, failing.reason.value, numbers, failing.detail)


def _fill_values(fill: Fill, run: int, at_ms: int) -> Values:
    return (
        run,
        at_ms,
        fill.client_order_id,
        fill.kind.value,
        fill.episode_id,
        fill.market,
        fill.side.value,
        fill.leg,
        fill.buys,
        fill.time_ms,
        fill.raw_price,
        fill.price,
        fill.quantity,
        fill.fee,
        fill.slippage,
        fill.model.value,
        fill.reason,
    )


def _ordered_values(order: Order, approved: Approved | None, run: int, at_ms: int) -> Values:
    body = _json(order if approved is None else approved.intent)
    wish = (order.kind.value, order.episode_id, order.market, order.side.value, order.leg)
    return (run, at_ms, *wish, "ordered", order.reason, order.client_order_id, body)


def _refused_values(refused: Refused, run: int, at_ms: int) -> Values:
    intent = refused.intent
    body = _json(intent)
    wish = (intent.kind.value, intent.episode_id, intent.market, intent.side.value, intent.leg)
    return (run, at_ms, *wish, "refused", refused.reason.value, None, body)
