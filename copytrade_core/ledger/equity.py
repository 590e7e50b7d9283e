"""Marking the book: equity and gross notional at given prices."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from copytrade_core.ledger.pnl import unrealised
from copytrade_core.model.book import Book, Holding
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.units import Money


def equity(book: Book, instruments: Mapping[str, Instrument], price_of: Callable[[Holding], int]) -> Money:
    """Cash plus the gross result of every holding at `price_of(holding)` ticks."""
    open_result = sum(unrealised(held, instruments[held.market], price_of(held)) for held in book.holdings.values())
    return Money(book.cash + open_result)


def gross_notional(book: Book, instruments: Mapping[str, Instrument], price_of: Callable[[Holding], int]) -> Money:
    """Sum of the notionals of every holding, whatever its side."""
    return Money(
        sum(instruments[held.market].notional(price_of(held), held.quantity) for held in book.holdings.values())
    )
