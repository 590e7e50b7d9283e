"""The promotion stage: gates over stored evidence, the promotion evidence itself, and what a step still lacks.

What a gate demands belongs to `promotion`; what the orchestrator's instance recorded is looked up by the orchestrator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from copytrade_core.edges.lake import Head
from copytrade_core.edges.stages.candidate import candidate_facts
from copytrade_core.edges.stages.policies import policy_digests
from copytrade_core.edges.stages.workplace import SCHEMA_VERSION, StageOutcome, Workplace, parents
from copytrade_core.edges.tables import canonical_json
from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import PromotionRefused
from copytrade_core.promotion.chain import CheckEvaluation, Materialisation, Permit, Refusal, StoredEvidence, decide
from copytrade_core.promotion.contract import Contract, Step
from copytrade_core.promotion.evidence_digest import Lineage, evidence_digest
from copytrade_core.promotion.facts import CandidateFacts
from copytrade_core.promotion.gate_result import Gate, GateResult
from copytrade_core.promotion.gates import evaluate

EVIDENCE = (
    "closed_positions",
    "source_counts",
    "episodes",
    "split_manifest",
    "study",
    "round_trips",
    "fills",
    "equity",
)
"""Stored inputs of the promotion evidence, all by lead."""
OPTIONAL = (
    "evidence_report",
    "search_report",
    "holdout_result",
    "preflight_result",
    "paper_record",
    "monitor_incidents",
)
"""Named as parents where they are stored. Gates read the holdout from its ledger, not from this document."""
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def gate_results(place: Workplace, lead_id: str) -> Mapping[Gate, GateResult]:
    """Every gate over what is stored now.

    Raises:
        NotStored: a stage has not run.
    """
    return evaluate(candidate_facts(place, lead_id), place.contract(), now=place.now())


def promotion_evidence(place: Workplace, lead_id: str) -> StageOutcome:
    """Stores `promotion_evidence`: lineage, facts, gate verdicts as of the newest page, and one digest over all.

    Same stored inputs give the same bytes: no clock is in it.

    Raises:
        NotStored: a stage has not run.
        PromotionRefused: the inputs do not belong together, or the code has no version.
    """
    heads = {asset: place.lake.require(asset, lead_id) for asset in EVIDENCE}
    contract = place.contract()
    document, results, _ = _evidence_document(place, lead_id, heads, contract)
    metadata: dict[str, object] = {
        "evidence_digest": document["evidence_digest"],
        "gates": {gate.value: result.verdict.value for gate, result in results.items()},
        "contract_digest": contract.digest,
    }
    stored = place.lake.put_document(
        "promotion_evidence",
        lead_id,
        document,
        schema_version=SCHEMA_VERSION,
        code_version=place.code_version,
        parents={**parents(*heads.values()), **_optional_parents(place, lead_id)},
        metadata=metadata,
    )
    return StageOutcome(heads=(stored,), metadata=metadata)


def stored_evidence(place: Workplace, lead_id: str) -> StoredEvidence:
    """The promotion evidence read back without trust: bytes re-hashed, facts and gates computed again and compared.

    Raises:
        NotStored: there is none.
        StoreFault: stored bytes were changed.
        PromotionRefused: what is stored does not follow from its inputs any more.
    """
    head = place.lake.require("promotion_evidence", lead_id)
    content = place.lake.verified_bytes("promotion_evidence", lead_id, head.digest)
    heads = {asset: place.lake.require(asset, lead_id) for asset in EVIDENCE}
    contract = place.contract()
    document, _, facts = _evidence_document(place, lead_id, heads, contract)
    if canonical_json(document) != content:
        raise PromotionRefused(
            f"the promotion evidence of lead {lead_id} does not follow from what is stored now",
            next_step=f"Materialise promotion_evidence for {lead_id} again",
        )
    return StoredEvidence(
        digest=head.digest,
        evidence_digest=str(document["evidence_digest"]),
        facts=facts,
        results=evaluate(facts, contract, now=place.now()),
    )


def decide_step(
    place: Workplace,
    lead_id: str,
    step: Step,
    *,
    materialisation: Materialisation | None,
    evaluations: Mapping[Gate, CheckEvaluation],
) -> Permit | Refusal:
    """The chain's answer for a step; see `promotion.chain.decide`. Errors as `stored_evidence`."""
    return decide(
        step=step,
        lead_id=lead_id,
        contract=place.contract(),
        stored=stored_evidence(place, lead_id),
        materialisation=materialisation,
        evaluations=evaluations,
        now=place.now(),
    )


def _evidence_document(
    place: Workplace, lead_id: str, heads: Mapping[str, Head], contract: Contract
) -> tuple[dict[str, object], Mapping[Gate, GateResult], CandidateFacts]:
    facts = candidate_facts(place, lead_id)
    # As of the newest page: freshness is asked again whenever a gate is, and must not change these bytes.
    as_of = facts.source.newest_page_at or LONG_AGO
    results = evaluate(_as_looked_at(facts, contract, as_of), contract, now=as_of)
    lineage = _lineage(place, lead_id, heads, contract)
    document: dict[str, object] = {
        "lead_id": lead_id,
        "evidence_digest": evidence_digest(lineage, facts, results),
        "lineage": lineage,
        "facts": _timeless(facts),
        "gates": results,
    }
    return msgspec.to_builtins(document), results, facts


def _timeless(facts: CandidateFacts) -> CandidateFacts:
    preflight = None if facts.preflight is None else replace(facts.preflight, made_at=None)
    return replace(
        facts,
        source=replace(facts.source, newest_page_at=None),
        preflight=preflight,
        canary=facts.canary.without_clock,
    )


def _as_looked_at(facts: CandidateFacts, contract: Contract, as_of: datetime) -> CandidateFacts:
    """The monitor looks every few minutes; one more look that finds the same must not change the evidence."""
    incidents = facts.canary.incidents
    if incidents is None or incidents.looked_at is None:
        return facts
    enough = int(contract.threshold(Gate.MONITOR_CLEAN, "passes_count_min").value)
    looked = replace(incidents, looked_at=as_of, passes_count=enough if incidents.passes_count >= enough else 0)
    return replace(facts, canary=replace(facts.canary, incidents=looked))


def _lineage(place: Workplace, lead_id: str, heads: Mapping[str, Head], contract: Contract) -> Lineage:
    study, settings = heads["study"], place.settings
    if study.parents.get(f"episodes/{lead_id}") != heads["episodes"].digest:
        raise PromotionRefused(
            f"the replay of lead {lead_id} read other episodes than the ones stored now",
            next_step=f"Replay the lead again: copytrade evidence --lead {lead_id}",
        )
    return Lineage(
        pages=str(place.lake.require("source_pages", lead_id).metadata["page_set_digest"]),
        positions=heads["closed_positions"].digest,
        episodes=heads["episodes"].digest,
        bars=_of(study, "bars/"),
        funding=_of(study, "funding/"),
        instruments=_of(study, "instruments/"),
        split_manifest=heads["split_manifest"].digest,
        round_trips=heads["round_trips"].digest,
        equity=heads["equity"].digest,
        study=study.digest,
        policies=policy_digests(settings),
        fills=digest_of([settings.replay.market_fill, settings.replay.rung_fill]),
        costs=study.parents["assumptions"],
        venue=settings.replay.venue_rules,
        contract=contract.digest,
        code_version=place.code_version,
    )


def _of(study: Head, prefix: str) -> dict[str, str]:
    return {name: digest for name, digest in study.parents.items() if name.startswith(prefix)}


def _optional_parents(place: Workplace, lead_id: str) -> dict[str, str]:
    found = [place.lake.head(asset, lead_id) for asset in OPTIONAL]
    return parents(*(head for head in found if head is not None))
