"""What is asked of a venue."""

from __future__ import annotations

from dataclasses import dataclass

from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import IntentKind, OrderStyle
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order.

    `side` is the position's; `buys` what the order does; `live_from_ms` when it reaches the venue. `worst_notional` is
    the most that its quantity may come to hold: what the caps are charged while nobody knows what became of it (0 for
    reductions).
    """

    client_order_id: str
    kind: IntentKind
    episode_id: str
    market: Market
    side: Side
    leg: str
    replaces: str
    buys: bool
    reduce_only: bool
    style: OrderStyle
    quantity: Steps
    worst_notional: Money
    live_from_ms: int
    expires_at_ms: int | None
    reason: str
