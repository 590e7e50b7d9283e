"""What each path did with each intent, from its orders, fills and refusals. Comparing them is `parity_waterfall`'s."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from copytrade_core.evidence.market_record import attested, attested_mark
from copytrade_core.evidence.parity import Cause, IntentKey, IntentPair, ParityTable, PathTrade, TradePath, Wish
from copytrade_core.evidence.parity_waterfall import lacked, paired, parity_table
from copytrade_core.model.bar import BarSeries
from copytrade_core.model.fill import FillModel
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.intent import IntentKind
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
    """One fill in ticks, steps and money.

    `touch` is the price before slippage, `mid` the middle of the quote before the fill, or the bar's price: bars have
    no spread. None where a path does not tell them.
    """

    time_ms: int
    mid: Fraction | None
    touch: Ticks | None
    price: Ticks
    quantity: Steps
    fee: Money
    model: FillModel


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTrace:
    """One order of a path with its fills, oldest first.

    `seen` is the price that its decision saw and `wish` what it asked for (None: not told).
    """

    episode_id: str
    market: Market
    buys: bool
    kind: IntentKind
    leg: str
    asked: Steps
    planned_at_ms: int
    seen: Ticks | None
    wish: Wish | None
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


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRecord:
    """What both paths are held against: trading rules and bars by market."""

    instruments: Mapping[str, Instrument]
    bars: Mapping[str, BarSeries]


def trades_of(
    path: TradePath,
    orders: Iterable[OrderTrace],
    refusals: Iterable[Refusal],
    *,
    funding: Mapping[str, Money],
    record: MarketRecord,
) -> Trades:
    """What one path did with each intent.

    Args:
        path: which.
        orders: in the order of planning; one of which nothing was filled gives way to the next of its intent.
        refusals: wishes that never became an order; one that was tried again and did is not skipped.
        funding: what each episode paid, charged to its last reduction or close.
        record: trading rules and bars.
    """
    filled: Counter[tuple[str, IntentKind, str]] = Counter()
    found: dict[IntentKey, PathTrade] = {}
    subjects: dict[IntentKey, Subject] = {}
    last: dict[str, IntentKey] = {}
    for order in orders:
        name = (order.episode_id, order.kind, order.leg)
        key = IntentKey(episode_id=name[0], kind=name[1], leg=name[2], occurrence=filled[name])
        filled[name] += bool(order.fills)
        found[key] = _trade(order, record)
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


def compare_paths(base: Trades, other: Trades, instruments: Mapping[str, Instrument]) -> ParityTable:
    """Two paths compared, intent by intent; an exit's shortfall is put down to what its episode's entries lacked."""
    marks = {**_marks(other), **_marks(base)}
    subjects = {**other.subjects, **base.subjects}
    entries: list[IntentPair] = []
    exits: list[IntentPair] = []
    for key, ours, theirs in paired(base.by_intent, other.by_intent):
        rules = instruments[subjects[key].market]
        (entries if key.kind.is_entry else exits).append(
            IntentPair(
                key=key,
                market=rules.market,
                buys=subjects[key].buys,
                unit=rules.money_per_tick_step,
                mark=_tick(marks.get(key.episode_id), rules.money_per_tick_step),
                base=ours,
                other=theirs,
                lacking={},
            )
        )
    shares = _shares(entries)
    held = [{key.episode_id for key, one in each.by_intent.items() if one.filled} for each in (base, other)]
    inherited = (
        replace(pair, lacking=shares[pair.key.episode_id]) if _inherits(pair, shares, held) else pair for pair in exits
    )
    return parity_table(base.path, other.path, (*entries, *inherited))


def _shares(entries: Iterable[IntentPair]) -> dict[str, dict[Cause, Fraction]]:
    """Of each episode whose entries filled unlike, what each cause has of the whole shortfall."""
    missing: dict[str, dict[Cause, Fraction]] = {}
    for pair in entries:
        so_far = missing.setdefault(pair.key.episode_id, {})
        for cause, steps in lacked(pair).items():
            so_far[cause] = so_far.get(cause, Fraction(0)) + steps
    wholes = {episode: sum(causes.values(), Fraction(0)) for episode, causes in missing.items()}
    return {
        episode: {cause: steps / wholes[episode] for cause, steps in causes.items() if steps}
        for episode, causes in missing.items()
        if wholes[episode]
    }


def _inherits(pair: IntentPair, shares: Mapping[str, object], held: Sequence[set[str]]) -> bool:
    """An exit that one path lacks altogether follows from its entries only where that path never held anything."""
    episode = pair.key.episode_id
    if episode not in shares:
        return False
    both_filled = all(one is not None and one.filled for one in (pair.base, pair.other))
    return both_filled or not all(episode in each for each in held)


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


def _trade(order: OrderTrace, record: MarketRecord) -> PathTrade:
    fills, bars = order.fills, record.bars.get(order.market)
    told = None if order.seen is None else Fraction(order.seen)
    seen = attested_mark(bars, time_ms=order.planned_at_ms, seen=told)
    asked = replace(NOTHING, at_ms=order.planned_at_ms, wish=order.wish, asked=order.asked, seen=seen)
    if not fills:
        return asked
    unit = record.instruments[order.market].money_per_tick_step
    return replace(
        asked,
        at_ms=fills[0].time_ms,
        filled=Steps(sum(fill.quantity for fill in fills)),
        attested=_mean(
            fills, lambda fill: attested(bars, model=fill.model, time_ms=fill.time_ms, before_slippage=fill.mid)
        ),
        mid=_mean(fills, lambda fill: fill.mid),
        touch=_mean(fills, lambda fill: None if fill.touch is None else Fraction(fill.touch)),
        notional=Money(sum(fill.price * fill.quantity for fill in fills) * unit),
        fee=Money(sum(fill.fee for fill in fills)),
    )


def _mean(fills: Sequence[FillTrace], price_of: Callable[[FillTrace], Fraction | None]) -> Fraction | None:
    """Weighted by quantity; None where a fill does not tell it."""
    told = [(price, fill.quantity) for fill in fills if (price := price_of(fill)) is not None]
    if len(told) < len(fills):
        return None
    return sum((price * quantity for price, quantity in told), Fraction(0)) / sum(quantity for _, quantity in told)


NOTHING = PathTrade(
    at_ms=0,
    wish=None,
    asked=Steps(0),
    filled=Steps(0),
    seen=None,
    attested=None,
    mid=None,
    touch=None,
    notional=Money(0),
    fee=Money(0),
    funding=Money(0),
    skipped_why=None,
)
"""Neither asked for nor filled."""
