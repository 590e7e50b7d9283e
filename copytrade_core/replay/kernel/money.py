"""Integer money in compiled form. No rule is made here: functions are those of their names in `model/units.py`."""

from __future__ import annotations

import numpy as np

from copytrade_core.replay.kernel.compiled import function

PPM, LEVEL, FUNDING = 10**6, 10**9, 10**8
NOTIONAL_MAX = 10**14


@function
def ceil_div(numerator, denominator):
    """As in `model/units.py`."""
    return -((-numerator) // denominator)


@function
def rounded(scaled, unit, up):
    """A non-negative number over a unit, up or down. Without a branch: which way is a coin toss to the processor."""
    return (scaled + (unit - 1) * np.int64(up)) // unit


@function
def against(price, rate, buying):
    """As in `model/units.py`."""
    return max(1, rounded(price * (PPM + rate * (2 * np.int64(buying) - 1)), PPM, buying))


@function
def offset(price, rate, buying):
    """As in `model/units.py`."""
    return max(1, rounded(price * (PPM + rate), PPM, buying))


@function
def at_level(anchor, ratio, buying):
    """As in `model/units.py`."""
    return max(1, rounded(anchor * ratio, LEVEL, buying))


@function
def fee(notional, rate):
    """As in `model/units.py`."""
    return rounded(notional * rate, PPM, True)


@function
def share(amount, numerator, denominator):
    """The product may leave int64, so it is divided byte by byte: amount is not negative, the others below 2**47."""
    quotient = np.int64(0)
    rest = np.int64(0)
    for shift in range(56, -1, -8):
        rest = (rest << 8) + ((amount >> shift) & 255) * numerator
        quotient = (quotient << 8) + rest // denominator
        rest = rest % denominator
    return quotient


@function
def under_headroom(notional, headroom):
    """As in `model/units.py`."""
    return share(notional, PPM, PPM + headroom)


@function
def with_headroom(notional, headroom):
    """The notional and its headroom, rounded up; split so that a large minimum order stays in int64."""
    return notional + notional // PPM * headroom + ceil_div(notional % PPM * headroom, PPM)


@function
def funding_cost(notional, signed_rate):
    """As in `model/units.py`, the rate with the side's sign."""
    units = notional // FUNDING
    return units * signed_rate + ceil_div((notional - units * FUNDING) * signed_rate, FUNDING)


@function
def is_beyond_bounds(units, price):
    """Whether a notional is larger than integer money allows; floats hold both sides exactly up to far beyond it."""
    return np.float64(units) * np.float64(price) > NOTIONAL_MAX


@function
def fall(peak, value):
    """The fall from a peak as a share of it; a peak of zero or less counts as a total loss (evidence/drawdown.py)."""
    if value >= peak:
        return 0.0
    return np.float64(peak - value) / np.float64(peak) if peak > 0 else 1.0
