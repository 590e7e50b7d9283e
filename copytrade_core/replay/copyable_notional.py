"""The smallest target notional at which every leg of a policy could have been placed in every trade of a replay.

What capital that takes with several trades at once is evidence's to say.
"""

from __future__ import annotations

from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.policy import AddMode, PolicySpec
from copytrade_core.model.round_trip import ReplayResult, RoundTrip
from copytrade_core.model.units import MONEY_SCALE, Money, Ticks, at_level, ceil_div
from copytrade_core.strategies.dca_ladder import (
    base_notional,
    level_ratios,
    minimum_with_headroom,
    rung_notionals,
)

PROBE = Money(10**6 * MONEY_SCALE)
"""A target so large that shares of it are exact to far more digits than a minimum has."""


def smallest_target(policy: PolicySpec, result: ReplayResult, data: MarketData) -> Money | None:
    """Money per trade, rounded up; None without a trade.

    For each trade at its own prices: the largest, over legs, of the leg's minimum (with headroom) over its share.
    """
    needs = [_needed(policy, trip, data.instruments[trip.market]) for trip in result.round_trips]
    return max(needs, default=None)


def _needed(policy: PolicySpec, trip: RoundTrip, instrument: Instrument) -> Money:
    entry = next(fill.price for fill in trip.fills if fill.kind is IntentKind.OPEN)
    ladder = policy.ladder
    prices = [entry, *(at_level(entry, r, buying=trip.side.entry_buys) for r in level_ratios(ladder, trip.side))]
    minimums = [minimum_with_headroom(instrument, Ticks(price), policy.sizing.headroom_ppm) for price in prices]
    if ladder.add_mode is AddMode.MIN_ORDER:
        share = ladder.base_share
        return Money(max(ceil_div(minimums[0] * share.denominator, share.numerator), sum(minimums)))
    shares = [base_notional(ladder, PROBE), *rung_notionals(ladder, PROBE, minimums[1:])]
    return Money(max(ceil_div(minimum * PROBE, share) for minimum, share in zip(minimums, shares, strict=True)))
