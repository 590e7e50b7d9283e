"""What a lead's replay needs of the markets: which months, and everything stored of them as one `MarketData`.

Fetching and importing belong to `market.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from copytrade_core.edges.lake import Lake
from copytrade_core.edges.market.intervals import epoch_ms, interval_ms_of, month_span_ms, months_between
from copytrade_core.edges.market.market_store import bars_partition, funding_partition, load_bars, load_funding
from copytrade_core.edges.stages.episodes import load_episodes
from copytrade_core.edges.stages.instruments import trading_rules
from copytrade_core.edges.stages.policies import load_policies
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.bar import BarSeries, FundingSeries
from copytrade_core.model.episode import Episode
from copytrade_core.model.errors import NotStored
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.market_data import MarketData

MARGIN_MS = 86_400_000
"""A day before the first signal and after the last exit: room for delays and for the bar that gives the first mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketMonth:
    """One month of one market."""

    market: str
    month: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedMarkets:
    """Market data with the digests of all that was read, by `asset/partition`, and the months that have no bars."""

    data: MarketData
    digests: Mapping[str, str]
    without_bars: tuple[MarketMonth, ...]


def needed_months(place: Workplace, episodes: Sequence[Episode]) -> tuple[MarketMonth, ...]:
    """Every month of every market that some policy of the settings may trade in, in order."""
    held_ms = max((policy.exit.ttl_s or 0) for policy in load_policies(place.settings).values()) * 1000
    now_ms = epoch_ms(place.now())
    found: set[tuple[str, str]] = set()
    for episode in episodes:
        start_ms = epoch_ms(episode.opened_at) - MARGIN_MS
        closed_ms = now_ms if episode.closed_at is None else epoch_ms(episode.closed_at)
        end_ms = min(now_ms, closed_ms + held_ms + MARGIN_MS)
        found.update((str(episode.market), month) for month in months_between(start_ms, end_ms))
    return tuple(MarketMonth(market=market, month=month) for market, month in sorted(found))


def missing_months(place: Workplace) -> tuple[MarketMonth, ...]:
    """Months without any bar that some stored lead needs, in order."""
    interval_ms = interval_ms_of(place.settings.market.bar_interval)
    needed = {
        (need.market, need.month)
        for lead_id in place.lake.partitions("episodes")
        for need in needed_months(place, load_episodes(place, lead_id))
    }
    return tuple(
        MarketMonth(market=market, month=month)
        for market, month in sorted(needed)
        if place.lake.head("bars", bars_partition(market, interval_ms, month)) is None
    )


def load_markets(place: Workplace, episodes: Sequence[Episode]) -> LoadedMarkets:
    """Everything stored of the lead's markets over the months it needs. What is not stored is simply not there.

    Raises:
        StoreFault: stored bytes were changed.
        BadInput: recorded and simulated bars would be mixed.
    """
    interval_ms = interval_ms_of(place.settings.market.bar_interval)
    months = needed_months(place, episodes)
    lake = place.lake
    bars: dict[str, BarSeries] = {}
    funding: dict[str, FundingSeries] = {}
    rules: dict[str, Instrument] = {}
    digests: dict[str, str] = {}
    missing: list[MarketMonth] = []
    for market in sorted({need.market for need in months}):
        mine = [need.month for need in months if need.market == market]
        stored = _stored(lake, "bars", {month: bars_partition(market, interval_ms, month) for month in mine})
        missing.extend(MarketMonth(market=market, month=month) for month in mine if month not in stored)
        start_ms, end_ms = _span(mine)
        series = _bars(lake, market, interval_ms, start_ms, end_ms)
        if series is None:
            continue
        bars[market] = series
        rules[market], rules_digest = trading_rules(place, market)
        paid = _stored(lake, "funding", {month: funding_partition(market, month) for month in mine})
        if set(paid) >= set(stored):
            funding[market] = load_funding(lake, market, start_ms, end_ms)
        digests |= {**_by_name(stored.values()), **_by_name(paid.values()), f"instruments/{market}": rules_digest}
    return LoadedMarkets(
        data=MarketData(bars=bars, funding=funding, quotes={}, instruments=rules),
        digests=digests,
        without_bars=tuple(missing),
    )


def _stored(lake: Lake, asset: str, partitions: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Month -> (asset/partition, digest) of what is stored."""
    heads = {month: lake.head(asset, partition) for month, partition in partitions.items()}
    return {month: (f"{asset}/{head.partition}", head.digest) for month, head in heads.items() if head is not None}


def _by_name(found: Iterable[tuple[str, str]]) -> dict[str, str]:
    return dict(found)


def _span(months: Sequence[str]) -> tuple[int, int]:
    return month_span_ms(min(months))[0], month_span_ms(max(months))[1]


def _bars(lake: Lake, market: str, interval_ms: int, start_ms: int, end_ms: int) -> BarSeries | None:
    try:
        return load_bars(lake, market, interval_ms, start_ms, end_ms)
    except NotStored:
        return None
