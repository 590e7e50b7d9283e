"""Storing what a search found: the report, and the champion with its policy file or the reasons why there is none.

What the report says belongs to `evidence/search_report.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from copytrade_core.edges.lake import Head
from copytrade_core.edges.reports.search_report_counts import totals_of
from copytrade_core.edges.stages.holdout_facts import ledger_of
from copytrade_core.edges.stages.holdout_plan import CHAMPION
from copytrade_core.edges.stages.replay import lead_detail
from copytrade_core.edges.stages.search_desk import SearchDesk
from copytrade_core.edges.stages.search_judgement import Judgement, judgement_digest
from copytrade_core.edges.stages.trial_facts import GATE_FACTS, REPORT
from copytrade_core.edges.stages.workplace import SCHEMA_VERSION, StageOutcome, Workplace, parents
from copytrade_core.edges.trial_registry import TrialRegistry
from copytrade_core.evidence.search_inputs import (
    BatchRecord,
    EngineRecord,
    LuckLimits,
    SearchPart,
    SearchReportInputs,
)
from copytrade_core.evidence.search_report import SEARCH_REPORT_SCHEMA_VERSION, search_report, search_report_document
from copytrade_core.model.errors import StoreFault, Where
from copytrade_core.model.trial import Trial
from copytrade_core.promotion.facts import EngineFacts, SearchFacts
from copytrade_core.promotion.gate_result import Gate
from copytrade_core.replay.coverage import is_funding_known
from copytrade_core.search.finalists import Judged
from copytrade_core.search.plan import policy_of
from copytrade_core.search.report_records import finalist_records, grids_of, limits_of
from copytrade_core.search.run import shortfall
from copytrade_core.strategies.policy_text import policy_text

SEARCH_DIGEST = "search_digest"


def store_report(place: Workplace, desk: SearchDesk, trials: Head, rows: Sequence[Trial], found: Judgement) -> Head:
    """Stores `search_report`.

    Args:
        place: settings and stores.
        desk: the search.
        trials: head of the stored `trials`.
        rows: those trials, in order.
        found: the judgement over them.
    """
    inputs = _inputs(place, desk, trials, rows, found)
    document: dict[str, object] = {
        **search_report_document(search_report(inputs)),
        SEARCH_DIGEST: judgement_digest(desk.plan.search_id, str(trials.metadata["trials_digest"]), found),
        CHAMPION: _champion(desk, found),
        GATE_FACTS: msgspec.to_builtins(_gate_facts(desk, found)),
    }
    metadata: dict[str, object] = {
        SEARCH_DIGEST: document[SEARCH_DIGEST],
        "search_id": desk.plan.search_id,
        "champion": None if found.champion is None else found.champion.trial.number,
        "reasons": list(found.reasons),
        "engines": None if found.engine is None else found.engine.verdict.value,
    }
    return place.lake.put_document(
        REPORT,
        desk.lead_id,
        document,
        schema_version=SEARCH_REPORT_SCHEMA_VERSION,
        code_version=place.code_version,
        parents={**parents(trials), **judged_with(place, desk)},
        metadata=metadata,
    )


def store_champion(place: Workplace, lead_id: str) -> Head:
    """Stores `champion_policy` as the stored report names it: its policy file, or why there is none; all finalists'.

    Raises:
        NotStored: there is no report.
        StoreFault: the report was changed, or is no report of a search.
    """
    report = place.lake.require(REPORT, lead_id)
    document = place.lake.document_as(REPORT, lead_id, dict[str, object]).get(CHAMPION)
    if not isinstance(document, dict):
        where = Where(file=f"{REPORT}/{lead_id}", field=CHAMPION)
        raise StoreFault("the search report does not say who the champion is", where=where)
    named = msgspec.convert(document, type=dict[str, object])
    return place.lake.put_document(
        CHAMPION,
        lead_id,
        named,
        schema_version=SCHEMA_VERSION,
        code_version=place.code_version,
        parents=parents(report),
        metadata={name: named[name] for name in ("search_id", "trial", "policy_digest", "reasons")},
    )


def stored_result(place: Workplace, desk: SearchDesk, trials: Head | None) -> StageOutcome | None:
    """What is stored of exactly this search under the registry, contract, ledger and code of today; None otherwise."""
    report, champion = place.lake.head(REPORT, desk.lead_id), place.lake.head(CHAMPION, desk.lead_id)
    if trials is None or report is None or champion is None:
        return None
    same_search = trials.metadata.get("search_id") == desk.plan.search_id and trials.parents == dict(desk.parents)
    same_report = report.parents == {**parents(trials), **judged_with(place, desk)}
    of_code = {head.code_version for head in (trials, report, champion)} == {place.code_version}
    if not (same_search and same_report and of_code and champion.parents == parents(report)):
        return None
    for head in (trials, report, champion):
        _ = place.lake.verified_bytes(head.asset, head.partition, head.digest)
    return StageOutcome(heads=(trials, report, champion), metadata=dict(report.metadata))


def judged_with(place: Workplace, desk: SearchDesk) -> dict[str, str]:
    """What a judgement rests on beside the trials: the registry on this data, the contract, the holdout's ledger."""
    entries = ledger_of(place).entries()
    return {
        "registry_trials_count": str(TrialRegistry(place.lake.root).trials_count(desk.plan.data_digest)),
        "promotion_contract": place.contract().digest,
        "holdout_ledger": entries[-1].digest if entries else "empty",
    }


def _champion(desk: SearchDesk, found: Judgement) -> dict[str, object]:
    champion = found.champion
    return {
        "lead_id": desk.lead_id,
        "search_id": desk.plan.search_id,
        "trial": None if champion is None else champion.trial.number,
        "policy_digest": None if champion is None else champion.trial.policy_digest,
        "toml": None if champion is None else _policy_file(desk, champion),
        "reasons": list(found.reasons),
        "finalists": [
            {
                "trial": one.trial.number,
                "policy_digest": one.trial.policy_digest,
                "reasons": list(one.reasons),
                "toml": _policy_file(desk, one),
            }
            for one in found.judged
        ],
    }


def _policy_file(desk: SearchDesk, judged: Judged) -> str:
    plan, trial = desk.plan, judged.trial
    comment = f"trial {trial.number} of search {plan.search_id[:12]}: {plan.space.name} on lead {desk.lead_id}"
    return policy_text(policy_of(plan, trial), comment=comment)


def _gate_facts(desk: SearchDesk, found: Judgement) -> SearchFacts:
    subject, engine = found.subject, found.engine
    return SearchFacts(
        search_id=desk.plan.search_id,
        policy_digest="" if subject is None else subject.trial.policy_digest,
        data_digest=desk.plan.data_digest,
        code_version=desk.plan.code_version,
        neighbours_count=0 if subject is None else subject.plateau.neighbours_count,
        neighbours_profitable_ratio=None if subject is None else subject.plateau.profitable_ratio,
        overfitting=None if found.luck is None else found.luck.figures,
        engine=None
        if engine is None
        else EngineFacts(
            verdict=engine.verdict.value,
            compared_count=engine.compared_count,
            policy_digests=engine.policy_digests,
            difference=next(iter(engine.differences), None),
        ),
    )


def _inputs(
    place: Workplace, desk: SearchDesk, trials: Head, rows: Sequence[Trial], found: Judgement
) -> SearchReportInputs:
    plan, luck, champion, registry = desk.plan, found.luck, found.champion, TrialRegistry(place.lake.root)
    return SearchReportInputs(
        lead_id=desk.lead_id,
        nickname=_nickname(place, desk.lead_id),
        origin=desk.markets.data.origin,
        search_id=plan.search_id,
        space_name=plan.space.name,
        space_size=plan.space.size,
        sampler=plan.sampler.value,
        seed=plan.seed,
        wanted_count=plan.trials_count,
        objective=plan.settings.objective.value,
        strategy=plan.base.name,
        trials=rows,
        batches=msgspec.convert(trials.metadata["batches"], type=tuple[BatchRecord, ...]),
        shortfall=shortfall(plan, rows),
        grids=grids_of(plan.space),
        finalists=finalist_records(plan, rows, found.judged),
        champion_trial_id=None if champion is None else champion.trial.trial_id,
        reasons=found.reasons,
        policy_toml=None if champion is None else _policy_file(desk, champion),
        base=found.base,
        validation_sample=found.validation_sample,
        overfitting=None if luck is None else luck.figures,
        candidates_pnl=np.zeros((0, 0)) if luck is None else luck.candidates_pnl,
        trial_sharpes=registry.sharpes(plan.data_digest) if luck is None else luck.trial_sharpes,
        blocks_count=plan.settings.samples.overfitting_blocks_count,
        luck_limits=_luck_limits(place),
        totals=totals_of(registry.frame(plan.data_digest), registry.head()),
        engine=msgspec.convert(msgspec.to_builtins(found.engine), type=EngineRecord | None),
        parts=_parts(desk),
        embargoed_count=len(desk.split.embargoed),
        longest_holding_ms=desk.split.longest_holding_ms,
        holdout=found.holdout,
        spec=desk.spec,
        funding_known=_funding_known(desk),
        limits=limits_of(plan.settings),
        digests=_digests(desk, trials),
        code_version=place.code_version,
    )


def _nickname(place: Workplace, lead_id: str) -> str | None:
    detail = lead_detail(place, lead_id)
    return None if detail is None else detail.nickname


def _luck_limits(place: Workplace) -> LuckLimits:
    limits = place.contract().thresholds[Gate.OVERFITTING]
    return LuckLimits(
        deflated_sharpe_ratio_min=float(limits["deflated_sharpe_ratio_min"].value),
        backtest_overfitting_ratio_max=float(limits["backtest_overfitting_ratio_max"].value),
    )


def _parts(desk: SearchDesk) -> tuple[SearchPart, ...]:
    return tuple(
        SearchPart(
            name=boundary.part.value,
            signals_count=boundary.signals_count,
            first_signal_at_ms=boundary.first_signal_at_ms,
            last_signal_at_ms=boundary.last_signal_at_ms,
        )
        for boundary in desk.split.parts
    )


def _funding_known(desk: SearchDesk) -> bool:
    """Whether every payment between the first open signal and the longest trade after the last one is known."""
    times = [
        time
        for boundary in desk.split.parts[:2]
        for time in (boundary.first_signal_at_ms, boundary.last_signal_at_ms)
        if time is not None
    ]
    if not times:
        return False
    end_ms = max(times) + desk.split.longest_holding_ms
    markets = {str(episode.market) for episode in (*desk.train, *desk.validation)}
    return all(is_funding_known(desk.markets.data.funding.get(market), min(times), end_ms) for market in markets)


def _digests(desk: SearchDesk, trials: Head) -> dict[str, str]:
    plan = desk.plan
    return {
        "data": plan.data_digest,
        "assumptions": plan.assumptions_digest,
        "space": plan.space.digest,
        "settings": plan.settings.digest,
        "split": desk.split.digest,
        "trials": trials.digest,
    }
