"""Exit prices: take-profit, stop and trailing stop from the average entry. When to leave by time is in the machine."""

from __future__ import annotations

from copytrade_core.model.book import Holding
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.policy import ExitSpec
from copytrade_core.model.side import Side
from copytrade_core.model.units import Ticks, ceil_div, offset


def average_entry(holding: Holding, instrument: Instrument) -> Ticks:
    """Average entry price on the tick grid, rounded against us (up for a long, down for a short)."""
    unit = holding.quantity * instrument.money_per_tick_step
    return Ticks(ceil_div(holding.cost, unit) if holding.side is Side.LONG else holding.cost // unit)


def take_profit_price(spec: ExitSpec, side: Side, average: Ticks) -> Ticks | None:
    """Where a resting take-profit goes; None when the family has none or it only starts a trailing stop."""
    if spec.take_profit_ppm is None or spec.trailing_callback_ppm is not None:
        return None
    return offset(average, side.sign * spec.take_profit_ppm, buying=side.exit_buys)


def stop_price(spec: ExitSpec, side: Side, average: Ticks) -> Ticks | None:
    """Where the stop triggers."""
    if spec.stop_loss_ppm is None:
        return None
    return offset(average, -side.sign * spec.stop_loss_ppm, buying=side.exit_buys)


def trailing_price(spec: ExitSpec, side: Side, average: Ticks, peak: Ticks) -> Ticks | None:
    """Where the trailing stop triggers once the best price seen has reached the take-profit level, else None."""
    if spec.trailing_callback_ppm is None or spec.take_profit_ppm is None:
        return None
    start = offset(average, side.sign * spec.take_profit_ppm, buying=side.exit_buys)
    if (peak - start) * side.sign < 0:
        return None
    return offset(peak, -side.sign * spec.trailing_callback_ppm, buying=side.exit_buys)


def tighter(side: Side, first: Ticks | None, second: Ticks | None) -> Ticks | None:
    """The stop that triggers first: the higher one for a long, the lower one for a short."""
    if first is None or second is None:
        return first if second is None else second
    return max(first, second) if side is Side.LONG else min(first, second)


def working_stop(
    spec: ExitSpec, side: Side, average: Ticks, peak: Ticks, resting: Ticks | None
) -> tuple[Ticks | None, str]:
    """The stop that should rest now and why: the fixed one, or once it trails the tightest so far.

    A trailing stop that an add has moved out of reach of its start stays where it was, unless a fixed one takes over.
    """
    fixed = stop_price(spec, side, average)
    trailing = trailing_price(spec, side, average, peak)
    if trailing is None:
        return (resting, "trailing_stop") if fixed is None else (fixed, "stop_loss")
    stop = tighter(side, tighter(side, fixed, trailing), resting)
    return stop, "stop_loss" if stop == fixed else "trailing_stop"
