"""How a trade goes on and ends: fills inside a bar, ends of bars, market exits. How it begins is in `opening.py`."""

from __future__ import annotations

import numpy as np

from copytrade_core.replay.arrays import NEVER
from copytrade_core.replay.kernel.account import pay_all, pay_funding
from copytrade_core.replay.kernel.compiled import function
from copytrade_core.replay.kernel.exits import bar_ended, bar_of, moment, next_ask, next_moment
from copytrade_core.replay.kernel.fills import add, close
from copytrade_core.replay.kernel.layout import (
    A_UNTIL,
    BAR_END,
    EXIT_OPEN,
    F_FIRST_BAR,
    F_INTERVAL,
    F_MAKER,
    F_MARKETS,
    F_TAKER,
    F_TOUCH,
    M_MARKS,
    N_CLOSE,
    N_OPEN,
    NODE,
    T_FILLED,
    T_FROM,
    T_LAST_CLOSE,
    T_LAST_TTL,
    T_MARKET,
    T_PLACED,
    T_POS,
    T_PRICE,
    T_PROFIT,
    T_RUNGS,
    T_SIDE,
    T_SIGN,
    T_STOP,
    T_STOP_WHY,
    T_WHY,
    TAKE_PROFIT,
    TTL,
)
from copytrade_core.replay.kernel.opening import leave, rest_rungs

OVER = -1
"""Instead of the next moment: the trade has ended."""


@function
def inside(nodes, facts, memory, trade, candidate, bar, out, ratios):
    """A bar in which the trade fills: adverse first, a stop before a rung at a tie, take-profit only without a rung."""
    market, sign = memory[trade + T_MARKET], memory[trade + T_SIGN]
    first = np.int64(nodes[market, NODE * bar + N_OPEN]) * sign
    low, high, last_price = bar_of(nodes, market, memory[trade + T_SIDE], bar)
    end_ms = (bar + facts[F_FIRST_BAR] + 1) * facts[F_INTERVAL]
    pay_funding(facts, memory, trade, bar)
    added = False
    while True:
        stop = memory[trade + T_STOP]
        stop_at = min(stop, first) if low <= stop else -NEVER
        rung_at = next_touch(facts, memory, trade, bar, low, first)
        if stop_at == -NEVER and rung_at == -NEVER:
            break
        if stop_at >= rung_at:
            why = memory[trade + T_STOP_WHY]
            close(facts, memory, trade, candidate, bar, stop_at * sign, facts[F_TAKER], why, end_ms, out, ratios)
            return OVER
        add(facts, memory, trade, candidate, bar, rung_at * sign, end_ms)
        added = True
    if is_beyond(facts, memory, trade, bar, last_price):
        raw = memory[trade + T_PRICE + np.uint64(memory[trade + T_FILLED])] * sign
        add(facts, memory, trade, candidate, bar, raw, end_ms)
        added = True
    if not added and high >= memory[trade + T_PROFIT]:
        raw = max(memory[trade + T_PROFIT], first) * sign
        close(facts, memory, trade, candidate, bar, raw, facts[F_MAKER], TAKE_PROFIT, end_ms, out, ratios)
        return OVER
    bar_ended(memory, trade, candidate, low, high)
    memory[trade + T_POS] = bar + 1
    if memory[trade + T_PLACED] < memory[trade + T_RUNGS]:
        return moment(bar, BAR_END, market)
    return next_moment(nodes, facts, memory, trade, candidate, bar)


@function
def next_touch(facts, memory, trade, bar, low, first):
    """Where the next rung is touched in this bar, or -NEVER."""
    rung = np.uint64(memory[trade + T_FILLED])
    if (
        facts[F_TOUCH] == 0
        or memory[trade + T_FILLED] >= memory[trade + T_PLACED]
        or memory[trade + T_FROM + rung] > bar
    ):
        return -NEVER
    price = memory[trade + T_PRICE + rung]
    return min(price, first) if low <= price else -NEVER


@function
def is_beyond(facts, memory, trade, bar, last_price):
    """Whether the bar closes beyond the next rung: not the bar it came to rest in or at, nor the trade's last."""
    rung = np.uint64(memory[trade + T_FILLED])
    if (
        facts[F_TOUCH] != 0
        or memory[trade + T_FILLED] >= memory[trade + T_PLACED]
        or memory[trade + T_FROM + rung] > bar
    ):
        return False
    is_last = bar >= memory[trade + T_LAST_TTL] or bar >= memory[trade + T_LAST_CLOSE]
    return not is_last and last_price < memory[trade + T_PRICE + rung]


@function
def end_of_bar(nodes, facts, memory, trade, candidate, bar, out):
    """The time-to-live is over, or rungs that still do not rest are tried again; returns when it is due next."""
    pay_all(facts, memory, bar)
    if bar >= memory[trade + T_LAST_TTL]:
        return leave(facts, memory, trade, bar + 1, TTL)
    end_ms = (bar + facts[F_FIRST_BAR] + 1) * facts[F_INTERVAL]
    if end_ms >= memory[A_UNTIL]:
        for market in range(facts[F_MARKETS]):
            memory[M_MARKS + market] = nodes[market, NODE * bar + N_CLOSE]
        rest_rungs(facts, memory, trade, candidate, memory, M_MARKS, end_ms, out)
    return next_moment(nodes, facts, memory, trade, candidate, next_ask(facts, memory))


@function
def market_exit(nodes, facts, memory, trade, candidate, bar, stage, out, ratios):
    """The market close of a trade fills at the bar's open or close."""
    pay_funding(facts, memory, trade, bar)
    market = memory[trade + T_MARKET]
    raw = np.int64(nodes[market, NODE * bar + (N_OPEN if stage == EXIT_OPEN else N_CLOSE)])
    time_ms = (bar + facts[F_FIRST_BAR] + (0 if stage == EXIT_OPEN else 1)) * facts[F_INTERVAL]
    close(facts, memory, trade, candidate, bar, raw, facts[F_TAKER], memory[trade + T_WHY], time_ms, out, ratios)
