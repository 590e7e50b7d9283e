"""The evidence stage: everything known of one lead and its study -> one report, stored and rendered.

What the report says belongs to `evidence`; how it looks belongs to `edges.reports`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from copytrade_core.edges.stages.episodes import load_episodes
from copytrade_core.edges.stages.market_data import load_markets
from copytrade_core.edges.stages.policies import load_policies
from copytrade_core.edges.stages.replay import lead_detail
from copytrade_core.edges.stages.split import split_of
from copytrade_core.edges.stages.study_store import load_study
from copytrade_core.edges.stages.workplace import StageOutcome, Workplace, parents
from copytrade_core.evidence.counts import SourceCounts
from copytrade_core.evidence.legacy_comparison import LegacyRun
from copytrade_core.evidence.report import (
    REPORT_SCHEMA_VERSION,
    EvidenceReport,
    ReportInputs,
    build_report,
    report_document,
)
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.source import ClosedPosition
from copytrade_core.model.units import ppm_from_decimal
from copytrade_core.replay.copyable_notional import smallest_target
from copytrade_core.replay.legacy_contrarian import RUNGS_MAX, legacy_study
from copytrade_core.sources.position_values import closed_positions

READ = ("source_counts", "closed_positions", "episodes", "split_manifest", "study", "round_trips", "equity")
"""Stored inputs of a report, all by lead."""


def report_lead(place: Workplace, lead_id: str) -> StageOutcome:
    """Builds the lead's report and stores it as a document (`evidence_report`).

    Raises:
        NotStored: a stage has not run.
        StoreFault: stored bytes were changed.
    """
    heads = [place.lake.require(asset, lead_id) for asset in READ]
    report = lead_report(place, lead_id)
    metadata: dict[str, object] = {
        "conclusion": report_document(report)["conclusion"],
        "findings": [finding.title for finding in report.findings],
        "origin": report.origin,
        "policy": report.policy,
    }
    stored = place.lake.put_document(
        "evidence_report",
        lead_id,
        report_document(report),
        schema_version=REPORT_SCHEMA_VERSION,
        code_version=place.code_version,
        parents=parents(*heads),
        metadata=metadata,
    )
    return StageOutcome(heads=(stored,), metadata=metadata)


def lead_report(place: Workplace, lead_id: str) -> EvidenceReport:
    """The report over what is stored now; errors as `report_lead`."""
    episodes = load_episodes(place, lead_id)
    markets = load_markets(place, episodes)
    detail = lead_detail(place, lead_id)
    share = None if detail is None or detail.profit_share_ratio is None else detail.profit_share_ratio
    positions = closed_positions(place.lake.table("closed_positions", lead_id))
    study, policies = load_study(place.lake, lead_id), load_policies(place.settings)
    return build_report(
        ReportInputs(
            lead_id=lead_id,
            nickname=None if detail is None else detail.nickname,
            source=_source_counts(place, lead_id),
            episodes=episodes,
            study=study,
            policies={policy.name: policy for policy in policies.values()},
            data=markets.data,
            split=split_of(place, episodes),
            bootstrap=place.contract().bootstrap,
            smallest_target=smallest_target(policies[place.settings.main_policy], study.main_result, markets.data),
            profit_share=None if share is None else ppm_from_decimal(Decimal(share)),
            legacy_runs=legacy_runs(positions, markets.data),
            original_pnl={},
            digests={asset: place.lake.require(asset, lead_id).digest for asset in READ},
        )
    )


def legacy_runs(positions: Sequence[ClosedPosition], data: MarketData) -> tuple[LegacyRun, ...]:
    """The original study on our bars, with no rung up to all of them; none without bars."""
    if not data.bars:
        return ()
    runs: list[LegacyRun] = []
    for rungs_count in range(RUNGS_MAX + 1):
        study = legacy_study(positions, data, rungs_count)
        runs.append(
            LegacyRun(
                rungs_count=rungs_count,
                interval_ms=study.interval_ms,
                skipped_count=len(study.skipped),
                net_pnl_usdt=study.summary.net_pnl_usdt,
                win_ratio=study.summary.win_ratio,
                profit_factor=study.summary.profit_factor,
                max_drawdown_ratio=study.summary.max_drawdown_ratio,
                dca_fills_mean=study.summary.dca_fills_mean,
                pnl_by_source_id={trade.source_id: trade.pnl_usdt for trade in study.round_trips},
            )
        )
    return tuple(runs)


def _source_counts(place: Workplace, lead_id: str) -> SourceCounts:
    counts: Mapping[str, object] = place.lake.document_as("source_counts", lead_id, dict[str, object])
    rejected = counts["rejected"]
    assert isinstance(rejected, dict), "source_counts keeps rejects by reason"
    return SourceCounts(
        rows_count=int(str(counts["rows"])),
        normalised_count=int(str(counts["normalised"])),
        duplicates_count=int(str(counts["duplicates"])),
        rejected={str(reason): int(str(count)) for reason, count in rejected.items()},
    )
