"""The holdout stage: an opening is recorded, the holdout replayed once for one candidate, and the result recorded.

Who may open what belongs to `promotion/holdout_ledger.py`, what is good enough to the contract.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from copytrade_core.edges.stages.episodes import load_episodes
from copytrade_core.edges.stages.holdout_facts import holdout_of, ledger_of, terms_digest
from copytrade_core.edges.stages.holdout_plan import CHAMPION, OpeningPlan, members_of
from copytrade_core.edges.stages.split import split_of
from copytrade_core.edges.stages.workplace import SCHEMA_VERSION, StageOutcome, Workplace
from copytrade_core.evidence.measures import measures
from copytrade_core.evidence.splits import Part
from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import BadInput, PromotionRefused, StoreFault, Where
from copytrade_core.model.round_trip import ReplayResult
from copytrade_core.promotion.criteria import Judge
from copytrade_core.promotion.gate_result import Gate, GateVerdict, worst
from copytrade_core.promotion.gates_result import part_profit
from copytrade_core.promotion.holdout_ledger import (
    Claim,
    Entry,
    Finished,
    Fresh,
    Holdout,
    Opened,
    Unfinished,
    claims_of_lead,
    may_open,
    state_of,
    told,
)
from copytrade_core.replay.reference import replay

SHOWN_BEFORE = ("episodes", "split_manifest", "study", "search_report", CHAMPION)
"""What a candidate may have shown before its holdout is opened: digests of these stand in the record."""
BY_CHARACTERS_MAX = 80
NOT_ASKED = "not asked"
"""A state depends on signals, not on the data they were cut from."""


def check_opening(place: Workplace, plan: OpeningPlan, *, by: str) -> Claim | None:
    """What `open_holdout` would be told now: None for a fresh holdout, the claim when an own opening is to be finished.

    Raises:
        BadInput: nobody is named.
        PromotionRefused: it has been opened; the words are those of the first record.
        StoreFault: the ledger does not verify.
    """
    return may_open(ledger_of(place).entries(), _opened(place, plan, by))


def open_holdout(place: Workplace, plan: OpeningPlan, *, by: str) -> StageOutcome:
    """Records the opening, replays the holdout with the exact engine, records the result, stores `holdout_result`.

    The opening is durable before the replay begins. When that does not end, the same candidate may call this again: the
    opening stands, and exactly its signals are replayed.

    Args:
        place: settings and stores.
        plan: what `plan_opening` gave.
        by: who opens it.

    Raises:
        BadInput: nobody is named.
        PromotionRefused: somebody has opened this holdout before; nothing is recorded or replayed.
        StoreFault: the ledger does not verify or cannot be written.
    """
    ledger = ledger_of(place)
    wanted = _opened(place, plan, by)

    def opening(entries: Sequence[Entry]) -> Opened | Entry:
        claim = may_open(entries, wanted)
        return wanted if claim is None else claim.opening

    opened = ledger.append(opening)
    assert isinstance(opened.record, Opened), "an opening is what was just decided"
    if opened.record.assumptions_digest != wanted.assumptions_digest:
        raise PromotionRefused(
            "this holdout was opened under other assumptions than those in force, and is finished under its own",
            where=Where(field="assumptions"),
            next_step="Bring back the fills, costs and caps of that day in copytrade.toml, then open again",
        )
    result = _replayed(plan, opened.record.holdout)

    def finishing(entries: Sequence[Entry]) -> Finished | Entry:
        done = [one for one in entries if isinstance(one.record, Finished) and one.record.opening == opened.digest]
        return done[0] if done else _finished(place, plan, opened.digest, result)

    _ = ledger.append(finishing)
    return store_holdout_result(place, plan.lead_id)


def store_holdout_result(place: Workplace, lead_id: str) -> StageOutcome:
    """Stores `holdout_result`: what the ledger says of this lead; the same ledger gives the same bytes.

    Raises:
        NotStored: the lead has no episodes.
        StoreFault: the ledger does not verify.
    """
    document = holdout_state(place, lead_id)
    head = place.lake.require("episodes", lead_id)
    stored = place.lake.put_document(
        "holdout_result",
        lead_id,
        document,
        schema_version=SCHEMA_VERSION,
        code_version=place.code_version,
        parents={f"episodes/{lead_id}": head.digest, "promotion_contract": place.contract().digest},
    )
    metadata = {name: document[name] for name in ("state", "signals_count", "told")}
    return StageOutcome(heads=(stored,), metadata=metadata)


def holdout_state(place: Workplace, lead_id: str) -> dict[str, object]:
    """The holdout of today and every opening of the lead as a plain document.

    `state` is `closed` (fresh), `opened` (no result yet), `spent`, or `empty` (no signal).

    Raises:
        NotStored: the lead has no episodes.
        StoreFault: the ledger does not verify.
    """
    entries = ledger_of(place).entries()
    holdout = holdout_of(split_of(place, load_episodes(place, lead_id)), lead_id, NOT_ASKED)
    claims = claims_of_lead(entries, lead_id)
    seen = {name for claim in claims for name in claim.opened.holdout.episode_ids}
    ids = () if holdout is None else holdout.episode_ids
    return {
        "lead_id": lead_id,
        "state": "empty" if holdout is None else _state(entries, holdout),
        "signals_count": len(ids),
        "new_signals_count": len(set(ids) - seen),
        "told": [told(claim) for claim in claims],
        "records": [_record(claim) for claim in claims],
    }


def _state(entries: Sequence[Entry], holdout: Holdout) -> str:
    match state_of(entries, holdout):
        case Fresh():
            return "closed"
        case Unfinished():
            return "opened"
        case _:
            return "spent"


def _record(claim: Claim) -> dict[str, object]:
    opening = {**msgspec.to_builtins(claim.opened), "digest": claim.opening.digest, "entry": claim.opening.sequence}
    return {"opening": opening, "result": msgspec.to_builtins(claim.finished)}


def _opened(place: Workplace, plan: OpeningPlan, by: str) -> Opened:
    name = by.strip()
    if not name or len(name) > BY_CHARACTERS_MAX or not name.isprintable():
        raise BadInput("an opening names who does it, in one short line", where=Where(field="by"))
    heads = {asset: place.lake.head(asset, plan.lead_id) for asset in SHOWN_BEFORE}
    return Opened(
        at=place.now(),
        by=name,
        holdout=plan.holdout,
        candidate=digest_of(plan.policy),
        policy=plan.policy.name,
        assumptions_digest=terms_digest(plan.spec),
        contract_digest=place.contract().digest,
        code_version=place.code_version,
        evidence=tuple((asset, head.digest) for asset, head in heads.items() if head is not None),
    )


def _replayed(plan: OpeningPlan, holdout: Holdout) -> ReplayResult:
    members = members_of(plan.episodes, holdout.episode_ids)
    if len(members) < len(holdout.episode_ids):
        raise StoreFault(
            f"{len(holdout.episode_ids) - len(members)} signals of the opened holdout are not stored any more",
            where=Where(file=f"episodes/{plan.lead_id}"),
            next_step="Bring the archive of this lead back from a backup, then open again for the same candidate",
        )
    return replay(members, plan.policy, plan.spec, plan.markets.data)


def _finished(place: Workplace, plan: OpeningPlan, opening: str, result: ReplayResult) -> Finished:
    contract = place.contract()
    measured = measures(result, contract.bootstrap)
    judge = Judge(gate=Gate.PROFITABILITY, contract=contract, origin=result.origin)
    criteria = part_profit(judge, Part.HOLDOUT.value, measured, "")
    reasons: dict[str, int] = {}
    for skip in result.skipped:
        reasons[skip.reason] = reasons.get(skip.reason, 0) + 1
    return Finished(
        at=place.now(),
        opening=opening,
        candidate=result.policy_digest,
        data_digest=plan.holdout.data_digest,
        code_version=place.code_version,
        origin=result.origin.value,
        verdict=worst([item.verdict for item in criteria]),
        reasons=tuple(f"{item.name}: {item.reason}" for item in criteria if item.verdict is not GateVerdict.PASS),
        skipped=tuple(sorted(reasons.items())),
        fill_hash=str(result.fill_hash),
        measures=measured,
    )
