"""The fast engine: one candidate from its first moment to its last. Many of them are in `many.py`.

It holds no rule of its own: `reference.py` is the truth and `equivalence.py` the proof. A short is judged as a long on
the mirrored market, so adverse is always down. What a trade does next depends on nothing but its own orders, so its
next fill is searched once, when its orders change; fills of all trades are then taken in the order of time, because
they share equity, caps and the entry brake. What still goes bar by bar: a trade whose rungs were refused asks again at
every bar's end that the brake allows, as the reference does, and a trailing stop is looked at whenever its peak moves.
"""

from __future__ import annotations

import numpy as np

from copytrade_core.replay.kernel.account import on_day, pay_all
from copytrade_core.replay.kernel.compiled import function
from copytrade_core.replay.kernel.exits import next_moment, woken
from copytrade_core.replay.kernel.fills import settle_due
from copytrade_core.replay.kernel.layout import (
    A_ACTIVE,
    A_CASH,
    A_DAY,
    A_DAY_CASH,
    A_DUE_COUNT,
    A_DUE_MS,
    A_FAILURES,
    A_FILLS_COUNT,
    A_FREE,
    A_ORDERS,
    A_ORDERS_COUNT,
    A_PAID,
    A_PNL,
    A_REAL,
    A_REAL_PEAK,
    A_RESERVED,
    A_SIGNED_COST,
    A_SLEEPERS,
    A_SLOT_OF,
    A_STATES,
    A_STATES_COUNT,
    A_STATUS,
    A_TRADES_COUNT,
    A_TRIPS_COUNT,
    A_UNTIL,
    ACTIVE,
    AT_OPEN,
    BAR_END,
    BAR_SHIFT,
    C_SIZING,
    C_TARGET,
    ENTRY_OPEN,
    EXIT_OPEN,
    F_DAILY_LOSS_MAX,
    F_EQUITY,
    F_FIRST_BAR,
    F_INTERVAL,
    F_MARKETS,
    F_PAY_COUNT,
    F_PER_MARKET,
    G_CLOSE,
    G_KNOWN,
    INSIDE,
    M_GROSS,
    M_NET,
    M_TRADES,
    M_WAITING,
    NO_MOMENT,
    O_STATUS,
    ORDER,
    S_MARKET,
    SOURCE_CLOSE,
    STAGE_SHIFT,
    T_ASLEEP,
    T_EPISODE,
    T_LEAVING,
    TRADE,
)
from copytrade_core.replay.kernel.opening import leave, on_signal, open_trade, split_target
from copytrade_core.replay.kernel.portfolio import marked_figures
from copytrade_core.replay.kernel.trades import OVER, end_of_bar, inside, market_exit


@function
def reset(facts, memory, candidate, episodes):
    """A fresh account; nothing is held, no trade left over from a candidate that stopped half-way."""
    memory[A_CASH] = memory[A_DAY_CASH] = memory[A_REAL] = memory[A_REAL_PEAK] = facts[F_EQUITY]
    memory[A_SIGNED_COST] = memory[A_RESERVED] = memory[A_FAILURES] = memory[A_UNTIL] = memory[A_STATUS] = 0
    memory[A_DUE_COUNT] = memory[A_DUE_MS] = memory[A_TRADES_COUNT] = memory[A_ORDERS_COUNT] = 0
    memory[A_FILLS_COUNT] = memory[A_TRIPS_COUNT] = memory[A_SLEEPERS] = 0
    memory[A_DAY] = -1
    for market in range(facts[F_MARKETS]):
        memory[M_NET + market] = memory[M_GROSS + market] = memory[M_WAITING + market] = 0
    for payment in range(facts[F_PAY_COUNT]):
        memory[memory[A_PAID] + payment] = 0
    for episode in range(episodes):
        memory[memory[A_SLOT_OF] + episode] = -1
        # A candidate that stopped half-way has not given its places back.
        memory[memory[A_FREE] + episode] = M_TRADES + TRADE * episode
    if memory[A_PNL] > 0:
        for episode in range(episodes):
            memory[memory[A_PNL] + episode] = 0
    for column in range(S_MARKET + facts[F_PER_MARKET] * facts[F_MARKETS]):
        memory[memory[A_STATES] + column] = 0
    memory[memory[A_STATES]] = -1
    memory[A_STATES_COUNT] = 1
    if candidate[C_SIZING] == 0:
        split_target(memory, candidate, candidate[C_TARGET])


@function
def next_trade(memory):
    """The active trade that is due first and when; the one entered first wins a tie."""
    due, which = NO_MOMENT, -1
    at = memory[A_ACTIVE] + 1
    for index in range(memory[A_TRADES_COUNT]):
        if memory[at + ACTIVE * index] < due:
            due, which = memory[at + ACTIVE * index], index
    return due, which


@function
def next_order(memory):
    """The waiting order that is due first and when; the one that came first wins a tie."""
    due, which = NO_MOMENT, -1
    for index in range(memory[A_ORDERS_COUNT]):
        if memory[memory[A_ORDERS] + ORDER * index] < due:
            due, which = memory[memory[A_ORDERS] + ORDER * index], index
    return due, which


@function
def on_source(facts, memory, candidate, rows, events, heard, bar, stage, out):
    """A source event: a signal, or the close of a position that is followed."""
    episode = events[heard, 1]
    if events[heard, 2] == 0:
        on_signal(facts, memory, candidate, rows[episode], episode, out)
        return
    place = memory[memory[A_SLOT_OF] + episode]
    trade = np.uint64(place)
    if place < 0 or memory[trade + T_LEAVING] != 0:
        return
    due = leave(facts, memory, trade, bar if stage == AT_OPEN else bar + 1, SOURCE_CLOSE)
    for index in range(memory[A_TRADES_COUNT]):
        if memory[memory[A_ACTIVE] + ACTIVE * index] == place:
            memory[memory[A_ACTIVE] + ACTIVE * index + 1] = due


@function
def fill_order(nodes, facts, memory, candidate, levels, rows, which, bar, out):
    """A waiting order fills: it becomes the newest active trade."""
    pay_all(facts, memory, bar)
    order = memory[A_ORDERS] + ORDER * which
    episode, steps, target = memory[order + 1], memory[order + 2], memory[order + 3]
    memory[A_ORDERS_COUNT] -= 1
    for place in range(order, memory[A_ORDERS] + ORDER * memory[A_ORDERS_COUNT]):
        memory[place] = memory[place + ORDER]
    count = memory[A_TRADES_COUNT]
    place = memory[memory[A_FREE] + count]
    trade = np.uint64(place)
    due = open_trade(nodes, facts, memory, trade, candidate, levels, rows[episode], episode, steps, target, bar, out)
    memory[A_TRADES_COUNT] = count + 1
    memory[memory[A_SLOT_OF] + episode] = place
    memory[memory[A_ACTIVE] + ACTIVE * count], memory[memory[A_ACTIVE] + ACTIVE * count + 1] = place, due


@function
def on_trade(nodes, facts, memory, candidate, which, bar, stage, out, ratios):
    """An active trade is due; one that is over gives its place back."""
    place = memory[A_ACTIVE] + ACTIVE * which
    trade = np.uint64(memory[place])
    memory[trade + T_ASLEEP] = 0
    if stage == INSIDE:
        due = inside(nodes, facts, memory, trade, candidate, bar, out, ratios)
    elif stage == BAR_END:
        due = end_of_bar(nodes, facts, memory, trade, candidate, bar, out)
    else:
        market_exit(nodes, facts, memory, trade, candidate, bar, stage, out, ratios)
        due = OVER
    if due != OVER:
        memory[place + 1] = due
        return
    given_back = memory[place]
    memory[memory[A_SLOT_OF] + memory[trade + T_EPISODE]] = -1
    memory[A_TRADES_COUNT] -= 1
    for later in range(place, memory[A_ACTIVE] + ACTIVE * memory[A_TRADES_COUNT]):
        memory[later] = memory[later + ACTIVE]
    memory[memory[A_FREE] + memory[A_TRADES_COUNT]] = given_back


@function
def wake(nodes, facts, memory, candidate, bar):
    """An entry filled in this bar and released the brake: trades that slept through it ask at its end."""
    memory[A_SLEEPERS] = 0
    for index in range(memory[A_TRADES_COUNT]):
        place = memory[A_ACTIVE] + ACTIVE * index
        trade = np.uint64(memory[place])
        if memory[trade + T_ASLEEP] != 0:
            woken(memory, trade)
            memory[place + 1] = next_moment(nodes, facts, memory, trade, candidate, bar)


@function
def time_of(facts, rows, events, heard, is_source, bar, stage):
    """The clock's time at a moment."""
    if is_source:
        return rows[events[heard, 1], G_CLOSE if events[heard, 2] != 0 else G_KNOWN]
    at_open = stage in (EXIT_OPEN, ENTRY_OPEN)
    return (bar + facts[F_FIRST_BAR] + (0 if at_open else 1)) * facts[F_INTERVAL]


@function
def replay_one(nodes, facts, rows, events, events_count, candidate, levels, memory, out, ratios):
    """Replay one candidate: whatever is due first, until nothing is."""
    reset(facts, memory, candidate, len(rows))
    heard = 0
    while memory[A_STATUS] == 0:
        trade_due, which = next_trade(memory)
        order_due, waits = next_order(memory)
        source_due = events[heard, 0] if heard < events_count else NO_MOMENT
        due = min(trade_due, order_due, source_due)
        if due == NO_MOMENT:
            break
        bar, stage = due >> BAR_SHIFT, (due >> STAGE_SHIFT) & 15
        if facts[F_DAILY_LOSS_MAX] > 0:
            on_day(facts, memory, time_of(facts, rows, events, heard, due == source_due, bar, stage))
        if due == source_due:
            on_source(facts, memory, candidate, rows, events, heard, bar, stage, out)
            heard += 1
        elif due == order_due:
            fill_order(nodes, facts, memory, candidate, levels, rows, waits, bar, out)
        else:
            on_trade(nodes, facts, memory, candidate, which, bar, stage, out, ratios)
        if memory[A_SLEEPERS] != 0 and memory[A_UNTIL] == 0:
            wake(nodes, facts, memory, candidate, bar)
    settle_due(memory, ratios)
    out[O_STATUS] = memory[A_STATUS]
    marked_figures(nodes, facts, memory, out, ratios)
