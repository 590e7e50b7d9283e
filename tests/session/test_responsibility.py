"""Who may decide what: the strategy is the trader, the session is the broker. Judged at the venue."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from copytrade_core import flow
from copytrade_core.desk import UNDISTURBED, Desk, fresh_state
from copytrade_core.ledger.post import opened_book
from copytrade_core.model.caps import UNCAPPED
from copytrade_core.model.errors import BadConfig
from copytrade_core.model.event import MarkSeen, OrderFilled, PositionSynced, Timer
from copytrade_core.model.fill import FillModel
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import Intent, IntentKind
from copytrade_core.model.order import Order
from copytrade_core.model.outcome import RejectReason
from copytrade_core.model.policy import ExitFamily
from copytrade_core.model.side import Side
from copytrade_core.model.source_event import SourceChange, SourceChanged, SourceMissing
from copytrade_core.model.units import Steps, Ticks
from copytrade_core.replay import reference
from copytrade_core.session import memory
from copytrade_core.strategies.machine import strategy_of
from copytrade_core.strategies.rejection_backoff import IDLE
from copytrade_core.strategies.state import FRESH, Phase
from copytrade_core.virtual_exchange.exchange import VirtualExchange
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall
from tests.session_floor import WIDE, Session
from tests.trading_floor import (
    BTC,
    FOLLOW,
    FREE,
    at,
    at_ms,
    bar,
    closed,
    episode,
    instrument,
    ladder,
    leave,
    opened,
    usdt,
)

LADDER = ladder("0.4", ("0.01", "0.2"), ("0.01", "0.2"), ("0.01", "0.2"))
LADDERED = replace(FOLLOW, ladder=LADDER)


def rejecting(nth: int, count: int) -> VenueFault:
    return VenueFault(
        kind=VenueFaultKind.REJECT,
        call=VenueCall.SUBMIT,
        nth=nth,
        count=count,
        code="101204",
        message="no margin",
        reason=RejectReason.INSUFFICIENT_FUNDS,
    )


def everything_but_an_order_to_trade(session: Session) -> None:
    """All that may reach a session besides its strategy's own signal, while the price falls by half."""
    known, now_ms = session.episode, session.now_ms()
    held = session.runner.state.book.holdings.get(known.episode_id)
    session.runner.tell(
        SourceMissing(
            episode=known,
            happened_at=at(1),
            known_at=at(1),
            last_seen_at=at(0),
            missing_polls_count=99,
            why_not_closed=(),
        )
    )
    session.runner.tell(
        SourceChanged(
            episode=known,
            change=SourceChange.SCALED_OUT,
            happened_at=at(1),
            known_at=at(1),
            entry_price_before=known.entry_price,
            entry_price=known.entry_price,
            quantity_before=known.quantity_max,
            quantity=known.quantity_max / 100,
        )
    )
    session.runner.tell(Timer(episode_id=known.episode_id, time_ms=now_ms))
    session.runner.tell(MarkSeen(market=BTC, price=Ticks(50_000), time_ms=now_ms, age_ms=0))
    if held is not None:
        session.runner.tell(PositionSynced(episode_id=known.episode_id, holding=held, time_ms=now_ms))
    session.runner.pump()
    _ = session.runner.reconcile()


def test_live_runner_does_not_close_without_strategy_close_intent():
    session = Session(path=((0, 100_000), (10, 50_000)))
    session.open()
    session.let_pass(5)
    for _ in range(10):
        everything_but_an_order_to_trade(session)
        session.let_pass(3)
        session.crash()
    session.panel.set(stop_new_orders=True)
    session.let_pass(120)
    assert (session.in_book, session.at_venue, session.orders) == (1000, 1000, 1)
    session.close()
    session.let_pass(3)
    assert (session.in_book, session.at_venue, session.orders) == (0, 0, 2)


def test_live_runner_does_not_close_when_it_is_killed():
    session = Session()
    session.open()
    session.let_pass(5)
    session.panel.set(kill=True)
    session.runner.kill()
    session.let_pass(5)
    assert (session.in_book, session.at_venue, session.orders) == (1000, 1000, 1)


def test_a_position_that_a_kill_left_bare_is_protected_again_after_the_restart():
    policy = replace(LADDERED, exit=leave(ExitFamily.SOURCE_CLOSE_THEN_AUTONOMOUS, profit=20_000, stop=50_000))
    session = Session(policy=policy)
    session.open()
    session.let_pass(5)
    session.panel.set(kill=True)
    session.runner.kill()
    assert session.engine.open_orders() == ()
    session.panel.set(kill=False)
    session.crash()
    session.let_pass(3)
    resting = {row.order.leg.partition(".")[0] for row in session.runner.rows.values() if row.state.value == "open"}
    assert resting >= {"stop", "take_profit"}
    assert len(session.engine.open_orders()) == len(session.runner.state.resting)
    assert session.in_book == session.at_venue == 400


def test_a_session_without_one_of_its_caps_does_not_start():
    with pytest.raises(BadConfig, match="daily_loss_max is not set"):
        _ = Session(caps=replace(WIDE, daily_loss_max=None))


def test_an_approval_that_ends_between_the_wish_and_the_sending_holds_the_entry_back():
    session = Session()
    session.runner.tell(opened(session.episode))
    session.panel.set(approval_valid=False)
    session.runner.pump()
    (row,) = session.runner.rows.values()
    assert (session.orders, row.state.value, row.why) == (0, "not_placed", "approval_invalid")


def test_a_stranger_found_between_the_wish_and_the_sending_holds_the_entry_back_and_no_exit():
    session = Session()
    session.open()
    session.let_pass(2)
    session.runner.tell(opened(episode(0.1, 60)))
    session.runner.tell(closed(session.episode))
    _ = session.engine.inject_position(BTC, Side.SHORT, Steps(7))
    _ = session.runner.reconcile()
    session.runner.pump()
    session.let_pass(2)
    rows = list(session.runner.rows.values())
    assert [(row.order.kind.value, row.state.value) for row in rows] == [
        ("open", "filled"),
        ("open", "not_placed"),
        ("close", "filled"),
    ]
    assert rows[1].why == "account_fault"
    assert session.at_venue == 7, "only the stranger's"


def test_live_runner_does_not_open_without_strategy_open_intent():
    session = Session()
    for _ in range(5):
        everything_but_an_order_to_trade(session)
        session.close()
        session.let_pass(3)
        session.crash()
    assert (session.in_book, session.at_venue, session.orders) == (0, 0, 0)


def test_live_executor_stops_dca_intents_after_first_blocked_dca():
    """Blocked by the venue: rungs that were planned in the same pass do not leave after the first that was refused."""
    session = Session(policy=LADDERED, faults=[rejecting(nth=2, count=99)])
    session.open()
    session.let_pass(3, step_s=0.5)
    rungs = [row for row in session.runner.rows.values() if row.order.kind is IntentKind.ADD]
    assert rungs[0].order.leg == "rung1"
    assert [row.state.value for row in rungs[:3]] == ["rejected", "not_placed", "not_placed"]
    session.let_pass(40)
    sent = [row for row in session.runner.rows.values() if row.order.kind is IntentKind.ADD and row.sent_at_ms]
    assert [row.order.leg for row in sent] == ["rung1"] * 3, "one try in each pass, and after three the brake is on"
    assert session.runner.state.strategy.backoff.blocks(session.now_ms())
    trade = session.runner.state.strategy.trades[session.episode.episode_id]
    assert (trade.phase, trade.resting, trade.filled) == (Phase.HELD, (), ()), "the ladder stays where it was"
    assert session.orders == 1, "the venue has the base leg and nothing else"


def test_an_executor_stops_dca_intents_that_risk_blocks():
    room = usdt(700)
    caps = replace(WIDE, notional_gross_max=room, notional_one_side_max=room, notional_correlated_max=room)
    session = Session(policy=LADDERED, caps=caps)
    session.open()
    session.let_pass(3)
    assert [row.order.leg for row in session.runner.rows.values()] == ["base", "rung1"]


def test_strategy_owned_backoff_blocks_retry_storms_and_resets_on_fill():
    """A lead that opens every second against a venue that refuses: three tries, then nothing for a minute."""
    session = Session(faults=[rejecting(nth=1, count=3)])
    for second in range(60):
        session.runner.tell(opened(episode(second / 60, 60)))
        session.runner.pump()
        session.let_pass(1)
    assert session.states == ["rejected"] * 3
    assert session.runner.state.strategy.backoff.blocks(session.now_ms())
    session.crash()
    assert session.runner.state.strategy.backoff.blocks(session.now_ms()), "the brake survives the process"
    session.let_pass(5)
    session.runner.tell(opened(episode(session_minutes(session), 60)))
    session.runner.pump()
    session.let_pass(3)
    assert session.runner.state.strategy.backoff == IDLE
    assert (session.in_book, session.at_venue) == (1000, 1000)


def session_minutes(session: Session) -> float:
    return (session.now_ms() - at_ms(0)) / 60_000


def test_a_backoff_that_is_on_lets_every_close_pass():
    session = Session(faults=[rejecting(nth=2, count=3)])
    session.open()
    session.let_pass(2)
    for second in range(3):
        session.runner.tell(opened(episode(1 + second / 60, 60)))
        session.runner.pump()
    assert session.runner.state.strategy.backoff.blocks(session.now_ms())
    session.close()
    session.let_pass(2)
    assert (session.in_book, session.at_venue) == (0, 0)


# -- one policy, one code path ----------------------------------------------------------------------------------------


class _Answers(ast.NodeVisitor):
    """Calls of a strategy's `decide` in one module."""

    def __init__(self) -> None:
        self.count = 0

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "decide":
            self.count += 1
        self.generic_visit(node)


def test_paper_and_live_import_the_same_policy(project_root: Path):
    assert memory.advance is reference.advance is flow.advance, "one function tells the story, whoever drives it"
    asking: list[str] = []
    for path in sorted((project_root / "copytrade_core").rglob("*.py")):
        answers = _Answers()
        answers.visit(ast.parse(path.read_text(encoding="utf-8")))
        if answers.count:
            asking.append(path.relative_to(project_root / "copytrade_core").as_posix())
    assert asking == ["flow.py", "strategies/leads.py"], "only the story asks, and a strategy made of strategies"


@pytest.mark.parametrize("policy", [FOLLOW, LADDERED], ids=["single", "ladder"])
def test_paper_and_live_wish_for_the_same_orders_under_the_same_names(policy):
    policy = replace(policy, exit=leave(ExitFamily.SOURCE_CLOSE_THEN_AUTONOMOUS, stop=200_000))
    session = Session(policy=policy)
    session.open()
    session.let_pass(3)
    session.close()
    session.let_pass(3)
    live = [row.order for row in session.runner.rows.values()]
    assert session.in_book == 0
    assert [spelled(order) for order in live] == [spelled(order) for order in on_paper(policy, session)]


def spelled(order: Order) -> tuple[object, ...]:
    return (
        order.client_order_id,
        order.kind,
        order.leg,
        order.side,
        order.buys,
        order.reduce_only,
        order.worst_notional,
        order.reason,
    )


def on_paper(policy, session: Session) -> list[Order]:
    """The same lead through the virtual exchange that replays use: no journal, no runner, no venue."""
    rules: dict[str, Instrument] = {BTC: instrument(min_notional=2)}
    exchange = VirtualExchange(
        instruments=rules, costs=FREE, market_fill=FillModel.NEXT_BAR_OPEN, rung_fill=FillModel.TOUCH, quotes={}
    )
    desk = Desk(
        strategy=strategy_of(policy),
        sink=exchange,
        prices=session.watch,
        instruments=rules,
        account="test",
        lead_margin_balance=None,
        caps=UNCAPPED,
        surroundings=UNDISTURBED,
    )
    state, orders = fresh_state(FRESH, opened_book(usdt(10_000))), []
    told = bar(100_000, 100_000, 100_000, 100_000)
    for event in (opened(session.episode), None, closed(session.episode), None):
        events = [event] if event is not None else [OrderFilled(fill=f) for f in exchange.at_open(told, exits=True)]
        if event is None:
            events += [OrderFilled(fill=fill) for fill in exchange.at_open(told, exits=False)]
        for each in events:
            step = flow.advance(state, each, desk, now_ms=at_ms(0))
            state = step.state
            orders += [record for record in step.records if isinstance(record, Order)]
            assert not any(isinstance(record, Intent) for record in step.records)
    assert state.book.holdings == {}
    return orders
