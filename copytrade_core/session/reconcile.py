"""Our ledger against the venue: equal, explained or a mismatch, and what is foreign. Reads nothing, mends nothing.

A difference is explained only by orders of ours whose fills may not be posted yet, and only within their quantities.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.model.book import Holding
from copytrade_core.model.instrument import Market
from copytrade_core.model.order_row import OrderRow, OrderState
from copytrade_core.model.side import Side
from copytrade_core.model.venue import PositionMode, VenueOrder, VenuePosition


class Agreement(StrEnum):
    """How ledger and venue compare."""

    EQUAL = "equal"
    EXPLAINED = "explained"
    MISMATCH = "mismatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One position in steps, longs positive. `side` is None where the venue keeps one net position per market.

    `least` and `most` are what the venue may hold when orders in flight have filled or not.
    """

    market: Market
    side: Side | None
    ledger: int
    venue: int
    least: int
    most: int
    agreement: Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """What was compared. `unavailable` names the read that failed: then nothing is proved, and nothing may open."""

    at_ms: int
    lines: tuple[Line, ...]
    foreign_orders: tuple[VenueOrder, ...]
    foreign_positions: tuple[VenuePosition, ...]
    unavailable: str | None

    @property
    def mismatches(self) -> tuple[Line, ...]:
        """Lines that nothing explains."""
        return tuple(line for line in self.lines if line.agreement is Agreement.MISMATCH)

    @property
    def fault(self) -> str | None:
        """Why nothing may open, or None."""
        if self.unavailable is not None:
            return f"unavailable: {self.unavailable}"
        if self.foreign_orders:
            return f"foreign order {self.foreign_orders[0].venue_order_id}"
        if self.foreign_positions:
            return f"foreign position in {self.foreign_positions[0].market}"
        if self.mismatches:
            line = self.mismatches[0]
            return f"{line.market}: ledger {line.ledger}, venue {line.venue} steps"
        return None


Key = tuple[Market, Side | None]


@dataclass(slots=True, kw_only=True)
class _Sum:
    ledger: int = 0
    venue: int = 0
    entering: int = 0
    leaving: int = 0


def compare(
    *,
    holdings: Iterable[Holding],
    rows: Mapping[str, OrderRow],
    positions: Iterable[VenuePosition],
    open_orders: Iterable[VenueOrder],
    mode: PositionMode,
    at_ms: int,
) -> Reconciliation:
    """Compare holdings and rows with what the venue shows.

    A position in a market and side in which we neither hold nor have anything in flight is foreign, not a mismatch.
    """
    sums: defaultdict[Key, _Sum] = defaultdict(_Sum)
    for held in holdings:
        sums[_key(held.market, held.side, mode)].ledger += _signed(held.side, held.quantity, mode)
    for row in rows.values():
        _add_in_flight(sums, row, mode)
    ours = set(sums)
    seen = tuple(positions)
    foreign = tuple(each for each in seen if _key(each.market, each.side, mode) not in ours)
    for each in seen:
        if (key := _key(each.market, each.side, mode)) in ours:
            sums[key].venue += _signed(each.side, each.quantity, mode)
    return Reconciliation(
        at_ms=at_ms,
        lines=tuple(_line(key, total) for key, total in sorted(sums.items(), key=lambda item: str(item[0]))),
        foreign_orders=tuple(order for order in open_orders if order.client_order_id not in rows),
        foreign_positions=foreign,
        unavailable=None,
    )


def unreadable(call: str, at_ms: int) -> Reconciliation:
    """Nothing could be compared, because a read failed."""
    return Reconciliation(at_ms=at_ms, lines=(), foreign_orders=(), foreign_positions=(), unavailable=call)


def _add_in_flight(sums: defaultdict[Key, _Sum], row: OrderRow, mode: PositionMode) -> None:
    if row.state.is_final or row.state is OrderState.PLANNED:
        return
    order = row.order
    total = sums[_key(order.market, order.side, mode)]
    rest = order.quantity - row.filled
    adds = order.kind.is_entry == (mode is PositionMode.HEDGE or order.side is Side.LONG)
    if adds:
        total.entering += rest
    else:
        total.leaving += rest


def _line(key: Key, total: _Sum) -> Line:
    least, most = total.ledger - total.leaving, total.ledger + total.entering
    if key[1] is not None:
        least = max(0, least)
    if total.venue == total.ledger:
        agreement = Agreement.EQUAL
    else:
        agreement = Agreement.EXPLAINED if least <= total.venue <= most else Agreement.MISMATCH
    return Line(
        market=key[0],
        side=key[1],
        ledger=total.ledger,
        venue=total.venue,
        least=least,
        most=most,
        agreement=agreement,
    )


def _key(market: Market, side: Side, mode: PositionMode) -> Key:
    return (market, side if mode is PositionMode.HEDGE else None)


def _signed(side: Side, quantity: int, mode: PositionMode) -> int:
    return quantity if mode is PositionMode.HEDGE else side.sign * quantity
