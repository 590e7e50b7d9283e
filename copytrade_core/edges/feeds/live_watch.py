"""What a live session knows of markets and sources now: marks and polls with the times they were seen at."""

from __future__ import annotations

from collections.abc import Mapping

from typing_extensions import override

from copytrade_core.model.bar import BarSeries
from copytrade_core.model.units import Ticks
from copytrade_core.session.correlation import correlation_ppm
from copytrade_core.session.watch import MarketWatch


class LiveWatch(MarketWatch):
    """The newest of everything; what was never seen has no age.

    Args:
        bars: recent bars by market, for correlations; those of a market that has none are not known.
    """

    def __init__(self, bars: Mapping[str, BarSeries]) -> None:
        self._bars = bars
        self._marks: dict[str, tuple[Ticks, int]] = {}
        self._informed_ms: dict[str, int] = {}
        self._alike: dict[tuple[str, str], int | None] = {}

    def marked(self, market: str, price: Ticks, at_ms: int) -> None:
        """A mark was seen; an older one than the last is left alone."""
        if market not in self._marks or self._marks[market][1] <= at_ms:
            self._marks[market] = (price, at_ms)

    def informed(self, lead_id: str, at_ms: int) -> None:
        """A poll said what the lead holds."""
        self._informed_ms[lead_id] = max(at_ms, self._informed_ms.get(lead_id, 0))

    @override
    def mark(self, market: str, at_ms: int) -> Ticks | None:
        """The last mark seen."""
        seen = self._marks.get(market)
        return None if seen is None else seen[0]

    @override
    def mark_age_ms(self, market: str, now_ms: int) -> int | None:
        """How old it is by the exchange's own time of it."""
        seen = self._marks.get(market)
        return None if seen is None else max(0, now_ms - seen[1])

    @override
    def source_age_ms(self, episode_id: str, now_ms: int) -> int | None:
        """How old the lead's newest poll that said what is held is."""
        at_ms = self._informed_ms.get(episode_id.partition("|")[0])
        return None if at_ms is None else max(0, now_ms - at_ms)

    @override
    def correlation_ppm(self, market: str, other: str) -> int | None:
        """Of the bars known when the session began."""
        if market not in self._bars or other not in self._bars:
            return None
        key = (market, other)
        if key not in self._alike:
            ends_ms = max(self._bars[market].end_ms, self._bars[other].end_ms)
            self._alike[key] = correlation_ppm(self._bars[market], self._bars[other], ends_ms)
        return self._alike[key]
