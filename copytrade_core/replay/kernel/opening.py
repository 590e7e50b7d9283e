"""How a trade begins: the signal, the order, the first fill, the ladder. What happens then is in `trades.py`."""

from __future__ import annotations

import numpy as np

from copytrade_core.replay.arrays import NEVER
from copytrade_core.replay.kernel.account import entry_failed, equity_and_used, pay_all, refusal
from copytrade_core.replay.kernel.compiled import function
from copytrade_core.replay.kernel.exits import bar_ended, bar_of, moment, next_ask, next_moment, protect
from copytrade_core.replay.kernel.fills import enter
from copytrade_core.replay.kernel.layout import (
    A_ORDERS,
    A_ORDERS_COUNT,
    A_RESERVED,
    A_UNTIL,
    BAR_END,
    C_AGE,
    C_BASE,
    C_DENOMINATOR,
    C_DRIFT,
    C_FROM_SOURCE,
    C_HEADROOM,
    C_MIN_ORDER,
    C_RUNGS,
    C_SIDE,
    C_SIZING,
    C_TARGET,
    C_TTL,
    ENTRY_CLOSE,
    ENTRY_OPEN,
    EXIT_CLOSE,
    EXIT_OPEN,
    F_AT_CLOSE,
    F_EQUITY,
    F_FIRST_BAR,
    F_INTERVAL,
    F_LEAD_BALANCE,
    F_MARKETS,
    F_RULES,
    F_TAKER,
    F_TOUCH,
    G_AGE,
    G_BAR,
    G_CLOSE,
    G_CLOSE_BAR,
    G_COVERED,
    G_DRIFT,
    G_ENTRY,
    G_ENTRY_MS,
    G_KNOWN,
    G_MARGIN,
    G_MARK,
    G_MARKET,
    G_MARKS,
    G_PAID_UNTIL,
    G_PAYMENT,
    G_SEEDED,
    G_SIGN,
    G_TICKS,
    M_ASKED,
    M_FREE,
    M_WAITING,
    NO_MOMENT,
    O_BLOCKED,
    O_SKIPPED,
    ORDER,
    RUNGS_MAX,
    SOURCE_CLOSE,
    T_ASKED,
    T_ASLEEP,
    T_ENTRY_BAR,
    T_ENTRY_MS,
    T_EPISODE,
    T_FILLED,
    T_FROM,
    T_HASH,
    T_HELD_BACK,
    T_HIGH,
    T_LAST_CLOSE,
    T_LAST_TTL,
    T_LEAVING,
    T_LEG,
    T_LOW,
    T_MARKET,
    T_PAID,
    T_PEAK,
    T_PLACED,
    T_POS,
    T_PRICE,
    T_PROFIT,
    T_REFUSED,
    T_RESERVED,
    T_RUNGS,
    T_SCALARS,
    T_SIDE,
    T_SIGN,
    T_SKIPPED,
    T_SKIPPED_MONEY,
    T_START,
    T_STEPS,
    T_STOP,
    T_TARGET,
    T_UNIT,
    T_WHY,
)
from copytrade_core.replay.kernel.money import at_level, ceil_div, share, under_headroom, with_headroom

FNV_OFFSET = -3750763034362895579


@function
def split_target(memory, candidate, target):
    """What each leg asks for, and what of it may be ordered under headroom (strategies/dca_ladder.py)."""
    for leg in range(1 + candidate[C_RUNGS]):
        asked = candidate[C_BASE + leg]
        if candidate[C_DENOMINATOR] > 0:
            asked = share(target, asked, candidate[C_DENOMINATOR])
        memory[M_ASKED + leg] = asked
        memory[M_FREE + leg] = under_headroom(asked, candidate[C_HEADROOM])


@function
def target_of(facts, memory, candidate, signal):
    """The target notional (strategies/sizing.py); -1 when there is none."""
    if candidate[C_SIZING] == 0:
        return candidate[C_TARGET]
    equity, _ = equity_and_used(facts, memory, signal, G_MARKS)
    if candidate[C_SIZING] == 1:
        return share(candidate[C_TARGET], equity, facts[F_EQUITY]) if equity > 0 else -1
    if facts[F_LEAD_BALANCE] <= 0 or signal[G_MARGIN] < 0 or equity <= 0:
        return -1
    # Split, so that a margin far above the balance stays in int64: the target bounds it anyway.
    times, rest = signal[G_MARGIN] // facts[F_LEAD_BALANCE], signal[G_MARGIN] % facts[F_LEAD_BALANCE]
    enough = times > 0 and equity >= ceil_div(candidate[C_TARGET], times)
    asked = candidate[C_TARGET] if enough else equity * times + share(equity, rest, facts[F_LEAD_BALANCE])
    return min(candidate[C_TARGET], asked) if asked > 0 else -1


@function
def is_held_back(facts, memory, candidate, signal):
    """Whether bars do not cover the trade (replay/coverage.py) or an entry rule forbids it (strategies/entry.py)."""
    latest = signal[G_CLOSE]
    if candidate[C_TTL] > 0:
        latest = min(latest, signal[G_KNOWN] + candidate[C_TTL])
    if latest + 3 * facts[F_INTERVAL] > signal[G_COVERED]:
        return True
    if signal[G_SEEDED] != 0 or candidate[C_SIDE] * signal[G_SIGN] < 0:
        return True
    return signal[G_AGE] > candidate[C_AGE] or signal[G_DRIFT] > candidate[C_DRIFT] or signal[G_KNOWN] < memory[A_UNTIL]


@function
def on_signal(facts, memory, candidate, signal, episode, out):
    """A signal is held back, refused by risk, or becomes an order for its first bar."""
    if is_held_back(facts, memory, candidate, signal):
        out[O_SKIPPED] += 1
        return
    market = signal[G_MARKET]
    pay_all(facts, memory, signal[G_PAID_UNTIL])
    target = target_of(facts, memory, candidate, signal)
    if candidate[C_SIZING] != 0 and target >= 0:
        split_target(memory, candidate, target)
    unit = facts[F_RULES + 3 * market]
    worth = signal[G_MARK] * unit
    steps = memory[M_FREE] // worth
    if target < 0 or steps < facts[F_RULES + 3 * market + 1] or worth * steps < facts[F_RULES + 3 * market + 2]:
        out[O_SKIPPED] += 1
        return
    equity, used = equity_and_used(facts, memory, signal, G_MARKS)
    if refusal(facts, memory, equity, used, memory[M_ASKED]) != 0:
        out[O_BLOCKED] += 1
        entry_failed(memory, candidate, signal[G_KNOWN])
        return
    order = memory[A_ORDERS] + ORDER * memory[A_ORDERS_COUNT]
    memory[A_ORDERS_COUNT] += 1
    memory[order] = moment(signal[G_BAR], ENTRY_CLOSE if facts[F_AT_CLOSE] != 0 else ENTRY_OPEN, market)
    memory[order + 1], memory[order + 2], memory[order + 3] = episode, steps, target
    memory[M_WAITING + market] += steps * unit


@function
def lay_out_rungs(facts, memory, trade, candidate, levels, anchor):
    """The rungs that can be placed, with their prices, and a count of those that cannot (strategies/dca_ladder.py)."""
    market, sign, unit = memory[trade + T_MARKET], memory[trade + T_SIGN], memory[trade + T_UNIT]
    fewest, least = facts[F_RULES + 3 * market + 1], facts[F_RULES + 3 * market + 2]
    used, room = 0, memory[trade + T_TARGET] - memory[M_ASKED]
    for rung in range(candidate[C_RUNGS]):
        price = at_level(anchor, np.int64(levels[rung if sign > 0 else RUNGS_MAX + rung]), sign > 0)
        worth = price * unit
        asked, free = memory[M_ASKED + 1 + rung], memory[M_FREE + 1 + rung]
        if candidate[C_MIN_ORDER] != 0:
            steps = max(fewest, ceil_div(least, worth))
            asked = with_headroom(steps * worth, candidate[C_HEADROOM])
            used += asked
            asked = asked if used <= room else 0
            free = under_headroom(asked, candidate[C_HEADROOM])
        steps = free // worth
        if steps < fewest or worth * steps < least:
            memory[trade + T_SKIPPED] += 1
            memory[trade + T_SKIPPED_MONEY] += asked
            continue
        at = trade + np.uint64(memory[trade + T_RUNGS])
        memory[at + T_LEG], memory[at + T_PRICE] = 1 + rung, sign * price
        memory[at + T_STEPS], memory[at + T_ASKED] = steps, asked
        memory[at + T_HELD_BACK] = worth * steps
        memory[trade + T_RUNGS] += 1


@function
def rest_rungs(facts, memory, trade, candidate, marks, at, now_ms, out):
    """Rest the rungs that do not rest yet; after the first refusal the others are not tried in this pass."""
    if memory[trade + T_PLACED] == memory[trade + T_RUNGS]:
        return
    equity, used = equity_and_used(facts, memory, marks, at)
    live_from = memory[trade + T_POS] + (0 if facts[F_TOUCH] != 0 else 1)
    while memory[trade + T_PLACED] < memory[trade + T_RUNGS]:
        rung = np.uint64(memory[trade + T_PLACED])
        reason = refusal(facts, memory, equity, used, memory[trade + T_ASKED + rung])
        if reason != 0:
            seen = np.int64(1) << (memory[trade + T_PLACED] * 3 + reason)
            if memory[trade + T_REFUSED] & seen == 0:
                memory[trade + T_REFUSED] |= seen
                out[O_BLOCKED] += 1
            entry_failed(memory, candidate, now_ms)
            return
        used += memory[trade + T_HELD_BACK + rung]
        memory[A_RESERVED] += memory[trade + T_HELD_BACK + rung]
        memory[trade + T_RESERVED] += memory[trade + T_HELD_BACK + rung]
        memory[trade + T_FROM + rung] = live_from
        memory[trade + T_PLACED] += 1


@function
def leave(facts, memory, trade, bar, why):
    """A market close is sent: what rests is taken back, and it fills on `bar`; returns when."""
    memory[A_RESERVED] -= memory[trade + T_RESERVED]
    memory[trade + T_RESERVED] = memory[trade + T_ASLEEP] = 0
    memory[trade + T_RUNGS] = memory[trade + T_PLACED] = memory[trade + T_FILLED]
    memory[trade + T_LEAVING], memory[trade + T_WHY] = 1, why
    return moment(bar, EXIT_CLOSE if facts[F_AT_CLOSE] != 0 else EXIT_OPEN, memory[trade + T_MARKET])


@function
def begin(facts, memory, trade, episode, signal, target, bar):
    """A trade with nothing in it yet."""
    for column in range(T_SCALARS):
        memory[trade + column] = 0
    market, sign = signal[G_MARKET], signal[G_SIGN]
    memory[trade + T_EPISODE], memory[trade + T_MARKET], memory[trade + T_SIGN] = episode, market, sign
    memory[trade + T_UNIT], memory[trade + T_TARGET] = facts[F_RULES + 3 * market], target
    memory[trade + T_SIDE] = 0 if sign > 0 else 1
    memory[trade + T_LOW], memory[trade + T_HIGH], memory[trade + T_STOP] = NEVER, -NEVER, -NEVER
    memory[trade + T_PROFIT], memory[trade + T_START] = NEVER, NEVER
    memory[trade + T_ENTRY_BAR], memory[trade + T_HASH] = bar, FNV_OFFSET
    memory[trade + T_PAID] = signal[G_PAYMENT]
    memory[trade + T_LAST_CLOSE] = signal[G_CLOSE_BAR]


@function
def open_trade(nodes, facts, memory, trade, candidate, levels, signal, episode, steps, target, bar, out):
    """An entry order fills; exits and rungs rest. Funding has been paid up to this bar. Returns when it is due next."""
    begin(facts, memory, trade, episode, signal, target, bar)
    market, sign, at_close = signal[G_MARKET], signal[G_SIGN], facts[F_AT_CLOSE] != 0
    time_ms, raw = signal[G_ENTRY_MS], signal[G_ENTRY]
    memory[M_WAITING + market] -= steps * memory[trade + T_UNIT]
    paid = enter(facts, memory, trade, bar, raw, steps, facts[F_TAKER], 0, time_ms, at_close)
    memory[trade + T_ENTRY_MS], memory[trade + T_PEAK] = time_ms, sign * raw
    if candidate[C_SIZING] != 0:
        split_target(memory, candidate, target)
    lay_out_rungs(facts, memory, trade, candidate, levels, signal[G_TICKS] if candidate[C_FROM_SOURCE] != 0 else paid)
    memory[trade + T_LAST_TTL] = NO_MOMENT
    if candidate[C_TTL] > 0:
        memory[trade + T_LAST_TTL] = ceil_div(time_ms + candidate[C_TTL], facts[F_INTERVAL]) - 1 - facts[F_FIRST_BAR]
    memory[trade + T_POS] = bar
    is_late = memory[trade + T_LAST_CLOSE] < bar
    if at_close:
        # What the bar did before its close was before the entry.
        bar_ended(memory, trade, candidate, sign * raw, sign * raw)
        memory[trade + T_POS] = bar + 1
    elif is_late:
        low, high, _ = bar_of(nodes, market, memory[trade + T_SIDE], bar)
        bar_ended(memory, trade, candidate, low, high)
    if is_late:
        return leave(facts, memory, trade, bar + 1, SOURCE_CLOSE)
    protect(memory, trade, candidate)
    rest_rungs(facts, memory, trade, candidate, signal, G_MARKS + facts[F_MARKETS], time_ms, out)
    if at_close and memory[trade + T_PLACED] < memory[trade + T_RUNGS]:  # the bar ends now and asks a second time
        return moment(bar, BAR_END, market)
    return next_moment(nodes, facts, memory, trade, candidate, next_ask(facts, memory))
