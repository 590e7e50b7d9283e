"""How large a book of several markets is as one bet. Where correlations come from is not known here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isqrt

from copytrade_core.model.instrument import Market
from copytrade_core.model.units import RATE_SCALE, Money
from copytrade_core.risk.exposure import Commitment

Correlation = Callable[[Market, Market], int | None]
"""Correlation of two markets' recent returns in ppm, -1_000_000..1_000_000; None = not known."""


def correlated_notional(commitments: Sequence[Commitment], correlation_ppm: Correlation) -> Money:
    """The notional of the one bet that all commitments make together, rounded up.

    `sqrt(sum over i, j of n_i x n_j x w_ij)`, summed over (market, side) with `n` their notional and `w` how far two of
    them win and lose together: the correlation of the markets, its sign turned where the sides differ, never under 0.
    Two coins that move together on one side count as their sum, strangers as the root of their squares. That is the
    standard deviation of a book of equally volatile coins, except that what moves apart makes no room: correlations do
    not last through a crash, and an order on the other side may never fill. An unknown correlation counts as moving
    together. So the result never falls when a commitment is added, and lies between the largest one and the sum of all.
    """
    lines: dict[tuple[Market, int], int] = {}
    for each in commitments:
        key = (each.market, each.side.sign)
        lines[key] = lines.get(key, 0) + each.notional
    squared = sum(
        mine * other * _together(a, b, correlation_ppm) for a, mine in lines.items() for b, other in lines.items()
    )
    scaled = -(-squared // RATE_SCALE)
    root = isqrt(scaled)
    return Money(root if root * root == scaled else root + 1)


def _together(a: tuple[Market, int], b: tuple[Market, int], correlation_ppm: Correlation) -> int:
    (market, sign), (other, other_sign) = a, b
    if market == other:
        return RATE_SCALE if sign == other_sign else 0
    # Asked in one order, so that the answer cannot depend on which of the two is held.
    known = correlation_ppm(min(market, other), max(market, other))
    if known is None:
        return RATE_SCALE
    return min(RATE_SCALE, max(0, known * sign * other_sign))
