"""The nearest work that vectorbt's order function can express: base, rungs, stop, profit, time-to-live, source close.

What it cannot: two trades of one market at once (a signal that comes while something is held is left out), two fills in
one bar, integer money, venue minimums, funding, the worst price inside a bar in equity. Trailing stops are left out. It
is asked for the simulation alone; its figures would come on top.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.side import Side
from copytrade_core.strategies.dca_ladder import base_notional, level_ratios, rung_notionals
from tests.replay.scan_packing import NEVER_MS, PackedMarket
from tests.replay.work_item import RULES

FIELDS = 5
QUANTITY, COST, NEXT_RUNG, UNTIL_BAR, ANCHOR = range(FIELDS)


def prepare(market: PackedMarket) -> Callable[[PolicySpec], int]:
    """What replays one policy with vectorbt and says how many orders it made.

    Raises:
        ImportError: vectorbt is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vbt: Any = importlib.import_module("vectorbt")
        orders: Any = importlib.import_module("vectorbt.portfolio.nb")

    ticks = np.array([float(RULES[name].tick_size) for name in sorted(RULES)])
    prices = [np.ascontiguousarray(market.bars[:, :, column].T * ticks) for column in range(4)]
    decide = _order_function(orders.order_nb, orders.order_nothing_nb)

    def run(policy: PolicySpec) -> int:
        settings = market.settings[0]
        portfolio = vbt.Portfolio.from_order_func(
            prices[3],
            decide,
            *prices,
            *_signals(market, policy),
            *_policy(policy),
            settings["taker_fee"] / 1e6,
            settings["maker_fee"] / 1e6,
            settings["slippage"] / 1e6,
            np.zeros((FIELDS, len(ticks))),
            init_cash=settings["initial_equity"] / 1e8,
            group_by=True,
            cash_sharing=True,
            max_orders=40 * len(market.episodes),
        )
        return len(portfolio.order_records)

    return run


def _signals(market: PackedMarket, policy: PolicySpec) -> tuple[np.ndarray, np.ndarray]:
    """By bar and market: +1 or -1 where a signal fills, and the bar at which its source has closed."""
    settings = market.settings[0]
    signals = np.zeros((market.bars.shape[1], len(market.bars)), dtype=np.int64)
    closes = np.full(signals.shape, NEVER_MS, dtype=np.int64)
    contrarian = not policy.exit.follows_source_close and policy.signal == "contrarian_on_close"
    for life, known in zip(market.episodes, market.signals[int(contrarian)]["known_ms"], strict=True):
        bar = -(-(known - settings["start_ms"]) // settings["interval_ms"])
        if known < 0 or bar >= len(signals):
            continue
        signals[bar, life["market"]] = 1 if bool(life["is_long"]) != contrarian else -1
        if policy.exit.follows_source_close:
            closes[bar, life["market"]] = -(-(life["close_known_ms"] - settings["start_ms"]) // settings["interval_ms"])
    return signals, closes


def _policy(policy: PolicySpec) -> tuple:
    target, leaves = policy.sizing.target_notional, policy.exit
    ratios = [np.array([*level_ratios(policy.ladder, side), 0], dtype=np.float64) / 1e9 for side in Side]
    return (
        base_notional(policy.ladder, target) / 1e8,
        np.array([*rung_notionals(policy.ladder, target, ()), 0]) / 1e8,
        np.stack(ratios),
        len(policy.ladder.steps),
        (leaves.take_profit_ppm or 0) / 1e6,
        (leaves.stop_loss_ppm or 0) / 1e6,
        NEVER_MS if leaves.ttl_s is None else leaves.ttl_s // 60,
    )


def _order_function(order_nb, order_nothing_nb):
    """At most one order per bar and market, as vectorbt asks for it; the same order of precedence as ours."""

    @njit
    def decide(  # noqa: PLR0917 - vectorbt passes positions
        c, open_, high, low, close, signals, closes, base, notionals, ratios, rungs, profit, stop, ttl, taker, maker,
        slippage, state,
    ):  # fmt: skip
        i, col = c.i, c.col
        held = state[QUANTITY, col]
        if held == 0:
            sign = signals[i, col]
            if sign == 0 or i == 0:
                return order_nothing_nb()
            quantity = sign * base / close[i - 1, col]
            state[QUANTITY, col] = quantity
            state[COST, col] = abs(quantity) * open_[i, col]
            state[NEXT_RUNG, col] = 0
            state[ANCHOR, col] = open_[i, col]
            state[UNTIL_BAR, col] = min(i + ttl, closes[i, col])
            return order_nb(size=quantity, price=open_[i, col], fees=taker, slippage=slippage)
        sign = 1 if held > 0 else -1
        if i >= state[UNTIL_BAR, col]:
            state[QUANTITY, col] = 0
            return order_nb(size=-held, price=open_[i, col], fees=taker, slippage=slippage)
        average = state[COST, col] / abs(held)
        worst, best = (low[i, col], high[i, col]) if sign > 0 else (high[i, col], low[i, col])
        if stop > 0:
            trigger = average * (1 - sign * stop)
            if (worst - trigger) * sign <= 0:
                state[QUANTITY, col] = 0
                price = min(trigger, open_[i, col]) if sign > 0 else max(trigger, open_[i, col])
                return order_nb(size=-held, price=price, fees=taker, slippage=slippage)
        rung = int(state[NEXT_RUNG, col])
        if rung < rungs:
            price = state[ANCHOR, col] * ratios[0 if sign > 0 else 1, rung]
            if (close[i, col] - price) * sign < 0:
                quantity = sign * notionals[rung] / price
                state[QUANTITY, col] += quantity
                state[COST, col] += abs(quantity) * price
                state[NEXT_RUNG, col] += 1
                return order_nb(size=quantity, price=price, fees=maker, slippage=slippage)
        if profit > 0:
            price = average * (1 + sign * profit)
            if (best - price) * sign >= 0:
                state[QUANTITY, col] = 0
                price = max(price, open_[i, col]) if sign > 0 else min(price, open_[i, col])
                return order_nb(size=-held, price=price, fees=maker, slippage=slippage)
        return order_nothing_nb()

    return decide
