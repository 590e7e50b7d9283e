"""One intent on two paths: what each did, and a waterfall of the difference that sums exactly.

Paths are replay, paper, shadow and live; how their records are read is not known here, nor how much may differ.
All numbers are exact: integers, and fractions of them.

The result of an intent against a price M that both paths share (`mark`) is s x q x (M - p) - fee - funding, with s = +1
for a buy. Summed over an episode that ends flat it is the episode's result, whatever M is. A difference is the base
path's result less the other's: positive where the other path did worse. On the quantity that both filled, each path's
price is p = seen + (executable - seen) + (touch - executable) + (p - touch); the four parts give observation delay,
decision, spread and slippage. Quantity that one path lacks is valued at the price of the one that has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.units import Money, Steps, Ticks

BPS = 10_000
RESIDUAL_BPS_MAX = 1
"""The specification's: a difference that no cause explains fails above it."""


class TradePath(StrEnum):
    """Where an intent was carried out."""

    REPLAY = "replay"
    PAPER = "paper"
    SHADOW = "shadow"
    LIVE = "live"


class Cause(StrEnum):
    """Why two paths differ, in the order of the waterfall."""

    OBSERVATION_DELAY = "observation_delay"
    """The path saw the source at another price."""
    DECISION = "decision"
    """The market moved otherwise between seeing and being executable."""
    SPREAD = "spread"
    SLIPPAGE = "slippage"
    FEE = "fee"
    FUNDING = "funding"
    ROUNDING = "rounding"
    """Another quantity was asked for: grid, minimums, equity at hand."""
    SKIPPED = "skipped"
    """One path wished it and was not let, or wished to do nothing."""
    PARTIAL = "partial"
    """Asked for and not filled, in part."""
    MISSED = "missed"
    """One path never had the intent, or nothing of it was filled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentKey:
    """What makes it the same intent everywhere; `occurrence` counts the same wish of an episode from 0."""

    episode_id: str
    kind: IntentKind
    leg: str
    occurrence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PathTrade:
    """What one path did with one intent. Notionals are exact sums of price x quantity over its fills.

    `asked` is the quantity ordered (0: refused or held, then `skipped_why` says why). `seen` is the market when the
    path saw what the intent answers, `executable` when its order could first fill (both before spread, in ticks);
    `touch_notional` is at the quote or bar price before slippage, None where no path tells. `at_ms` is the first fill,
    or when it was decided.
    """

    at_ms: int
    asked: Steps
    filled: Steps
    seen: Ticks | None
    executable: Ticks | None
    touch_notional: Money | None
    notional: Money
    fee: Money
    funding: Money
    skipped_why: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentPair:
    """One intent as two paths had it (None: not at all). `unit` is the money of one tick x one step."""

    key: IntentKey
    market: Market
    buys: bool
    unit: int
    mark: Ticks
    base: PathTrade | None
    other: PathTrade | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityRow:
    """One intent compared. Money is exact, in 1e-8 quote; positive = the other path did worse.

    `causes` holds every cause; they and `residual` add up to `total`. `notional` is what basis points are of: the base
    path's, or the other's where the base filled nothing.
    """

    pair: IntentPair
    notional: Money
    total: Fraction
    causes: Mapping[Cause, Fraction]
    residual: Fraction

    def bps(self, money: Fraction) -> Fraction:
        """Exact basis points of the row's notional; 0 where nothing was filled on either path."""
        return money * BPS / self.notional if self.notional else Fraction(0)

    @property
    def lag_ms(self) -> int | None:
        """How much later the other path was."""
        base, other = self.pair.base, self.pair.other
        return None if base is None or other is None else other.at_ms - base.at_ms

    @property
    def is_missed(self) -> bool:
        """Whether only one of the paths had it."""
        return (self.pair.base is None) != (self.pair.other is None)

    @property
    def explains(self) -> bool:
        """Whether what no cause explains is at most 1 bp."""
        return abs(self.bps(self.residual)) <= RESIDUAL_BPS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityTable:
    """Two paths compared, a row per intent in the order of time."""

    base: TradePath
    other: TradePath
    rows: tuple[ParityRow, ...]

    @property
    def notional(self) -> Money:
        """What basis points of the whole table are of."""
        return Money(sum(row.notional for row in self.rows))

    @property
    def total(self) -> Fraction:
        """Exact sum of the rows."""
        return sum((row.total for row in self.rows), Fraction(0))

    @property
    def residual(self) -> Fraction:
        """What no cause explains, over all rows."""
        return sum((row.residual for row in self.rows), Fraction(0))

    def cause(self, cause: Cause) -> Fraction:
        """Exact sum of one cause."""
        return sum((row.causes[cause] for row in self.rows), Fraction(0))

    def bps(self, money: Fraction) -> Fraction:
        """Exact basis points of the table's notional; 0 where nothing was filled."""
        return money * BPS / self.notional if self.notional else Fraction(0)

    @property
    def residual_bps_max(self) -> Fraction | None:
        """The largest residual of a row, None when nothing was compared."""
        return max((abs(row.bps(row.residual)) for row in self.rows), default=None)

    @property
    def missed(self) -> tuple[str, ...]:
        """Intents that only one path had, in words."""
        return tuple(
            f"{row.pair.key.kind} {row.pair.key.leg} of {row.pair.key.episode_id}" for row in self.rows if row.is_missed
        )


def parity_table(base: TradePath, other: TradePath, pairs: Iterable[IntentPair]) -> ParityTable:
    """Every intent compared, oldest first."""
    rows = sorted((compared(pair) for pair in pairs), key=_when)
    return ParityTable(base=base, other=other, rows=tuple(rows))


def paired(
    base: Mapping[IntentKey, PathTrade], other: Mapping[IntentKey, PathTrade]
) -> Sequence[tuple[IntentKey, PathTrade | None, PathTrade | None]]:
    """Every intent of either path, with what both did."""
    keys = dict.fromkeys((*base, *other))
    return [(key, base.get(key), other.get(key)) for key in keys]


def compared(pair: IntentPair) -> ParityRow:
    """One intent's waterfall. Causes are computed one by one; what they leave of the total is the residual."""
    base, other = pair.base, pair.other
    causes = dict.fromkeys(Cause, Fraction(0))
    filled_base, filled_other = _filled(base), _filled(other)
    if filled_base and filled_other:
        assert base is not None
        assert other is not None
        both = min(filled_base, filled_other)
        _price_causes(causes, pair, base, other, both)
        _quantity_causes(causes, pair, base, other)
        causes[Cause.FEE] = Fraction(other.fee - base.fee)
        causes[Cause.FUNDING] = Fraction(other.funding - base.funding)
    elif filled_base or filled_other:
        causes[_why_absent(other if filled_base else base)] = _result(pair, base) - _result(pair, other)
    total = _result(pair, base) - _result(pair, other)
    return ParityRow(
        pair=pair,
        notional=_notional(base) or _notional(other),
        total=total,
        causes=causes,
        residual=total - sum(causes.values(), Fraction(0)),
    )


def _price_causes(
    causes: dict[Cause, Fraction], pair: IntentPair, base: PathTrade, other: PathTrade, both: Steps
) -> None:
    """The parts of the price difference on the quantity that both filled; a part that a path does not tell is none."""
    ours, theirs = _prices(other, pair.unit), _prices(base, pair.unit)
    scale = _sign(pair) * both * pair.unit
    steps = (Cause.OBSERVATION_DELAY, Cause.DECISION, Cause.SPREAD, Cause.SLIPPAGE)
    for place, cause in enumerate(steps):
        mine, its = _part(ours, place), _part(theirs, place)
        if mine is not None and its is not None:
            causes[cause] = scale * (mine - its)


def _prices(trade: PathTrade, unit: int) -> tuple[Fraction | None, ...]:
    """Seen, executable, touch and filled price, in exact ticks."""
    each = trade.filled * unit
    return (
        None if trade.seen is None else Fraction(trade.seen),
        None if trade.executable is None else Fraction(trade.executable),
        None if trade.touch_notional is None else Fraction(trade.touch_notional, each),
        Fraction(trade.notional, each),
    )


def _part(prices: tuple[Fraction | None, ...], place: int) -> Fraction | None:
    price = prices[place]
    before = prices[place - 1] if place else Fraction(0)
    return None if price is None or before is None else price - before


def _quantity_causes(causes: dict[Cause, Fraction], pair: IntentPair, base: PathTrade, other: PathTrade) -> None:
    """Quantity that one path has and the other lacks, at the price of the one that has it."""
    larger = base if base.filled >= other.filled else other
    worth = _sign(pair) * (pair.mark * pair.unit - Fraction(larger.notional, larger.filled))
    causes[Cause.ROUNDING] = worth * (base.asked - other.asked)
    causes[Cause.PARTIAL] = worth * ((other.asked - other.filled) - (base.asked - base.filled))


def _why_absent(trade: PathTrade | None) -> Cause:
    return Cause.SKIPPED if trade is not None and trade.skipped_why is not None else Cause.MISSED


def _result(pair: IntentPair, trade: PathTrade | None) -> Fraction:
    """What the intent earned on one path against the shared price."""
    if trade is None or not trade.filled:
        return Fraction(0)
    gained = _sign(pair) * (pair.mark * trade.filled * pair.unit - trade.notional)
    return Fraction(gained - trade.fee - trade.funding)


def _filled(trade: PathTrade | None) -> Steps:
    return Steps(0) if trade is None else trade.filled


def _notional(trade: PathTrade | None) -> Money:
    return Money(0) if trade is None else trade.notional


def _sign(pair: IntentPair) -> int:
    return 1 if pair.buys else -1


def _when(row: ParityRow) -> tuple[int, str, str]:
    known = [trade.at_ms for trade in (row.pair.base, row.pair.other) if trade is not None]
    return (min(known, default=0), row.pair.key.episode_id, row.pair.key.leg)
