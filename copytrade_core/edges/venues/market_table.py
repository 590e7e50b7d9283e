"""A venue's markets and orders on our grid, from what ccxt reads: which quantity is how many steps.

Single numbers are `parse`'s; which calls give them is the venue adapters'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal

from copytrade_core.edges.venues.envelope import mapping_of
from copytrade_core.edges.venues.parse import (
    BadAnswer,
    Row,
    epoch_ms,
    number,
    one_row,
    plain,
    text,
    text_or_none,
    whole,
)
from copytrade_core.model.errors import BadInput, OutOfBounds, Where
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.units import MONEY_SCALE, STEPS_MAX, Money, Steps
from copytrade_core.model.venue import VenueMarket, VenueOrder, VenueOrderStatus

_STATUSES = {
    "open": VenueOrderStatus.OPEN,
    "closed": VenueOrderStatus.FILLED,
    "canceled": VenueOrderStatus.CANCELLED,
    "canceling": VenueOrderStatus.OPEN,
    "rejected": VenueOrderStatus.REJECTED,
    "expired": VenueOrderStatus.EXPIRED,
}
"""ccxt's unified words; a partial fill is told from the quantities."""


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
    quantity = table.steps(_not_negative(unified, "amount"), market, "amount")
    filled = table.steps(_not_negative(unified, "filled"), market, "filled")
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


def in_quote_currency(named: str | None, market: VenueMarket, field: str) -> None:
    """Refuse a fee in anything but the market's quote currency; a venue that names none means that one.

    Raises:
        BadAnswer: it would have to be booked at a price that nobody told us.
    """
    if named not in (None, market.instrument.market.partition(":")[2]):
        raise BadAnswer(
            f"a fee in {named} cannot be booked",
            where=Where(field=field),
            next_step="Switch off paying fees in another currency for this account",
        )


def _not_negative(unified: Row, key: str) -> Decimal:
    # ccxt subtracts what is left from the amount, whatever the venue said.
    value = number(unified, key)
    if value < 0:
        raise BadAnswer(f"{value} is negative", where=Where(field=key))
    return value


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
