"""What a shadow session may ask of a venue, what it sees there, and an order as that venue would have got it.

Reads and forms only: nothing here submits or cancels, and what a session does with what is seen is `shadow`'s.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.order import Order
from copytrade_core.model.outcome import Unavailable
from copytrade_core.model.units import Ticks
from copytrade_core.model.venue import PositionMode, VenueMarket, VenueProbe
from copytrade_core.session.start import rules_broken

CLOCK_SKEW_MS_MAX = 5_000
"""From there on venues refuse what we sign (their usual receive window)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowFault:
    """Why an order could not have been sent: which rule, which field, and the numbers of it."""

    kind: str
    field: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounding:
    """What bringing an order to the venue's grid would change, in basis points of what was wished, rounded up."""

    quantity_bps: int
    price_bps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredOrder:
    """An order as the venue would have got it. `request` is every field by the venue's own name; empty with a fault.

    `rounding` is None where no quantity of the venue's grid is near the wish, or the market is not listed.
    """

    order: Order
    at_ms: int
    mark: Ticks | None
    rounding: Rounding | None
    fault: ShadowFault | None
    request: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One look at the account. `seen` is None where the key was refused, so that nothing else of it is kept.

    `faults` are what would have to change before an order can be sent; a venue that does not answer is none, it is no
    information. `rules` says where the venue's trading rules are stricter than ours.
    """

    at_ms: int
    seen: VenueProbe | Unavailable | None
    faults: tuple[ShadowFault, ...]
    rules: tuple[str, ...]


class VenueLook(ABC):
    """What may be asked of a venue by who may not trade there: reads, and what an order would look like."""

    @abstractmethod
    def markets(self) -> Mapping[Market, VenueMarket] | Unavailable:
        """Its trading rules."""

    @abstractmethod
    def probe(self) -> VenueProbe | Unavailable:
        """Rights of the key, position mode, clock.

        Raises:
            BadConfig: a key that may withdraw, or that is bound to no address where the venue tells.
        """

    @abstractmethod
    def desired(self, order: Order, *, rules: Instrument, mark: Ticks | None, at_ms: int) -> DesiredOrder:
        """The order validated to the last field that would be sent. Sends nothing.

        Args:
            order: counted in ticks and steps of `rules`.
            rules: what the order was built with.
            mark: the market's last price, in ticks of `rules`.
            at_ms: now.
        """


def account_faults(seen: VenueProbe, mode: PositionMode) -> tuple[ShadowFault, ...]:
    """What would have to change at the account before an order of ours can be sent."""
    found: list[ShadowFault] = []
    if seen.position_mode is not mode:
        detail = f"the account is in {seen.position_mode} mode, orders are said in {mode} mode"
        found.append(ShadowFault(kind="position_mode", field="position_mode", detail=detail))
    if abs(seen.clock_skew_ms) > CLOCK_SKEW_MS_MAX:
        detail = f"the venue's clock differs by more than {CLOCK_SKEW_MS_MAX} ms"
        found.append(ShadowFault(kind="clock_skew", field="clock", detail=detail))
    return tuple(found)


def stricter_rules(ours: Mapping[str, Instrument], theirs: Mapping[Market, VenueMarket]) -> tuple[str, ...]:
    """Each rule of a market in which the venue is stricter than what orders are built with, in words."""
    found: list[str] = []
    for name, rules in sorted(ours.items()):
        listed = theirs.get(Market(name))
        if listed is None or not listed.is_open:
            found.append(f"{name}: not traded at the venue")
            continue
        found.extend(f"{name}: {rule.what}" for rule in rules_broken(rules, listed.instrument))
    return tuple(found)
