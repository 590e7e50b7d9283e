"""The account at the end of every bar: drawdowns, lowest equity, largest gross notional.

Between two fills equity is a linear form of the closes, so a block of bars is bounded by its extremes; bars are looked
at only where a bound could beat a figure that is already known.
"""

from __future__ import annotations

import numpy as np

from copytrade_core.replay.arrays import BRANCH
from copytrade_core.replay.kernel.compiled import function
from copytrade_core.replay.kernel.layout import (
    A_GROSS_MAX,
    A_LOWEST,
    A_PAID,
    A_PEAK,
    A_PEAK_MAX,
    A_STATES,
    A_STATES_COUNT,
    A_UNSURE,
    A_UNSURE_COUNT,
    F_BLOCK_SHIFT,
    F_BLOCKS,
    F_EQUITY,
    F_LEVEL,
    F_LEVELS,
    F_MARKETS,
    F_PAY_COUNT,
    F_PAY_DAYS,
    F_PER_MARKET,
    N_CLOSE,
    N_HIGH,
    N_LOW,
    NO_MOMENT,
    NODE,
    O_EQUITY_WORST,
    O_GROSS,
    S_BAR,
    S_FRESH,
    S_MARKET,
    S_MONEY,
    UNSURE,
    X_INTRABAR,
    X_MARKED,
)
from copytrade_core.replay.kernel.money import fall

SLACK = 0.999999999999
"""Bounds are compared as products, figures as quotients: a hair is left between them."""


@function
def at_bar(nodes, facts, memory, state, money, bar):
    """Equity, the lowest inside the bar and gross notional at one bar's end."""
    equity, worst, gross_notional = money, money, np.int64(0)
    for market in range(facts[F_MARKETS]):
        column = state + S_MARKET + facts[F_PER_MARKET] * market
        net, gross = memory[column], memory[column + 1]
        if gross == 0:
            continue
        price = np.int64(nodes[market, NODE * bar + N_CLOSE])
        long, short = (gross + net) >> 1, (gross - net) >> 1
        equity += net * price
        gross_notional += gross * price
        if memory[state + S_FRESH] != 0:
            long -= memory[column + 2]
            short -= memory[column + 3]
            worst += (memory[column + 2] - memory[column + 3]) * price
        worst += long * nodes[market, NODE * bar + N_LOW] + short * nodes[market, NODE * bar + N_HIGH]
    return equity, min(worst, equity), gross_notional


@function
def bounds(nodes, facts, memory, state, money_low, money_high, at):
    """Highest and lowest equity, lowest inside a bar and largest gross that a block allows; `at` is its column."""
    upper, lower, worst, gross_notional = money_high, money_low, money_low, np.int64(0)
    for market in range(facts[F_MARKETS]):
        column = state + S_MARKET + facts[F_PER_MARKET] * market
        net, gross = memory[column], memory[column + 1]
        if gross == 0:
            continue
        node = NODE * at
        least, most = np.int64(nodes[market, node + N_CLOSE]), -np.int64(nodes[market, node + N_CLOSE + 1])
        upper += net * (most if net > 0 else least)
        lower += net * (least if net > 0 else most)
        worst += ((gross + net) >> 1) * nodes[market, node + N_LOW] + ((gross - net) >> 1) * nodes[
            market, node + N_HIGH
        ]
        gross_notional += gross * most
    return upper, lower, min(worst, lower), gross_notional


@function
def may_matter(memory, ratios, lower, worst, gross):
    """Whether a block could hold a deeper fall, a lower equity or a larger gross than what is known."""
    if gross > memory[A_GROSS_MAX] or worst < memory[A_LOWEST] or worst < 0:
        return True
    peak = np.float64(memory[A_PEAK_MAX])
    return peak - lower > peak * ratios[X_MARKED] * SLACK or peak - worst > peak * ratios[X_INTRABAR] * SLACK


@function
def see(memory, ratios, equity, worst, gross):
    """One bar's end on the curve; the running peak before it is exact."""
    if worst < memory[A_PEAK]:
        ratios[X_INTRABAR] = max(ratios[X_INTRABAR], fall(memory[A_PEAK], worst))
        ratios[X_MARKED] = max(ratios[X_MARKED], fall(memory[A_PEAK], equity))
    memory[A_PEAK] = max(memory[A_PEAK], equity)
    memory[A_LOWEST] = min(memory[A_LOWEST], worst)
    memory[A_GROSS_MAX] = max(memory[A_GROSS_MAX], gross)


@function
def paid_until(facts, memory, payment, money, bar):
    """Money after the funding due up to and including a bar, and the next payment."""
    while payment < facts[F_PAY_COUNT] and facts[facts[F_PAY_DAYS] + payment] <= bar:
        money -= memory[memory[A_PAID] + payment]
        payment += 1
    return money, payment


@function
def walk(nodes, facts, memory, state, start, stop, money, payment, ratios, only_peak):
    """Every bar in [start, stop) that its tree node does not rule out; `money` includes the funding due at `start`."""
    bar = start
    level_one = facts[F_LEVEL + 1] if facts[F_LEVELS] > 1 else -1
    while bar < stop:
        end = min(stop, (bar // BRANCH + 1) * BRANCH)
        if payment < facts[F_PAY_COUNT]:
            end = min(end, facts[facts[F_PAY_DAYS] + payment])
        rules_out = False
        if level_one >= 0 and end - bar > 1:
            upper, lower, worst, gross = bounds(nodes, facts, memory, state, money, money, level_one + bar // BRANCH)
            memory[A_PEAK_MAX] = max(memory[A_PEAK_MAX], upper)
            rules_out = upper <= memory[A_PEAK] and (only_peak or not may_matter(memory, ratios, lower, worst, gross))
        if rules_out:
            bar = end
        while bar < end:
            equity, worst, gross = at_bar(nodes, facts, memory, state, money, bar)
            if only_peak:
                memory[A_PEAK] = max(memory[A_PEAK], equity)
            else:
                see(memory, ratios, equity, worst, gross)
            bar += 1
        if bar < stop:
            money, payment = paid_until(facts, memory, payment, money, bar)


@function
def sample(nodes, facts, memory, width, ratios):
    """Figures at the bars of fills: points of the curve, so lower bounds of every figure."""
    payment, money = np.int64(0), facts[F_EQUITY]
    for index in range(1, memory[A_STATES_COUNT], 2):  # more points cost more than they rule out
        state = memory[A_STATES] + width * index
        money, payment = paid_until(facts, memory, payment, money, memory[state + S_BAR])
        equity, worst, gross = at_bar(
            nodes, facts, memory, state, memory[state + S_MONEY] + money, memory[state + S_BAR]
        )
        if worst >= 0:  # below zero a lower peak makes a fall larger, so a sample would bound nothing
            see(memory, ratios, equity, worst, gross)


@function
def marked_figures(nodes, facts, memory, out, ratios):
    """Drawdowns, lowest equity and largest gross over the end of every bar."""
    width = S_MARKET + facts[F_PER_MARKET] * facts[F_MARKETS]
    count = memory[A_STATES_COUNT]
    memory[A_PEAK], memory[A_LOWEST], memory[A_GROSS_MAX], memory[A_UNSURE_COUNT] = facts[F_EQUITY], NO_MOMENT, 0, 0
    sample(nodes, facts, memory, width, ratios)
    memory[A_PEAK] = memory[A_PEAK_MAX] = facts[F_EQUITY]
    payment, paid = np.int64(0), facts[F_EQUITY]
    shift, days = facts[F_BLOCK_SHIFT], facts[F_PAY_DAYS]
    for index in range(1, count):
        state = memory[A_STATES] + width * index
        bar = memory[state + S_BAR]
        stop = memory[state + width + S_BAR] if index + 1 < count else bar + 1
        paid, payment = paid_until(facts, memory, payment, paid, bar)
        while bar < stop:
            end = min(stop, ((bar >> shift) + 1) << shift)
            first_payment, money = payment, memory[state + S_MONEY] + paid
            low = high = money
            while payment < facts[F_PAY_COUNT] and facts[days + payment] < end:
                paid -= memory[memory[A_PAID] + payment]
                payment += 1
                low, high = min(low, memory[state + S_MONEY] + paid), max(high, memory[state + S_MONEY] + paid)
            block(nodes, facts, memory, state, bar, end, money, low, high, first_payment, ratios)
            paid, payment = paid_until(facts, memory, payment, paid, end)
            bar = end
    out[O_GROSS] = memory[A_GROSS_MAX]
    out[O_EQUITY_WORST] = memory[A_LOWEST] if count > 1 else facts[F_EQUITY]
    ratios[X_INTRABAR] = max(ratios[X_INTRABAR], ratios[X_MARKED])


@function
def block(nodes, facts, memory, state, bar, end, money, low, high, payment, ratios):
    """One block of bars in one state: ruled out by its bounds, or walked once the peak before it is exact."""
    at = facts[F_BLOCKS] + (bar >> facts[F_BLOCK_SHIFT])
    upper, lower, worst, gross = bounds(nodes, facts, memory, state, low, high, at)
    memory[A_PEAK_MAX] = max(memory[A_PEAK_MAX], upper)
    if not may_matter(memory, ratios, lower, worst, gross):
        if upper > memory[A_PEAK]:
            unsure = memory[A_UNSURE] + UNSURE * memory[A_UNSURE_COUNT]
            memory[A_UNSURE_COUNT] += 1
            memory[unsure], memory[unsure + 1], memory[unsure + 2] = state, bar, end
            memory[unsure + 3], memory[unsure + 4], memory[unsure + 5] = money, payment, upper
            memory[A_PEAK] = max(memory[A_PEAK], lower)  # every bar of the block reaches that
        return
    for back in range(memory[A_UNSURE_COUNT]):
        unsure = memory[A_UNSURE] + UNSURE * back
        if memory[unsure + 5] > memory[A_PEAK]:
            walk(
                nodes, facts, memory, memory[unsure], memory[unsure + 1], memory[unsure + 2], memory[unsure + 3],
                memory[unsure + 4], ratios, True,
            )  # fmt: skip
    memory[A_UNSURE_COUNT] = 0
    memory[A_PEAK_MAX] = max(memory[A_PEAK], upper)
    walk(nodes, facts, memory, state, bar, end, money, payment, ratios, False)
    memory[A_PEAK_MAX] = memory[A_PEAK]
