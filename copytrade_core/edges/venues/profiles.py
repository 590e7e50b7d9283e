"""What is known of a venue, as data: names, form, windows, codes, and where each fact comes from.

How its calls are made is the venue adapters'; that this is what the client sends is the certificate's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.edges.venues.envelope import Envelope
from copytrade_core.edges.venues.error_table import ErrorTable, FactBasis
from copytrade_core.model.venue import PositionMode, Venue
from copytrade_core.orders.precision import OrderLimits


class IdUniqueness(StrEnum):
    """How long a venue refuses a client order id that it has seen."""

    FOR_EVER = "for_ever"
    WHILE_OPEN = "while_open"
    NEVER = "never"
    """A later order may carry the same id, and a look-up then finds the later one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFact:
    """One rule of a venue that the broker relies on."""

    name: str
    value: str
    basis: FactBasis


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueProfile:
    """One venue.

    Attributes:
        venue: which.
        ccxt_id: ccxt's name of it.
        domains: host names of the venue end in one of these.
        envelope: what its answers look like.
        errors: what its codes prove.
        limits: its order form.
        position_modes: the modes that the broker can trade in.
        id_uniqueness: whether an id can be used again.
        submit_deadline_ms: how long a request may take effect after it was sent; it is sent with the request.
        has_dead_man: whether the venue can cancel all when we fall silent.
        options: ccxt's options for it.
        facts: what the above rests on.
    """

    venue: Venue
    ccxt_id: str
    domains: tuple[str, ...]
    envelope: Envelope
    errors: ErrorTable
    limits: OrderLimits
    position_modes: tuple[PositionMode, ...]
    id_uniqueness: IdUniqueness
    submit_deadline_ms: int
    has_dead_man: bool
    options: Mapping[str, object]
    facts: tuple[VenueFact, ...]
