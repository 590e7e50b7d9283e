"""From a venue's text and numbers to values on our integer grid, exactly or not at all.

A number that is not finite or not on the grid makes the whole answer unusable: nothing is rounded in silence. The one
exception says so: a position's average entry price is no price of the grid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import cast

from copytrade_core.edges.venues.envelope import mapping_of, payload_at
from copytrade_core.model.errors import BadInput, CopytradeError, OutOfBounds, Where
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.units import MONEY_SCALE, STEPS_MAX, TICKS_MAX, Money, Steps, Ticks, money_from_decimal
from copytrade_core.model.venue import VenueMarket, VenueOrder, VenueOrderStatus

Row = Mapping[str, object]

_STATUSES = {
    "open": VenueOrderStatus.OPEN,
    "closed": VenueOrderStatus.FILLED,
    "canceled": VenueOrderStatus.CANCELLED,
    "canceling": VenueOrderStatus.OPEN,
    "rejected": VenueOrderStatus.REJECTED,
    "expired": VenueOrderStatus.EXPIRED,
}
"""ccxt's unified words; a partial fill is told from the quantities."""


class BadAnswer(CopytradeError):
    """A value in a well-formed answer that cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketTable:
    """The venue's linear markets by our name and by its own. `in_contracts`: it counts contracts, else base units."""

    by_market: Mapping[Market, VenueMarket]
    by_symbol: Mapping[str, VenueMarket]
    in_contracts: bool

    def of(self, market: Market) -> VenueMarket:
        """The market of our name.

        Raises:
            BadInput: the venue does not list it, or lists it with rules that money cannot be counted in.
        """
        found = self.by_market.get(market)
        if found is None:
            raise BadInput(f"the venue has no market {market}", where=Where(field="market"))
        return found

    def named(self, symbol: str) -> VenueMarket:
        """The market of the venue's name.

        Raises:
            BadAnswer: unknown: a quantity in it cannot be understood.
        """
        found = self.by_symbol.get(symbol)
        if found is None:
            raise BadAnswer(f"the venue names {symbol!r}, which is not among its markets", where=Where(field="symbol"))
        return found

    def steps(self, value: Decimal, market: VenueMarket, field: str) -> Steps:
        """A quantity as the venue counts it, in steps; the sign is dropped.

        Raises:
            BadAnswer: not on the grid.
        """
        return Steps(whole(abs(value), self._unit(market), field, maximum=STEPS_MAX))

    def spoken(self, quantity: Steps, market: VenueMarket) -> str:
        """Steps as the venue counts them."""
        return plain(quantity * self._unit(market))

    def _unit(self, market: VenueMarket) -> Decimal:
        return Decimal(1) / market.contract_steps if self.in_contracts else market.instrument.step_size


def market_table(markets: Iterable[VenueMarket], *, in_contracts: bool) -> MarketTable:
    """The markets by both names."""
    found = tuple(markets)
    return MarketTable(
        by_market={market.instrument.market: market for market in found},
        by_symbol={market.symbol: market for market in found},
        in_contracts=in_contracts,
    )


def rows(body: object, *keys: str) -> list[Row]:
    """The rows at the end of the keys; their shape has been judged before."""
    found = payload_at(body, (keys,))
    if not isinstance(found, list):
        raise BadAnswer("no list", where=Where(field=".".join(keys)))
    return [one_row(item) for item in cast("list[object]", found)]


def row_at(body: object, *places: tuple[str, ...]) -> Row:
    """The row at the first place that exists."""
    return one_row(payload_at(body, places))


def one_row(value: object) -> Row:
    """The value as a row.

    Raises:
        BadAnswer: it is none.
    """
    found = mapping_of(value)
    if found is None:
        raise BadAnswer("no object")
    return found


def text(row: Row, *keys: str) -> str:
    """The first of the keys with a value, as text.

    Raises:
        BadAnswer: none has one, or it is the word `None`.
    """
    found = text_or_none(row, *keys)
    if found is None:
        raise BadAnswer("missing", where=Where(field=keys[0]))
    return found


def text_or_none(row: Row, *keys: str) -> str | None:
    """The first of the keys with a value that is not empty, as text; the words of absence count as absent."""
    for key in keys:
        value = row.get(key)
        if value is None or isinstance(value, bool | dict | list):
            continue
        found = str(value).strip()
        if found not in ("", "None", "null"):
            return found
    return None


def number(row: Row, *keys: str) -> Decimal:
    """A finite number.

    Raises:
        BadAnswer: missing, not a number, or not finite.
    """
    found = text(row, *keys)
    try:
        value = Decimal(found)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise BadAnswer(f"{found!r} is not a finite number", where=Where(field=keys[0]))
    return value


def flag(row: Row, key: str) -> bool:
    """A truth value, also as text.

    Raises:
        BadAnswer: neither.
    """
    found = str(row.get(key)).lower()
    if found not in ("true", "false"):
        raise BadAnswer(f"{found!r} is neither true nor false", where=Where(field=key))
    return found == "true"


def whole(value: Decimal, unit: Decimal, field: str, *, maximum: int) -> int:
    """How many units a value is.

    Raises:
        BadAnswer: not a whole number of them, negative, or beyond what is counted.
    """
    count = value / unit
    if count != count.to_integral_value() or not 0 <= count <= maximum:
        raise BadAnswer(f"{value} is no count of {unit} in 0..{maximum}", where=Where(field=field))
    return int(count)


def ticks(value: Decimal, instrument: Instrument, field: str) -> Ticks:
    """An executed or resting price."""
    return Ticks(whole(value, instrument.tick_size, field, maximum=TICKS_MAX))


def average_ticks(value: Decimal, instrument: Instrument, field: str) -> Ticks:
    """An average price, to the nearest tick: it is an observation and no price of the grid."""
    count = int((value / instrument.tick_size).to_integral_value(rounding=ROUND_HALF_EVEN))
    if not 0 < count <= TICKS_MAX:
        raise BadAnswer(f"{value} is no price", where=Where(field=field))
    return Ticks(count)


def fee_money(value: Decimal) -> Money:
    """A fee, rounded up at 1e-8: a cost is never understated."""
    return Money(int((value * MONEY_SCALE).to_integral_value(rounding=ROUND_CEILING)))


def money(row: Row, *keys: str) -> Money:
    """An amount of quote currency."""
    return money_from_decimal(number(row, *keys))


def epoch_ms(row: Row, *keys: str) -> int:
    """A time in epoch milliseconds.

    Raises:
        BadAnswer: missing, or not after 2000 and before 2100.
    """
    value = number(row, *keys)
    if not Decimal(946_684_800_000) < value < Decimal(4_102_444_800_000):
        raise BadAnswer(f"{value} is no time in milliseconds", where=Where(field=keys[0]))
    return int(value)


def order_of(unified: Row, table: MarketTable) -> VenueOrder:
    """A unified order of ccxt.

    Raises:
        BadAnswer: an id, status, side, quantity or time that is missing or means nothing.
    """
    market = _market_of(unified, table)
    status = _STATUSES.get(text(unified, "status"))
    side = text(unified, "side")
    if status is None or side not in ("buy", "sell"):
        raise BadAnswer(f"status {unified.get('status')!r} of a {side!r} order", where=Where(field="status"))
    quantity = table.steps(number(unified, "amount"), market, "amount")
    filled = table.steps(number(unified, "filled"), market, "filled")
    if filled > quantity:
        raise BadAnswer(f"{filled} of {quantity} steps filled", where=Where(field="filled"))
    if status is VenueOrderStatus.OPEN and filled:
        status = VenueOrderStatus.PARTIALLY_FILLED
    return VenueOrder(
        client_order_id=text_or_none(unified, "clientOrderId"),
        venue_order_id=text(unified, "id"),
        market=market.instrument.market,
        buys=side == "buy",
        status=status,
        quantity=quantity,
        filled=filled,
        created_at_ms=epoch_ms(unified, "timestamp"),
    )


def _market_of(unified: Row, table: MarketTable) -> VenueMarket:
    name = text(unified, "symbol")
    found = table.by_market.get(Market(name))
    return table.named(name) if found is None else found


def venue_market(unified: Row, *, in_contracts: bool, now_ms: int, source: str) -> VenueMarket | None:
    """A unified market of ccxt; None for one that is not a linear perpetual or that money cannot be counted in.

    Args:
        unified: ccxt's market, numbers as text.
        in_contracts: whether the venue counts contracts (else base units).
        now_ms: when it was read.
        source: what the instrument says it comes from.
    """
    if unified.get("swap") is not True or unified.get("linear") is not True:
        return None
    precision, limits = one_row(unified.get("precision")), one_row(unified.get("limits"))
    amount = number(precision, "amount")
    size = number(unified, "contractSize") if in_contracts else Decimal(1)
    step = amount * size
    try:
        instrument = Instrument(
            market=Market(text(unified, "symbol")),
            tick_size=number(precision, "price"),
            step_size=step,
            min_quantity=Steps(_up(_limit(limits, "amount") / amount)),
            min_notional=Money(_up(_limit(limits, "cost") * MONEY_SCALE)),
            as_of=datetime.fromtimestamp(now_ms // 1000, UTC),
            source=source,
        )
    except (OutOfBounds, BadInput):
        return None
    return VenueMarket(
        instrument=instrument,
        symbol=text(unified, "id"),
        contract_steps=Steps(_up(Decimal(1) / amount)) if in_contracts else Steps(1),
        is_open=unified.get("active") is True,
    )


def _limit(limits: Row, name: str) -> Decimal:
    found = mapping_of(limits.get(name))
    if found is None or text_or_none(found, "min") is None:
        return Decimal(0)
    return number(found, "min")


def _up(value: Decimal) -> int:
    return int(value.to_integral_value(rounding=ROUND_CEILING))


def plain(value: Decimal) -> str:
    """A decimal as venues read it: no exponent, no trailing zeros."""
    shown = format(value, "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown
