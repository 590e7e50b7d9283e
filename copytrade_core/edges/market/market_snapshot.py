"""Best quotes and marks of every market in one answer each. A row that cannot be used is left out: it is no price.

Asking is `http_market`'s; what a price is used for is the session's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

import msgspec

from copytrade_core.edges.market.bars_text import decimal_of
from copytrade_core.edges.market.intervals import instant
from copytrade_core.edges.market.market_answers import BestQuote, MarkPrice, decoded
from copytrade_core.model.errors import BadInput, OutOfBounds, Where
from copytrade_core.model.instrument import Market, market_of_symbol
from copytrade_core.model.units import FundingRate, funding_rate_from_decimal

HOUR_MS = 3_600_000
IMPOSSIBLE = (OutOfBounds, OverflowError, ValueError, OSError)
"""A rate or an instant that cannot be."""
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingPayment:
    """A payment that was settled: the full hour at which it was due, its rate, and the mark then where it is told."""

    time_ms: int
    rate: FundingRate
    mark_price: Decimal | None


class _Book(msgspec.Struct, rename="camel"):
    symbol: str
    bid_price: str
    bid_qty: str
    ask_price: str
    ask_qty: str
    time: int


class _Premium(msgspec.Struct, rename="camel"):
    symbol: str
    mark_price: str
    index_price: str
    last_funding_rate: str
    next_funding_time: int
    time: int


class _Payment(msgspec.Struct, rename="camel"):
    symbol: str
    funding_time: int
    funding_rate: str
    mark_price: str = ""


def best_quotes_of(content: bytes, place: Where) -> dict[Market, BestQuote]:
    """A bookTicker answer of all markets.

    Raises:
        BadInput: not such an answer.
    """
    found: dict[Market, BestQuote] = {}
    for row in _rows(content, place, _Book):
        market, bid, ask = market_of_symbol(row.symbol), decimal_of(row.bid_price), decimal_of(row.ask_price)
        if market is None or bid is None or ask is None or not 0 < bid <= ask:
            continue
        try:
            found[market] = BestQuote(
                market=market,
                bid=bid,
                bid_quantity=decimal_of(row.bid_qty) or Decimal(0),
                ask=ask,
                ask_quantity=decimal_of(row.ask_qty) or Decimal(0),
                at=instant(row.time),
            )
        except IMPOSSIBLE:
            continue
    return found


def mark_prices_of(content: bytes, place: Where) -> dict[Market, MarkPrice]:
    """A premiumIndex answer of all markets.

    Raises:
        BadInput: not such an answer.
    """
    found: dict[Market, MarkPrice] = {}
    for row in _rows(content, place, _Premium):
        market, mark, index = market_of_symbol(row.symbol), decimal_of(row.mark_price), decimal_of(row.index_price)
        rate = decimal_of(row.last_funding_rate or "0")
        if market is None or mark is None or index is None or rate is None or mark <= 0:
            continue
        try:
            found[market] = MarkPrice(
                market=market,
                mark_price=mark,
                index_price=index,
                funding_rate=funding_rate_from_decimal(rate),
                next_funding_at=instant(row.next_funding_time),
                at=instant(row.time),
            )
        except IMPOSSIBLE:
            continue
    return found


def funding_payments_of(content: bytes, place: Where, market: Market) -> tuple[FundingPayment, ...]:
    """A fundingRate answer of one market, oldest first, each payment once.

    Raises:
        BadInput: not such an answer, or one with another market.
        OutOfBounds: a rate beyond 10 %.
    """
    found: dict[int, FundingPayment] = {}
    for row in decoded(content, place, list[_Payment]):
        rate = decimal_of(row.funding_rate)
        if market_of_symbol(row.symbol) != market or rate is None:
            raise BadInput(f"{row.symbol} {row.funding_rate!r} is no funding of {market}", where=place)
        due_ms = (row.funding_time + HOUR_MS // 2) // HOUR_MS * HOUR_MS
        mark = decimal_of(row.mark_price)
        found[due_ms] = FundingPayment(
            time_ms=due_ms,
            rate=funding_rate_from_decimal(rate),
            mark_price=mark if mark is not None and mark > 0 else None,
        )
    return tuple(found[due_ms] for due_ms in sorted(found))


def _rows(content: bytes, place: Where, kind: type[Row]) -> Iterator[Row]:
    """Row by row, so that one market's damaged row is no reason to know nothing of the others."""
    for row in decoded(content, place, list[msgspec.Raw]):
        try:
            yield msgspec.json.decode(row, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
