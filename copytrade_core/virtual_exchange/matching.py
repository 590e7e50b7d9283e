"""Matching one resting order against one bar: does it fill, and at what raw price. No state, no costs.

A buy rests below the market (long rung, short exit) or stops above it; a sale mirrors it.
"""

from __future__ import annotations

from copytrade_core.model.bar import Bar
from copytrade_core.model.units import Ticks


def limit_touch(price: Ticks, bar: Bar, *, buys: bool) -> Ticks | None:
    """A limit order fills at its price when the bar reaches it, or at the open when the bar opens beyond it."""
    if buys:
        return min(price, bar.open) if bar.low <= price else None
    return max(price, bar.open) if bar.high >= price else None


def limit_close_beyond(price: Ticks, bar: Bar, *, buys: bool) -> Ticks | None:
    """A limit order fills at its price only when the bar closes beyond it (strictly)."""
    beyond = bar.close < price if buys else bar.close > price
    return price if beyond else None


def stop_touch(trigger: Ticks, bar: Bar, *, buys: bool) -> Ticks | None:
    """A stop fills at its trigger when the bar reaches it, or at the open when the bar opens beyond it (worse)."""
    if buys:
        return max(trigger, bar.open) if bar.high >= trigger else None
    return min(trigger, bar.open) if bar.low <= trigger else None
