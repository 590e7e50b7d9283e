"""What is known of leads, in plain facts for people. Nothing is judged here; gates and the report do that."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from copytrade_core.edges.pages.page_archive import EPOCH
from copytrade_core.edges.stages.candidate import source_facts
from copytrade_core.edges.stages.episodes import load_episodes
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.source import LeadId

E8 = 100_000_000
HOUR_S = 3600


def known_leads(place: Workplace) -> list[dict[str, object]]:
    """Every archived lead with counts of what is stored of it."""
    rows: list[dict[str, object]] = []
    for lead in place.archive.leads():
        if lead.startswith("_"):
            continue
        seen = list(place.archive.observations(lead))
        newest = EPOCH + timedelta(microseconds=max(one.received_at_us for one in seen))
        rows.append(
            {
                "lead": str(lead),
                "pages": len({(one.endpoint, one.sha256) for one in seen}),
                "newest_answer_at": f"{newest:%Y-%m-%dT%H:%M:%SZ}",
                "positions": _rows(place, "closed_positions", lead),
                "episodes": _rows(place, "episodes", lead),
            }
        )
    return rows


def _rows(place: Workplace, asset: str, lead: LeadId) -> int | None:
    head = place.lake.head(asset, lead)
    return None if head is None else head.rows


def lead_facts(place: Workplace, lead_id: str) -> dict[str, object]:
    """What the stored history of a lead says, and what it cannot say.

    Raises:
        NotStored: the history is not normalised, or there are no episodes.
    """
    facts = source_facts(place, lead_id, load_episodes(place, lead_id))
    table = place.lake.table("closed_positions", lead_id)
    held_h = (table["closed_at"] - table["opened_at"]).dt.total_seconds() / HOUR_S
    grouped = table.group_by("market", "side").agg(pl.len(), pl.col("closing_pnl_e8").sum()).sort("market", "side")
    return {
        "lead": lead_id,
        "rows": facts.rows_count,
        "usable": facts.rows_count - facts.rejected_count - facts.duplicates_count,
        "rejected": facts.rejected_count,
        "duplicates": facts.duplicates_count,
        "rows the source claims": facts.history_total_count,
        "rows we lack": facts.history_short_count,
        "first opened": None if table.is_empty() else f"{table['opened_at'].min():%Y-%m-%d}",
        "last closed": None if table.is_empty() else f"{table['closed_at'].max():%Y-%m-%d}",
        "held, median hours": held_h.median(),
        "held, longest hours": held_h.max(),
        "closed with a loss": facts.losers_count,
        "episodes": facts.episodes_count,
        "episodes our polls saw open": facts.observed_count,
        "markets": [[market, side, count, pnl / E8] for market, side, count, pnl in grouped.iter_rows()],
        "warnings": _warnings(facts.closed_count, facts.losers_count, facts.episodes_count, facts.observed_count),
    }


def _warnings(closed: int, losers: int, episodes: int, observed: int) -> list[str]:
    found: list[str] = []
    if closed and not losers:
        found.append(
            f"all {closed} closed positions made a profit: losers that are still held never appear in a closed history"
        )
    if observed < episodes:
        found.append(
            f"{episodes - observed} of {episodes} episodes are known from later history only: nobody proved that a"
            " copier could have seen them in time"
        )
    found.append("the lead's prices are averages that nobody else could trade at")
    return found
