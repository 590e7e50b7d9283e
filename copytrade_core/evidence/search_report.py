"""The search report: which policy survived, and everything a reader needs to believe or doubt it, assembled once.

Files, HTML and Markdown belong to `edges`, thresholds to `settings`; what the parts mean is in the `search_*` modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from copytrade_core.evidence.assumptions import Assumption
from copytrade_core.evidence.plain_json import plain
from copytrade_core.evidence.search_conclusion import SearchConclusion, conclude_search
from copytrade_core.evidence.search_doubts import Doubt, doubts, search_assumptions
from copytrade_core.evidence.search_inputs import (
    BasePolicy,
    EngineRecord,
    HoldoutNote,
    SearchLimit,
    SearchPart,
    SearchReportInputs,
)
from copytrade_core.evidence.search_landscape import (
    LandscapeMap,
    ParameterWeight,
    PlateauView,
    landscape_map,
    parameter_weights,
    plateau_view,
)
from copytrade_core.evidence.search_luck import LogitSpread, SharpeSpread, logit_spread, sharpe_spread
from copytrade_core.evidence.search_meaning import LuckRow, luck_rows
from copytrade_core.evidence.search_series import (
    Coordinates,
    History,
    TrainAndValidation,
    coordinates_of,
    history_of,
    train_and_validation,
)
from copytrade_core.evidence.search_trials import (
    FinalistRow,
    PhaseRow,
    TrialCounts,
    TrialRow,
    best_rows,
    counts_of_trials,
    finalist_rows,
    phase_rows,
)
from copytrade_core.model.overfitting import OverfittingFigures

SEARCH_REPORT_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuestion:
    """What the search was asked: the same question has the same id and gives the same trials."""

    search_id: str
    space: str
    space_size: int
    sampler: str
    seed: int
    wanted_count: int
    objective: str
    strategy: str
    shortfall: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchReport:
    """The whole report. Figures of trials are those on the train span they reached; validation is named as such."""

    schema_version: int
    lead_id: str
    nickname: str | None
    origin: str
    conclusion: SearchConclusion
    findings: tuple[Doubt, ...]
    search: SearchQuestion
    counts: TrialCounts
    phases: tuple[PhaseRow, ...]
    best: tuple[TrialRow, ...]
    finalists: tuple[FinalistRow, ...]
    base: BasePolicy
    policy_toml: str | None
    plateau: PlateauView | None
    parameters: tuple[ParameterWeight, ...]
    overfitting: OverfittingFigures | None
    luck: tuple[LuckRow, ...]
    engine: EngineRecord | None
    limits: tuple[SearchLimit, ...]
    assumptions: tuple[Assumption, ...]
    parts: tuple[SearchPart, ...]
    embargoed_count: int
    holdout: HoldoutNote
    digests: Mapping[str, str]
    code_version: str
    history: History
    coordinates: Coordinates
    landscape: LandscapeMap | None
    validation: TrainAndValidation
    sharpes: SharpeSpread | None
    logits: LogitSpread | None


def search_report(inputs: SearchReportInputs) -> SearchReport:
    """Assembles the report of one finished search. Pure: the same inputs give the same report."""
    best = best_rows(inputs.trials)
    weights = parameter_weights(inputs, [row.parameters for row in best])
    shown = landscape_map(inputs, weights)
    both = train_and_validation(inputs)
    return SearchReport(
        schema_version=SEARCH_REPORT_SCHEMA_VERSION,
        lead_id=inputs.lead_id,
        nickname=inputs.nickname,
        origin=inputs.origin.value,
        conclusion=conclude_search(inputs),
        findings=doubts(inputs, weights, both),
        search=_question(inputs),
        counts=counts_of_trials(inputs.trials, inputs.totals),
        phases=phase_rows(inputs.batches, inputs.trials),
        best=best,
        finalists=finalist_rows(inputs),
        base=inputs.base,
        policy_toml=inputs.policy_toml,
        plateau=plateau_view(inputs, shown),
        parameters=weights,
        overfitting=inputs.overfitting,
        luck=luck_rows(inputs.overfitting, inputs.luck_limits),
        engine=inputs.engine,
        limits=tuple(inputs.limits),
        assumptions=search_assumptions(inputs),
        parts=tuple(inputs.parts),
        embargoed_count=inputs.embargoed_count,
        holdout=inputs.holdout,
        digests=dict(inputs.digests),
        code_version=inputs.code_version,
        history=history_of(inputs.trials),
        coordinates=coordinates_of(inputs),
        landscape=shown,
        validation=both,
        sharpes=sharpe_spread(inputs),
        logits=logit_spread(inputs),
    )


def search_report_document(report: SearchReport) -> dict[str, object]:
    """The report as plain JSON types: the content of `search.json`, and what every rendering reads."""
    return cast("dict[str, object]", plain(report))


def _question(inputs: SearchReportInputs) -> SearchQuestion:
    return SearchQuestion(
        search_id=inputs.search_id,
        space=inputs.space_name,
        space_size=inputs.space_size,
        sampler=inputs.sampler,
        seed=inputs.seed,
        wanted_count=inputs.wanted_count,
        objective=inputs.objective,
        strategy=inputs.strategy,
        shortfall=inputs.shortfall,
    )
