"""The DCA ladder: how a target notional splits into a base leg and rungs, and where the rungs rest.

Entering and leaving are decided elsewhere; this module only lays out legs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from copytrade_core.model.instrument import Instrument
from copytrade_core.model.policy import AddMode, LadderSpec
from copytrade_core.model.side import Side
from copytrade_core.model.units import (
    RATE_SCALE,
    LevelRatio,
    Money,
    Ticks,
    at_level,
    ceil_div,
    level_ratio,
    share,
    under_headroom,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One add: its price in ticks and the notional it may use."""

    leg: str
    price: Ticks
    notional: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderPlan:
    """Rungs that can be placed, in order, and the notional of those that cannot (under the venue's minimum)."""

    rungs: tuple[Rung, ...]
    skipped_count: int
    skipped_notional: Money


def level_ratios(ladder: LadderSpec, side: Side) -> tuple[LevelRatio, ...]:
    """Each rung's price as a ratio of the anchor, steps chained on the level before; a short mirrors a long."""
    ratios: list[LevelRatio] = []
    level = Fraction(1)
    for step in ladder.steps:
        level *= 1 - side.sign * step
        ratios.append(level_ratio(level))
    return tuple(ratios)


def base_notional(ladder: LadderSpec, target: Money) -> Money:
    """The base leg's notional, rounded down."""
    return share(target, ladder.base_share.numerator, ladder.base_share.denominator)


def rung_notionals(ladder: LadderSpec, target: Money, minimums: Sequence[Money]) -> tuple[Money, ...]:
    """Each rung's notional, rounded down; base and rungs together never exceed the target.

    Weights are scaled by min(1, what the base leaves / what the weights ask). `minimums` holds the smallest order at
    each rung's price and is read by `min_order` ladders only; there a rung without room is 0.
    """
    if ladder.add_mode is AddMode.MIN_ORDER:
        room = target - base_notional(ladder, target)
        return tuple(
            minimum if used <= room else Money(0) for minimum, used in zip(minimums, accumulate(minimums), strict=True)
        )
    return tuple(share(target, part.numerator, part.denominator) for part in share_of_legs(ladder)[1:])


def share_of_legs(ladder: LadderSpec) -> tuple[Fraction, ...]:
    """The share of the target of the base leg and of each weighted rung; a `min_order` ladder has the base's only."""
    unit = ladder.base_share if ladder.add_mode is AddMode.MULTIPLIER else Fraction(1)
    asked = [weight * unit for weight in ladder.weights]
    scale = min(Fraction(1), (1 - ladder.base_share) / sum(asked, Fraction(0))) if asked else Fraction(1)
    return (ladder.base_share, *(ask * scale for ask in asked))


def minimum_with_headroom(instrument: Instrument, price: Ticks, headroom_ppm: int) -> Money:
    """The smallest notional that still meets the venue's minimums after headroom and rounding to steps."""
    unit = instrument.notional(price, 1)
    steps = max(1, instrument.min_quantity, ceil_div(instrument.min_notional, unit))
    return Money(ceil_div(steps * unit * (RATE_SCALE + headroom_ppm), RATE_SCALE))


def fits(instrument: Instrument, notional: int, price: Ticks, headroom_ppm: int) -> bool:
    """Whether a leg of this notional can be placed at this price."""
    quantity = instrument.quantity_for(under_headroom(notional, headroom_ppm), price)
    return not instrument.is_below_minimum(price, quantity)


def plan_ladder(
    ladder: LadderSpec, side: Side, target: Money, anchor: Ticks, instrument: Instrument, headroom_ppm: int
) -> LadderPlan:
    """Rungs at their prices, fitted to the venue first; a rung under the minimum is skipped, never rounded up."""
    prices = [at_level(anchor, ratio, buying=side.entry_buys) for ratio in level_ratios(ladder, side)]
    notionals = rung_notionals(ladder, target, [minimum_with_headroom(instrument, p, headroom_ppm) for p in prices])
    legs = [
        Rung(leg=f"rung{i}", price=p, notional=n) for i, (p, n) in enumerate(zip(prices, notionals, strict=True), 1)
    ]
    placeable = tuple(leg for leg in legs if fits(instrument, leg.notional, leg.price, headroom_ppm))
    return LadderPlan(
        rungs=placeable,
        skipped_count=len(legs) - len(placeable),
        skipped_notional=Money(sum(leg.notional for leg in legs) - sum(leg.notional for leg in placeable)),
    )
