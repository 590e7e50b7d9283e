"""What a session did with each intent, read from its journal for a parity table. Comparing is `evidence.parity_paths`.

Read only; a journal of another session is refused by `who`.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import msgspec

from copytrade_core.edges.runtime.session_reader import owners, reading
from copytrade_core.evidence.parity import TradePath, Wish
from copytrade_core.evidence.parity_paths import FillTrace, MarketRecord, OrderTrace, Refusal, Trades, trades_of
from copytrade_core.evidence.parity_records import mid_of
from copytrade_core.model.errors import StoreFault, Where
from copytrade_core.model.fill import FillModel
from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks, under_headroom
from copytrade_core.session.identity import SessionIdentity, same_session

_ORDERS = """SELECT o.client_order_id, o.episode_id, o.market, o.buys, o.kind, o.leg, o.quantity,
        o.planned_at_ms, i.body
    FROM orders o LEFT JOIN intents i ON i.client_order_id = o.client_order_id ORDER BY o.sequence"""
_FILLS = """SELECT f.client_order_id, f.time_ms, f.raw_price, f.price, f.quantity, f.fee, f.model, f.buys,
        s.bid_before, s.ask_before
    FROM fills f LEFT JOIN slippage_observations s ON s.fill = f.number ORDER BY f.number"""
_REFUSALS = """SELECT episode_id, market, side, kind, leg, at_ms, reason FROM intents
    WHERE outcome = 'refused' ORDER BY number"""
_FUNDING = "SELECT episode_id, sum(cost) FROM funding GROUP BY episode_id"


class _Sizing(msgspec.Struct, frozen=True):
    notional: int | None = None
    quantity: int | None = None


class _Style(msgspec.Struct, frozen=True):
    price: int | None = None
    trigger: int | None = None


class _Intent(msgspec.Struct, frozen=True):
    """The part of a journalled intent that a comparison needs."""

    reference_price: int
    headroom_ppm: int
    sizing: _Sizing | None
    style: _Style


def session_trades(journal: Path, path: TradePath, *, who: SessionIdentity, record: MarketRecord) -> Trades:
    """What a session did.

    Args:
        journal: its `session.sqlite`.
        path: paper, shadow or live.
        who: whose it must be.
        record: trading rules and bars that both paths are held against.

    Raises:
        StoreFault: it cannot be read, or is of an older schema.
        BadInput: it is of another lead, strategy, policy, venue or account; names the field.
    """
    try:
        with reading(journal) as connection:
            for saved in owners(connection):
                same_session(saved, who, what=f"the journal {journal}")
            fills = _fills(connection)
            orders = [_order(row, fills.get(row[0], [])) for row in connection.execute(_ORDERS)]
            refusals = [_refusal(row) for row in connection.execute(_REFUSALS)]
            funding = {str(episode): Money(paid) for episode, paid in connection.execute(_FUNDING)}
    except msgspec.DecodeError as error:
        raise StoreFault(f"an intent of {journal} is damaged: {error}", where=Where(file=str(journal))) from error
    return trades_of(path, orders, refusals, funding=funding, record=record)


def _fills(connection: sqlite3.Connection) -> dict[str, list[FillTrace]]:
    found: dict[str, list[FillTrace]] = {}
    for order_id, time_ms, raw, price, quantity, fee, name, buys, bid, ask in connection.execute(_FILLS):
        model, quote = FillModel(name), None if bid is None or ask is None else (Ticks(bid), Ticks(ask))
        touch: Ticks | None = Ticks(raw)
        if model is FillModel.VENUE:
            touch = None if quote is None else quote[int(buys)]
        found.setdefault(order_id, []).append(
            FillTrace(
                time_ms=time_ms,
                mid=mid_of(model, Ticks(raw), quote),
                touch=touch,
                price=Ticks(price),
                quantity=Steps(quantity),
                fee=Money(fee),
                model=model,
            )
        )
    return found


def _order(row: tuple[Any, ...], fills: list[FillTrace]) -> OrderTrace:
    _, episode_id, market, buys, kind, leg, quantity, planned_at_ms, body = row
    intent = _intent(body)
    return OrderTrace(
        episode_id=episode_id,
        market=Market(market),
        buys=bool(buys),
        kind=IntentKind(kind),
        leg=leg,
        asked=Steps(quantity),
        planned_at_ms=planned_at_ms,
        seen=None if intent is None else Ticks(intent.reference_price),
        wish=None if intent is None else _wish(intent),
        fills=tuple(fills),
    )


def _intent(body: str | None) -> _Intent | None:
    """None where nobody wished it, and for what is kept of an order that was no intent's."""
    if body is None:
        return None
    try:
        return msgspec.json.decode(body, type=_Intent)
    except msgspec.ValidationError:
        return None


def _wish(intent: _Intent) -> Wish:
    sizing, style = intent.sizing or _Sizing(), intent.style
    return Wish(
        price=Ticks(style.price or style.trigger or intent.reference_price),
        money=None if sizing.notional is None else under_headroom(sizing.notional, intent.headroom_ppm),
        steps=None if sizing.quantity is None else Steps(sizing.quantity),
    )


def _refusal(row: tuple[Any, ...]) -> Refusal:
    episode_id, market, side, kind, leg, at_ms, reason = row
    wished = IntentKind(kind)
    return Refusal(
        episode_id=episode_id,
        market=Market(market),
        buys=Side(side).entry_buys if wished.is_entry else Side(side).exit_buys,
        kind=wished,
        leg=leg,
        at_ms=at_ms,
        why=reason,
    )
