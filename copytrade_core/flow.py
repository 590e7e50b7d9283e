"""THE STORY: one event, from the strategy's wish to the book.

Ask the strategy, ask risk, build the order, hand it over, post the fill. Replay, paper, shadow and live only drive this
function, so the policy that was tested is the policy that trades. It never invents a wish of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from copytrade_core.desk import (
    UNDISTURBED,
    DayStart,
    Desk,
    FlowState,
    Prices,
    Surroundings,
    exposure_of,
    fresh_state,
    view_of,
    within_the_hour,
)
from copytrade_core.ledger.post import post_fill, post_funding, written_off
from copytrade_core.model.book import Holding, WrittenOff
from copytrade_core.model.event import (
    AFTER_BLOCKED_ADD,
    BarClosed,
    Event,
    FundingPaid,
    MarkSeen,
    OrderFilled,
    OrderNotPlaced,
    OrderRejected,
    PositionSynced,
    Timer,
)
from copytrade_core.model.fill import Fill
from copytrade_core.model.intent import Hold, Intent, IntentKind, MarketStyle, SyncState
from copytrade_core.model.order import Order
from copytrade_core.model.source_event import SourceChanged, SourceClosed, SourceMissing, SourceOpened
from copytrade_core.model.units import Money, Steps, ceil_div
from copytrade_core.model.verdict import Approved, Refused
from copytrade_core.orders.build import build
from copytrade_core.risk.gate import check

__all__ = [
    "DAY_MS",
    "UNDISTURBED",
    "DayStart",
    "Desk",
    "FlowState",
    "Prices",
    "Record",
    "Step",
    "Surroundings",
    "advance",
    "fresh_state",
]

DAY_MS = 86_400_000

Record = Hold | SyncState | Approved | Refused | Order | Fill | FundingPaid | WrittenOff
"""What a step leaves behind for the journal: every side exit is kept with its reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The state after an event, and what happened on the way."""

    state: FlowState
    records: tuple[Record, ...]


def advance(state: FlowState, event: Event, desk: Desk, *, now_ms: int) -> Step:
    """Tell one event to the strategy and carry out what it wishes.

    What an event proves is booked before the strategy hears of it: a fill is posted, an order that failed rests no
    more, a holding that the venue does not have is written off. The orders of an episode that is flat are taken back.
    After the first blocked add of an episode the remaining adds of this pass are not tried.
    """
    state = _forgotten(_on_day(state, now_ms), desk)
    records: list[Record] = []
    match event:
        case OrderFilled(fill=fill):
            state = _posted(state, fill, desk)
            records.append(fill)
        case OrderRejected() | OrderNotPlaced():
            state = _dropped(state, event)
        case PositionSynced(holding=None):
            state, lost = _synced_flat(state, event, desk)
            records.extend(lost)
        case FundingPaid(episode_id=episode_id, cost=cost):
            state = replace(state, book=post_funding(state.book, episode_id, cost))
            records.append(event)
        case _:
            pass
    told = _told(state, event, desk, now_ms)
    return Step(state=told.state, records=(*records, *told.records))


def _told(state: FlowState, event: Event, desk: Desk, now_ms: int) -> Step:
    """Ask the strategy about an event, and carry out what it wishes."""
    records: list[Record] = []
    for episode_id, market in _subjects(state, event):
        if market not in desk.instruments:
            records.append(_not_traded(episode_id, market, now_ms))
            continue
        view = view_of(state, desk, episode_id, market, now_ms)
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


def _not_traded(episode_id: str, market: str, now_ms: int) -> Hold:
    return Hold(episode_id=episode_id, reason="market_not_traded", numbers=(("market", market),), decided_at_ms=now_ms)


def _on_day(state: FlowState, now_ms: int) -> FlowState:
    """The state with the cash of its first moment on the UTC day of `now_ms`."""
    day = now_ms // DAY_MS
    return state if day <= state.day.number else replace(state, day=DayStart(number=day, cash=state.book.cash))


def _forgotten(state: FlowState, desk: Desk) -> FlowState:
    """The state without orders that were taken back and whose end is known by now."""
    if not state.taken_back:
        return state
    return replace(state, taken_back=_alive(state.taken_back, desk))


def _alive(orders: Mapping[str, Order], desk: Desk) -> dict[str, Order]:
    return {key: order for key, order in orders.items() if desk.surroundings.may_still_fill(key)}


def _carry_out(state: FlowState, intent: Intent, desk: Desk, now_ms: int) -> Step:
    held = state.book.holdings.get(intent.episode_id)
    quantity_held = held.quantity if held is not None else Steps(0)
    verdict = check(intent, exposure_of(state, desk, intent, quantity_held, now_ms), desk.caps)
    if isinstance(verdict, Refused):
        return _refused(state, verdict, desk, now_ms)
    key = (intent.episode_id, intent.leg)
    attempt = state.attempts.get(key, 0)
    order = build(
        verdict,
        desk.instruments[intent.market],
        quantity_held=quantity_held,
        account=desk.account,
        attempt=attempt,
        now_ms=now_ms,
    )
    if isinstance(order, Refused):
        return _refused(state, order, desk, now_ms)
    state = _replaced(state, order, desk)
    desk.sink.submit(order)
    entries = state.entries_at_ms
    after = replace(
        state,
        resting={**state.resting, order.client_order_id: order},
        attempts={**state.attempts, key: attempt + 1},
        entries_at_ms=(*within_the_hour(entries, now_ms), now_ms) if intent.kind.is_entry else entries,
    )
    return Step(state=after, records=(verdict, order))


def _replaced(state: FlowState, order: Order, desk: Desk) -> FlowState:
    """Take back what the order stands in for: its own group, and for a market close everything of the episode."""
    leaves = order.kind is IntentKind.CLOSE and isinstance(order.style, MarketStyle)
    stale = [
        other.client_order_id
        for other in state.resting.values()
        if other.episode_id == order.episode_id and (leaves or other.replaces == order.replaces)
    ]
    return _cancelled(state, stale, desk)


def _cancelled(state: FlowState, order_ids: Iterable[str], desk: Desk) -> FlowState:
    """Take orders back. One that may have reached a venue keeps its capacity until its end is known."""
    gone = {key: state.resting[key] for key in order_ids}
    if not gone:
        return state
    for order_id in gone:
        desk.sink.cancel(order_id)
    return replace(
        state,
        resting={key: order for key, order in state.resting.items() if key not in gone},
        taken_back={**state.taken_back, **_alive(gone, desk)},
    )


def _posted(state: FlowState, fill: Fill, desk: Desk) -> FlowState:
    book = post_fill(state.book, fill, desk.instruments[fill.market])
    state = replace(
        state,
        book=book,
        resting=_without(state.resting, fill),
        taken_back=_without(state.taken_back, fill) if state.taken_back else state.taken_back,
    )
    if fill.kind.is_entry or fill.episode_id in book.holdings:
        return state
    return _cancelled(state, _of_episode(state, fill.episode_id), desk)


def _without(orders: Mapping[str, Order], fill: Fill) -> Mapping[str, Order]:
    """The orders after a fill of one of them: what it left open keeps its part of the worst case."""
    order = orders.get(fill.client_order_id)
    left = {key: other for key, other in orders.items() if key != fill.client_order_id}
    if order is not None and fill.quantity < order.quantity:
        quantity = Steps(order.quantity - fill.quantity)
        worst = Money(ceil_div(order.worst_notional * quantity, order.quantity))
        left[fill.client_order_id] = replace(order, quantity=quantity, worst_notional=worst)
    return left


def _dropped(state: FlowState, event: OrderRejected | OrderNotPlaced) -> FlowState:
    """The state without the order that an answer is about: what it has not filled, it never will."""

    def named(order: Order) -> bool:
        return (order.episode_id, order.kind, order.leg) == (event.episode_id, event.kind, event.leg)

    return replace(
        state,
        resting={key: order for key, order in state.resting.items() if not named(order)},
        taken_back={key: order for key, order in state.taken_back.items() if not named(order)},
    )


def _synced_flat(state: FlowState, event: PositionSynced, desk: Desk) -> tuple[FlowState, tuple[WrittenOff, ...]]:
    """The state after the venue showed that it holds nothing of an episode which our book holds."""
    held = state.book.holdings.get(event.episode_id)
    if held is None:
        return state, ()
    state = replace(state, book=written_off(state.book, event.episode_id))
    return _cancelled(state, _of_episode(state, event.episode_id), desk), (
        WrittenOff(holding=held, time_ms=event.time_ms),
    )


def _of_episode(state: FlowState, episode_id: str) -> list[str]:
    return [key for key, order in state.resting.items() if order.episode_id == episode_id]


def _refused(state: FlowState, refused: Refused, desk: Desk, now_ms: int) -> Step:
    told = _not_placed(state, refused.intent, refused.reason, desk, now_ms)
    return Step(state=told.state, records=(refused, *told.records))


def _not_placed(state: FlowState, intent: Intent, reason: str, desk: Desk, now_ms: int) -> Step:
    """Tell the strategy that an intent did not become an order."""
    event = OrderNotPlaced(
        episode_id=intent.episode_id, kind=intent.kind, leg=intent.leg, reason=reason, time_ms=now_ms
    )
    return _told(state, event, desk, now_ms)


def _was_refused(step: Step) -> bool:
    return any(isinstance(record, Refused) for record in step.records)


def _subjects(state: FlowState, event: Event) -> list[tuple[str, str]]:
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
        case FundingPaid():
            return []


def _held_in(state: FlowState, market: str) -> list[Holding]:
    return [held for held in state.book.holdings.values() if held.market == market]
