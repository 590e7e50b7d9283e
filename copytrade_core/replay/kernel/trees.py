"""The range-extreme trees: the next bar beyond a price and the extremes of the bars before it, without a scan."""

from __future__ import annotations

import numpy as np

from copytrade_core.replay.arrays import BRANCH, NEVER
from copytrade_core.replay.kernel.compiled import function
from copytrade_core.replay.kernel.layout import (
    F_LEVEL,
    F_LEVELS,
    N_CLOSE,
    NODE,
)


@function
def next_hit(nodes, facts, market, side, start, stop, low_at, high_at, close_at):
    """The first bar in [start, stop) with low <= low_at, high >= high_at or close <= close_at; `stop` if none.

    Returns (bar, lowest low, highest high over the bars before it), at negated prices for side 1. Climbs while whole
    blocks lie ahead, then descends; nodes keep minus their highest, so every comparison is the same.
    """
    lowest, least = np.int64(NEVER), np.int64(NEVER)
    minus_high, row = -high_at, np.uint64(market)
    mine, other, closes, flip = np.uint64(side), np.uint64(1 - side), np.uint64(N_CLOSE), 1 - 2 * side
    level, node, found = 0, start, False
    while True:
        base = facts[F_LEVEL + level]
        block_end = (node // BRANCH + 1) * BRANCH
        limit = min(block_end, stop >> (4 * level))
        while node < limit:
            at = np.uint64(NODE * (base + node))
            low, high = nodes[row, at + mine], nodes[row, at + other]
            if low <= low_at or high <= minus_high or nodes[row, at + closes] * flip <= close_at:
                found = True
                break
            lowest = min(lowest, low)
            least = min(least, high)
            node += 1
        if found or node < block_end or level + 1 >= facts[F_LEVELS]:
            break
        level += 1
        node //= BRANCH
        closes, flip = np.uint64(N_CLOSE + side), 1
    while level > 0:
        level -= 1
        if level == 0:
            closes, flip = np.uint64(N_CLOSE), 1 - 2 * side
        base = facts[F_LEVEL + level]
        node *= BRANCH
        limit = node + BRANCH if found else stop >> (4 * level)
        while node < limit:
            at = np.uint64(NODE * (base + node))
            low, high = nodes[row, at + mine], nodes[row, at + other]
            if low <= low_at or high <= minus_high or nodes[row, at + closes] * flip <= close_at:
                found = True
                break
            lowest = min(lowest, low)
            least = min(least, high)
            node += 1
    return node, lowest, -least
