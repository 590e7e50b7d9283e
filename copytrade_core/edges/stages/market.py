"""The market stages: bars and funding of one market and month, fetched, and how sane they are.

How answers are read belongs to `http_market`; what somebody saved in files to `market_files`.
"""

from __future__ import annotations

from contextlib import closing

from copytrade_core.edges.market.intervals import epoch_ms, instant, interval_ms_of, month_span_ms
from copytrade_core.edges.market.market_refresh import refresh_bars, refresh_funding
from copytrade_core.edges.market.market_store import bars_partition, funding_partition, load_bars
from copytrade_core.edges.stages.instruments import exchange_of, market_rules
from copytrade_core.edges.stages.workplace import StageOutcome, Workplace
from copytrade_core.model.errors import BadInput
from copytrade_core.sources.market_sanity import BarSanity, SanityLimits, inspect_bars

LIMITS = SanityLimits(price_move_bps_max=2500, zero_volume_ratio_max=0.05)
"""A bar that moves a quarter, or a twentieth of silent bars, is an error in the data until shown otherwise."""


def fetch_bars(place: Workplace, market: str, month: str) -> StageOutcome:
    """Fetches what is missing of a month's bars and stores it (`bars`); what is stored already is not asked for.

    Raises:
        NotStored: the exchange has no bar of this month, and none is stored.
        MarketRefused, TransportFault, AnswerTooLarge, DeadlineExceeded: no usable answer.
        BadInput: an answer contradicts the store.
    """
    interval_ms = interval_ms_of(place.settings.market.bar_interval)
    start_ms, end_ms = _known_span(place, month)
    with closing(exchange_of(place)) as exchange:
        refreshed = refresh_bars(
            place.lake,
            exchange,
            instrument=market_rules(place, market),
            interval_ms=interval_ms,
            start_ms=start_ms,
            end_ms=end_ms,
            code_version=place.code_version,
        )
    outcome = stored_bars(place, market, month)
    missing = {
        "fetched_count": refreshed.fetched_count,
        "missing_count": sum(gap.missing_count for gap in refreshed.gaps),
    }
    return StageOutcome(heads=outcome.heads, metadata={**outcome.metadata, **missing})


def stored_bars(place: Workplace, market: str, month: str) -> StageOutcome:
    """What is stored of a month's bars.

    Raises:
        NotStored: nothing is.
    """
    interval_ms = interval_ms_of(place.settings.market.bar_interval)
    head = place.lake.require("bars", bars_partition(market, interval_ms, month))
    return StageOutcome(
        heads=(head,),
        metadata={
            "market": market,
            "month": month,
            "interval": str(place.settings.market.bar_interval),
            "origin": str(head.metadata["origin"]),
            "bars": head.rows,
            "first_bar": f"{instant(int(str(head.metadata['first_ms']))):%Y-%m-%d %H:%M}",
            "last_bar": f"{instant(int(str(head.metadata['last_ms']))):%Y-%m-%d %H:%M}",
        },
    )


def fetch_funding(place: Workplace, market: str, month: str) -> StageOutcome:
    """Fetches a month's funding and stores it (`funding`); errors as `fetch_bars`."""
    start_ms, end_ms = _known_span(place, month)
    with closing(exchange_of(place)) as exchange:
        refreshed = refresh_funding(
            place.lake,
            exchange,
            market=market,
            start_ms=start_ms,
            end_ms=end_ms,
            code_version=place.code_version,
        )
    head = place.lake.require("funding", funding_partition(market, month))
    return StageOutcome(
        heads=(head,),
        metadata={
            "market": market,
            "month": month,
            "origin": str(head.metadata["origin"]),
            "payments": head.rows,
            "fetched_count": refreshed.fetched_count,
        },
    )


def bar_sanity(place: Workplace, market: str, month: str) -> BarSanity:
    """Gaps between a month's first and last stored bar, jumps and silence.

    Raises:
        NotStored: nothing is stored.
    """
    interval_ms = interval_ms_of(place.settings.market.bar_interval)
    start_ms, end_ms = month_span_ms(month)
    series = load_bars(place.lake, market, interval_ms, start_ms, end_ms)
    return inspect_bars(
        series,
        start_ms=max(start_ms, series.start_ms),
        end_ms=min(end_ms, series.end_ms),
        limits=LIMITS,
    )


def _known_span(place: Workplace, month: str) -> tuple[int, int]:
    start_ms, end_ms = month_span_ms(month)
    now_ms = epoch_ms(place.now())
    if start_ms >= now_ms:
        raise BadInput(f"{month} has not begun", next_step="Ask for a month that has")
    return start_ms, min(end_ms, now_ms)
