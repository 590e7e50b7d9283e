"""The journal keeps a step whole or not at all, never forgets an order, and posts no fill twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.edges.runtime.session_db import SessionDb
from copytrade_core.model.alert import Alert, AlertKind
from copytrade_core.model.book import WrittenOff
from copytrade_core.model.errors import BadInput, StoreFault
from copytrade_core.model.intent import Hold, Intent, IntentKind, MarketStyle, SyncState
from copytrade_core.model.order_row import OrderState
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Ticks
from copytrade_core.model.verdict import Approved, Failing, RefusalReason, Refused
from copytrade_core.session.ports import Journalled
from tests.journal_steps import EPISODE, IDENTITY, fill, in_memory, opened, order, row, step, whole_step
from tests.trading_floor import BTC, START_MS, holding

FRESH = Journalled(state=None, done={}, rows=(), fill_ids=frozenset(), traded=(), cursor=None)
FINAL = [state for state in OrderState if state.is_final]


@pytest.fixture(params=["in memory", "in a file"])
def journal(request, tmp_path: Path) -> Iterator[SessionDb]:
    with in_memory() if request.param == "in memory" else opened(tmp_path / "session.sqlite") as made:
        yield made


def seen(journal: SessionDb, sql: str) -> list[tuple]:
    return journal._connection.execute(sql).fetchall()


def test_a_new_journal_is_fresh(journal: SessionDb) -> None:
    assert journal.load() == FRESH


def test_what_was_committed_is_there_after_a_restart_in_the_order_of_planning(journal: SessionDb) -> None:
    journal.commit(step(row(3), row(1), state=b'{"a":1}', done={"e1": b'{"b":1}'}, cursor="page 7"))
    journal.commit(step(done={"e1": b'{"b":2}', "e2": b'{"c":3}'}))
    journal.commit(step(row(2), row(3, OrderState.JOURNALLED), fill_ids=("t1", "t2")))
    expected = Journalled(
        state=b'{"a":1}',
        done={"e1": b'{"b":2}', "e2": b'{"c":3}'},
        rows=(row(3, OrderState.JOURNALLED), row(1), row(2)),
        fill_ids=frozenset({"t1", "t2"}),
        traded=(),
        cursor="page 7",
    )
    assert journal.load() == expected
    journal.reopen()
    assert journal.load() == expected


def test_a_file_is_closed_and_opened_again_by_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "run" / "session.sqlite"
    with opened(path, run_id="run 1") as first:
        first.commit(whole_step(1))
        stored = first.load()
    with opened(path, run_id="run 2") as second:
        assert second.load() == stored
        second.commit(step(row(2, OrderState.JOURNALLED)))
        assert seen(second, "SELECT run_id FROM runs ORDER BY run") == [("run 1",), ("run 2",)]
        history = "SELECT r.run_id, h.state FROM order_history h JOIN runs r USING (run) WHERE client_order_id = ?"
        told = second._connection.execute(f"{history} ORDER BY number", (order(2).client_order_id,)).fetchall()
        assert told == [("run 1", "planned"), ("run 2", "journalled")]
    with opened(path, run_id="run 2") as again:
        assert seen(again, "SELECT count(*) FROM runs") == [(2,)], "the same run goes on after a crash"


def test_the_file_is_written_ahead_and_synced_in_full(tmp_path: Path) -> None:
    with opened(tmp_path / "session.sqlite") as journal:
        assert seen(journal, "PRAGMA journal_mode") == [("wal",)]
        assert seen(journal, "PRAGMA synchronous") == [(2,)]
        assert seen(journal, "PRAGMA foreign_keys") == [(1,)]


# -- all of a step, or nothing of it --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "second",
    [
        replace(whole_step(2), fill_ids=("trade 2", "trade 1")),
        replace(whole_step(2), fill_ids=("trade 2", "trade 2")),
        replace(whole_step(2), rows=(*whole_step(2).rows, row(1, OrderState.CANCELLED))),
    ],
    ids=["a fill posted before", "a fill posted twice in one step", "a final order that changes"],
)
def test_a_refused_step_leaves_nothing_and_the_journal_goes_on(journal: SessionDb, second) -> None:
    journal.commit(whole_step(1))
    before = journal.load()
    tables = dump(journal)
    with pytest.raises(BadInput, match="the journal refuses the step"):
        journal.commit(second)
    assert journal.load() == before
    assert dump(journal) == tables
    journal.commit(whole_step(2))
    journal.reopen()
    assert journal.load().cursor == "2"


def dump(journal: SessionDb) -> list[str]:
    return list(journal._connection.iterdump())


@pytest.mark.parametrize("lasts", [False, True], ids=["once", "and at everything after it"])
def test_an_end_at_any_moment_of_a_step_leaves_the_step_before(journal: SessionDb, lasts: bool) -> None:
    journal.commit(whole_step(1))
    before, tables = journal.load(), dump(journal)
    ended = 0
    for moment in range(1, 1_000):
        left = moment

        def count() -> int:
            nonlocal left
            left -= 1
            return int(left == 0 or (lasts and left < 0))

        # Called before every few instructions of SQLite's machine; an answer of 1 ends the statement there.
        journal._connection.set_progress_handler(count, 10)
        try:
            journal.commit(whole_step(2))
            break
        except StoreFault:
            ended += 1
        finally:
            journal._connection.set_progress_handler(None, 10)
        assert journal.load() == before
        if moment % 10 == 0:
            assert dump(journal) == tables
    assert ended > 20, "the step is long enough to be ended in many places"
    assert journal.load().cursor == "2"


class CtrlC(BaseException):
    """An interrupt that no code expects."""


class Fuse(tuple):
    """A part of a step behind which the interrupt comes."""

    __slots__ = ()

    def __iter__(self):
        yield from super().__iter__()
        raise CtrlC


@pytest.mark.parametrize("part", ["fill_ids", "alerts", "records"])
def test_an_interrupt_inside_a_step_leaves_the_step_before(journal: SessionDb, part: str) -> None:
    journal.commit(whole_step(1))
    before, tables = journal.load(), dump(journal)
    with pytest.raises(CtrlC):
        journal.commit(replace(whole_step(2), **{part: Fuse(getattr(whole_step(2), part))}))
    assert journal.load() == before
    assert dump(journal) == tables
    journal.commit(whole_step(2))
    assert journal.load().cursor == "2"


def test_reopening_forgets_what_was_not_committed(journal: SessionDb) -> None:
    journal.commit(whole_step(1))
    stored = journal.load()
    journal._connection.execute("BEGIN IMMEDIATE")
    journal._connection.execute("INSERT INTO fill_ids VALUES ('half', 1, 1)")
    journal.reopen()
    assert journal.load() == stored
    journal.commit(whole_step(2))


# -- what the database itself enforces ------------------------------------------------------------------------------


@pytest.mark.parametrize("final", FINAL)
@pytest.mark.parametrize("later", list(OrderState))
def test_a_final_order_never_changes(final: OrderState, later: OrderState) -> None:
    with in_memory() as journal:
        journal.commit(step(row(1, final)))
        with pytest.raises(BadInput, match="a final order never changes"):
            journal.commit(step(row(1, later, why="something else")))
        assert journal.load().rows == (row(1, final),)
        journal.commit(step(row(1, final)))


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM orders",
        "DELETE FROM fill_ids",
        "UPDATE orders SET state = 'planned', is_final = 0",
        "INSERT INTO orders SELECT * FROM orders LIMIT 1",
        "INSERT INTO fill_ids SELECT * FROM fill_ids LIMIT 1",
        "INSERT INTO fill_ids VALUES ('t2', 99, 1)",
        "UPDATE orders SET quantity = 'ten'",
    ],
)
def test_not_even_plain_sql_undoes_what_was_committed(journal: SessionDb, sql: str) -> None:
    journal.commit(step(row(1, OrderState.CANCELLED), fill_ids=("t1",)))
    tables = dump(journal)
    with pytest.raises(sqlite3.IntegrityError):
        journal._connection.execute(sql)
    assert dump(journal) == tables


def test_a_client_order_id_belongs_to_one_intent(journal: SessionDb) -> None:
    journal.commit(step(row(1)))
    with pytest.raises(BadInput, match="names another intent") as caught:
        journal.commit(step(replace(row(1), intent_digest="another")))
    assert caught.value.where.field == "client_order_id"
    assert journal.load().rows == (row(1),)


# -- what is written for readers ------------------------------------------------------------------------------------


def intent(leg: str) -> Intent:
    return Intent(
        kind=IntentKind.OPEN,
        episode_id=EPISODE,
        market=BTC,
        side=Side.LONG,
        leg=leg,
        replaces="base",
        sizing=None,
        style=MarketStyle(),
        allow_market_fallback=False,
        fallback_on_reject=False,
        fallback_on_timeout=False,
        reference_price=Ticks(100_000),
        headroom_ppm=0,
        reason="entry",
        policy="p",
        policy_digest="d",
        decided_at_ms=START_MS,
        expires_at_ms=None,
    )


def refused(leg: str) -> Refused:
    return Refused(
        intent=intent(leg),
        reason=RefusalReason.DAILY_LOSS,
        numbers=(("lost", 6),),
        detail="",
        also=(Failing(reason=RefusalReason.EXPIRED, numbers=(("now_ms", 31),), detail="since ten"),),
    )


def test_every_record_of_a_step_has_its_row(journal: SessionDb) -> None:
    records = (
        Approved(intent=intent("base1"), worst_notional=Money(1)),
        order(1),
        refused("rung2"),
        Hold(episode_id=EPISODE, reason="stale", numbers=(("age_s", "90"),), decided_at_ms=1),
        SyncState(episode_id=EPISODE, reason="no_position", decided_at_ms=1),
        WrittenOff(holding=holding(EPISODE), time_ms=1),
        fill(1),
    )
    alert = Alert(kind=AlertKind.FOREIGN_ORDER, subject="BTC", at_ms=5, what="somebody else's")
    journal.commit(step(row(1), records=records, alerts=(alert,)))
    assert seen(journal, "SELECT leg, outcome, reason, client_order_id FROM intents ORDER BY number") == [
        ("base1", "ordered", "entry", order(1).client_order_id),
        ("rung2", "refused", "daily_loss", None),
    ]
    assert seen(journal, "SELECT decision, leg, reason, numbers FROM decisions ORDER BY number")[:4] == [
        ("refused", "rung2", "daily_loss", '{"lost":6}'),
        ("refused", "rung2", "expired", '{"now_ms":31}'),
        ("hold", None, "stale", '{"age_s":"90"}'),
        ("sync", None, "no_position", "{}"),
    ]
    assert seen(journal, "SELECT client_order_id, price, quantity, fee, slippage, model FROM fills") == [
        (order(1).client_order_id, 100_001, 10, 5, 1, "next_bar_open_v1")
    ]
    assert seen(journal, "SELECT kind, subject, at_ms, what FROM alerts") == [
        ("foreign_order", "BTC", 5, "somebody else's")
    ]


def test_every_change_of_an_order_is_told_with_its_time(journal: SessionDb) -> None:
    told = [
        row(1),
        row(1, OrderState.JOURNALLED),
        replace(row(1, OrderState.UNKNOWN), lookups_count=1),
        replace(row(1, OrderState.UNKNOWN), lookups_count=2),
        row(1, OrderState.PARTIALLY_FILLED, filled=4),
        row(1, OrderState.PARTIALLY_FILLED, filled=7),
        row(1, OrderState.FILLED, filled=10),
    ]
    for number, each in enumerate(told):
        journal.commit(step(each, at_ms=START_MS + number))
    assert seen(journal, "SELECT state, filled, at_ms FROM order_history ORDER BY number") == [
        ("planned", 0, START_MS),
        ("journalled", 0, START_MS + 1),
        ("unknown", 0, START_MS + 2),
        ("partially_filled", 4, START_MS + 4),
        ("partially_filled", 7, START_MS + 5),
        ("filled", 10, START_MS + 6),
    ]
    assert seen(journal, "SELECT state, is_final, filled, changed_at_ms, sequence FROM orders") == [
        ("filled", 1, 10, START_MS + 6, 0)
    ]


def test_every_row_leads_to_its_session(journal: SessionDb) -> None:
    journal.commit(whole_step(1))
    journal.record_config("{}", at_ms=1)
    tables = [name for (name,) in seen(journal, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
    assert {"orders", "order_history", "fills", "intents", "decisions", "alerts", "state"} < set(tables)
    observed = {"source_events", "positions", "equity", "slippage_observations", "comparisons", "shadow_orders"}
    for table in set(tables) - {"migrations", "runs"} - observed:
        found = seen(
            journal, f"SELECT lead, strategy, policy_digest, venue, account FROM {table} JOIN runs USING (run)"
        )
        assert found, table
        assert set(found) == {("4751838302089254401", "follow", "digest-1", "bingx", "canary")}


def test_settings_in_force_are_kept_once_for_each_run_and_content(journal: SessionDb) -> None:
    for at_ms, body in enumerate(['{"a":1}', '{"a":1}', '{"a":2}', '{"a":1}']):
        journal.record_config(body, at_ms=at_ms)
    assert seen(journal, "SELECT at_ms, body FROM config_snapshots ORDER BY number") == [(0, '{"a":1}'), (2, '{"a":2}')]


def test_unchanged_parts_are_not_written_again(journal: SessionDb) -> None:
    journal.commit(whole_step(1))
    changes = journal._connection.total_changes
    journal.commit(step(row(1, OrderState.FILLED, filled=10), row(2), state=b'{"step":1}'))
    assert journal._connection.total_changes == changes


# -- a model ----------------------------------------------------------------------------------------------------------

NUMBERS = st.integers(min_value=0, max_value=4)
CHANGES = st.lists(
    st.tuples(
        st.lists(st.tuples(NUMBERS, st.sampled_from(list(OrderState))), max_size=3),
        st.lists(st.integers(min_value=0, max_value=30).map(str), max_size=2),
        st.none() | st.integers().map(lambda n: b'{"n":%d}' % n),
        st.none() | st.text(min_size=1, max_size=3),
        st.booleans(),
    ),
    max_size=12,
)


@given(CHANGES)
def test_whatever_is_committed_the_journal_agrees_with_a_plain_dictionary(changes) -> None:
    rows, fill_ids, state, cursor = {}, set(), None, None
    with in_memory() as journal:
        for moved, ids, new_state, new_cursor, restart in changes:
            asked = [row(number, to) for number, to in moved]
            latest = {each.order.client_order_id: each for each in asked}
            breaks = any(
                key in rows and rows[key].state.is_final and rows[key] != each for key, each in latest.items()
            ) or len({*ids} - fill_ids) < len(ids)
            wanted = step(*asked, state=new_state, fill_ids=tuple(ids), cursor=new_cursor)
            if breaks:
                with pytest.raises(BadInput):
                    journal.commit(wanted)
            else:
                journal.commit(wanted)
                rows |= latest
                fill_ids |= {*ids}
                state, cursor = new_state or state, new_cursor or cursor
            if restart:
                journal.reopen()
            assert journal.load() == Journalled(
                state=state,
                done={},
                rows=tuple(rows.values()),
                fill_ids=frozenset(fill_ids),
                traded=(),
                cursor=cursor,
            )


def test_in_memory_and_in_a_file_are_one_journal(tmp_path: Path) -> None:
    with in_memory() as light, opened(tmp_path / "session.sqlite") as heavy:
        for journal in (light, heavy):
            for number in range(5):
                journal.commit(whole_step(number))
        assert light.load() == heavy.load()
        assert dump(light) == dump(heavy)


def test_another_session_may_not_write_into_this_one(tmp_path: Path) -> None:
    path = tmp_path / "session.sqlite"
    with opened(path) as journal:
        journal.commit(whole_step(1))
        stored = journal.load()
    for field in ("lead", "strategy", "policy_digest", "venue", "account"):
        with pytest.raises(BadInput, match="belongs to") as caught:
            opened(path, identity=replace(IDENTITY, **{field: "another"}), run_id="run 9")
        assert caught.value.where.field == field
    with opened(path) as journal:
        assert journal.load() == stored
        assert seen(journal, "SELECT run_id FROM runs") == [("run 1",)]


def test_a_step_that_can_be_asked_again_waits_for_the_sync_of_the_next_and_is_read_by_others_at_once(
    tmp_path: Path,
) -> None:
    with opened(tmp_path / "session.sqlite") as journal:
        journal.commit(step(row(1), needs_sync=True))
        assert seen(journal, "PRAGMA synchronous") == [(2,)]
        journal.commit(step(row(1, OrderState.JOURNALLED), needs_sync=False))
        assert seen(journal, "PRAGMA synchronous") == [(1,)]
        # Another process sees what a killed one had committed.
        with sqlite3.connect(journal.path) as other:
            assert other.execute("SELECT state FROM orders").fetchall() == [("journalled",)]
        journal.commit(step(row(2), needs_sync=True))
        assert seen(journal, "PRAGMA synchronous") == [(2,)]
        journal.commit(step(row(2, OrderState.JOURNALLED), needs_sync=False))
        journal.note(())
        assert seen(journal, "PRAGMA synchronous") == [(2,)]


def test_notes_empty_the_log_so_that_steps_need_not(tmp_path: Path) -> None:
    path = tmp_path / "session.sqlite"
    with opened(path) as journal:
        journal.note(())
        before = path.stat().st_size
        for number in range(30):
            journal.commit(step(state=b'"' + bytes([65 + number]) * 400_000 + b'"'))
        assert path.stat().st_size == before, "a step moved the log to the tables"
        journal.note(())
        assert path.stat().st_size > before
