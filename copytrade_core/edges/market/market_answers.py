"""What Binance's USD-M market answers mean: trading rules, mark price, best quote; and Lean's table of grids.

Asking and storing do not belong here; bars and funding are read by `bars_parse`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

import msgspec

from copytrade_core.edges.market.bars_text import decimal_of
from copytrade_core.edges.market.intervals import instant
from copytrade_core.model.errors import BadInput, OutOfBounds, Where
from copytrade_core.model.instrument import Instrument, Market, market_of_symbol
from copytrade_core.model.units import FundingRate, Steps, funding_rate_from_decimal, money_from_decimal

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusableRules:
    """A symbol whose published rules give no instrument, and why."""

    symbol: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRules:
    """Trading rules of one answer or file: by market, and what could not be used (dated futures are not listed)."""

    instruments: Mapping[str, Instrument]
    unusable: tuple[UnusableRules, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkPrice:
    """Mark and index price of a market at an instant, and the rate of the funding due next."""

    market: Market
    mark_price: Decimal
    index_price: Decimal
    funding_rate: FundingRate
    next_funding_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BestQuote:
    """Best bid and ask with the base quantities offered there."""

    market: Market
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal
    at: datetime


class _Filter(msgspec.Struct, rename="camel"):
    filter_type: str
    tick_size: str | None = None
    step_size: str | None = None
    min_qty: str | None = None
    notional: str | None = None


class _Symbol(msgspec.Struct, rename="camel"):
    symbol: str
    contract_type: str
    quote_asset: str
    margin_asset: str
    filters: list[_Filter]


class _ExchangeInfo(msgspec.Struct, rename="camel"):
    server_time: int
    symbols: list[_Symbol]


class _Premium(msgspec.Struct, rename="camel"):
    symbol: str
    mark_price: str
    index_price: str
    last_funding_rate: str
    next_funding_time: int
    time: int


class _Book(msgspec.Struct, rename="camel"):
    symbol: str
    bid_price: str
    bid_qty: str
    ask_price: str
    ask_qty: str
    time: int


class _Time(msgspec.Struct, rename="camel"):
    server_time: int


def rules_of_exchange_info(
    content: bytes, place: Where, *, source: str, assumed_min_notional: Decimal | None
) -> PublishedRules:
    """Trading rules of all linear perpetuals in an exchangeInfo answer, as of its server time.

    Args:
        content: the answer's bytes.
        place: the file or request, for error texts.
        source: who published them.
        assumed_min_notional: used, and said in `source`, where a minimum notional is absent; None makes it unusable.

    Raises:
        BadInput: not an exchangeInfo answer.
    """
    info = decoded(content, place, _ExchangeInfo)
    found: dict[str, Instrument] = {}
    unusable: list[UnusableRules] = []
    for symbol in info.symbols:
        market = market_of_symbol(symbol.symbol)
        if "PERPETUAL" not in symbol.contract_type or market is None or symbol.quote_asset != symbol.margin_asset:
            continue
        try:
            found[market] = _instrument(symbol, market, instant(info.server_time), source, assumed_min_notional)
        except (BadInput, OutOfBounds) as error:
            unusable.append(UnusableRules(symbol=symbol.symbol, reason=error.what))
    return PublishedRules(instruments=found, unusable=tuple(unusable))


def _instrument(
    symbol: _Symbol, market: Market, as_of: datetime, source: str, assumed_min_notional: Decimal | None
) -> Instrument:
    filters = {item.filter_type: item for item in symbol.filters}
    grid, lot, least = filters.get("PRICE_FILTER"), filters.get("LOT_SIZE"), filters.get("MIN_NOTIONAL")
    tick_size = decimal_of(grid.tick_size) if grid else None
    step_size = decimal_of(lot.step_size) if lot else None
    min_quantity = decimal_of(lot.min_qty) if lot else None
    if tick_size is None or step_size is None or min_quantity is None:
        raise BadInput("PRICE_FILTER or LOT_SIZE is absent or not a number")
    min_notional = decimal_of(least.notional) if least else None
    if min_notional is None:
        if assumed_min_notional is None:
            raise BadInput("MIN_NOTIONAL is absent")
        min_notional, source = assumed_min_notional, f"{source}; assumed: min_notional {assumed_min_notional}"
    return instrument_of(
        market,
        tick_size=tick_size,
        step_size=step_size,
        min_quantity=min_quantity,
        min_notional=min_notional,
        as_of=as_of,
        source=source,
    )


def instrument_of(
    market: Market,
    *,
    tick_size: Decimal,
    step_size: Decimal,
    min_quantity: Decimal,
    min_notional: Decimal,
    as_of: datetime,
    source: str,
) -> Instrument:
    """Trading rules from decimals: `min_quantity` in base units (rounded up to steps), `min_notional` in quote units.

    Raises:
        BadInput: a size that is not positive, a negative minimum.
        OutOfBounds: a grid too fine for integer money.
    """
    if tick_size <= 0 or step_size <= 0 or min_quantity < 0 or min_notional < 0:
        raise BadInput(f"{market}: tick and step sizes must be positive, minimums not negative")
    return Instrument(
        market=market,
        tick_size=tick_size.normalize(),
        step_size=step_size.normalize(),
        min_quantity=Steps(int(-(-min_quantity // step_size))),
        min_notional=money_from_decimal(min_notional),
        as_of=as_of,
        source=source,
    )


def rules_of_lean_table(
    content: bytes, place: Where, *, exchange: str, as_of: datetime, source: str, assumed_min_notional: Decimal
) -> PublishedRules:
    """Grids of all `cryptofuture` rows of an exchange in Lean's symbol properties table; minimums are assumed.

    Raises:
        BadInput: the table lacks a column; names it.
    """
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    for name in ("market", "symbol", "type", "minimum_price_variation", "lot_size"):
        if name not in (reader.fieldnames or ()):
            raise BadInput(f"The table has no column {name}", where=Where(file=place.file, field=name))
    found: dict[str, Instrument] = {}
    unusable: list[UnusableRules] = []
    for row in reader:
        market = market_of_symbol(row["symbol"])
        if row["market"] != exchange or row["type"] != "cryptofuture" or market is None:
            continue
        tick_size, step_size = decimal_of(row["minimum_price_variation"]), decimal_of(row["lot_size"])
        try:
            if tick_size is None or step_size is None:
                raise BadInput("minimum_price_variation or lot_size is not a number")
            found[market] = instrument_of(
                market,
                tick_size=tick_size,
                step_size=step_size,
                min_quantity=step_size,
                min_notional=assumed_min_notional,
                as_of=as_of,
                source=f"{source}; assumed: min_notional {assumed_min_notional}, min_quantity one step",
            )
        except (BadInput, OutOfBounds) as error:
            unusable.append(UnusableRules(symbol=row["symbol"], reason=error.what))
    return PublishedRules(instruments=found, unusable=tuple(unusable))


def mark_price_of(content: bytes, place: Where, market: Market) -> MarkPrice:
    """A premiumIndex answer of one market.

    Raises:
        BadInput: not such an answer, of another market, or a number that is not finite; names the field.
    """
    answer = decoded(content, place, _Premium)
    _of_market(answer.symbol, market, place)
    rate = _number(answer.last_funding_rate or "0", "lastFundingRate", place)
    return MarkPrice(
        market=market,
        mark_price=_price(answer.mark_price, "markPrice", place),
        index_price=_price(answer.index_price, "indexPrice", place),
        funding_rate=funding_rate_from_decimal(rate),
        next_funding_at=instant(answer.next_funding_time),
        at=instant(answer.time),
    )


def best_quote_of(content: bytes, place: Where, market: Market) -> BestQuote:
    """A bookTicker answer of one market; errors as `mark_price_of`, and for a crossed book."""
    answer = decoded(content, place, _Book)
    _of_market(answer.symbol, market, place)
    quote = BestQuote(
        market=market,
        bid=_price(answer.bid_price, "bidPrice", place),
        bid_quantity=_number(answer.bid_qty, "bidQty", place),
        ask=_price(answer.ask_price, "askPrice", place),
        ask_quantity=_number(answer.ask_qty, "askQty", place),
        at=instant(answer.time),
    )
    if quote.bid > quote.ask:
        raise BadInput(f"{market}: bid {quote.bid} is above ask {quote.ask}", where=place)
    return quote


def server_time_ms_of(content: bytes, place: Where) -> int:
    """The server's clock in a time answer, epoch milliseconds."""
    return decoded(content, place, _Time).server_time


def decoded(content: bytes, place: Where, shape: type[T]) -> T:
    """JSON of a known shape.

    Raises:
        BadInput: not JSON or of another shape; msgspec names the field.
    """
    try:
        return msgspec.json.decode(content, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInput(f"The answer cannot be read: {error}", where=place) from error


def _of_market(symbol: str, market: Market, place: Where) -> None:
    if market_of_symbol(symbol) != market:
        raise BadInput(f"The answer is of {symbol!r}, asked was {market}", where=place)


def _number(text: str, field: str, place: Where) -> Decimal:
    number = decimal_of(text)
    if number is None:
        raise BadInput(f"{field} is not a finite number: {text!r}", where=place)
    return number


def _price(text: str, field: str, place: Where) -> Decimal:
    number = _number(text, field, place)
    if number <= 0:
        raise BadInput(f"{field} is not positive: {text!r}", where=place)
    return number
