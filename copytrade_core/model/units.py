"""Integer money: the scales, every rounding rule and every bound, in one place.

No venue, market or strategy knowledge belongs here: prices are ticks, quantities are steps, money is 1e-8 of the
quote currency, rates are parts per million; funding rates keep the eight decimals that venues publish. All are int64,
so a sum never depends on its order, on the thread count or on the machine.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import NewType

from copytrade_core.model.errors import OutOfBounds

Ticks = NewType("Ticks", int)
"""A price as a count of the market's tick size."""
Steps = NewType("Steps", int)
"""A quantity as a count of the market's step size, always positive; the side is kept apart."""
Money = NewType("Money", int)
"""An amount of quote currency in 1e-8."""
Ppm = NewType("Ppm", int)
"""A rate in parts per million: 1 bp = 100 ppm."""
FundingRate = NewType("FundingRate", int)
"""A funding rate in 1e-8, the precision that venues publish (0.00000730 is 730)."""
LevelRatio = NewType("LevelRatio", int)
"""A ladder level as a ratio of its anchor in 1e-9."""

MONEY_SCALE = 10**8
RATE_SCALE = 10**6
FUNDING_SCALE = 10**8
LEVEL_SCALE = 10**9

TICKS_MAX = 2**31 - 1
"""Bars keep prices as int32 ticks."""
STEPS_MAX = 10**12
NOTIONAL_MAX = 10**14
"""1,000,000 USDT: one order or position may not be larger, so that notional x RATE_MAX stays under 2**63."""
RATE_MAX = 90_000
"""9 %: the largest fee or slippage rate."""
FUNDING_RATE_MAX = 10 * FUNDING_SCALE // 100
"""10 % per funding interval."""
INT64_MAX = 2**63 - 1

assert NOTIONAL_MAX * RATE_MAX <= INT64_MAX
assert TICKS_MAX * 2 * LEVEL_SCALE <= INT64_MAX
assert TICKS_MAX * (RATE_SCALE + RATE_MAX) <= INT64_MAX


def ceil_div(numerator: int, denominator: int) -> int:
    """Quotient rounded up (towards +inf); the denominator is positive."""
    return -(-numerator // denominator)


def money_from_decimal(value: Decimal) -> Money:
    """Quote amount as money, rounded half to even at 1e-8."""
    return Money(int((value * MONEY_SCALE).to_integral_value(rounding=ROUND_HALF_EVEN)))


def money_to_decimal(value: int) -> Decimal:
    """Money as a decimal quote amount, exact."""
    return Decimal(value) / MONEY_SCALE


def money_to_float(value: int) -> float:
    """Money as a float quote amount: for statistics and display only."""
    return value / MONEY_SCALE


def ppm_from_decimal(value: Decimal) -> Ppm:
    """A ratio (0.0005) as ppm, rounded up: a cost is never understated."""
    return Ppm(int((value * RATE_SCALE).to_integral_value(rounding=ROUND_CEILING)))


def funding_rate_from_decimal(value: Decimal) -> FundingRate:
    """A published funding rate as 1e-8, half to even.

    Raises:
        OutOfBounds: beyond FUNDING_RATE_MAX on either side.
    """
    rate = int((value * FUNDING_SCALE).to_integral_value(rounding=ROUND_HALF_EVEN))
    if abs(rate) > FUNDING_RATE_MAX:
        raise OutOfBounds(f"funding rate {value} is beyond 10 % per interval")
    return FundingRate(rate)


def ticks_up(price: Decimal, tick_size: Decimal) -> Ticks:
    """What a buyer pays: the price rounded up to the grid."""
    return _ticks(price, tick_size, ROUND_CEILING)


def ticks_down(price: Decimal, tick_size: Decimal) -> Ticks:
    """What a seller gets: the price rounded down to the grid."""
    return _ticks(price, tick_size, ROUND_FLOOR)


def ticks_nearest(price: Decimal, tick_size: Decimal) -> Ticks:
    """The grid price nearest to an observation that is not an order (foreign bar data)."""
    return _ticks(price, tick_size, ROUND_HALF_EVEN)


def _ticks(price: Decimal, tick_size: Decimal, rounding: str) -> Ticks:
    count = int((price / tick_size).to_integral_value(rounding=rounding))
    if not 0 < count <= TICKS_MAX:
        raise OutOfBounds(f"price {price} is {count} ticks of {tick_size}, outside 1..{TICKS_MAX}")
    return Ticks(count)


def against(price: int, rate: int, *, buying: bool) -> Ticks:
    """The price moved against us by a rate in ppm: a buy rounds up, a sale rounds down (never below one tick)."""
    if buying:
        return Ticks(ceil_div(price * (RATE_SCALE + rate), RATE_SCALE))
    return Ticks(max(1, price * (RATE_SCALE - rate) // RATE_SCALE))


def offset(price: int, rate: int, *, buying: bool) -> Ticks:
    """The price moved by a signed rate in ppm, on the grid: rounded up for a buy order, down for a sale."""
    scaled = price * (RATE_SCALE + rate)
    return Ticks(max(1, ceil_div(scaled, RATE_SCALE) if buying else scaled // RATE_SCALE))


def at_level(anchor: int, ratio: int, *, buying: bool) -> Ticks:
    """The ladder price `anchor x ratio` (ratio in 1e-9), rounded up for a buy, down for a sale."""
    scaled = anchor * ratio
    return Ticks(max(1, ceil_div(scaled, LEVEL_SCALE) if buying else scaled // LEVEL_SCALE))


def level_ratio(value: Fraction) -> LevelRatio:
    """An exact ladder level as 1e-9, half to even."""
    return LevelRatio(round(value * LEVEL_SCALE))


def fee(notional: int, rate: int) -> Money:
    """Fee on a notional, rounded up."""
    return Money(ceil_div(notional * rate, RATE_SCALE))


def funding_cost(notional: int, rate: int, *, sign: int) -> Money:
    """What a position pays at a funding time (negative = receives), rounded against us.

    Args:
        notional: money at the mark.
        rate: funding rate in 1e-8.
        sign: +1 long (pays a positive rate), -1 short.

    The notional is split at one quote unit so that no product leaves int64.
    """
    units, rest = divmod(notional, FUNDING_SCALE)
    signed = rate * sign
    return Money(units * signed + ceil_div(rest * signed, FUNDING_SCALE))


def share(amount: int, numerator: int, denominator: int) -> Money:
    """`amount x numerator / denominator`, rounded down."""
    return Money(amount * numerator // denominator)


def under_headroom(notional: int, headroom_ppm: int) -> Money:
    """The part of a notional that may be ordered so that a price `headroom_ppm` worse still fits under it."""
    return Money(notional * RATE_SCALE // (RATE_SCALE + headroom_ppm))
