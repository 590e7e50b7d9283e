"""How a session stands: every number of its status, from what it knows. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from copytrade_core.ledger.equity import equity
from copytrade_core.ledger.pnl import unrealised
from copytrade_core.model.book import Holding
from copytrade_core.model.controls import Controls
from copytrade_core.model.order_row import OrderState
from copytrade_core.model.session_end import Ended
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Ticks
from copytrade_core.session.feed import Feed
from copytrade_core.session.runner import Runner
from copytrade_core.session.settings import RunnerSettings
from copytrade_core.session.status import (
    OF_LEAD,
    BackoffNow,
    Counters,
    LimitState,
    LimitUnit,
    PositionState,
    SessionFacts,
    SessionStatus,
    UnknownOrder,
)
from copytrade_core.strategies.leads import lead_of

HOUR_MS = 3_600_000


def standing(
    *,
    facts: SessionFacts,
    trading: RunnerSettings,
    runner: Runner,
    feed: Feed,
    controls: Controls,
    at_ms: int,
    ended: Ended | None,
    error: str | None,
) -> SessionStatus:
    """The status of a session at a time of its clock."""
    state = runner.state
    positions = tuple(_position(held, trading, feed, at_ms) for held in state.book.holdings.values())
    worth = equity(state.book, trading.instruments, lambda held: _price(held, trading, feed, at_ms))
    ages = [feed.watch.mark_age_ms(market, at_ms) for market in trading.instruments]
    known = [age for age in ages if age is not None]
    source_ages = [feed.watch.source_age_ms(f"{lead}|", at_ms) for lead in facts.leads]
    live = [row for row in runner.rows.values() if not row.state.is_final]
    return SessionStatus(
        facts=facts,
        at_ms=at_ms,
        ended=ended,
        controls=controls,
        limits=tuple(_limits(trading, runner, feed, positions, worth, at_ms)),
        positions=positions,
        cash=state.book.cash,
        equity=worth,
        day_result=Money(worth - state.day.cash) if state.day.number == at_ms // (24 * HOUR_MS) else Money(0),
        working_orders=sum(not row.state.is_unresolved for row in live),
        unknown_orders=tuple(
            UnknownOrder(
                client_order_id=row.order.client_order_id,
                market=row.order.market,
                since_ms=row.sent_at_ms or row.planned_at_ms,
                why=row.why,
            )
            for row in live
            if row.state.is_unresolved
        ),
        backoff=_backoff(runner),
        source_age_ms=_oldest(source_ages),
        mark_age_ms=max(known, default=None),
        last_poll=feed.poll,
        counters=_counters(runner),
        alerts=runner.alerts,
        last_error=error,
    )


def _oldest(ages: Sequence[int | None]) -> int | None:
    """The largest age; None when one of them was never seen."""
    known = [age for age in ages if age is not None]
    return max(known, default=None) if len(known) == len(ages) else None


def _position(held: Holding, trading: RunnerSettings, feed: Feed, at_ms: int) -> PositionState:
    rules, mark = trading.instruments[held.market], feed.watch.mark(held.market, at_ms)
    return PositionState(
        episode_id=held.episode_id,
        market=held.market,
        side=held.side,
        quantity=held.quantity,
        entry_price=Ticks(_entry(held, trading)),
        mark=mark,
        notional=held.cost if mark is None else rules.notional(mark, held.quantity),
        unrealised=None if mark is None else Money(unrealised(held, rules, mark)),
        opened_at_ms=held.opened_at_ms,
        source_state=feed.source_state(held.episode_id),
    )


def _entry(held: Holding, trading: RunnerSettings) -> int:
    return max(1, held.cost // (held.quantity * trading.instruments[held.market].money_per_tick_step))


def _price(held: Holding, trading: RunnerSettings, feed: Feed, at_ms: int) -> int:
    mark = feed.watch.mark(held.market, at_ms)
    return _entry(held, trading) if mark is None else mark


def _limits(
    trading: RunnerSettings,
    runner: Runner,
    feed: Feed,
    positions: tuple[PositionState, ...],
    worth: Money,
    at_ms: int,
) -> Iterator[LimitState]:
    caps, state = trading.caps, runner.state
    reserved = [(order.side, order.worst_notional) for order in state.resting.values() if not order.reduce_only]
    used = [*((each.side, each.notional) for each in positions), *reserved]
    sides = {side: sum(notional for held, notional in used if held is side) for side in Side}
    entries = sum(each > at_ms - HOUR_MS for each in state.entries_at_ms)
    marks = [feed.watch.mark_age_ms(each.market, at_ms) for each in positions]
    mark_age = None if None in marks else max((age for age in marks if age is not None), default=0)
    rows = (
        ("daily_loss", max(0, state.day.cash - worth), caps.daily_loss_max, LimitUnit.USDT),
        ("orders_per_hour", entries, caps.orders_per_hour_max, LimitUnit.COUNT),
        ("notional_gross", sum(sides.values()), caps.notional_gross_max, LimitUnit.USDT),
        ("notional_one_side", max(sides.values()), caps.notional_one_side_max, LimitUnit.USDT),
        ("mark_age", None if mark_age is None else mark_age // 1000, caps.mark_age_s_max, LimitUnit.SECONDS),
    )
    for name, value, limit, unit in rows:
        if limit is not None:
            yield LimitState(name=name, value=value, limit=limit, unit=unit)
    committed = [
        *((each.episode_id, each.notional) for each in positions),
        *((order.episode_id, order.worst_notional) for order in state.resting.values() if not order.reduce_only),
    ]
    for lead, limit in sorted(trading.lead_caps.items()):
        value = sum(notional for episode_id, notional in committed if lead_of(episode_id) == lead)
        yield LimitState(name=f"{OF_LEAD}{lead}", value=value, limit=limit, unit=LimitUnit.USDT)


def _backoff(runner: Runner) -> BackoffNow:
    backoff = runner.state.strategy.backoff
    return BackoffNow(failures=backoff.failures, until_ms=backoff.until_ms)


def _counters(runner: Runner) -> Counters:
    states = Counter(row.state for row in runner.rows.values())
    filled = sum(row.filled > 0 for row in runner.rows.values())
    return Counters(
        orders=sum(row.sent_at_ms is not None for row in runner.rows.values()),
        fills=filled,
        not_placed=states[OrderState.NOT_PLACED],
        rejected=states[OrderState.REJECTED],
    )
