"""What a step needs against what is there: a permit, or the list of what is missing.

Looking evaluations up belongs to the orchestrator; approvals are signed by people and by nothing in this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from typing_extensions import override

from copytrade_core.promotion.contract import Contract, Step
from copytrade_core.promotion.facts import CandidateFacts
from copytrade_core.promotion.gate_result import Gate, GateResult, GateVerdict

DID_NOT_PASS = "its latest evaluation did not pass"  # noqa: S105 - a verdict, not a password
"""Not worth a line of its own where the number itself does not pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Materialisation:
    """The latest stored event of the promotion evidence of one lead, as the orchestrator's instance has it."""

    storage_id: int
    run_id: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckEvaluation:
    """The latest evaluation of one gate for one lead.

    `digest` is what the check itself wrote that it had read; `target_storage_id` the materialisation the instance says
    it judged. `run_id` is None when no run made it (reported from outside).
    """

    succeeded: bool
    passed: bool
    run_id: str | None
    target_storage_id: int | None
    target_run_id: str | None
    digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvidence:
    """What re-reading the store gave: the digest of the verified bytes and the gates computed again from them."""

    digest: str
    evidence_digest: str
    facts: CandidateFacts
    results: Mapping[Gate, GateResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """One thing that stands between a candidate and the step. `gate` is None when it is not about one gate."""

    gate: Gate | None
    what: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Every machine-checked requirement of a step holds for exactly this evidence. It is not an approval."""

    lead_id: str
    step: Step
    evidence_digest: str
    contract_digest: str
    materialisation_storage_id: int
    granted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a step may not be taken; `missing` is never empty."""

    lead_id: str
    step: Step
    missing: tuple[Missing, ...]

    @override
    def __str__(self) -> str:
        lines = [f"{self.step} of lead {self.lead_id} is refused:"]
        lines += [f"- {item.gate or 'chain'}: {item.what}. {item.fix}" for item in self.missing]
        return "\n".join(lines)


def decide(
    *,
    step: Step,
    lead_id: str,
    contract: Contract,
    stored: StoredEvidence,
    materialisation: Materialisation | None,
    evaluations: Mapping[Gate, CheckEvaluation],
    now: datetime,
) -> Permit | Refusal:
    """Permit exactly when every required gate passes twice: as recorded by a run, and as computed again just now.

    Args:
        step: the step asked for.
        lead_id: the lead it is asked for.
        contract: the digested contract; what is required comes from here only.
        stored: the evidence re-read from the store.
        materialisation: the latest one in the instance.
        evaluations: the latest evaluation of each gate in the instance.
        now: for the age of the evidence.
    """
    missing = [*_evidence_missing(lead_id, contract, stored, materialisation, now)]
    for gate in contract.required[step]:
        if gate is Gate.HUMAN_APPROVAL:
            missing.append(_approval_missing())
            continue
        missing.extend(_gate_missing(gate, stored, materialisation, evaluations.get(gate), lead_id))
    if missing or materialisation is None:
        return Refusal(lead_id=lead_id, step=step, missing=tuple(missing))
    return Permit(
        lead_id=lead_id,
        step=step,
        evidence_digest=stored.evidence_digest,
        contract_digest=contract.digest,
        materialisation_storage_id=materialisation.storage_id,
        granted_at=now,
    )


def _approval_missing() -> Missing:
    return Missing(
        gate=Gate.HUMAN_APPROVAL,
        what="approval missing: no person has signed this step, and no approval can be verified yet",
        fix="Approvals come with a later step of the project; nothing in it can sign one",
    )


def _evidence_missing(
    lead_id: str, contract: Contract, stored: StoredEvidence, materialisation: Materialisation | None, now: datetime
) -> list[Missing]:
    again = f"Materialise promotion_evidence for {lead_id} again"
    found: list[Missing] = []
    if stored.facts.lead_id != lead_id:
        found.append(Missing(gate=None, what=f"the evidence is about lead {stored.facts.lead_id}", fix=again))
    if materialisation is None:
        found.append(Missing(gate=None, what="no run has materialised promotion_evidence for this lead", fix=again))
    elif materialisation.digest != stored.digest:
        found.append(
            Missing(gate=None, what="the store and the latest materialisation hold different bytes", fix=again)
        )
    newest = stored.facts.source.newest_page_at
    if newest is None or (now - newest).total_seconds() > contract.evidence_age_s_max:
        what = f"the evidence has expired: its newest page is of {newest}"
        found.append(Missing(gate=None, what=what, fix=f"Poll the lead, then {again[0].lower()}{again[1:]}"))
    return found


def _gate_missing(
    gate: Gate,
    stored: StoredEvidence,
    materialisation: Materialisation | None,
    evaluation: CheckEvaluation | None,
    lead_id: str,
) -> list[Missing]:
    computed = stored.results.get(gate)
    if computed is None:
        what = "not evaluated: its step of the project does not exist yet"
        return [Missing(gate=gate, what=what, fix="Nothing can produce it today")]
    found: list[Missing] = []
    if computed.verdict is not GateVerdict.PASS:
        deciding = computed.deciding
        what = f"{computed.verdict.value.upper()}: {deciding.name}: {deciding.reason}"
        found.append(Missing(gate=gate, what=what, fix=f"{deciding.fix} ({deciding.command})"))
    run = f"Run the checks of promotion_evidence for {lead_id}"
    recorded = _record_fault(stored, materialisation, evaluation)
    if recorded is not None and not (found and recorded == DID_NOT_PASS):
        found.append(Missing(gate=gate, what=recorded, fix=run))
    return found


def _record_fault(
    stored: StoredEvidence, materialisation: Materialisation | None, evaluation: CheckEvaluation | None
) -> str | None:
    if evaluation is None:
        return "no run has evaluated it for this lead"
    if not evaluation.run_id:
        return "its latest evaluation was reported from outside, not made by a run"
    if not evaluation.succeeded or not evaluation.passed:
        return DID_NOT_PASS
    if materialisation is None or evaluation.target_storage_id != materialisation.storage_id:
        return "its latest evaluation judged another materialisation"
    if evaluation.target_run_id != materialisation.run_id:
        return "its latest evaluation names another run than the materialisation"
    if evaluation.digest != stored.digest:
        return "its latest evaluation read other bytes than the ones stored now"
    return None
