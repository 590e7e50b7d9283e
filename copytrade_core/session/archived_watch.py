"""What an archived session knows of markets and sources at its virtual time: bars that had ended, polls that had come.

Which event comes next is `archived_feed`'s.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from typing_extensions import override

from copytrade_core.model.bar import Int64s
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.units import Ticks
from copytrade_core.session.correlation import correlation_ppm
from copytrade_core.session.watch import MarketWatch

DAY_MS = 86_400_000


class ArchivedWatch(MarketWatch):
    """Marks are closes of ended bars; a source is as old as its newest poll that said what is held.

    Args:
        data: stored bars.
        informed_ms: by lead the times of such polls, sorted; a lead without any is known only from later history, and
            the declared delay of its events stands for its age.
    """

    def __init__(self, data: MarketData, informed_ms: Mapping[str, Int64s]) -> None:
        self._data = data
        self._informed_ms = informed_ms
        self._marks: dict[str, tuple[int, Ticks | None]] = {}
        self._alike: dict[tuple[str, str, int], int | None] = {}
        self.now_ms = 0

    @override
    def mark(self, market: str, at_ms: int) -> Ticks | None:
        """The close of the last bar that had ended."""
        asked = self._marks.get(market)
        if asked is None or asked[0] != at_ms:
            asked = self._marks[market] = (at_ms, self._data.mark(market, at_ms))
        return asked[1]

    @override
    def mark_age_ms(self, market: str, now_ms: int) -> int | None:
        """Since when that bar has ended."""
        series = self._data.bars.get(market)
        index = -1 if series is None else series.index_known_at(now_ms)
        if series is None or index < 0:
            return None
        return now_ms - int(series.open_time_ms[index]) - series.interval_ms

    @override
    def source_age_ms(self, episode_id: str, now_ms: int) -> int | None:
        """Since the lead's newest poll that said what is held."""
        times = self._informed_ms.get(episode_id.partition("|")[0])
        if times is None:
            return 0
        index = int(np.searchsorted(times, now_ms, side="right")) - 1
        return None if index < 0 else now_ms - int(times[index])

    @override
    def correlation_ppm(self, market: str, other: str) -> int | None:
        """Of the last day's returns as of now; asked anew each day."""
        one, two = self._data.bars.get(market), self._data.bars.get(other)
        if one is None or two is None:
            return None
        key = (market, other, self.now_ms // DAY_MS)
        if key not in self._alike:
            self._alike[key] = correlation_ppm(one, two, self.now_ms)
        return self._alike[key]
