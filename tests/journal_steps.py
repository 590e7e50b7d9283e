"""What tests of the journal write: one session, its orders, and steps whose parts tell which step they are of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from copytrade_core.edges.runtime.session_db import SessionDb
from copytrade_core.model.alert import Alert, AlertKind
from copytrade_core.model.event import FundingPaid
from copytrade_core.model.fill import Fill, FillModel
from copytrade_core.model.intent import Hold, IntentKind, LimitStyle
from copytrade_core.model.order import Order
from copytrade_core.model.order_row import OrderRow, OrderState
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks
from copytrade_core.session.identity import SessionIdentity
from copytrade_core.session.ports import JournalStep
from tests.trading_floor import BTC, START_MS

IDENTITY = SessionIdentity(
    lead="4751838302089254401", strategy="follow", policy_digest="digest-1", venue="bingx", account="canary"
)
EPISODE = "4751838302089254401|BTC/USDT:USDT|long|1767607200000"


def order(number: int) -> Order:
    return Order(
        client_order_id=f"c{number:025}",
        kind=IntentKind.OPEN,
        episode_id=EPISODE,
        market=BTC,
        side=Side.LONG,
        leg=f"base{number}",
        replaces="base",
        buys=True,
        reduce_only=False,
        style=LimitStyle(price=Ticks(100_000), post_only=True),
        quantity=Steps(10),
        worst_notional=Money(30),
        live_from_ms=START_MS,
        expires_at_ms=None,
        reason="entry",
    )


def row(number: int, state: OrderState = OrderState.PLANNED, *, filled: int = 0, why: str = "") -> OrderRow:
    return OrderRow(
        order=order(number),
        intent_digest=f"digest of {number}",
        state=state,
        planned_at_ms=START_MS,
        sent_at_ms=None,
        deadline_ms=None,
        venue_order_id=None,
        filled=Steps(filled),
        lookups_count=0,
        lookup_after_ms=0,
        cancel_wanted=False,
        why=why or state.value,
    )


def step(
    *rows: OrderRow,
    at_ms: int = START_MS,
    state: bytes | None = None,
    done: Mapping[str, bytes] | None = None,
    records=(),
    fill_ids: tuple[str, ...] = (),
    alerts: tuple[Alert, ...] = (),
    cursor: str | None = None,
    needs_sync: bool = True,
) -> JournalStep:
    return JournalStep(
        at_ms=at_ms,
        state=state,
        done=done or {},
        rows=rows,
        records=records,
        fill_ids=fill_ids,
        alerts=alerts,
        heard=None,
        cursor=cursor,
        needs_sync=needs_sync,
    )


def fill(number: int) -> Fill:
    ordered = order(number)
    return Fill(
        client_order_id=ordered.client_order_id,
        kind=ordered.kind,
        episode_id=ordered.episode_id,
        market=ordered.market,
        side=ordered.side,
        leg=ordered.leg,
        buys=ordered.buys,
        time_ms=START_MS,
        bar_open_ms=START_MS,
        raw_price=Ticks(100_000),
        price=Ticks(100_001),
        quantity=Steps(10),
        fee=Money(5),
        slippage=Money(1),
        model=FillModel.NEXT_BAR_OPEN,
        reason=ordered.reason,
    )


def whole_step(number: int) -> JournalStep:
    """A step that touches every table and carries its number in each: what is torn shows."""
    return step(
        row(number, OrderState.FILLED, filled=10),
        row(number + 1, OrderState.PLANNED),
        at_ms=START_MS + number,
        state=b'{"step":%d}' % number,
        done={EPISODE: b'{"done":%d}' % number},
        records=(
            order(number),
            fill(number),
            FundingPaid(episode_id=EPISODE, market=BTC, cost=Money(number), time_ms=number),
            Hold(episode_id=EPISODE, reason="n", numbers=(), decided_at_ms=number),
        ),
        fill_ids=(f"trade {number}",),
        alerts=(Alert(kind=AlertKind.SLIPPAGE, subject=str(number), at_ms=number, what="a test"),),
        cursor=str(number),
    )


def opened(path: Path, *, identity: SessionIdentity = IDENTITY, run_id: str = "run 1") -> SessionDb:
    return SessionDb.open(path, identity=identity, run_id=run_id, now_ms=START_MS)


def in_memory() -> SessionDb:
    return SessionDb.in_memory(identity=IDENTITY, run_id="run 1", now_ms=START_MS)
