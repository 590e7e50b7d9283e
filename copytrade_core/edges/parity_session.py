"""What a session did with each intent, read from its journal for a parity table. Comparing is `evidence.parity_paths`.

Read only; a journal of another session is refused by `who`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from copytrade_core.edges.session_schema import SchemaRefused, check_ours
from copytrade_core.evidence.parity import TradePath
from copytrade_core.evidence.parity_paths import FillTrace, OrderTrace, Refusal, Trades, trades_of
from copytrade_core.model.errors import StoreFault, Where
from copytrade_core.model.fill import FillModel
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks
from copytrade_core.session.identity import SessionIdentity, same_session

_ORDERS = """SELECT o.client_order_id, o.episode_id, o.market, o.buys, o.kind, o.leg, o.quantity,
        o.planned_at_ms, i.body
    FROM orders o LEFT JOIN intents i ON i.client_order_id = o.client_order_id ORDER BY o.sequence"""
_FILLS = """SELECT client_order_id, time_ms, raw_price, price, quantity, fee, model FROM fills ORDER BY number"""
_REFUSALS = """SELECT episode_id, market, side, kind, leg, at_ms, reason FROM intents
    WHERE outcome = 'refused' ORDER BY number"""


class _Wish(msgspec.Struct, frozen=True):
    reference_price: int | None = None


def session_trades(
    journal: Path,
    path: TradePath,
    *,
    who: SessionIdentity,
    funding: Mapping[str, Money],
    instruments: Mapping[str, Instrument],
) -> Trades:
    """What a session did.

    Args:
        journal: its `session.sqlite`.
        path: paper, shadow or live.
        who: whose it must be.
        funding: what each episode paid.
        instruments: trading rules by market.

    Raises:
        StoreFault: it cannot be read.
        BadInput: it is of another lead, strategy, policy, venue or account; names the field.
    """
    try:
        with closing(_connection(journal)) as connection:
            check_ours(connection)
            connection.execute("BEGIN")
            _check_owner(connection, who, journal)
            fills = _fills(connection)
            orders = [_order(row, fills.get(row[0], [])) for row in connection.execute(_ORDERS)]
            refusals = [_refusal(row) for row in connection.execute(_REFUSALS)]
    except (sqlite3.Error, SchemaRefused, msgspec.DecodeError) as error:
        raise StoreFault(f"Cannot read the journal {journal}: {error}", where=Where(file=str(journal))) from error
    return trades_of(path, orders, refusals, funding=funding, instruments=instruments)


def _connection(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True, isolation_level=None, timeout=5)


def _check_owner(connection: sqlite3.Connection, who: SessionIdentity, journal: Path) -> None:
    columns = "lead, strategy, policy_digest, venue, account"
    for row in connection.execute(f"SELECT DISTINCT {columns} FROM runs"):  # noqa: S608 (names above)
        saved = SessionIdentity(lead=row[0], strategy=row[1], policy_digest=row[2], venue=row[3], account=row[4])
        same_session(saved, who, what=f"the journal {journal}")


def _fills(connection: sqlite3.Connection) -> dict[str, list[FillTrace]]:
    found: dict[str, list[FillTrace]] = {}
    for order_id, time_ms, raw, price, quantity, fee, model in connection.execute(_FILLS):
        found.setdefault(order_id, []).append(
            FillTrace(
                time_ms=time_ms,
                raw_price=None if model == FillModel.VENUE.value else Ticks(raw),
                price=Ticks(price),
                quantity=Steps(quantity),
                fee=Money(fee),
            )
        )
    return found


def _order(row: tuple[Any, ...], fills: list[FillTrace]) -> OrderTrace:
    _, episode_id, market, buys, kind, leg, quantity, planned_at_ms, body = row
    seen = None if body is None else msgspec.json.decode(body, type=_Wish).reference_price
    return OrderTrace(
        episode_id=episode_id,
        market=Market(market),
        buys=bool(buys),
        kind=IntentKind(kind),
        leg=leg,
        asked=Steps(quantity),
        planned_at_ms=planned_at_ms,
        seen=None if seen is None else Ticks(seen),
        fills=tuple(fills),
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
