"""What the market record that two paths share says of a decision's and a fill's moment. Judges nothing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from copytrade_core.model.bar import Bar, BarSeries
from copytrade_core.model.fill import FillModel


def attested(
    bars: BarSeries | None, *, model: FillModel, time_ms: int, before_slippage: Fraction | None
) -> Fraction | None:
    """The price that the record attests, in ticks; None where it has no bar of that time.

    A fill at a bar's open or close must be that open or close. Anything else (a quote, a resting order) is attested as
    far as it lies between the bar's low and high, and beyond them up to the nearer one.

    Args:
        bars: the record of the market, None where there is none.
        model: the rule that made the fill.
        time_ms: of the fill.
        before_slippage: what the path says: the middle of its quote, or its bar's price. None: it says nothing.
    """
    if bars is None:
        return None
    match model:
        case FillModel.NEXT_BAR_OPEN:
            opening = _bar_at(bars, time_ms)
            return None if opening is None or opening.open_time_ms != time_ms else Fraction(opening.open)
        case FillModel.FIRST_BAR_CLOSE:
            closing = _bar_at(bars, time_ms - 1)
            return None if closing is None or closing.end_ms != time_ms else Fraction(closing.close)
        case FillModel.TOUCH | FillModel.CLOSE_BEYOND:
            # Judged over a bar and booked at its end, which belongs to the next.
            return _within(_bar_at(bars, time_ms - 1), before_slippage)
        case _:
            return _within(_bar_at(bars, time_ms), before_slippage)


def attested_mark(bars: BarSeries | None, *, time_ms: int, seen: Fraction | None) -> Fraction | None:
    """What the record attests of the price that a decision saw: between low and high of its bar and the close before.

    None where the record has no bar of that time, or the path does not say what it saw.
    """
    if bars is None or seen is None:
        return None
    before, during = _bar_at(bars, time_ms - bars.interval_ms), _bar_at(bars, time_ms)
    known = [price for price in (before and before.close, during and during.low, during and during.high) if price]
    return min(max(seen, Fraction(min(known))), Fraction(max(known))) if known else None


def _within(bar: Bar | None, price: Fraction | None) -> Fraction | None:
    return None if bar is None or price is None else min(max(price, Fraction(bar.low)), Fraction(bar.high))


def _bar_at(bars: BarSeries, time_ms: int) -> Bar | None:
    """The bar that lasts at a time."""
    index = int(np.searchsorted(bars.open_time_ms, time_ms, side="right")) - 1
    if index < 0:
        return None
    bar = bars.bar(index)
    return bar if time_ms < bar.end_ms else None
