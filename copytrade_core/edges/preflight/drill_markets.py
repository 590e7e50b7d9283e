"""The two markets of every drill: grids fine enough for small ladders, prices that stay readable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.units import MONEY_SCALE, Money, Steps, Ticks
from copytrade_core.model.venue import VenueMarket

START_MS = 1_780_300_800_000
"""2026-06-01 08:00 UTC, the first moment of every drill: its UTC day does not end within it."""
CASH = Money(10_000 * MONEY_SCALE)
"""The account's quote money at the first moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillMarket:
    """A market of the drills and the price it begins at."""

    instrument: Instrument
    symbol: str
    first_price: Ticks

    @property
    def at_venue(self) -> VenueMarket:
        """As the venue lists it."""
        return VenueMarket(instrument=self.instrument, symbol=self.symbol, contract_steps=Steps(1), is_open=True)


def _market(name: str, symbol: str, *, tick: str, step: str, first: str) -> DrillMarket:
    instrument = Instrument(
        market=Market(name),
        tick_size=Decimal(tick),
        step_size=Decimal(step),
        min_quantity=Steps(1),
        min_notional=Money(2 * MONEY_SCALE),
        as_of=datetime.fromtimestamp(START_MS / 1000, tz=UTC),
        source="preflight drill",
    )
    return DrillMarket(instrument=instrument, symbol=symbol, first_price=Ticks(int(Decimal(first) / Decimal(tick))))


FIRST_MARKET, SECOND_MARKET = Market("SOL/USDT:USDT"), Market("ETH/USDT:USDT")
MARKETS: Mapping[Market, DrillMarket] = {
    FIRST_MARKET: _market("SOL/USDT:USDT", "SOL-USDT", tick="0.01", step="0.001", first="150"),
    SECOND_MARKET: _market("ETH/USDT:USDT", "ETH-USDT", tick="0.01", step="0.0001", first="3000"),
}
