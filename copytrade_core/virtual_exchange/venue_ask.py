"""What is asked of a virtual venue and what it keeps: asks, answers, orders. How it decides is not here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import OrderStyle
from copytrade_core.model.side import Side
from copytrade_core.model.units import FundingRate, Money, Ppm, Steps, Ticks
from copytrade_core.model.venue import VenueOrder, VenueOrderStatus
from copytrade_core.virtual_exchange.venue_rules import VenueRule


class VenueCall(StrEnum):
    """A call to a venue, as faults and hidden orders name it."""

    SUBMIT = "submit"
    CANCEL = "cancel"
    ORDER = "order"
    OPEN_ORDERS = "open_orders"
    ORDERS = "orders"
    FILLS = "fills"
    POSITION = "position"
    POSITIONS = "positions"
    BALANCE = "balance"
    MARKETS = "markets"
    PROBE = "probe"
    SET_LEVERAGE = "set_leverage"


ORDER_READS = frozenset({VenueCall.ORDER, VenueCall.OPEN_ORDERS, VenueCall.ORDERS})
"""Where an order that is not visible yet is missing, unless more is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceAsk:
    """One order as the venue's API takes it: `position_side` and `reduce_only` are None where they were not sent."""

    client_order_id: str | None
    market: Market
    buys: bool
    position_side: Side | None
    reduce_only: bool | None
    style: OrderStyle
    quantity: Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialCut:
    """An order that fills `ratio` (ppm) first; the rest follows `rest_after_ms` later, None: the venue cancels it."""

    ratio: Ppm
    rest_after_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceTerms:
    """What a fault does to an order that is placed.

    For `hidden_ms` the reads in `hidden_from` do not show it; `cut` fills a part first; `slippage` (ppm) takes the
    place of the venue's own.
    """

    hidden_ms: int
    hidden_from: frozenset[VenueCall]
    cut: PartialCut | None
    slippage: Ppm | None


PLAIN = PlaceTerms(hidden_ms=0, hidden_from=frozenset(), cut=None, slippage=None)
"""Nothing is done to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueRefusal:
    """The engine did not do it. `facts` are the numbers it decided by, in the order of the sentence."""

    rule: VenueRule
    message: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOrder:
    """One order as the venue's books keep it.

    `closes` orders never open: in hedge mode those against their position side, in one-way mode the reduce-only ones.
    `quote` is the money of its fills, so that the average price is quote / filled. A stop that has `triggered` trades
    like a market order. `cut_at` is where a partial fill holds it (None: nothing does) until `rest_at_ms`. `why` says
    what ended it, or is empty.
    """

    client_order_id: str | None
    venue_order_id: str
    market: Market
    buys: bool
    position_side: Side | None
    reduce_only: bool
    closes: bool
    style: OrderStyle
    status: VenueOrderStatus
    quantity: Steps
    filled: Steps
    quote: Money
    fees: Money
    created_at_ms: int
    updated_at_ms: int
    triggered: bool
    slippage: Ppm | None
    cut_at: Steps | None
    rest_at_ms: int | None
    why: str

    def view(self) -> VenueOrder:
        """What a query of ours shows of it."""
        return VenueOrder(
            client_order_id=self.client_order_id,
            venue_order_id=self.venue_order_id,
            market=self.market,
            buys=self.buys,
            status=self.status,
            quantity=self.quantity,
            filled=self.filled,
            created_at_ms=self.created_at_ms,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The engine booked it; `order` is how it stands right after."""

    order: EngineOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingPayment:
    """What one position paid at one funding instant (negative: received)."""

    market: Market
    side: Side
    time_ms: int
    rate: FundingRate
    mark: Ticks
    paid: Money
