"""A 64-bit hash over every fill, so that two engines are compared fill by fill and not by totals.

Each episode's fills are chained (FNV-1a over integers); episodes are added modulo 2^64, so their order does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence

from copytrade_core.model.fill import Fill
from copytrade_core.model.intent import IntentKind

FNV_OFFSET = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
MASK = 0xFFFFFFFFFFFFFFFF

EXIT_CODES = {"source_close": 100, "ttl": 101, "stop_loss": 102, "trailing_stop": 103, "take_profit": 104}


def leg_code(fill: Fill) -> int:
    """0 for the base leg, n for rung n, 100 and up for exits by reason."""
    if fill.kind is IntentKind.OPEN:
        return 0
    if fill.kind is IntentKind.ADD:
        return int(fill.leg.removeprefix("rung"))
    return EXIT_CODES[fill.reason]


def episode_hash(fills: Sequence[Fill]) -> int:
    """Chained hash of one episode's fills: leg, bar, direction, price, steps."""
    value = FNV_OFFSET
    for fill in fills:
        for part in (leg_code(fill), fill.bar_open_ms, int(fill.buys), fill.price, fill.quantity):
            value = ((value ^ part) * FNV_PRIME) & MASK
    return value


def run_hash(episodes: Sequence[Sequence[Fill]]) -> int:
    """Sum of the episode hashes modulo 2^64."""
    return sum(episode_hash(fills) for fills in episodes) & MASK
