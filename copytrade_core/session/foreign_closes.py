"""Sharing foreign closing trades among the holdings they closed, or saying that they do not explain it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from copytrade_core.model.book import Holding
from copytrade_core.model.units import Steps
from copytrade_core.model.venue import VenueFill


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one trade took of one holding; `fill_id` is unique even when a trade is shared."""

    trade: VenueFill
    holding: Holding
    quantity: Steps
    fill_id: str


def shares_of(trades: Sequence[VenueFill], holdings: Sequence[Holding], missing: int) -> tuple[Share, ...] | None:
    """Each trade in order of time taken from the oldest holding first; None unless they close `missing` steps exactly.

    Args:
        trades: closing trades of one market and side that no order of ours made, oldest first.
        holdings: what our book holds there.
        missing: the steps that the venue shows less than they sum up to.
    """
    if sum(trade.quantity for trade in trades) != missing:
        return None
    shares: list[Share] = []
    waiting = [(holding, int(holding.quantity)) for holding in sorted(holdings, key=lambda each: each.opened_at_ms)]
    for trade in trades:
        left = int(trade.quantity)
        while left:
            holding, open_steps = waiting[0]
            taken = min(left, open_steps)
            fill_id = trade.fill_id if left == trade.quantity else f"{trade.fill_id}/{holding.episode_id}"
            shares.append(Share(trade=trade, holding=holding, quantity=Steps(taken), fill_id=fill_id))
            left -= taken
            waiting[0] = (holding, open_steps - taken)
            if waiting[0][1] == 0:
                _ = waiting.pop(0)
    return tuple(shares)
