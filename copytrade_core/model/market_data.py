"""Everything a replay reads of the markets: bars, funding, quotes and trading rules by market."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from copytrade_core.model.bar import BarSeries, FundingSeries, PriceOrigin, QuoteSeries
from copytrade_core.model.episode import Episode
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.units import Ticks


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

    def mark(self, market: str, at_ms: int) -> Ticks | None:
        """The close of the last bar that had ended at a time, in ticks; None when there is none."""
        series = self.bars.get(market)
        index = -1 if series is None else series.index_known_at(at_ms)
        return None if series is None or index < 0 else Ticks(int(series.close[index]))

    def price_when_opened(self, episode: Episode) -> Decimal | None:
        """The market when the lead opened: what stands in for the lead's entry price in a replay.

        History shows only the average cost over everything the lead added later. Nobody knew that when it opened, so
        no rule that decides about an entry may read it.
        """
        price = self.mark(episode.market, round(episode.opened_at.timestamp() * 1000))
        return None if price is None else self.instruments[episode.market].price(price)

    @property
    def origin(self) -> PriceOrigin:
        """Recorded, or simulated when the market is (a replay without bars counts as recorded)."""
        return next((series.origin for series in self.bars.values()), PriceOrigin.RECORDED)
