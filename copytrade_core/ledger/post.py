"""Posting: how a fill or a funding payment changes the book. Whether it should have happened is not asked here."""

from __future__ import annotations

from dataclasses import replace

from copytrade_core.ledger.pnl import linear_pnl
from copytrade_core.model.book import Book, Holding
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.fill import Fill
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.units import Money, Steps


def opened_book(initial_equity: Money) -> Book:
    """A book with cash and nothing else."""
    return Book(initial_equity=initial_equity, cash=initial_equity, holdings={})


def post_fill(book: Book, fill: Fill, instrument: Instrument) -> Book:
    """The book after a fill; a holding that reaches zero leaves it.

    Raises:
        BadInput: a reduction of what is not held, or of more than is held.
    """
    notional = instrument.notional(fill.price, fill.quantity)
    held = book.holdings.get(fill.episode_id)
    if fill.kind.is_entry:
        after = _entered(held, fill, notional)
        return replace(book, cash=Money(book.cash - fill.fee), holdings={**book.holdings, fill.episode_id: after})
    if held is None or fill.quantity > held.quantity:
        raise BadInput(
            f"fill {fill.client_order_id} reduces more than episode {fill.episode_id} holds",
            where=Where(field="quantity"),
        )
    after = _reduced(held, fill, notional)
    gained = after.realised - held.realised
    holdings = {key: value for key, value in book.holdings.items() if key != fill.episode_id}
    if after.quantity:
        holdings[fill.episode_id] = after
    return replace(book, cash=Money(book.cash + gained - fill.fee), holdings=holdings)


def _entered(held: Holding | None, fill: Fill, notional: Money) -> Holding:
    if held is None:
        return Holding(
            episode_id=fill.episode_id,
            market=fill.market,
            side=fill.side,
            quantity=fill.quantity,
            quantity_max=fill.quantity,
            cost=notional,
            entered=notional,
            realised=Money(0),
            fees=fill.fee,
            slippage=fill.slippage,
            funding=Money(0),
            opened_at_ms=fill.time_ms,
        )
    quantity = Steps(held.quantity + fill.quantity)
    return replace(
        held,
        quantity=quantity,
        quantity_max=max(quantity, held.quantity_max),
        cost=Money(held.cost + notional),
        entered=Money(held.entered + notional),
        fees=Money(held.fees + fill.fee),
        slippage=Money(held.slippage + fill.slippage),
    )


def _reduced(held: Holding, fill: Fill, notional: Money) -> Holding:
    cost_out = Money(held.cost * fill.quantity // held.quantity)
    gained = linear_pnl(held.side, entry_notional=cost_out, exit_notional=notional)
    return replace(
        held,
        quantity=Steps(held.quantity - fill.quantity),
        cost=Money(held.cost - cost_out),
        realised=Money(held.realised + gained),
        fees=Money(held.fees + fill.fee),
        slippage=Money(held.slippage + fill.slippage),
    )


def closed_holding(held: Holding, fill: Fill, instrument: Instrument) -> Holding:
    """What the holding was at the moment a fill emptied it, for the round trip's record."""
    return _reduced(held, fill, instrument.notional(fill.price, fill.quantity))


def written_off(book: Book, episode_id: str) -> Book:
    """The book without a holding that the venue does not have. Cash stays: a result that no fill shows is not invented.

    Raises:
        BadInput: nothing is held for that episode.
    """
    if episode_id not in book.holdings:
        raise BadInput(f"episode {episode_id} holds nothing", where=Where(field="episode_id"))
    return replace(book, holdings={key: held for key, held in book.holdings.items() if key != episode_id})


def post_funding(book: Book, episode_id: str, cost: Money) -> Book:
    """The book after a funding payment (negative cost = received); what is held no more may still have owed it."""
    held, cash = book.holdings.get(episode_id), Money(book.cash - cost)
    if held is None:
        return replace(book, cash=cash)
    paid = replace(held, funding=Money(held.funding + cost))
    return replace(book, cash=cash, holdings={**book.holdings, episode_id: paid})
