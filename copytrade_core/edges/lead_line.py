"""The first steps of one lead for those who run them without the orchestrator: pages, rows, episodes, prices.

What a step does belongs to its stage; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from copytrade_core.edges.stages.episodes import derive_episodes, load_episodes
from copytrade_core.edges.stages.market import fetch_bars, fetch_funding
from copytrade_core.edges.stages.market_data import needed_months
from copytrade_core.edges.stages.sources import list_source_pages, normalise_lead
from copytrade_core.edges.stages.workplace import StageOutcome, Workplace
from copytrade_core.model.errors import NotStored


def derive_lead(place: Workplace, lead_id: str) -> StageOutcome:
    """Archived pages -> list of pages, rows and episodes; storing the same again changes nothing.

    Raises:
        NotStored: no page of this lead is archived.
    """
    _ = list_source_pages(place, lead_id)
    _ = normalise_lead(place, lead_id)
    return derive_episodes(place, lead_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedMonth:
    """One month of one market: rows stored of it now, or why there are none."""

    market: str
    month: str
    bars: int
    fetched_count: int
    origin: str | None
    funding: int
    problem: str


def fetch_markets(place: Workplace, lead_id: str) -> Iterator[FetchedMonth]:
    """Fetches bars and funding of every month the lead's episodes need; what is stored already is not asked for.

    A month the market does not have is told, not an error: replay skips what it cannot price and says so.

    Raises:
        NotStored: there are no episodes.
        MarketRefused, TransportFault, AnswerTooLarge, DeadlineExceeded: the host gave no usable answer.
    """
    for need in needed_months(place, load_episodes(place, lead_id)):
        try:
            bars = fetch_bars(place, need.market, need.month)
        except NotStored as error:
            yield FetchedMonth(
                market=need.market, month=need.month, bars=0, fetched_count=0, origin=None, funding=0,
                problem=error.what,
            )  # fmt: skip
            continue
        funding, problem = _funding(place, need.market, need.month)
        yield FetchedMonth(
            market=need.market,
            month=need.month,
            bars=bars.heads[0].rows,
            fetched_count=int(str(bars.metadata["fetched_count"])),
            origin=str(bars.metadata["origin"]),
            funding=funding,
            problem=problem,
        )


def _funding(place: Workplace, market: str, month: str) -> tuple[int, str]:
    try:
        return fetch_funding(place, market, month).heads[0].rows, ""
    except NotStored as error:
        return 0, error.what
