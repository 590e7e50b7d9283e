"""What was held at a past instant: what is held now, with every later fill undone. What it owes is not known here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from copytrade_core.flow import Record
from copytrade_core.model.book import Book
from copytrade_core.model.fill import Fill
from copytrade_core.model.instrument import Market
from copytrade_core.model.side import Side
from copytrade_core.model.units import Steps
from copytrade_core.session.ports import Traded


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldThen:
    """What one episode held at the end of a millisecond."""

    episode_id: str
    side: Side
    quantity: Steps


def held_then(book: Book, traded: Iterable[Traded], market: Market, time_ms: int) -> tuple[HeldThen, ...]:
    """Every episode that held something in a market then.

    A holding that was written off since held nothing that anybody knows of.

    Args:
        book: as it is now.
        traded: every fill that was posted in it.
        market: which.
        time_ms: when; fills of that very millisecond have happened.
    """
    found = {
        held.episode_id: (held.side, int(held.quantity)) for held in book.holdings.values() if held.market == market
    }
    for each in traded:
        if each.market == market and each.time_ms > time_ms:
            side, quantity = found.get(each.episode_id, (each.side, 0))
            found[each.episode_id] = (side, quantity - each.change)
    return tuple(
        HeldThen(episode_id=episode_id, side=side, quantity=Steps(quantity))
        for episode_id, (side, quantity) in found.items()
        if quantity > 0
    )


def traded_of(records: Iterable[Record]) -> tuple[Traded, ...]:
    """The fills among what a step left behind."""
    return tuple(
        Traded(
            episode_id=fill.episode_id,
            market=fill.market,
            side=fill.side,
            change=Steps(fill.quantity if fill.kind.is_entry else -fill.quantity),
            time_ms=fill.time_ms,
        )
        for fill in records
        if isinstance(fill, Fill)
    )
