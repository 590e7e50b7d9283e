"""Pages of bars or funding joined into one series.

Pages follow each other in time; asking for them does not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from copytrade_core.edges.market.bars_parse import ParsedBars, ParsedFunding
from copytrade_core.model.bar import BarSeries, FundingSeries, PriceOrigin
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Market


def joined_bars(pages: Sequence[ParsedBars], market: Market, interval_ms: int) -> BarSeries:
    """All bars of the pages in order; a series without bars when there is no page.

    Raises:
        BadInput: recorded and simulated pages in one answer, or pages that overlap.
    """
    origins = {page.series.origin for page in pages}
    if len(origins) > 1:
        raise BadInput(f"{market}: recorded and simulated bars in one span", where=Where(field="origin"))
    every = [page.series for page in pages]
    none = np.empty(0, np.int32)
    return BarSeries(
        market=market,
        interval_ms=interval_ms,
        origin=origins.pop() if origins else PriceOrigin.RECORDED,
        open_time_ms=np.concatenate([np.empty(0, np.int64), *(one.open_time_ms for one in every)]),
        open=np.concatenate([none, *(one.open for one in every)]),
        high=np.concatenate([none, *(one.high for one in every)]),
        low=np.concatenate([none, *(one.low for one in every)]),
        close=np.concatenate([none, *(one.close for one in every)]),
        volume=np.concatenate([np.empty(0, np.float64), *(one.volume for one in every)]),
    )


def joined_funding(pages: Sequence[ParsedFunding], market: Market) -> FundingSeries:
    """All payments of the pages in order.

    Raises:
        BadInput: pages that overlap.
    """
    none = np.empty(0, np.int64)
    return FundingSeries(
        market=market,
        time_ms=np.concatenate([none, *(page.series.time_ms for page in pages)]),
        rate=np.concatenate([none, *(page.series.rate for page in pages)]),
    )
