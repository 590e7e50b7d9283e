"""The steps of one lead in their order, for those who run them without the orchestrator.

What a step does belongs to its stage; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from copytrade_core.edges.report_files import ReportPaths, write_report
from copytrade_core.edges.stages.episodes import derive_episodes, load_episodes
from copytrade_core.edges.stages.evidence import report_lead
from copytrade_core.edges.stages.market import fetch_bars, fetch_funding
from copytrade_core.edges.stages.market_data import needed_months
from copytrade_core.edges.stages.promotion import promotion_evidence
from copytrade_core.edges.stages.replay import replay_lead
from copytrade_core.edges.stages.sources import list_source_pages, normalise_lead
from copytrade_core.edges.stages.split import split_lead
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


def render_report(place: Workplace, lead_id: str, folder: Path | None) -> ReportPaths:
    """Writes the stored report as HTML, Markdown, JSON and CSV; `None` is `<reports_dir>/<lead>`.

    Raises:
        NotStored: the lead has no report yet.
        StoreFault: the folder cannot be written.
    """
    if place.lake.head("evidence_report", lead_id) is None:
        raise NotStored(f"lead {lead_id} has no report", next_step=f"Run: copytrade evidence --lead {lead_id}")
    target = folder or place.settings.reports_dir / lead_id
    document = place.lake.document("evidence_report", lead_id)
    assert isinstance(document, dict), "a report is an object"
    return write_report(document, target, tmp=target / ".tmp")


def judge_lead(place: Workplace, lead_id: str) -> StageOutcome:
    """Everything from the archived pages to the promotion evidence, prices being stored already.

    Returns:
        The outcome of the evidence report.

    Raises:
        NotStored: no page is archived, or there is no episode.
    """
    _ = derive_lead(place, lead_id)
    _ = split_lead(place, lead_id)
    _ = replay_lead(place, lead_id)
    report = report_lead(place, lead_id)
    _ = promotion_evidence(place, lead_id)
    return report
