"""What a fill does to the trade, the account and the figures of the candidate. When it happens is in `trades.py`."""

from __future__ import annotations

import numpy as np

from copytrade_core.replay.kernel.account import post
from copytrade_core.replay.kernel.compiled import function
from copytrade_core.replay.kernel.exits import phase_ended, protect
from copytrade_core.replay.kernel.layout import (
    A_DUE,
    A_DUE_COUNT,
    A_DUE_MS,
    A_FAILURES,
    A_FILLS,
    A_FILLS_COUNT,
    A_PNL,
    A_REAL,
    A_REAL_PEAK,
    A_RESERVED,
    A_STATUS,
    A_TRIPS,
    A_TRIPS_COUNT,
    A_UNTIL,
    C_RUNGS,
    F_FIRST_BAR,
    F_INTERVAL,
    F_MAKER,
    F_SLIPPAGE,
    FILL,
    O_ADDS,
    O_ADDS_MAX,
    O_BARS,
    O_BEST,
    O_ENTERED,
    O_FEES,
    O_FUNDING,
    O_HASH,
    O_HELD_MS,
    O_HELD_MS_MAX,
    O_LONGS,
    O_LOST,
    O_MAE,
    O_MAE_WORST,
    O_MFE,
    O_MFE_BEST,
    O_NET,
    O_PLANNED,
    O_REALISED,
    O_SKIPPED_MONEY,
    O_SKIPPED_RUNGS,
    O_SLIPPAGE,
    O_TRADES,
    O_WINS,
    O_WON,
    O_WORST,
    OUT_OF_BOUNDS,
    T_ADDS,
    T_COST,
    T_ENTERED,
    T_ENTRY_BAR,
    T_ENTRY_MS,
    T_EPISODE,
    T_FEES,
    T_FILLED,
    T_FUNDING,
    T_HASH,
    T_HELD_BACK,
    T_LEG,
    T_MAE,
    T_MARKET,
    T_MFE,
    T_QUANTITY,
    T_RESERVED,
    T_SIGN,
    T_SKIPPED,
    T_SKIPPED_MONEY,
    T_SLIPPAGE,
    T_STEPS,
    T_UNIT,
    TRIP,
    X_REALISED,
    X_SQUARES,
)
from copytrade_core.replay.kernel.money import FUNDING, against, fall, fee, is_beyond_bounds

FNV_PRIME = 0x100000001B3


@function
def enter(facts, memory, trade, bar, raw, steps, rate, leg, time_ms, is_fresh):
    """Book an entry at a raw price (not mirrored); returns the price paid."""
    sign, unit, slippage = memory[trade + T_SIGN], memory[trade + T_UNIT], facts[F_SLIPPAGE]
    price = against(raw, slippage, sign > 0)
    notional = price * steps * unit
    paid, slipped = fee(notional, rate), abs(notional - raw * steps * unit)
    if is_beyond_bounds(steps * unit, max(price, raw)):
        memory[A_STATUS] = OUT_OF_BOUNDS
    memory[trade + T_QUANTITY] += steps
    memory[trade + T_COST] += notional
    memory[trade + T_ENTERED] += notional
    memory[trade + T_FEES] += paid
    memory[trade + T_SLIPPAGE] += slipped
    units = steps * unit
    post(facts, memory, bar, memory[trade + T_MARKET], sign * units, units, -paid - sign * notional, -paid, is_fresh)
    note(facts, memory, trade, leg, bar, time_ms, sign > 0, raw, price, steps, paid, slipped)
    memory[A_FAILURES], memory[A_UNTIL] = 0, 0
    return price


@function
def add(facts, memory, trade, candidate, bar, raw, time_ms):
    """A rung fills; the exits follow the new average."""
    rung = np.uint64(memory[trade + T_FILLED])
    phase_ended(memory, trade)
    memory[A_RESERVED] -= memory[trade + T_HELD_BACK + rung]
    memory[trade + T_RESERVED] -= memory[trade + T_HELD_BACK + rung]
    memory[trade + T_FILLED] += 1
    memory[trade + T_ADDS] += 1
    steps, leg = memory[trade + T_STEPS + rung], memory[trade + T_LEG + rung]
    _ = enter(facts, memory, trade, bar, raw, steps, facts[F_MAKER], leg, time_ms, False)
    protect(memory, trade, candidate)


@function
def close(facts, memory, trade, candidate, bar, raw, rate, why, time_ms, out, ratios):
    """Book the exit of all that is held, and the round trip."""
    sign, unit, steps = memory[trade + T_SIGN], memory[trade + T_UNIT], memory[trade + T_QUANTITY]
    phase_ended(memory, trade)
    price = against(raw, facts[F_SLIPPAGE], sign < 0)
    units = steps * unit
    notional = price * units
    paid, slipped = fee(notional, rate), abs(notional - raw * units)
    if is_beyond_bounds(units, max(price, raw)):
        memory[A_STATUS] = OUT_OF_BOUNDS
    realised = sign * (notional - memory[trade + T_COST])
    market, money, cash = memory[trade + T_MARKET], sign * notional - paid, realised - paid
    post(facts, memory, bar, market, -sign * units, -units, money, cash, False)
    note(facts, memory, trade, why, bar, time_ms, sign < 0, raw, price, steps, paid, slipped)
    memory[A_RESERVED] -= memory[trade + T_RESERVED]
    memory[trade + T_FEES] += paid
    memory[trade + T_SLIPPAGE] += slipped
    memory[trade + T_MAE] = min(memory[trade + T_MAE], realised)
    memory[trade + T_MFE] = max(memory[trade + T_MFE], realised)
    pnl = realised - memory[trade + T_FEES] - memory[trade + T_FUNDING]
    count(memory, trade, candidate, bar, time_ms, realised, pnl, out)
    if memory[A_TRIPS] > 0:
        keep(memory, trade, candidate, bar, time_ms, steps, realised, pnl, why)
    if memory[A_PNL] > 0:
        memory[memory[A_PNL] + memory[trade + T_EPISODE]] = pnl
    settle(memory, memory[trade + T_EPISODE], time_ms, pnl, ratios)


@function
def note(facts, memory, trade, leg, bar, time_ms, buys, raw, price, steps, paid, slipped):
    """Chain the fill into the trade's hash (replay/fill_hash.py), and keep it when somebody asked for fills."""
    bar_ms = (bar + facts[F_FIRST_BAR]) * facts[F_INTERVAL]
    value = (memory[trade + T_HASH] ^ leg) * FNV_PRIME
    value = (value ^ bar_ms) * FNV_PRIME
    value = (value ^ (1 if buys else 0)) * FNV_PRIME
    value = (value ^ price) * FNV_PRIME
    memory[trade + T_HASH] = (value ^ steps) * FNV_PRIME
    if memory[A_FILLS] == 0:
        return
    at = memory[A_FILLS] + FILL * memory[A_FILLS_COUNT]
    memory[A_FILLS_COUNT] += 1
    memory[at], memory[at + 1], memory[at + 2], memory[at + 3] = memory[trade + T_EPISODE], leg, bar_ms, time_ms
    memory[at + 4], memory[at + 5], memory[at + 6], memory[at + 7] = 1 if buys else 0, raw, price, steps
    memory[at + 8], memory[at + 9] = paid, slipped


@function
def count(memory, trade, candidate, bar, time_ms, realised, pnl, out):
    """Add one round trip to the sums."""
    first = out[O_TRADES] == 0
    out[O_BEST] = pnl if first else max(out[O_BEST], pnl)
    out[O_WORST] = pnl if first else min(out[O_WORST], pnl)
    out[O_TRADES] += 1
    out[O_LONGS] += 1 if memory[trade + T_SIGN] > 0 else 0
    out[O_WINS] += 1 if pnl > 0 else 0
    out[O_NET] += pnl
    out[O_WON] += max(pnl, 0)
    out[O_LOST] += min(pnl, 0)
    out[O_REALISED] += realised
    out[O_FEES] += memory[trade + T_FEES]
    out[O_SLIPPAGE] += memory[trade + T_SLIPPAGE]
    out[O_FUNDING] += memory[trade + T_FUNDING]
    out[O_ENTERED] += memory[trade + T_ENTERED]
    out[O_MAE] += memory[trade + T_MAE]
    out[O_MAE_WORST] = min(out[O_MAE_WORST], memory[trade + T_MAE])
    out[O_MFE] += memory[trade + T_MFE]
    out[O_MFE_BEST] = max(out[O_MFE_BEST], memory[trade + T_MFE])
    out[O_BARS] += bar - memory[trade + T_ENTRY_BAR]
    out[O_ADDS] += memory[trade + T_ADDS]
    out[O_ADDS_MAX] = max(out[O_ADDS_MAX], memory[trade + T_ADDS])
    out[O_PLANNED] += candidate[C_RUNGS]
    out[O_SKIPPED_RUNGS] += memory[trade + T_SKIPPED]
    out[O_SKIPPED_MONEY] += memory[trade + T_SKIPPED_MONEY]
    held_ms = time_ms - memory[trade + T_ENTRY_MS]
    out[O_HELD_MS] += held_ms
    out[O_HELD_MS_MAX] = max(out[O_HELD_MS_MAX], held_ms)
    out[O_HASH] += memory[trade + T_HASH]


@function
def keep(memory, trade, candidate, bar, time_ms, steps, realised, pnl, why):
    """One round trip in full (sweep.TRIP_COLUMNS)."""
    at = memory[A_TRIPS] + TRIP * memory[A_TRIPS_COUNT]
    memory[A_TRIPS_COUNT] += 1
    memory[at], memory[at + 1] = memory[trade + T_EPISODE], memory[trade + T_ENTRY_MS]
    memory[at + 2], memory[at + 3] = time_ms, steps
    memory[at + 4], memory[at + 5] = memory[trade + T_ENTERED], realised
    memory[at + 6], memory[at + 7] = memory[trade + T_FEES], memory[trade + T_SLIPPAGE]
    memory[at + 8], memory[at + 9] = memory[trade + T_FUNDING], pnl
    memory[at + 10], memory[at + 11] = memory[trade + T_MAE], memory[trade + T_MFE]
    memory[at + 12], memory[at + 13] = bar - memory[trade + T_ENTRY_BAR], memory[trade + T_ADDS]
    memory[at + 14], memory[at + 15] = memory[trade + T_SKIPPED], candidate[C_RUNGS]
    memory[at + 16], memory[at + 17] = memory[trade + T_SKIPPED_MONEY], why


@function
def settle(memory, episode, time_ms, pnl, ratios):
    """Realised equity in order of (exit time, episode): the exits of one moment wait until the moment is over."""
    if time_ms > memory[A_DUE_MS]:
        settle_due(memory, ratios)
    memory[A_DUE_MS] = time_ms
    at = memory[A_DUE] + 2 * memory[A_DUE_COUNT]
    while at > memory[A_DUE] and memory[at - 2] > episode:
        memory[at], memory[at + 1] = memory[at - 2], memory[at - 1]
        at -= 2
    memory[at], memory[at + 1] = episode, pnl
    memory[A_DUE_COUNT] += 1


@function
def settle_due(memory, ratios):
    """Book what waits: the moment is over."""
    for index in range(memory[A_DUE_COUNT]):
        pnl = memory[memory[A_DUE] + 2 * index + 1]
        money = np.float64(pnl) / np.float64(FUNDING)
        ratios[X_SQUARES] += money * money
        memory[A_REAL] += pnl
        memory[A_REAL_PEAK] = max(memory[A_REAL_PEAK], memory[A_REAL])
        ratios[X_REALISED] = max(ratios[X_REALISED], fall(memory[A_REAL_PEAK], memory[A_REAL]))
    memory[A_DUE_COUNT] = 0
