"""Best quotes and marks of every market in one answer each. A row that cannot be used is left out: it is no price.

Asking is `http_market`'s; what a price is used for is the session's.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from copytrade_core.edges.bars_text import decimal_of
from copytrade_core.edges.intervals import instant
from copytrade_core.edges.market_answers import BestQuote, MarkPrice, decoded
from copytrade_core.model.errors import OutOfBounds, Where
from copytrade_core.model.instrument import Market, market_of_symbol
from copytrade_core.model.units import funding_rate_from_decimal


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


def best_quotes_of(content: bytes, place: Where) -> dict[Market, BestQuote]:
    """A bookTicker answer of all markets.

    Raises:
        BadInput: not such an answer.
    """
    found: dict[Market, BestQuote] = {}
    for row in decoded(content, place, list[_Book]):
        market, bid, ask = market_of_symbol(row.symbol), decimal_of(row.bid_price), decimal_of(row.ask_price)
        if market is None or bid is None or ask is None or not 0 < bid <= ask:
            continue
        found[market] = BestQuote(
            market=market,
            bid=bid,
            bid_quantity=decimal_of(row.bid_qty) or Decimal(0),
            ask=ask,
            ask_quantity=decimal_of(row.ask_qty) or Decimal(0),
            at=instant(row.time),
        )
    return found


def mark_prices_of(content: bytes, place: Where) -> dict[Market, MarkPrice]:
    """A premiumIndex answer of all markets.

    Raises:
        BadInput: not such an answer.
    """
    found: dict[Market, MarkPrice] = {}
    for row in decoded(content, place, list[_Premium]):
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
        except OutOfBounds:
            continue
    return found
