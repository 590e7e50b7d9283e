"""The lead's holdout and what the ledger says about it, for the stage that opens it and for the gates.

Who may open what belongs to `promotion/holdout_ledger.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from copytrade_core.edges.holdout_file import HoldoutFile
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.evidence.splits import Part, SplitManifest
from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import StoreFault
from copytrade_core.model.measure import Measures
from copytrade_core.model.round_trip import ReplayResult, ReplaySpec
from copytrade_core.promotion.facts import HoldoutFacts, JudgedFacts
from copytrade_core.promotion.gate_result import GateVerdict
from copytrade_core.promotion.holdout_ledger import Claim, Entry, Holdout, claims_of_lead, claims_on, told

ANY_SOURCE = "any"
"""Where a cost comes from is words about it, not an assumption."""


def holdout_of(split: SplitManifest, lead_id: str, data_digest: str) -> Holdout | None:
    """The holdout of a split; None when it has no signal."""
    part = split.part(Part.HOLDOUT)
    if part.first_signal_at_ms is None or part.last_signal_at_ms is None:
        return None
    return Holdout(
        lead_id=lead_id,
        split_digest=split.digest,
        data_digest=data_digest,
        episode_ids=part.episode_ids,
        first_signal_at_ms=part.first_signal_at_ms,
        last_signal_at_ms=part.last_signal_at_ms,
    )


def terms_digest(spec: ReplaySpec) -> str:
    """The assumptions that somebody decides; what every page of the lead changes (its margin balance) is not in it."""
    return digest_of(replace(spec, lead_margin_balance=None, costs=replace(spec.costs, source=ANY_SOURCE)))


def ledger_of(place: Workplace) -> HoldoutFile:
    """The holdout ledger of the store."""
    return HoldoutFile(place.lake, place.code_version)


def holdout_facts(
    place: Workplace, judged: JudgedFacts, result: ReplayResult, holdout: Holdout | None, lead_id: str
) -> tuple[HoldoutFacts, Mapping[str, Measures]]:
    """What gates read about the holdout, and its measures by part name: none unless it was opened for this policy.

    A result under other assumptions or on other prices than the judged study's is told and shows no measures.

    Args:
        place: where the ledger is.
        judged: the candidate.
        result: the judged study's main result.
        holdout: of today; None without signals.
        lead_id: whose.
    """
    try:
        entries = ledger_of(place).entries()
    except StoreFault as error:
        return _untrusted(str(error), holdout), {}
    seen = () if holdout is None else claims_on(entries, holdout)
    others = [claim for claim in seen if claim.opened.candidate != judged.policy_digest]
    own = _own(entries, lead_id, judged.policy_digest)
    fits = own is not None and own.finished is not None and _fits(own, result)
    facts = HoldoutFacts(
        fault=None,
        signals_count=0 if holdout is None else len(holdout.episode_ids),
        openings_count=len(seen),
        others=told(others[0]) if others else None,
        own=None if own is None else _told(own, fits=fits),
        own_verdict=None if own is None else _verdict(own, fits=fits),
    )
    return facts, {Part.HOLDOUT.value: own.finished.measures} if own and own.finished and fits else {}


def _own(entries: Sequence[Entry], lead_id: str, candidate: str) -> Claim | None:
    own = [claim for claim in claims_of_lead(entries, lead_id) if claim.opened.candidate == candidate]
    return own[-1] if own else None


def _fits(own: Claim, result: ReplayResult) -> bool:
    same_prices = own.finished is not None and own.finished.origin == result.origin.value
    return same_prices and own.opened.assumptions_digest == terms_digest(result.spec)


def _told(own: Claim, *, fits: bool) -> str:
    changed = own.finished is not None and not fits
    return told(own) + ("; under other assumptions or prices than the study that is judged" if changed else "")


def _verdict(own: Claim, *, fits: bool) -> str | None:
    if own.finished is None:
        return None
    failed = own.finished.verdict is GateVerdict.FAIL
    return (own.finished.verdict if fits or failed else GateVerdict.INCONCLUSIVE).value


def _untrusted(fault: str, holdout: Holdout | None) -> HoldoutFacts:
    return HoldoutFacts(
        fault=fault,
        signals_count=0 if holdout is None else len(holdout.episode_ids),
        openings_count=0,
        others=None,
        own=None,
        own_verdict=None,
    )
