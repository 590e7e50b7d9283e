"""THE STORY: one event, from the strategy's wish to the book.

Ask the strategy, ask risk, build the order, hand it over, post the fill. Replay, paper, shadow and live only drive this
function, so the policy that was tested is the policy that trades. It never invents a wish of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from copytrade_core.ledger.equity import equity, gross_notional
from copytrade_core.ledger.post import post_fill
from copytrade_core.model.book import Book, Holding
from copytrade_core.model.broker import OrderSink
from copytrade_core.model.caps import Caps
from copytrade_core.model.event import (
    AFTER_BLOCKED_ADD,
    BarClosed,
    Event,
    MarkSeen,
    OrderFilled,
    OrderNotPlaced,
    OrderRejected,
    PositionSynced,
    Timer,
    View,
)
from copytrade_core.model.fill import Fill
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import Hold, Intent, IntentKind, LimitStyle, MarketStyle, SyncState
from copytrade_core.model.order import Order
from copytrade_core.model.source_event import SourceChanged, SourceClosed, SourceMissing, SourceOpened
from copytrade_core.model.units import Money, Steps, Ticks
from copytrade_core.model.verdict import Refused
from copytrade_core.orders.build import build
from copytrade_core.risk.gate import Exposure, check
from copytrade_core.strategies.machine import Strategy
from copytrade_core.strategies.state import StrategyState

DAY_MS = 86_400_000

Record = Hold | SyncState | Refused | Order | Fill
"""What a step leaves behind for the journal: every side exit is kept with its reason."""


class Prices(Protocol):
    """What is known of prices."""

    def mark(self, market: str, at_ms: int) -> Ticks | None:
        """The last price of a market known at a time, in ticks; None when there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Who is asked along the way."""

    strategy: Strategy
    sink: OrderSink
    prices: Prices
    instruments: Mapping[str, Instrument]
    account: str
    lead_margin_balance: Money | None
    caps: Caps


@dataclass(frozen=True, slots=True, kw_only=True)
class DayStart:
    """The cash with which a UTC day began; `number` counts days since the epoch."""

    number: int
    cash: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowState:
    """What must survive from one event to the next: strategy, book, orders handed over, attempts per leg, the day."""

    strategy: StrategyState
    book: Book
    resting: Mapping[str, Order]
    attempts: Mapping[tuple[str, str], int]
    day: DayStart


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The state after an event, and what happened on the way."""

    state: FlowState
    records: tuple[Record, ...]


def advance(state: FlowState, event: Event, desk: Desk, *, now_ms: int) -> Step:
    """Tell one event to the strategy and carry out what it wishes.

    A fill is posted before the strategy hears of it; the orders of an episode that is flat are taken back. After the
    first blocked add of an episode the remaining adds of this pass are not tried.
    """
    records: list[Record] = []
    state = _on_day(state, now_ms)
    if isinstance(event, OrderFilled):
        state = _posted(state, event.fill, desk)
        records.append(event.fill)
    for episode_id, market in _subjects(state, event):
        view = _view(state, desk, episode_id, market, now_ms)
        decision = desk.strategy.decide(state.strategy, event, view)
        state = replace(state, strategy=decision.state)
        blocked_adds = False
        for wish in decision.wishes:
            if not isinstance(wish, Intent):
                records.append(wish)
                continue
            if wish.kind is IntentKind.ADD and blocked_adds:
                step = _not_placed(state, wish, AFTER_BLOCKED_ADD, desk, now_ms)
            else:
                step = _carry_out(state, wish, desk, now_ms)
            blocked_adds = blocked_adds or (wish.kind is IntentKind.ADD and _was_refused(step))
            state = step.state
            records.extend(step.records)
    return Step(state=state, records=tuple(records))


def _on_day(state: FlowState, now_ms: int) -> FlowState:
    """The state with the cash of its first moment on the UTC day of `now_ms`."""
    day = now_ms // DAY_MS
    return state if day <= state.day.number else replace(state, day=DayStart(number=day, cash=state.book.cash))


def _carry_out(state: FlowState, intent: Intent, desk: Desk, now_ms: int) -> Step:
    instrument = desk.instruments[intent.market]
    held = state.book.holdings.get(intent.episode_id)
    quantity_held = held.quantity if held is not None else Steps(0)
    verdict = check(intent, _exposure(state, desk, instrument, quantity_held, intent, now_ms), desk.caps)
    if isinstance(verdict, Refused):
        return _refused(state, verdict, desk, now_ms)
    key = (intent.episode_id, intent.leg)
    attempt = state.attempts.get(key, 0)
    order = build(
        verdict, instrument, quantity_held=quantity_held, account=desk.account, attempt=attempt, now_ms=now_ms
    )
    if isinstance(order, Refused):
        return _refused(state, order, desk, now_ms)
    state = _replaced(state, order, desk)
    desk.sink.submit(order)
    after = replace(
        state,
        resting={**state.resting, order.client_order_id: order},
        attempts={**state.attempts, key: attempt + 1},
    )
    return Step(state=after, records=(order,))


def _replaced(state: FlowState, order: Order, desk: Desk) -> FlowState:
    """Take back what the order stands in for: its own group, and for a market close everything of the episode."""
    leaves = order.kind is IntentKind.CLOSE and isinstance(order.style, MarketStyle)
    stale = [
        other.client_order_id
        for other in state.resting.values()
        if other.episode_id == order.episode_id and (leaves or other.replaces == order.replaces)
    ]
    return _cancelled(state, stale, desk)


def _cancelled(state: FlowState, order_ids: list[str], desk: Desk) -> FlowState:
    if not order_ids:
        return state
    for order_id in order_ids:
        desk.sink.cancel(order_id)
    return replace(state, resting={key: order for key, order in state.resting.items() if key not in order_ids})


def _posted(state: FlowState, fill: Fill, desk: Desk) -> FlowState:
    order = state.resting.get(fill.client_order_id)
    resting = {key: other for key, other in state.resting.items() if key != fill.client_order_id}
    if order is not None and fill.quantity < order.quantity:
        resting[fill.client_order_id] = replace(order, quantity=Steps(order.quantity - fill.quantity))
    book = post_fill(state.book, fill, desk.instruments[fill.market])
    state = replace(state, book=book, resting=resting)
    if fill.kind.is_entry or fill.episode_id in book.holdings:
        return state
    return _cancelled(state, [key for key, o in resting.items() if o.episode_id == fill.episode_id], desk)


def _refused(state: FlowState, refused: Refused, desk: Desk, now_ms: int) -> Step:
    told = _not_placed(state, refused.intent, refused.reason, desk, now_ms)
    return Step(state=told.state, records=(refused, *told.records))


def _not_placed(state: FlowState, intent: Intent, reason: str, desk: Desk, now_ms: int) -> Step:
    """Tell the strategy that an intent did not become an order."""
    event = OrderNotPlaced(
        episode_id=intent.episode_id, kind=intent.kind, leg=intent.leg, reason=reason, time_ms=now_ms
    )
    return advance(state, event, desk, now_ms=now_ms)


def _was_refused(step: Step) -> bool:
    return any(isinstance(record, Refused) for record in step.records)


def _exposure(
    state: FlowState, desk: Desk, instrument: Instrument, quantity_held: Steps, intent: Intent, now_ms: int
) -> Exposure:
    if not intent.kind.is_entry:
        zero = Money(0)
        return Exposure(
            now_ms=now_ms,
            equity=zero,
            day_result=zero,
            notional_used=zero,
            quantity_held=quantity_held,
            instrument=instrument,
        )

    def price(held: Holding) -> int:
        return _price_of(held, desk, now_ms)

    held_notional = gross_notional(state.book, desk.instruments, price)
    reserved = sum(_reserved(order, desk, now_ms) for order in state.resting.values() if not order.reduce_only)
    worth = equity(state.book, desk.instruments, price)
    return Exposure(
        now_ms=now_ms,
        equity=worth,
        day_result=Money(worth - state.day.cash),
        notional_used=Money(held_notional + reserved),
        quantity_held=quantity_held,
        instrument=instrument,
    )


def _reserved(order: Order, desk: Desk, now_ms: int) -> Money:
    price = order.style.price if isinstance(order.style, LimitStyle) else desk.prices.mark(order.market, now_ms)
    assert price is not None, "an entry was approved against a known mark"
    return desk.instruments[order.market].notional(price, order.quantity)


def _price_of(held: Holding, desk: Desk, now_ms: int) -> int:
    mark = desk.prices.mark(held.market, now_ms)
    if mark is not None:
        return mark
    return max(1, held.cost // (held.quantity * desk.instruments[held.market].money_per_tick_step))


def _subjects(state: FlowState, event: Event) -> list[tuple[str | None, str]]:
    """Which episode and market the strategy looks at: prices concern every holding of their market."""
    match event:
        case BarClosed(bar=bar):
            return [(held.episode_id, bar.market) for held in _held_in(state, bar.market)]
        case MarkSeen(market=market):
            return [(held.episode_id, market) for held in _held_in(state, market)]
        case OrderFilled(fill=fill):
            return [(fill.episode_id, fill.market)]
        case SourceOpened() | SourceChanged() | SourceMissing() | SourceClosed():
            return [(event.episode.episode_id, event.episode.market)]
        case OrderRejected() | OrderNotPlaced() | PositionSynced() | Timer():
            trade = state.strategy.trades.get(event.episode_id)
            return [] if trade is None else [(event.episode_id, trade.market)]


def _held_in(state: FlowState, market: str) -> list[Holding]:
    return [held for held in state.book.holdings.values() if held.market == market]


def _view(state: FlowState, desk: Desk, episode_id: str | None, market: str, now_ms: int) -> View:
    return View(
        now_ms=now_ms,
        instrument=desk.instruments[market],
        mark=desk.prices.mark(market, now_ms),
        holding=state.book.holdings.get(episode_id) if episode_id is not None else None,
        equity=equity(state.book, desk.instruments, lambda held: _price_of(held, desk, now_ms)),
        initial_equity=state.book.initial_equity,
        lead_margin_balance=desk.lead_margin_balance,
    )
