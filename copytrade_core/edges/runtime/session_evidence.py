"""A runtime directory as a session's record: journal, status, telemetry and paper account read once, nothing written.

What must hold of the record is `evidence.session_checks`; where it is stored is `stages.canary_store`.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from copytrade_core.edges.atomic_files import read_if_present
from copytrade_core.edges.market.intervals import epoch_ms
from copytrade_core.edges.runtime.control_files import Control, note_of
from copytrade_core.edges.runtime.paper_account_file import PAPER_ACCOUNT_FILE
from copytrade_core.edges.runtime.paper_account_told import RulesOf, told_account
from copytrade_core.edges.runtime.row_files import numbered_rows
from copytrade_core.edges.runtime.runtime_files import PARAMS_FILE, SESSION_FILE
from copytrade_core.edges.runtime.session_addresses import only_address
from copytrade_core.edges.runtime.session_reader import reading
from copytrade_core.edges.runtime.status_file import STATUS_FILE, NoStatus, RunStatus, StatusFault, read_status
from copytrade_core.ledger.post import opened_book
from copytrade_core.model.book import Book
from copytrade_core.model.errors import BadInput, NotStored, StoreFault, Where
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.session_record import Halt, SessionAlert, SessionFill, SessionOrder, SessionRecord
from copytrade_core.model.side import Side
from copytrade_core.model.units import MONEY_SCALE, Money, Steps, Ticks, money_from_decimal
from copytrade_core.session.snapshot import decode_state
from copytrade_core.session.status import NOT_POLLED, LimitUnit

OBSERVED_S_MAX = 300
"""How far a session's clock may be from the machine's for it to have watched things happen."""
HALTS = {"kill": Control.KILL, "stop_new_orders": Control.STOP_NEW_ORDERS, "hot_stop": Control.HOT_STOP}


class _Look(msgspec.Struct, frozen=True):
    at: datetime
    poll_ok: bool
    controls: tuple[str, ...]
    poll_reading: str = ""
    poll_failures: int | None = None

    @property
    def is_of_a_poll(self) -> bool:
        """Whether anybody had been asked by then: a status that is older than the first poll says nothing of polls."""
        return self.poll_ok or self.poll_reading != NOT_POLLED or bool(self.poll_failures)


def read_session(folder: Path, rules_of: RulesOf, *, day: str, run_id: str) -> SessionRecord:
    """The record of the session in a runtime directory: of the runs that began on a UTC day, and of one by its id.

    Orders and fills are those of the whole journal, since money and holdings go on from day to day; start, end and
    polls are those of the day's runs.

    Raises:
        NotStored: there is no session in it.
        StoreFault: a part cannot be read, is damaged or of another version.
    """
    status = _status(folder)
    path = folder / SESSION_FILE
    try:
        with reading(path) as connection:
            record = _record(folder, connection, status, rules_of, (day, run_id))
            return replace(record, read_at=only_address(connection))
    except (BadInput, ValueError, KeyError) as error:
        raise StoreFault(f"the session's journal cannot be read: {error}", where=Where(file=str(path))) from error


def _status(folder: Path) -> RunStatus:
    found = read_status(folder)
    is_missing = isinstance(found, NoStatus) and found.fault is StatusFault.MISSING
    if is_missing or not (folder / SESSION_FILE).exists():
        raise NotStored(
            "there is no session in this runtime directory",
            where=Where(file=str(folder)),
            next_step="Run one: copytrade canary paper --lead ID",
        )
    if isinstance(found, NoStatus):
        raise StoreFault(found.what, where=Where(file=str(folder / STATUS_FILE)))
    return found


def _record(
    folder: Path, connection: sqlite3.Connection, status: RunStatus, rules_of: RulesOf, asked: tuple[str, str]
) -> SessionRecord:
    runs, day = _runs_of(connection, *asked), asked[0]
    looks = [look for run_id, _ in runs for look in _looks(folder, run_id)]
    equity = money_from_decimal(status.equity_usdt)
    book = _book(connection) or opened_book(equity)
    is_last = status.run_id == runs[-1][0]
    last_look_ms = max((epoch_ms(look.at) for look in looks), default=runs[-1][1])
    return SessionRecord(
        lead=status.lead,
        strategy=status.strategy,
        policy_digest=status.policy_digest,
        venue=status.venue,
        account=status.account,
        mode=status.mode,
        day=day,
        code_version=status.versions.code,
        run_ids=tuple(run_id for run_id, _ in runs),
        is_observed=not status.is_reconstructed and _is_on_the_wall(status),
        started_at_ms=runs[0][1],
        ended_at_ms=epoch_ms(status.written_at) if is_last else last_look_ms,
        ended=status.ended if is_last else "followed",
        last_error=status.last_error,
        caps=_caps(folder, status),
        initial_equity=book.initial_equity,
        cash=book.cash,
        equity=equity,
        account_told=told_account(folder / PAPER_ACCOUNT_FILE, rules_of, status.positions if status.ended else None),
        funding=_funding(connection),
        held={name: held.cost for name, held in book.holdings.items()},
        written_off=tuple(_column(connection, "SELECT episode_id FROM decisions WHERE decision = 'written_off'")),
        polls_count=sum(look.is_of_a_poll for look in looks),
        failed_polls_count=sum(look.is_of_a_poll and not look.poll_ok for look in looks),
        orders=tuple(_orders(connection)),
        fills=tuple(_fills(connection, rules_of)),
        fill_ids=tuple(_column(connection, "SELECT fill_id FROM fill_ids")),
        halts=tuple(_halts(folder, looks)),
        alerts=tuple(_alerts(connection)),
        unknown_orders=tuple(one.client_order_id for one in status.unknown_orders),
        close_wished_ms=dict(_closes_wished(connection)),
        refused=dict(Counter(_column(connection, "SELECT reason FROM intents WHERE outcome = 'refused'"))),
    )


def _closes_wished(connection: sqlite3.Connection) -> Iterator[tuple[str, int]]:
    """When each close at the market was first wanted: a stop or a take-profit that rests waits for its price."""
    at_market = "kind = ? AND json_extract(body, '$.style') = '{}'"
    query = f"SELECT episode_id, min(at_ms) FROM intents WHERE {at_market} GROUP BY episode_id"  # noqa: S608
    for episode_id, at_ms in connection.execute(query, (IntentKind.CLOSE.value,)):
        yield str(episode_id), int(at_ms)


def _book(connection: sqlite3.Connection) -> Book | None:
    """The ledger after the last step; None where nothing was ever committed."""
    body = connection.execute("SELECT body FROM state").fetchone()
    return None if body is None or body[0] is None else decode_state(body[0].encode()).book


def _alerts(connection: sqlite3.Connection) -> Iterator[SessionAlert]:
    for kind, subject, what, at_ms in connection.execute(
        "SELECT kind, subject, what, at_ms FROM alerts ORDER BY number"
    ):
        yield SessionAlert(kind=kind, subject=subject, what=what, at_ms=at_ms)


def _is_on_the_wall(status: RunStatus) -> bool:
    return abs((status.wall_at - status.written_at).total_seconds()) <= OBSERVED_S_MAX


def _runs_of(connection: sqlite3.Connection, day: str, newest: str) -> list[tuple[str, int]]:
    """Runs that began on a day, and the one of an id, with their starts, oldest first."""
    found = connection.execute("SELECT run_id, started_at_ms FROM runs ORDER BY run").fetchall()
    runs = [(run_id, at_ms) for run_id, at_ms in found if _day(at_ms) == day or run_id == newest]
    if not runs:
        raise BadInput(f"no run of this session began on {day}")
    return runs


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%Y-%m-%d")


def _looks(folder: Path, run_id: str) -> Iterator[_Look]:
    for _, line in numbered_rows(folder / f"run_telemetry_{run_id}.jsonl", has_header=False):
        yield msgspec.json.decode(line, type=_Look)


def _caps(folder: Path, status: RunStatus) -> dict[str, int]:
    """Every cap in its own unit (money in 1e-8 quote), under the name that `Caps` has for it."""
    scales = {limit.name: MONEY_SCALE if limit.unit is LimitUnit.USDT else 1 for limit in status.limits}
    caps = {f"{limit.name}_max": round(limit.limit * scales[limit.name]) for limit in status.limits}
    content = read_if_present(folder / PARAMS_FILE)
    if content is not None:
        caps |= dict(_drift(msgspec.json.decode(content)))
    return caps


def _drift(params: Any) -> Iterator[tuple[str, int]]:  # noqa: ANN401 - any JSON
    """The cap on drift, wherever the parameters keep it."""
    if isinstance(params, dict):
        for name, value in params.items():  # pyright: ignore[reportUnknownVariableType]
            if name == "entry_drift_ppm_max" and isinstance(value, int):
                yield "entry_drift_ppm_max", value
            else:
                yield from _drift(value)


def _funding(connection: sqlite3.Connection) -> Money:
    (paid,) = connection.execute("SELECT coalesce(sum(cost), 0) FROM funding").fetchone()
    return Money(paid)


def _column(connection: sqlite3.Connection, query: str) -> list[str]:
    return [str(value) for (value,) in connection.execute(query)]


def _orders(connection: sqlite3.Connection) -> Iterator[SessionOrder]:
    columns = "client_order_id, intent_digest, episode_id, market, side, leg, kind, planned_at_ms, sent_at_ms, state"
    for row in connection.execute(f"SELECT {columns} FROM orders ORDER BY sequence"):  # noqa: S608 (names above)
        order_id, digest, episode, market, side, leg, kind, planned_ms, sent_ms, state = row
        yield SessionOrder(
            client_order_id=order_id,
            intent_digest=digest,
            episode_id=episode,
            market=market,
            side=Side(side),
            leg=leg,
            is_entry=IntentKind(kind).is_entry,
            planned_at_ms=planned_ms,
            sent_at_ms=sent_ms,
            state=state,
        )


def _fills(connection: sqlite3.Connection, rules_of: RulesOf) -> Iterator[SessionFill]:
    columns = "client_order_id, episode_id, market, side, kind, at_ms, price, quantity, fee"
    rules = cache(rules_of)
    for row in connection.execute(f"SELECT {columns} FROM fills ORDER BY number"):  # noqa: S608 (names above)
        order_id, episode, market, side, kind, at_ms, price, quantity, fee = row
        yield SessionFill(
            client_order_id=order_id,
            episode_id=episode,
            market=market,
            side=Side(side),
            is_entry=IntentKind(kind).is_entry,
            at_ms=at_ms,
            quantity=Steps(quantity),
            notional=rules(market).notional(Ticks(price), Steps(quantity)),
            fee=Money(fee),
        )


def _halts(folder: Path, looks: list[_Look]) -> Iterator[Halt]:
    """From when until when each control was seen set; the note of one that is still set says it best."""
    for word, control in HALTS.items():
        from_ms: int | None = None
        for look in sorted(looks, key=lambda one: one.at):
            if word in look.controls and from_ms is None:
                from_ms = epoch_ms(look.at)
            elif word not in look.controls and from_ms is not None:
                yield Halt(control=control.value, from_ms=from_ms, until_ms=epoch_ms(look.at))
                from_ms = None
        note = note_of(folder, control)
        if from_ms is not None or note is not None:
            known = [at_ms for at_ms in (from_ms, None if note is None else note.at_ms) if at_ms is not None]
            yield Halt(control=control.value, from_ms=min(known), until_ms=None)
