"""What a strategy may wish for. Nothing but an intent ever opens, adds to or closes a position.

A conditional exit (take-profit, stop) is an intent like any other: it states its price and rests as an order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.model.instrument import Market
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks


class IntentKind(StrEnum):
    """What kind of wish it is."""

    OPEN = "open"
    ADD = "add"
    REDUCE = "reduce"
    CLOSE = "close"
    SYNC = "sync"
    HOLD = "hold"

    @property
    def is_entry(self) -> bool:
        """Whether it adds risk."""
        return self in (IntentKind.OPEN, IntentKind.ADD)


@dataclass(frozen=True, slots=True)
class MarketStyle:
    """Trade now at what the market gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitStyle:
    """Rest at a price."""

    price: Ticks
    post_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StopStyle:
    """Become a market order when the price reaches the trigger from the good side."""

    trigger: Ticks


OrderStyle = MarketStyle | LimitStyle | StopStyle


@dataclass(frozen=True, slots=True, kw_only=True)
class ByQuantity:
    """So many steps."""

    quantity: Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class ByNotional:
    """As many steps as the notional buys at the reference price; `rule` names how it was found."""

    notional: Money
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ByFraction:
    """A part of what is held, rounded down; 1/1 is all of it."""

    numerator: int
    denominator: int


Sizing = ByQuantity | ByNotional | ByFraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One wish of a strategy.

    `leg` names it within its episode (`base`, `rung2`, `take_profit.1`); a later intent of the same episode and
    `replaces` group takes the place of a resting earlier one. `reference_price` is the price the decision saw, in
    ticks. Permissions default to no in every strategy and must be spelled out.
    """

    kind: IntentKind
    episode_id: str
    market: Market
    side: Side
    leg: str
    replaces: str
    sizing: Sizing | None
    style: OrderStyle
    allow_market_fallback: bool
    fallback_on_reject: bool
    fallback_on_timeout: bool
    reference_price: Ticks
    headroom_ppm: int
    reason: str
    policy: str
    policy_digest: str
    decided_at_ms: int
    expires_at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The decision to do nothing, with its reason and numbers."""

    episode_id: str
    reason: str
    numbers: tuple[tuple[str, str], ...]
    decided_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncState:
    """The wish to be told what the venue holds for an episode."""

    episode_id: str
    reason: str
    decided_at_ms: int


Wish = Intent | Hold | SyncState
