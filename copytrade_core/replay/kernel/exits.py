"""Where a trade's exits rest, and when it is due next. Fills are in `fills.py`.

In mirrored ticks: a long's prices, or a short's negated, so that adverse is always down.
"""

from __future__ import annotations

import numpy as np

from copytrade_core.replay.arrays import NEVER
from copytrade_core.replay.kernel.compiled import function
from copytrade_core.replay.kernel.layout import (
    A_SLEEPERS,
    A_STATUS,
    A_UNTIL,
    BAR_END,
    BAR_SHIFT,
    C_CALLBACK,
    C_PROFIT,
    C_STOP,
    F_FIRST_BAR,
    F_INTERVAL,
    F_TOUCH,
    INSIDE,
    N_CLOSE,
    NO_MOMENT,
    NODE,
    OUT_OF_BOUNDS,
    STAGE_SHIFT,
    STOP_LOSS,
    T_ASLEEP,
    T_COST,
    T_FILLED,
    T_FROM,
    T_HIGH,
    T_LAST_CLOSE,
    T_LAST_TTL,
    T_LOW,
    T_MAE,
    T_MARKET,
    T_MFE,
    T_PEAK,
    T_PLACED,
    T_POS,
    T_PRICE,
    T_PROFIT,
    T_QUANTITY,
    T_RUNGS,
    T_SIDE,
    T_SIGN,
    T_SLEPT_HIGH,
    T_SLEPT_LOW,
    T_SLEPT_PEAK,
    T_SLEPT_POS,
    T_SLEPT_STOP,
    T_SLEPT_WHY,
    T_START,
    T_STOP,
    T_STOP_WHY,
    T_UNIT,
    TRAILING,
)
from copytrade_core.replay.kernel.money import ceil_div, is_beyond_bounds, offset, rounded
from copytrade_core.replay.kernel.trees import next_hit


@function
def protect(memory, trade, candidate):
    """Stop, take-profit and the level at which a trailing stop starts, from the average entry (strategies/exits.py)."""
    sign = memory[trade + T_SIGN]
    cost, unit = memory[trade + T_COST], memory[trade + T_QUANTITY] * memory[trade + T_UNIT]
    average = rounded(cost, unit, sign > 0)
    fixed, profit, start = -NEVER, NEVER, NEVER
    if candidate[C_STOP] > 0:
        fixed = sign * offset(average, -sign * candidate[C_STOP], sign < 0)
    if candidate[C_PROFIT] > 0:
        level = sign * offset(average, sign * candidate[C_PROFIT], sign < 0)
        if candidate[C_CALLBACK] == 0:
            profit = level
        else:
            start = level
    memory[trade + T_PROFIT], memory[trade + T_START] = profit, start
    stop = memory[trade + T_STOP]
    if memory[trade + T_PEAK] >= start:
        trailing = sign * offset(sign * memory[trade + T_PEAK], -sign * candidate[C_CALLBACK], sign < 0)
        stop = max(fixed, trailing, stop)
        memory[trade + T_STOP] = stop
        memory[trade + T_STOP_WHY] = STOP_LOSS if stop == fixed else TRAILING
    elif fixed != -NEVER or stop == -NEVER:
        memory[trade + T_STOP], memory[trade + T_STOP_WHY] = fixed, STOP_LOSS


@function
def bar_ended(memory, trade, candidate, low, high):
    """A bar ended while the trade was held: its excursion, and the trailing stop when the peak moved."""
    memory[trade + T_LOW] = min(memory[trade + T_LOW], low)
    memory[trade + T_HIGH] = max(memory[trade + T_HIGH], high)
    if high > memory[trade + T_PEAK]:
        memory[trade + T_PEAK] = high
        if high >= memory[trade + T_START]:
            protect(memory, trade, candidate)


@function
def phase_ended(memory, trade):
    """The quantity is about to change: settle the excursions that were marked with it."""
    if memory[trade + T_LOW] != NEVER:
        unit = memory[trade + T_QUANTITY] * memory[trade + T_UNIT]
        cost = memory[trade + T_SIGN] * memory[trade + T_COST]
        if is_beyond_bounds(unit, memory[trade + T_HIGH] if memory[trade + T_SIGN] > 0 else -memory[trade + T_LOW]):
            memory[A_STATUS] = OUT_OF_BOUNDS
        memory[trade + T_MAE] = min(memory[trade + T_MAE], unit * memory[trade + T_LOW] - cost)
        memory[trade + T_MFE] = max(memory[trade + T_MFE], unit * memory[trade + T_HIGH] - cost)
    memory[trade + T_LOW], memory[trade + T_HIGH] = NEVER, -NEVER


@function
def moment(bar, stage, market):
    """When something is due, as one number that sorts."""
    return (bar << BAR_SHIFT) | (stage << STAGE_SHIFT) | market


@function
def bar_of(nodes, market, side, bar):
    """Low, high and close of a bar, at negated prices for side 1."""
    at = NODE * bar
    return (
        np.int64(nodes[market, at + side]),
        -np.int64(nodes[market, at + 1 - side]),
        np.int64(nodes[market, at + N_CLOSE]) * (1 - 2 * side),
    )


@function
def next_ask(facts, memory):
    """The first bar at whose end the entry brake lets refused rungs ask again."""
    return ceil_div(memory[A_UNTIL], facts[F_INTERVAL]) - 1 - facts[F_FIRST_BAR]


@function
def sleep(memory, trade):
    """Keep what the trade was, since it plans bars ahead that a fill of another trade may take back."""
    memory[A_SLEEPERS] = 1
    memory[trade + T_ASLEEP] = 1
    memory[trade + T_SLEPT_POS], memory[trade + T_SLEPT_PEAK] = memory[trade + T_POS], memory[trade + T_PEAK]
    memory[trade + T_SLEPT_LOW], memory[trade + T_SLEPT_HIGH] = memory[trade + T_LOW], memory[trade + T_HIGH]
    memory[trade + T_SLEPT_STOP], memory[trade + T_SLEPT_WHY] = memory[trade + T_STOP], memory[trade + T_STOP_WHY]


@function
def woken(memory, trade):
    """The trade is what it was when it fell asleep."""
    memory[trade + T_ASLEEP] = 0
    memory[trade + T_POS], memory[trade + T_PEAK] = memory[trade + T_SLEPT_POS], memory[trade + T_SLEPT_PEAK]
    memory[trade + T_LOW], memory[trade + T_HIGH] = memory[trade + T_SLEPT_LOW], memory[trade + T_SLEPT_HIGH]
    memory[trade + T_STOP], memory[trade + T_STOP_WHY] = memory[trade + T_SLEPT_STOP], memory[trade + T_SLEPT_WHY]


@function
def next_moment(nodes, facts, memory, trade, candidate, ask_at):
    """When the trade must be looked at next; NO_MOMENT when only the source's close can end it.

    Bars that change nothing but the trailing stop are dealt with on the way; so are those before `ask_at`, where rungs
    that do not rest may not ask. An entry of another trade can take that back (`sleep`).
    """
    last = min(memory[trade + T_LAST_TTL], memory[trade + T_LAST_CLOSE])
    side, market = memory[trade + T_SIDE], memory[trade + T_MARKET]
    rung, placed = np.uint64(memory[trade + T_FILLED]), memory[trade + T_PLACED]
    asks_again = placed < memory[trade + T_RUNGS]
    has_rung, touches = memory[trade + T_FILLED] < placed, facts[F_TOUCH] != 0
    pos = memory[trade + T_POS]
    stop = min(max(pos, ask_at), last) + 1 if asks_again else last + 1
    if asks_again and stop > pos + 1:
        sleep(memory, trade)
    while pos <= last:
        low_at, high_at, close_at = memory[trade + T_STOP], memory[trade + T_PROFIT], -NEVER
        if has_rung and touches:
            low_at = max(low_at, memory[trade + T_PRICE + rung])
        elif has_rung:
            close_at = memory[trade + T_PRICE + rung] - 1
        if memory[trade + T_START] != NEVER:
            high_at = max(memory[trade + T_START], memory[trade + T_PEAK] + 1)
        hit, lowest, highest = next_hit(nodes, facts, market, side, pos, stop, low_at, high_at, close_at)
        memory[trade + T_LOW] = min(memory[trade + T_LOW], lowest)
        memory[trade + T_HIGH] = max(memory[trade + T_HIGH], highest)
        memory[trade + T_PEAK] = max(memory[trade + T_PEAK], highest)
        pos = hit
        if hit < stop:
            low, high, close = bar_of(nodes, market, side, hit)
            live = has_rung and memory[trade + T_FROM + rung] <= hit
            leaves = low <= memory[trade + T_STOP] or high >= memory[trade + T_PROFIT]
            adds = live and ((touches and low <= low_at) or (close <= close_at and hit < last))
            if leaves or adds:
                memory[trade + T_POS] = hit
                return moment(hit, INSIDE, market)
            bar_ended(memory, trade, candidate, low, high)
            pos = hit + 1
        if asks_again and pos >= stop:
            memory[trade + T_POS] = pos
            return moment(pos - 1, BAR_END, market)
    memory[trade + T_POS] = pos
    if memory[trade + T_LAST_TTL] <= memory[trade + T_LAST_CLOSE]:
        return moment(memory[trade + T_LAST_TTL], BAR_END, market)
    return NO_MOMENT
