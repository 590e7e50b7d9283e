"""Everything a replay reads of the markets: bars, funding, quotes and trading rules by market."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from copytrade_core.model.bar import BarSeries, FundingSeries, PriceOrigin, QuoteSeries
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Instrument


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarketData:
    """Inputs of one replay, keyed by unified market name.

    Raises:
        BadInput: bars filed under another market, without trading rules, or of mixed intervals or origins.
    """

    bars: Mapping[str, BarSeries]
    funding: Mapping[str, FundingSeries]
    quotes: Mapping[str, QuoteSeries]
    instruments: Mapping[str, Instrument]

    def __post_init__(self) -> None:
        for field, table in (("bars", self.bars), ("funding", self.funding), ("quotes", self.quotes)):
            for market, series in table.items():
                if series.market != market:
                    raise BadInput(f"{field} of {series.market} are filed under {market}", where=Where(field=field))
        for market in self.bars:
            if market not in self.instruments:
                raise BadInput(f"{market} has bars but no trading rules", where=Where(field="instruments"))
        if len({series.interval_ms for series in self.bars.values()}) > 1:
            raise BadInput("bars of one replay must share one interval", where=Where(field="interval_ms"))
        if len({series.origin for series in self.bars.values()}) > 1:
            raise BadInput("recorded and simulated bars cannot be mixed in one replay", where=Where(field="origin"))

    @property
    def origin(self) -> PriceOrigin:
        """Recorded, or simulated when the market is (a replay without bars counts as recorded)."""
        return next((series.origin for series in self.bars.values()), PriceOrigin.RECORDED)
