"""What each path did with each intent, from its orders, fills and refusals. Comparing them is `parity`'s.

A market order is executable at the price that its fill model starts from (the bar's open, the quote): where no path
tells the middle of the spread apart from it, the spread is within `executable`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from copytrade_core.evidence.parity import (
    IntentKey,
    IntentPair,
    ParityTable,
    PathTrade,
    TradePath,
    paired,
    parity_table,
)
from copytrade_core.model.fill import Fill, FillModel
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.round_trip import ReplayResult
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an intent is about: its market, and whether it buys."""

    market: Market
    buys: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trades:
    """What one path did with each intent, and what each is about."""

    path: TradePath
    by_intent: Mapping[IntentKey, PathTrade]
    subjects: Mapping[IntentKey, Subject]


@dataclass(frozen=True, slots=True, kw_only=True)
class FillTrace:
    """One fill in ticks, steps and money. `raw_price` is before slippage, None where a path does not tell it."""

    time_ms: int
    raw_price: Ticks | None
    price: Ticks
    quantity: Steps
    fee: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTrace:
    """One order of a path with its fills, oldest first. `seen` is the price that its decision saw (None: not told)."""

    episode_id: str
    market: Market
    buys: bool
    kind: IntentKind
    leg: str
    asked: Steps
    planned_at_ms: int
    seen: Ticks | None
    fills: tuple[FillTrace, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A wish that a path did not let through."""

    episode_id: str
    market: Market
    buys: bool
    kind: IntentKind
    leg: str
    at_ms: int
    why: str


def trades_of(
    path: TradePath,
    orders: Iterable[OrderTrace],
    refusals: Iterable[Refusal],
    *,
    funding: Mapping[str, Money],
    instruments: Mapping[str, Instrument],
) -> Trades:
    """What one path did with each intent.

    Args:
        path: which.
        orders: in the order of planning.
        refusals: wishes that never became an order; one that was tried again and did is not skipped.
        funding: what each episode paid, charged to its last reduction or close.
        instruments: trading rules by market.
    """
    count: Counter[tuple[str, IntentKind, str]] = Counter()
    found: dict[IntentKey, PathTrade] = {}
    subjects: dict[IntentKey, Subject] = {}
    last: dict[str, IntentKey] = {}
    for order in orders:
        name = (order.episode_id, order.kind, order.leg)
        key = IntentKey(episode_id=name[0], kind=name[1], leg=name[2], occurrence=count[name])
        count[name] += 1
        found[key] = _trade(order, instruments[order.market].money_per_tick_step)
        subjects[key] = Subject(market=order.market, buys=order.buys)
        if order.fills and not order.kind.is_entry:
            last[order.episode_id] = key
    for episode_id, key in last.items():
        found[key] = replace(found[key], funding=funding.get(episode_id, Money(0)))
    for refusal in refusals:
        key = IntentKey(episode_id=refusal.episode_id, kind=refusal.kind, leg=refusal.leg, occurrence=0)
        if key not in found:
            found[key] = replace(NOTHING, at_ms=refusal.at_ms, skipped_why=refusal.why)
            subjects[key] = Subject(market=refusal.market, buys=refusal.buys)
    return Trades(path=path, by_intent=found, subjects=subjects)


def replay_trades(
    result: ReplayResult, instruments: Mapping[str, Instrument], *, about: Mapping[str, tuple[Market, Side]]
) -> Trades:
    """What a replay did; its orders fill whole.

    Args:
        result: the replay.
        instruments: trading rules by market.
        about: market and our side of each episode, needed for entries that were refused; others are left out.
    """
    orders: dict[tuple[str, str], list[Fill]] = {}
    for trip in result.round_trips:
        for fill in trip.fills:
            orders.setdefault((fill.episode_id, fill.client_order_id), []).append(fill)
    refusals = (
        Refusal(
            episode_id=each.episode_id,
            market=about[each.episode_id][0],
            buys=about[each.episode_id][1].entry_buys,
            # Only entries are ever refused by risk.
            kind=IntentKind.OPEN if each.leg == "base" else IntentKind.ADD,
            leg=each.leg,
            at_ms=each.at_ms,
            why=each.reason,
        )
        for each in result.blocked
        if each.episode_id in about
    )
    return trades_of(
        TradePath.REPLAY,
        (_order_of(fills) for fills in orders.values()),
        refusals,
        funding={trip.episode_id: trip.funding for trip in result.round_trips},
        instruments=instruments,
    )


def compare_paths(base: Trades, other: Trades, instruments: Mapping[str, Instrument]) -> ParityTable:
    """Two paths compared, intent by intent. Where one does not tell what it saw, both count from executable on."""
    marks = {**_marks(other), **_marks(base)}
    subjects = {**other.subjects, **base.subjects}
    pairs: list[IntentPair] = []
    for key, ours, theirs in paired(base.by_intent, other.by_intent):
        rules = instruments[subjects[key].market]
        told = all(each is None or each.seen is not None for each in (ours, theirs))
        pairs.append(
            IntentPair(
                key=key,
                market=rules.market,
                buys=subjects[key].buys,
                unit=rules.money_per_tick_step,
                mark=_tick(marks.get(key.episode_id), rules.money_per_tick_step),
                base=ours if told or ours is None else replace(ours, seen=ours.executable),
                other=theirs if told or theirs is None else replace(theirs, seen=theirs.executable),
            )
        )
    return parity_table(base.path, other.path, pairs)


def _marks(trades: Trades) -> dict[str, tuple[Money, Steps]]:
    """Of each episode, the last exit's notional and quantity, or the last entry's while there is none."""
    found: dict[str, tuple[bool, int, Money, Steps]] = {}
    for key, trade in trades.by_intent.items():
        if trade.filled:
            candidate = (not key.kind.is_entry, trade.at_ms, trade.notional, trade.filled)
            found[key.episode_id] = max(found.get(key.episode_id, candidate), candidate)
    return {episode: (notional, filled) for episode, (_, _, notional, filled) in found.items()}


def _tick(filled: tuple[Money, Steps] | None, unit: int) -> Ticks:
    return Ticks(0) if filled is None else Ticks(filled[0] // (filled[1] * unit))


def _trade(order: OrderTrace, unit: int) -> PathTrade:
    fills = order.fills
    if not fills:
        return replace(NOTHING, at_ms=order.planned_at_ms, asked=order.asked, seen=order.seen)
    raw = [fill.raw_price for fill in fills]
    touch = [price * fill.quantity for price, fill in zip(raw, fills, strict=True) if price is not None]
    return PathTrade(
        at_ms=fills[0].time_ms,
        asked=order.asked,
        filled=Steps(sum(fill.quantity for fill in fills)),
        seen=order.seen,
        executable=raw[0] or fills[0].price,
        touch_notional=Money(sum(touch) * unit) if len(touch) == len(fills) else None,
        notional=Money(sum(fill.price * fill.quantity for fill in fills) * unit),
        fee=Money(sum(fill.fee for fill in fills)),
        funding=Money(0),
        skipped_why=None,
    )


def _order_of(fills: Sequence[Fill]) -> OrderTrace:
    first = fills[0]
    return OrderTrace(
        episode_id=first.episode_id,
        market=first.market,
        buys=first.buys,
        kind=first.kind,
        leg=first.leg,
        asked=Steps(sum(fill.quantity for fill in fills)),
        planned_at_ms=first.time_ms,
        seen=None,
        fills=tuple(
            FillTrace(
                time_ms=fill.time_ms,
                raw_price=None if fill.model is FillModel.VENUE else fill.raw_price,
                price=fill.price,
                quantity=fill.quantity,
                fee=fill.fee,
            )
            for fill in fills
        ),
    )


NOTHING = PathTrade(
    at_ms=0,
    asked=Steps(0),
    filled=Steps(0),
    seen=None,
    executable=None,
    touch_notional=None,
    notional=Money(0),
    fee=Money(0),
    funding=Money(0),
    skipped_why=None,
)
"""Neither asked for nor filled."""
