"""One intent on two paths: what each did, and a waterfall of the difference that sums exactly.

Paths are replay, paper, shadow and live; how their records are read is not known here, nor how much may differ.
All numbers are exact: integers, and fractions of them. The causes are the specification's.

The result of an intent against a price M that both paths share (`mark`) is s x q x (M - p) - fee - funding, with s = +1
for a buy. Summed over an episode that ends flat it is the episode's result, whatever M is. A difference is the base
path's result less the other's: positive where the other path did worse. How it is told apart is
`parity_waterfall`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    """The decision saw another price: it knew of the source at another time. The same money then buys another quantity,
    which counts here too."""
    DECISION = "decision"
    """Between the decision and the first moment at which its order could fill, the market record moved otherwise; or
    the decision wished for other money."""
    SPREAD = "spread"
    """From the middle of the quote to the side that is traded. Bars have no spread."""
    SLIPPAGE = "slippage"
    """From the quote or the bar's price to the price paid."""
    FEE = "fee"
    """The rate of the fee."""
    FUNDING = "funding"
    """What was paid for each step held."""
    ROUNDING = "rounding"
    """From what was wished to what was ordered: grid and minimums."""
    SKIPPED = "skipped"
    """One path wished it and was not let, with the reason."""
    PARTIAL = "partial"
    """Ordered and not filled, in part."""
    MISSED = "missed"
    """One path never had the intent, or nothing of its order was filled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentKey:
    """What makes it the same intent everywhere; `occurrence` counts the same wish of an episode from 0."""

    episode_id: str
    kind: IntentKind
    leg: str
    occurrence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a decision asked for: `money` at `price` in ticks, or `steps`; neither for a part of what is held."""

    price: Ticks
    money: Money | None
    steps: Steps | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathTrade:
    """What one path did with one intent. `notional` is the exact sum of price x quantity over its fills.

    `asked` is the quantity ordered (0: refused or held, then `skipped_why` says why). Prices are mean ticks over the
    fills, None where no path tells: `seen` by the decision and `attested` when the order first could fill, both as far
    as the shared market record attests them, `mid` of the quote or the bar's price then, `touch` its side that is
    traded. `at_ms` is the first fill, or when it was decided.
    """

    at_ms: int
    wish: Wish | None
    asked: Steps
    filled: Steps
    seen: Fraction | None
    attested: Fraction | None
    mid: Fraction | None
    touch: Fraction | None
    notional: Money
    fee: Money
    funding: Money
    skipped_why: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentPair:
    """One intent as two paths had it (None: not at all). `unit` is the money of one tick x one step.

    `lacking` are the shares by cause, 1 in all, of what an exit must lack because its entries lacked it; empty where
    they lacked nothing, and for entries.
    """

    key: IntentKey
    market: Market
    buys: bool
    unit: int
    mark: Ticks
    base: PathTrade | None
    other: PathTrade | None
    lacking: Mapping[Cause, Fraction]


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
        """Whether only one of the paths had it, for no reason that its entries had already."""
        return (self.pair.base is None) != (self.pair.other is None) and not self.pair.lacking

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
