"""Checks of a stored search: each computes again from what is stored, and says what it saw. None takes a word for it.

Gates about the policy that is to be promoted belong to `promotion`.
"""

from __future__ import annotations

from copytrade_core.edges.lead_search import named_policies
from copytrade_core.edges.stages.data_checks import DataCheck
from copytrade_core.edges.stages.holdout import holdout_state
from copytrade_core.edges.stages.holdout_facts import holdout_of, ledger_of
from copytrade_core.edges.stages.holdout_plan import CHAMPION
from copytrade_core.edges.stages.search import StoredSearch, stored_search
from copytrade_core.edges.stages.search_desk import TRIALS
from copytrade_core.edges.stages.search_engines import compared
from copytrade_core.edges.stages.search_luck import luck_of
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.edges.tables import canonical_json
from copytrade_core.model.errors import StoreFault
from copytrade_core.model.trial import Trial
from copytrade_core.promotion.holdout_ledger import Fresh, claims_on, state_of, told
from copytrade_core.replay.equivalence import EngineVerdict
from copytrade_core.search.finalists import finalists_of
from copytrade_core.search.plateau import plateau_of
from copytrade_core.search.samples import equivalence_sample

HOLDOUT = "holdout_result"
SHOWN = 3
"""Differences that are shown; the rest is counted."""
VERDICT, INCONCLUSIVE = "verdict", "inconclusive"
"""What a check saw when there is nothing that it could ask about."""
NO_CHAMPION = "INCONCLUSIVE. The newest search has no champion: "


def kernel_equals_reference(place: Workplace, lead_id: str) -> DataCheck:
    """Both engines replay the top and a random sample of the registry's trials of this search again.

    Fills, round trips, curve and figures must be equal, and the fills those that the registry holds.
    """
    search = stored_search(place, lead_id)
    plan, trials = search.desk.plan, search.trials
    finalists = finalists_of(plan, trials)
    record = compared(search.desk, search.engines, equivalence_sample(plan, trials), finalists)
    if record is None:
        return DataCheck(passed=False, digest=search.head.digest, says="No trial could be evaluated.", seen={})
    count = len(record.differences)
    return DataCheck(
        passed=record.verdict is EngineVerdict.EQUAL,
        digest=search.head.digest,
        says=f"{record.verdict}: {record.compared_count} policies, {record.fills_count} fills, {count} differences."
        + "".join(f"\n{difference}" for difference in record.differences[:1]),
        seen={
            "verdict": record.verdict.value,
            "compared_count": record.compared_count,
            "fills_count": record.fills_count,
            "differences_count": count,
            "differences": list(record.differences[:SHOWN]),
            "hash_of_hashes": record.hash_of_hashes,
        },
    )


def plateau_is_flat(place: Workplace, lead_id: str) -> DataCheck:
    """The neighbours of the champion did well, too: read again from the registry."""
    digest = place.lake.require(CHAMPION, lead_id).digest
    search = stored_search(place, lead_id)
    champion = _champion(place, search, lead_id)
    if isinstance(champion, str):
        return DataCheck(passed=False, digest=digest, says=champion, seen={VERDICT: INCONCLUSIVE})
    found = plateau_of(search.desk.plan, champion, search.trials)
    return DataCheck(
        passed=found.is_flat,
        digest=digest,
        says="; ".join(found.reasons) or f"{found.neighbours_count} neighbours were tried and hold up.",
        seen={
            "neighbours_count": found.neighbours_count,
            "profitable_ratio": found.profitable_ratio,
            "median_ratio": found.median_ratio,
            "worst_ratio": found.worst_ratio,
        },
    )


def overfitting_within_gate(place: Workplace, lead_id: str) -> DataCheck:
    """The champion's figures against every trial of today are within the limits of the gate `overfitting`."""
    digest = place.lake.require(CHAMPION, lead_id).digest
    search = stored_search(place, lead_id)
    champion = _champion(place, search, lead_id)
    if isinstance(champion, str):
        return DataCheck(passed=False, digest=digest, says=champion, seen={VERDICT: INCONCLUSIVE})
    found = luck_of(place, search.desk, search.engines, champion, search.trials)
    return DataCheck(
        passed=not found.doubts,
        digest=digest,
        says="; ".join(found.doubts) or "The result is more than the luck of the best of all trials.",
        seen={
            "trials_count": found.figures.trials_count,
            "deflated_sharpe_ratio": found.figures.deflated_sharpe_ratio,
            "backtest_overfitting_ratio": found.figures.backtest_overfitting_ratio,
            "validation_net_low_usdt": found.validation_net_low_usdt,
        },
    )


def holdout_unspent(place: Workplace, lead_id: str) -> DataCheck:
    """The ledger's chain verifies, and the holdout is closed or was opened for exactly the champion."""
    digest = place.lake.require(HOLDOUT, lead_id).digest
    try:
        entries = ledger_of(place).entries()
    except StoreFault as error:
        return DataCheck(passed=False, digest=digest, says=str(error), seen={})
    if canonical_json(holdout_state(place, lead_id)) != place.lake.verified_bytes(HOLDOUT, lead_id, digest):
        says = "The ledger or the signals changed since: materialise holdout_result again."
        return DataCheck(passed=False, digest=digest, says=says, seen={})
    search = stored_search(place, lead_id)
    holdout = holdout_of(search.desk.split, lead_id, search.desk.plan.data_digest)
    if holdout is None:
        return DataCheck(passed=False, digest=digest, says="The holdout has no signal.", seen={})
    champion = named_policies(place, lead_id).policy_digest
    claims = claims_on(entries, holdout)
    others = [told(claim) for claim in claims if claim.opened.candidate != champion]
    fresh = isinstance(state_of(entries, holdout), Fresh)
    says = "It is closed." if fresh else f"It is spent: {told(claims[0])}."
    return DataCheck(
        passed=not others,
        digest=digest,
        says=says,
        seen={"entries": len(entries), "signals": len(holdout.episode_ids), "openings": [told(one) for one in claims]},
    )


def _champion(place: Workplace, search: StoredSearch, lead_id: str) -> Trial | str:
    """The champion's trial in the registry, or why there is none."""
    named = named_policies(place, lead_id)
    if named.search_id != search.desk.plan.search_id:
        return f"The champion is of another search than {TRIALS}: materialise search_report and champion_policy again."
    if named.trial is None:
        return NO_CHAMPION + "; ".join(named.reasons)
    trial = search.trials[named.trial]
    if trial.policy_digest != named.policy_digest:
        return f"Trial {named.trial} of the registry is another policy than the champion."
    return trial
