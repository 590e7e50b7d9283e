"""The account: cash, what is held by market, funding, and risk's answer to an entry.

Equity is cash plus a linear form of the closes, so it needs no list of holdings.
"""

from __future__ import annotations

import numpy as np

from copytrade_core.replay.kernel.compiled import function
from copytrade_core.replay.kernel.layout import (
    A_ACTIVE,
    A_CASH,
    A_DAY,
    A_DAY_CASH,
    A_FAILURES,
    A_PAID,
    A_RESERVED,
    A_SIGNED_COST,
    A_STATES,
    A_STATES_COUNT,
    A_STATUS,
    A_TRADES_COUNT,
    A_UNTIL,
    ACTIVE,
    C_COOLDOWN,
    C_FAILURES,
    DAILY_LOSS,
    F_DAILY_LOSS_MAX,
    F_FIRST_BAR,
    F_GROSS_MAX,
    F_INTERVAL,
    F_MARKETS,
    F_PAY_BAR,
    F_PAY_PRICE,
    F_PAY_RATE,
    F_PAY_SLOT,
    F_PAY_START,
    F_PER_MARKET,
    M_GROSS,
    M_NET,
    M_WAITING,
    NOTIONAL_GROSS,
    NOTIONAL_GT_EQUITY,
    OUT_OF_BOUNDS,
    S_BAR,
    S_CASH,
    S_FRESH,
    S_MARKET,
    S_MONEY,
    T_FUNDING,
    T_MARKET,
    T_PAID,
    T_QUANTITY,
    T_SIGN,
    T_UNIT,
)
from copytrade_core.replay.kernel.money import ceil_div, funding_cost, is_beyond_bounds

DAY_MS = 86_400_000


@function
def pay_funding(facts, memory, trade, until):
    """Book the funding of one trade that is due up to and including a bar."""
    at = memory[trade + T_PAID]
    market = memory[trade + T_MARKET]
    end, bars = facts[facts[F_PAY_START] + market + 1], facts[F_PAY_BAR]
    if at >= end or facts[bars + at] > until:
        return
    unit, sign = memory[trade + T_QUANTITY] * memory[trade + T_UNIT], memory[trade + T_SIGN]
    total = 0
    while at < end and facts[bars + at] <= until:
        price = facts[facts[F_PAY_PRICE] + at]
        if is_beyond_bounds(unit, price):
            memory[A_STATUS] = OUT_OF_BOUNDS
        cost = funding_cost(price * unit, facts[facts[F_PAY_RATE] + at] * sign)
        memory[memory[A_PAID] + facts[facts[F_PAY_SLOT] + at]] += cost
        total += cost
        at += 1
    memory[trade + T_PAID] = at
    memory[trade + T_FUNDING] += total
    memory[A_CASH] -= total


@function
def pay_all(facts, memory, until):
    """Book the funding of every trade that is held."""
    for index in range(memory[A_TRADES_COUNT]):
        pay_funding(facts, memory, np.uint64(memory[memory[A_ACTIVE] + ACTIVE * index]), until)


@function
def on_day(facts, memory, now_ms):
    """Keep the cash with which the day of `now_ms` began, as `flow` does at its first step of that day."""
    day = now_ms // DAY_MS
    if day > memory[A_DAY]:
        pay_all(facts, memory, ceil_div(day * DAY_MS, facts[F_INTERVAL]) - 1 - facts[F_FIRST_BAR])
        memory[A_DAY] = day
        memory[A_DAY_CASH] = memory[A_CASH]


@function
def equity_and_used(facts, memory, marks, at):
    """Equity, and notional held and reserved, at closes that begin at `marks[at]`, one a market."""
    used = memory[A_RESERVED]
    equity = memory[A_CASH] - memory[A_SIGNED_COST]
    for market in range(facts[F_MARKETS]):
        held = memory[M_GROSS + market] + memory[M_WAITING + market]
        if held != 0:
            price = marks[at + market]
            equity += memory[M_NET + market] * price
            used += held * price
    return equity, used


@function
def refusal(facts, memory, equity, used, asked):
    """Risk's answer to an entry: 0, or the first reason against it (risk/gate.py)."""
    if facts[F_DAILY_LOSS_MAX] > 0 and equity - memory[A_DAY_CASH] <= -facts[F_DAILY_LOSS_MAX]:
        return DAILY_LOSS
    if facts[F_GROSS_MAX] > 0 and used + asked > facts[F_GROSS_MAX]:
        return NOTIONAL_GROSS
    return NOTIONAL_GT_EQUITY if used + asked > equity else 0


@function
def entry_failed(memory, candidate, now_ms):
    """One more failed entry (strategies/rejection_backoff.py)."""
    memory[A_FAILURES] += 1
    if memory[A_FAILURES] >= candidate[C_FAILURES]:
        memory[A_UNTIL] = now_ms + candidate[C_COOLDOWN]


@function
def post(facts, memory, bar, market, net, gross, money, cash, is_fresh):
    """Change the portfolio at a bar: units with sign and without, money that is not in prices, cash."""
    count = memory[A_STATES_COUNT]
    width = S_MARKET + facts[F_PER_MARKET] * facts[F_MARKETS]
    state = memory[A_STATES] + width * (count - 1)
    if memory[state + S_FRESH] != 0 and memory[state + S_BAR] + 1 < bar:
        state = next_state(memory, state, width, memory[state + S_BAR] + 1)
    if memory[state + S_BAR] < bar:
        state = next_state(memory, state, width, bar)
    memory[state + S_MONEY] += money
    memory[state + S_CASH] += cash
    column = state + S_MARKET + facts[F_PER_MARKET] * market
    memory[column] += net
    memory[column + 1] += gross
    if is_fresh:
        memory[state + S_FRESH] = 1
        memory[column + (2 if net > 0 else 3)] += gross
    memory[M_NET + market] += net
    memory[M_GROSS + market] += gross
    memory[A_CASH] += cash
    memory[A_SIGNED_COST] += cash - money


@function
def next_state(memory, state, width, bar):
    """The portfolio goes on at a later bar; what entered at a close is fresh no more."""
    for column in range(state, state + width):
        memory[column + width] = memory[column]
    state += width
    if memory[state + S_FRESH] != 0:
        for column in range(state + S_MARKET, state + width, 4):
            memory[column + 2] = 0
            memory[column + 3] = 0
        memory[state + S_FRESH] = 0
    memory[state + S_BAR] = bar
    memory[A_STATES_COUNT] += 1
    return state
