"""The evidence report: every number of one lead and its strategies, assembled once and rendered elsewhere.

Files, HTML and Markdown belong to `edges`; thresholds of promotion belong to `promotion`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from copytrade_core.evidence.assumptions import Assumption, assumptions
from copytrade_core.evidence.baselines import (
    ArtefactResult,
    BuyAndHold,
    LeadRecord,
    artefact_result,
    buy_and_hold,
    lead_record,
)
from copytrade_core.evidence.conclusion import Conclusion, conclude
from copytrade_core.evidence.counts import Counts, SourceCounts, counts_of
from copytrade_core.evidence.findings import STANDARD_LIMITS, Finding, findings
from copytrade_core.evidence.legacy_comparison import LegacyComparison, LegacyRun, compare_legacy
from copytrade_core.evidence.measures import measures
from copytrade_core.evidence.monthly import MonthlyResult, monthly_results
from copytrade_core.evidence.native_copy import NativeCopy, native_copy, published_rules
from copytrade_core.evidence.original_study import ORIGINAL_LEAD_ID, ORIGINAL_PNL
from copytrade_core.evidence.parts import OPEN_PARTS, measures_by_part, seal
from copytrade_core.evidence.plain_json import plain
from copytrade_core.evidence.plot_series import EquitySeries, PriceSeries, equity_series, price_series
from copytrade_core.evidence.splits import SplitManifest, manifest_document
from copytrade_core.evidence.trip_rows import TripRow, trip_rows
from copytrade_core.model.episode import Episode
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.measure import BootstrapSettings, Measures
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.round_trip import ReplayResult
from copytrade_core.model.study import Scenario, Study
from copytrade_core.model.units import RATE_SCALE, Money, Ppm, money_to_float

REPORT_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportInputs:
    """Everything a report is made from.

    `policies` are by `Scenario.policy`; `legacy_runs` may be empty. So may `original_pnl` (the original study's single
    trades by rungs and source id): for that study's lead the reference data is taken then. `profit_share` is the lead's
    own, if known; `smallest_target` the least notional per trade at which every leg meets the venue's minimum;
    `digests` name the stored inputs.
    """

    lead_id: str
    nickname: str | None
    source: SourceCounts
    episodes: Sequence[Episode]
    study: Study
    policies: Mapping[str, PolicySpec]
    data: MarketData
    split: SplitManifest
    bootstrap: BootstrapSettings
    profit_share: Ppm | None
    smallest_target: Money | None
    legacy_runs: Sequence[LegacyRun]
    original_pnl: Mapping[int, Mapping[str, float]]
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyRow:
    """One strategy under the main assumptions: executable measures and, labelled, what lead prices would show."""

    policy: str
    measures: Measures
    artefact: ArtefactResult | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioRow:
    """One other set of assumptions for the main strategy."""

    name: str
    label: str
    delay_s: int
    slippage_multiple: float
    fee_multiple: float
    trades_count: int
    net_pnl_usdt: float
    net_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceReport:
    """The whole report, of train and validation: `holdout_note` says how many signals were kept from the replay."""

    schema_version: int
    lead_id: str
    nickname: str | None
    origin: str
    policy: str
    initial_equity_usdt: float
    conclusion: Conclusion
    counts: Counts
    strategies: tuple[StrategyRow, ...]
    lead_record: LeadRecord
    buy_and_hold: tuple[BuyAndHold, ...]
    native_copy: NativeCopy
    findings: tuple[Finding, ...]
    sensitivity: tuple[ScenarioRow, ...]
    stressed: tuple[ScenarioRow, ...]
    monthly: tuple[MonthlyResult, ...]
    split: Mapping[str, object]
    parts: Mapping[str, Measures]
    holdout_note: str
    legacy: LegacyComparison | None
    assumptions: tuple[Assumption, ...]
    round_trips: tuple[TripRow, ...]
    equity: EquitySeries
    prices: tuple[PriceSeries, ...]
    digests: Mapping[str, str]


def build_report(inputs: ReportInputs) -> EvidenceReport:
    """Assembles the report of one study. Pure: the same inputs give the same report."""
    study, result = inputs.study, inputs.study.main_result
    strategies = tuple(_strategy_row(inputs, scenario) for scenario in study.by_strategy)
    main = next((row.measures for row in strategies if row.policy == study.main.policy), None)
    measured = measures(result, inputs.bootstrap) if main is None else main
    stressed = tuple(_scenario_row(name, scenario, study) for name, scenario in study.stressed.items())
    found = findings(inputs.episodes, result, measured, STANDARD_LIMITS)
    return EvidenceReport(
        schema_version=REPORT_SCHEMA_VERSION,
        lead_id=inputs.lead_id,
        nickname=inputs.nickname,
        origin=result.origin.value,
        policy=study.main.policy,
        initial_equity_usdt=money_to_float(result.spec.initial_equity),
        conclusion=_conclusion(inputs, measured, stressed, found),
        counts=counts_of(inputs.source, inputs.episodes, result),
        strategies=strategies,
        lead_record=lead_record(inputs.episodes, notional_usdt=_trade_notional_usdt(inputs, measured)),
        buy_and_hold=_buy_and_hold(inputs, result),
        native_copy=_native_copy(inputs, result),
        findings=found,
        sensitivity=tuple(_scenario_row("sweep", scenario, study) for scenario in study.delay_slippage),
        stressed=stressed,
        monthly=monthly_results(result.round_trips, result.spec.initial_equity),
        split=manifest_document(inputs.split),
        parts={
            part.value: found
            for part, found in measures_by_part(result, inputs.split, inputs.bootstrap, parts=OPEN_PARTS).items()
        },
        holdout_note=_holdout_note(inputs.split),
        legacy=compare_legacy(inputs.lead_id, inputs.legacy_runs, inputs.original_pnl or _original_pnl(inputs.lead_id)),
        assumptions=_assumptions(inputs, result, measured),
        round_trips=trip_rows(result, inputs.data.instruments),
        equity=equity_series(result),
        prices=price_series(result, inputs.data),
        digests=dict(inputs.digests),
    )


def report_document(report: EvidenceReport) -> dict[str, object]:
    """The report as plain JSON types: the content of `report.json`, and what every rendering reads."""
    return cast("dict[str, object]", plain(report))


def _conclusion(
    inputs: ReportInputs, measured: Measures, stressed: Sequence[ScenarioRow], found: Sequence[Finding]
) -> Conclusion:
    return conclude(
        lead_id=inputs.lead_id,
        policy=inputs.study.main.policy,
        origin=inputs.study.main_result.origin,
        measured=measured,
        stressed_nets_usdt={row.label: row.net_pnl_usdt for row in stressed},
        found=found,
    )


def _assumptions(inputs: ReportInputs, result: ReplayResult, measured: Measures) -> tuple[Assumption, ...]:
    return assumptions(
        result,
        inputs.policies.get(inputs.study.main.policy),
        inputs.bootstrap,
        smallest_target=inputs.smallest_target,
        at_once_count=measured.overlap_max_count,
    )


def _strategy_row(inputs: ReportInputs, scenario: Scenario) -> StrategyRow:
    result, policy = inputs.study.results[scenario], inputs.policies.get(scenario.policy)
    return StrategyRow(
        policy=scenario.policy,
        measures=measures(result, inputs.bootstrap),
        artefact=None
        if policy is None
        else artefact_result(result, inputs.episodes, inputs.data.instruments, policy.signal),
    )


def _scenario_row(name: str, scenario: Scenario, study: Study) -> ScenarioRow:
    result = study.results[scenario]
    net = sum(trip.pnl for trip in result.round_trips)
    return ScenarioRow(
        name=name,
        label=scenario.label,
        delay_s=scenario.delay_s,
        slippage_multiple=float(scenario.slippage_multiple),
        fee_multiple=float(scenario.fee_multiple),
        trades_count=len(result.round_trips),
        net_pnl_usdt=money_to_float(net),
        net_ratio=net / result.spec.initial_equity,
    )


def _trade_notional_usdt(inputs: ReportInputs, measured: Measures) -> float:
    policy = inputs.policies.get(inputs.study.main.policy)
    return money_to_float(policy.sizing.target_notional) if policy else (measured.notional_mean_usdt or 0.0)


def _buy_and_hold(inputs: ReportInputs, result: ReplayResult) -> tuple[BuyAndHold, ...]:
    trips = result.round_trips
    if not trips:
        return ()
    start_ms, end_ms = min(trip.signal_at_ms for trip in trips), max(trip.exited_at_ms for trip in trips)
    held = (
        buy_and_hold(
            inputs.data.bars[market],
            start_ms=start_ms,
            end_ms=end_ms,
            costs=result.spec.costs,
            initial_equity=result.spec.initial_equity,
        )
        for market in sorted({trip.market for trip in trips})
    )
    return tuple(found for found in held if found is not None)


def _native_copy(inputs: ReportInputs, result: ReplayResult) -> NativeCopy:
    policy, equity = inputs.policies.get(inputs.study.main.policy), result.spec.initial_equity
    share = RATE_SCALE if policy is None else min(RATE_SCALE, policy.sizing.target_notional * RATE_SCALE // equity)
    rules = published_rules(balance_share=Ppm(share), profit_share=inputs.profit_share)
    visible, _ = seal(inputs.split, inputs.episodes, OPEN_PARTS)
    return native_copy(visible, inputs.data, rules=rules, costs=result.spec.costs, initial_equity=equity)


def _original_pnl(lead_id: str) -> Mapping[int, Mapping[str, float]]:
    return ORIGINAL_PNL if lead_id == ORIGINAL_LEAD_ID else {}


def _holdout_note(split: SplitManifest) -> str:
    holdout = split.parts[-1]
    return (
        f"The holdout, the newest {holdout.signals_count} signals, is sealed: it was not replayed, so no executable "
        "figure here knows it. The lead's own record and the rerun of the original study cover it; both were public."
    )
