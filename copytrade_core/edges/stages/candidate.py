"""The numbers that gates read, taken from the stored evidence of one lead and from nothing else.

What a number must be belongs to `promotion`; how it is computed belongs to `evidence`.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from copytrade_core.edges.stages.canary_plan import canary_policy_digest
from copytrade_core.edges.stages.canary_store import canary_facts
from copytrade_core.edges.stages.episodes import load_episodes
from copytrade_core.edges.stages.holdout_facts import holdout_facts, holdout_of
from copytrade_core.edges.stages.policies import load_policies
from copytrade_core.edges.stages.preflight_facts import preflight_facts, venue_digest
from copytrade_core.edges.stages.sources import newest_page_at
from copytrade_core.edges.stages.split import split_of
from copytrade_core.edges.stages.study_store import load_study
from copytrade_core.edges.stages.trial_data import data_digest_of_study
from copytrade_core.edges.stages.trial_facts import search_facts, trial_facts
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.evidence.drawdown import equity_worst_ratio, gross_to_equity_max_ratio
from copytrade_core.evidence.measures import measures
from copytrade_core.evidence.parts import OPEN_PARTS, measures_by_part
from copytrade_core.model.episode import Episode, Provenance
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.round_trip import ReplayResult
from copytrade_core.model.side import Side, SideFilter
from copytrade_core.model.source import LeadId, PositionStatus
from copytrade_core.model.units import money_to_float
from copytrade_core.promotion.facts import AssumptionFacts, CandidateFacts, CapitalFacts, JudgedFacts, SourceFacts

PPM_PER_BPS = 100


def candidate_facts(place: Workplace, lead_id: str) -> CandidateFacts:
    """The facts of a lead and the policy that gates judge; every object that is read is verified by its digest.

    The stored study knows train and validation only; the holdout is in the ledger once it was opened for this policy.

    Raises:
        NotStored: a stage has not run.
        StoreFault: stored bytes were changed.
    """
    episodes = load_episodes(place, lead_id)
    study = load_study(place.lake, lead_id)
    split = split_of(place, episodes)
    bootstrap = place.contract().bootstrap
    policy = load_policies(place.settings)[place.settings.main_policy]
    parts = measures_by_part(study.main_result, split, bootstrap, parts=OPEN_PARTS)
    judged = _judged_facts(place, lead_id, study.main_result)
    holdout, opened = holdout_facts(
        place, judged, study.main_result, holdout_of(split, lead_id, judged.data_digest), lead_id
    )
    return CandidateFacts(
        lead_id=lead_id,
        source=source_facts(place, lead_id, episodes),
        assumptions=_assumption_facts(study.main_result, policy, place.settings.main_policy),
        capital=_capital_facts(study.main_result),
        visible=measures(study.main_result, bootstrap),
        parts={**{part.value: measured for part, measured in parts.items()}, **opened},
        stressed={name: measures(study.results[run], bootstrap) for name, run in study.stressed.items()},
        judged=judged,
        trials=trial_facts(place, study.main_result, split, judged.data_digest),
        holdout=holdout,
        search=search_facts(place, lead_id),
        preflight=preflight_facts(place, lead_id),
        canary=canary_facts(place, lead_id, policy_digest=canary_policy_digest(place, lead_id)),
    )


def _judged_facts(place: Workplace, lead_id: str, result: ReplayResult) -> JudgedFacts:
    return JudgedFacts(
        policy_digest=result.policy_digest,
        data_digest=data_digest_of_study(place.lake.require("study", lead_id)),
        code_version=place.code_version,
        venue=place.settings.preflight.venue,
        venue_digest=venue_digest(place, place.settings.preflight.venue),
    )


def source_facts(place: Workplace, lead_id: str, episodes: Sequence[Episode]) -> SourceFacts:
    """The closed history of a lead as we have it; see `SourceFacts`."""
    counts = place.lake.document_as("source_counts", lead_id, dict[str, object])
    positions = place.lake.table("closed_positions", lead_id).filter(pl.col("status") == PositionStatus.CLOSED.value)
    walks = place.archive.walks(LeadId(lead_id))
    newest = walks[-1] if walks else None
    rejected = counts["rejected"]
    assert isinstance(rejected, dict), "source_counts keeps rejects by reason"
    return SourceFacts(
        rows_count=int(str(counts["rows"])),
        rejected_count=sum(int(str(count)) for count in rejected.values()),
        duplicates_count=int(str(counts["duplicates"])),
        history_total_count=None if newest is None else newest.total_count,
        history_short_count=None if newest is None else max(0, newest.total_count - newest.distinct_count),
        newest_page_at=newest_page_at(place, lead_id),
        closed_count=positions.height,
        losers_count=int((positions["closing_pnl_e8"] < 0).sum()),
        episodes_count=len(episodes),
        observed_count=sum(episode.provenance is Provenance.OBSERVED for episode in episodes),
    )


def _assumption_facts(result: ReplayResult, policy: PolicySpec, name: str) -> AssumptionFacts:
    spec = result.spec
    sides = [side.value for side in Side if policy.entry.side in (SideFilter.BOTH, side.value)]
    return AssumptionFacts(
        policy=name,
        sides=tuple(sides),
        market_fill=spec.market_fill,
        rung_fill=spec.rung_fill,
        origin=result.origin,
        funding_known=result.funding_known,
        delay_s=spec.delay_s,
        slippage_bps=spec.costs.slippage / PPM_PER_BPS,
        taker_fee_bps=spec.costs.taker_fee / PPM_PER_BPS,
        costs_source=spec.costs.source,
        initial_equity_usdt=money_to_float(spec.initial_equity),
    )


def _capital_facts(visible: ReplayResult) -> CapitalFacts:
    return CapitalFacts(
        gross_to_equity_ratio=gross_to_equity_max_ratio(visible.equity),
        equity_worst_ratio=equity_worst_ratio(visible.equity, visible.spec.initial_equity),
        entries_blocked_count=len(visible.blocked),
        minimum_order_skips_count=sum(trip.rungs_skipped for trip in visible.round_trips),
    )
