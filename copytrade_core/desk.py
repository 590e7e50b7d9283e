"""What a step of the story works with: who is asked, what must survive, and what risk is shown.

The story itself is in `flow`; nothing here wishes, approves or sends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from copytrade_core.ledger.equity import equity
from copytrade_core.model.book import Book, Holding
from copytrade_core.model.broker import OrderSink
from copytrade_core.model.caps import Caps
from copytrade_core.model.controls import CLEAR, Controls
from copytrade_core.model.event import View
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import Intent, LimitStyle
from copytrade_core.model.order import Order
from copytrade_core.model.units import Money, Steps, Ticks
from copytrade_core.risk.exposure import Commitment, Exposure, for_exit
from copytrade_core.strategies.machine import Strategy
from copytrade_core.strategies.state import StrategyState

HOUR_MS = 3_600_000


class Prices(Protocol):
    """What is known of prices."""

    def mark(self, market: str, at_ms: int, /) -> Ticks | None:
        """The last price of a market known at a time, in ticks; None when there is none."""
        ...


class Surroundings(Protocol):
    """What risk must know of the world beyond book and prices. Asked anew for every entry, never for an exit."""

    def controls(self) -> Controls:
        """The controls in force now."""
        ...

    def source_age_ms(self, episode_id: str, now_ms: int, /) -> int | None:
        """How long ago the source of an episode was last seen; None = never."""
        ...

    def mark_age_ms(self, market: str, now_ms: int, /) -> int | None:
        """How old the last price of a market is; None = there is none."""
        ...

    def correlation_ppm(self, market: str, other: str, /) -> int | None:
        """Correlation of recent returns of two markets; None = not known, which counts as moving together."""
        ...

    def is_unresolved(self, client_order_id: str, /) -> bool:
        """Whether the venue may or may not have an order: it was sent, and no trustworthy answer came."""
        ...

    def may_still_fill(self, client_order_id: str, /) -> bool:
        """Whether an order is on its way or alive at a venue, so that it may fill even after it was taken back."""
        ...

    def account_fault(self) -> str | None:
        """Why the account is not known to be ours alone and equal to the ledger; None = it is."""
        ...

    def is_one_way(self) -> bool:
        """Whether the venue keeps one net position per market."""
        ...


class _Undisturbed:
    """No person, no delay, no doubt: what was handed over rests, what was taken back is gone."""

    def controls(self) -> Controls:
        return CLEAR

    def source_age_ms(self, _episode_id: str, _now_ms: int, /) -> int:
        return 0

    def mark_age_ms(self, _market: str, _now_ms: int, /) -> int:
        return 0

    def correlation_ppm(self, _market: str, _other: str, /) -> None:
        return None

    def is_unresolved(self, _client_order_id: str, /) -> bool:
        return False

    def may_still_fill(self, _client_order_id: str, /) -> bool:
        return False

    def account_fault(self) -> None:
        return None

    def is_one_way(self) -> bool:
        return False


UNDISTURBED: Surroundings = _Undisturbed()
"""The surroundings of a replay."""


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
    surroundings: Surroundings
    lead_caps: Mapping[str, Money] = field(default_factory=dict[str, Money])
    """By lead the most that may be held and reserved of it; a lead without one has only the caps over all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayStart:
    """The cash with which a UTC day began; `number` counts days since the epoch."""

    number: int
    cash: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowState:
    """What must survive from one event to the next.

    Strategy, book, and the day; `resting` the orders handed over and wanted, `taken_back` those that are not wanted any
    more but may still fill: they reserve capacity until their end is known. `attempts` counts tries per episode and
    leg; `entries_at_ms` when opens and adds were handed over within the last hour.
    """

    strategy: StrategyState
    book: Book
    resting: Mapping[str, Order]
    taken_back: Mapping[str, Order]
    attempts: Mapping[tuple[str, str], int]
    entries_at_ms: tuple[int, ...]
    day: DayStart


def fresh_state(strategy: StrategyState, book: Book) -> FlowState:
    """Nothing has happened yet."""
    return FlowState(
        strategy=strategy,
        book=book,
        resting={},
        taken_back={},
        attempts={},
        entries_at_ms=(),
        day=DayStart(number=-1, cash=book.cash),
    )


def within_the_hour(entries_at_ms: tuple[int, ...], now_ms: int) -> tuple[int, ...]:
    """The times that still count against an hourly cap."""
    return tuple(at_ms for at_ms in entries_at_ms if at_ms > now_ms - HOUR_MS)


def view_of(state: FlowState, desk: Desk, episode_id: str, market: str, now_ms: int) -> View:
    """What the strategy is shown of one episode and market."""
    return View(
        now_ms=now_ms,
        instrument=desk.instruments[market],
        mark=desk.prices.mark(market, now_ms),
        holding=state.book.holdings.get(episode_id),
        pending_exits=tuple(
            order.replaces for order in state.resting.values() if order.reduce_only and order.episode_id == episode_id
        ),
        equity=_worth(state, desk, now_ms),
        initial_equity=state.book.initial_equity,
        lead_margin_balance=desk.lead_margin_balance,
    )


def exposure_of(state: FlowState, desk: Desk, intent: Intent, quantity_held: Steps, now_ms: int) -> Exposure:
    """What an intent is judged against. An exit asks for nothing but what is held, so that nothing can hold it back."""
    instrument = desk.instruments[intent.market]
    if not intent.kind.is_entry:
        return for_exit(now_ms=now_ms, quantity_held=quantity_held, instrument=instrument)
    around = desk.surroundings
    worth = _worth(state, desk, now_ms)
    markets = dict.fromkeys([intent.market, *(held.market for held in state.book.holdings.values())])
    marks = {market: desk.prices.mark(market, now_ms) for market in markets}
    ages = [around.mark_age_ms(market, now_ms) for market in markets]
    is_marked = all(marks[held.market] is not None for held in state.book.holdings.values())
    is_one_way = around.is_one_way()
    lead = _lead(intent.episode_id)
    return Exposure(
        now_ms=now_ms,
        equity=worth,
        day_result=Money(worth - state.day.cash) if is_marked else None,
        commitments=tuple(_commitments(state, desk, now_ms)),
        quantity_held=quantity_held,
        instrument=instrument,
        controls=around.controls(),
        entries_last_hour=len(within_the_hour(state.entries_at_ms, now_ms)),
        source_age_ms=around.source_age_ms(intent.episode_id, now_ms),
        mark_age_ms=None if None in ages else max(age for age in ages if age is not None),
        mark=marks[intent.market],
        unresolved_count=sum(
            order.market == intent.market
            and (is_one_way or order.side is intent.side)
            and around.is_unresolved(order.client_order_id)
            for order in (*state.resting.values(), *state.taken_back.values())
        ),
        account_fault=around.account_fault(),
        is_one_way=is_one_way,
        correlation_ppm=around.correlation_ppm,
        notional_of_lead=Money(sum(each.notional for each in _commitments(state, desk, now_ms, lead))),
        notional_of_lead_max=desk.lead_caps.get(lead),
    )


def _lead(episode_id: str) -> str:
    return episode_id.partition("|")[0]


def _commitments(state: FlowState, desk: Desk, now_ms: int, lead: str | None = None) -> Iterator[Commitment]:
    """Everything held at its mark, and every entry that may still fill; of one lead, or of all."""
    for held in state.book.holdings.values():
        if lead is not None and _lead(held.episode_id) != lead:
            continue
        notional = desk.instruments[held.market].notional(_price_of(held, desk, now_ms), held.quantity)
        yield Commitment(market=held.market, side=held.side, notional=notional)
    for order in (*state.resting.values(), *state.taken_back.values()):
        if not order.reduce_only and (lead is None or _lead(order.episode_id) == lead):
            yield Commitment(market=order.market, side=order.side, notional=_reserved(order, desk, now_ms))


def _reserved(order: Order, desk: Desk, now_ms: int) -> Money:
    """What an entry may come to hold: at its price or the mark; never under its worst case once a venue is involved."""
    price = order.style.price if isinstance(order.style, LimitStyle) else desk.prices.mark(order.market, now_ms)
    if price is None:
        return order.worst_notional
    plain = desk.instruments[order.market].notional(price, order.quantity)
    around = desk.surroundings
    is_sure = not (around.is_unresolved(order.client_order_id) or around.may_still_fill(order.client_order_id))
    return plain if is_sure else max(plain, order.worst_notional)


def _worth(state: FlowState, desk: Desk, now_ms: int) -> Money:
    return equity(state.book, desk.instruments, lambda held: _price_of(held, desk, now_ms))


def _price_of(held: Holding, desk: Desk, now_ms: int) -> int:
    mark = desk.prices.mark(held.market, now_ms)
    if mark is not None:
        return mark
    return max(1, held.cost // (held.quantity * desk.instruments[held.market].money_per_tick_step))
