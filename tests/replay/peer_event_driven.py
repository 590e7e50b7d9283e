"""The nearest work that an event-driven library, backtesting.py, can express: a Python call per bar of one market.

What it cannot: several markets, two trades at once with exits of their own, integer money, venue minimums, funding,
rungs by close. It replays a short piece of one market and is extrapolated to W by bars: its cost is per bar, whatever
is held, and indicators or plots are not asked for.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.side import Side
from copytrade_core.strategies.dca_ladder import base_notional, level_ratios, rung_notionals
from tests.replay.scan_packing import PackedMarket
from tests.replay.work_item import RULES

UNIT = 1_000
"""The library trades whole units: prices are of a thousandth of a coin."""


def prepare(market: PackedMarket, bars: int) -> Callable[[PolicySpec], int]:
    """What replays one policy on the first `bars` bars of the first market and says how many trades it closed.

    Raises:
        ImportError: backtesting or pandas is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pd: Any = importlib.import_module("pandas")
        backtesting: Any = importlib.import_module("backtesting")

    settings, tick = market.settings[0], float(RULES[min(RULES)].tick_size)
    index = pd.to_datetime(settings["start_ms"] + np.arange(bars) * settings["interval_ms"], unit="ms")
    names = ["Open", "High", "Low", "Close"]
    frame = pd.DataFrame(market.bars[0, :bars] * (tick / UNIT), columns=names, index=index)
    kind = _strategy(backtesting.Strategy)
    backtest = backtesting.Backtest(
        frame,
        kind,
        cash=settings["initial_equity"] / 1e8,
        commission=settings["taker_fee"] / 1e6,
        spread=settings["slippage"] / 1e6,
        margin=1.0,
    )

    def run(policy: PolicySpec) -> int:
        # Its progress bar has no switch.
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            return int(backtest.run(policy=policy, signals=_signals(market, policy, bars))["# Trades"])

    return run


def _signals(market: PackedMarket, policy: PolicySpec, bars: int) -> dict[int, tuple[int, int]]:
    """By the bar at whose end the order is sent: our side, and the bar at which the source has closed."""
    settings = market.settings[0]
    contrarian = policy.signal == "contrarian_on_close"
    found: dict[int, tuple[int, int]] = {}
    for life, known in zip(market.episodes, market.signals[int(contrarian)]["known_ms"], strict=True):
        bar = int((known - settings["start_ms"]) // settings["interval_ms"])
        if life["market"] == 0 and 0 < bar < bars:
            close = int((life["close_known_ms"] - settings["start_ms"]) // settings["interval_ms"])
            side = 1 if bool(life["is_long"]) != contrarian else -1
            found[bar] = (side, close if policy.exit.follows_source_close else bars)
    return found


def _strategy(strategy: type) -> type:  # noqa: C901 - one class, whose parent is there only when it is installed
    class Laddered(strategy):  # pyright: ignore[reportUntypedBaseClass]
        """Base at the next open, rungs as limit orders, stop and take-profit from the average entry."""

        policy: Any = None
        signals: Any = None

        def init(self) -> None:
            target = self.policy.sizing.target_notional
            self.base = base_notional(self.policy.ladder, target) / 1e8
            self.rungs = [notional / 1e8 for notional in rung_notionals(self.policy.ladder, target, ())]
            self.ratios = [[each / 1e9 for each in level_ratios(self.policy.ladder, side)] for side in Side]
            self.until, self.laddered, self.counted = 0, False, 0

        def next(self) -> None:
            bar, leaves = len(self.data) - 1, self.policy.exit
            if not self.position:
                if self.orders and self.laddered:
                    for order in list(self.orders):
                        order.cancel()
                if bar in self.signals and not self.orders:
                    self.side, self.until = self.signals[bar]
                    self.laddered, self.counted = False, 0
                    self._trade(self.base, self.data.Close[-1])
                return
            if not self.laddered:
                self.laddered = True
                self.until = min(self.until, bar + (leaves.ttl_s or 10**9) // 60)
                price = self.trades[0].entry_price
                for notional, ratio in zip(self.rungs, self.ratios[0 if self.side > 0 else 1], strict=True):
                    self._trade(notional, price * ratio, limit=price * ratio)
            if bar >= self.until:
                self.position.close()
                return
            if len(self.trades) != self.counted:
                self.counted = len(self.trades)
                self._protect(leaves)

        def _trade(self, notional: float, price: float, limit: float | None = None) -> None:
            send = self.buy if self.side > 0 else self.sell
            send(size=max(1, int(notional / price)), limit=limit)

        def _protect(self, leaves) -> None:
            held = sum(abs(trade.size) for trade in self.trades)
            average = sum(abs(trade.size) * trade.entry_price for trade in self.trades) / held
            for trade in self.trades:
                if leaves.stop_loss_ppm:
                    trade.sl = average * (1 - self.side * leaves.stop_loss_ppm / 1e6)
                if leaves.take_profit_ppm:
                    trade.tp = average * (1 + self.side * leaves.take_profit_ppm / 1e6)

    return Laddered
