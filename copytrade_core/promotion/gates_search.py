"""Gates about the choosing: overfitting, holdout_unspent, engine_equivalence.

Whether the result is good belongs to `gates_result.py`. What a search found counts only for the policy and the data it
was about.
"""

from __future__ import annotations

from copytrade_core.model.overfitting import OverfittingFigures
from copytrade_core.promotion.contract import Contract
from copytrade_core.promotion.criteria import Judge, statement
from copytrade_core.promotion.facts import CandidateFacts, EngineFacts, HoldoutFacts
from copytrade_core.promotion.gate_result import Criterion, Gate, GateResult, GateVerdict, result_of
from copytrade_core.promotion.gates_result import REJECT, search_command

PASS, FAIL, INCONCLUSIVE = GateVerdict.PASS, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE
NO_SEARCH = "no search has been made on this data"
NOT_OF_THIS = "no search on this data has judged exactly this policy"
EQUAL = "EQUAL"


def overfitting(facts: CandidateFacts, contract: Contract) -> GateResult:
    """The result is more than the luck of the best of all trials: deflated Sharpe ratio, PBO, validation's interval."""
    judge = Judge(gate=Gate.OVERFITTING, contract=contract, origin=facts.assumptions.origin)
    criteria = [_registry_reads(facts), *_trials(judge, facts), _choice(judge, facts), _validation(judge, facts)]
    return result_of(Gate.OVERFITTING, criteria)


def _registry_reads(facts: CandidateFacts) -> Criterion:
    return statement(
        name="registry_verifies",
        verdict=PASS if facts.trials.fault is None else FAIL,
        reason=f"the trials cannot be counted: {facts.trials.fault}",
        fix="Bring registry/trials back from a backup; a trial that was made stays counted",
        command="copytrade doctor",
    )


def _trials(judge: Judge, facts: CandidateFacts) -> list[Criterion]:
    figures, search = facts.trials.figures, search_command(facts)
    sampled = facts.trials.sampled_count
    poll = f"copytrade poll --lead {facts.lead_id} --once"
    enough = judge.enough(
        "trips_count_min",
        None if figures is None else float(figures.observations_count),
        absent="the trials cannot be counted",
        fix="Wait for more signals of this lead",
        command=poll,
    )
    told = enough.verdict is PASS and sampled > 0
    return [
        judge.enough(
            "trials_count_min",
            float(sampled) if sampled else None,
            absent=NO_SEARCH,
            fix="Search: the best of a few tries by hand says nothing about luck",
            command=search,
        ),
        enough,
        judge.on_prices(
            judge.at_least(
                "deflated_sharpe_ratio_min",
                figures.deflated_sharpe_ratio if told and figures is not None else None,
                absent=_why_not(figures, "deflated_sharpe_ratio", sampled),
                fix=REJECT if told else "Search, and wait for more signals",
                command=search,
            )
        ),
    ]


def _why_not(figures: OverfittingFigures | None, field: str, sampled: int) -> str:
    if figures is None:
        return "the trials cannot be counted"
    return NO_SEARCH if not sampled else dict(figures.reasons).get(field, "too few round trips")


def _choice(judge: Judge, facts: CandidateFacts) -> Criterion:
    search = facts.search_of_judged
    figures = None if search is None else search.overfitting
    ratio = None if figures is None else figures.backtest_overfitting_ratio
    absent = NOT_OF_THIS if figures is None else dict(figures.reasons).get("backtest_overfitting_ratio", NOT_OF_THIS)
    return judge.on_prices(
        judge.at_most(
            "backtest_overfitting_ratio_max",
            ratio,
            absent=absent,
            fix=REJECT if ratio is not None else "Judge the champion of a search on this data",
            command=search_command(facts),
        )
    )


def _validation(judge: Judge, facts: CandidateFacts) -> Criterion:
    measured = facts.parts.get("validation")
    return judge.on_prices(
        judge.above(
            "validation_net_interval_low_usdt_above",
            None if measured is None else measured.net_interval_low_usdt,
            absent="fewer than two round trips on validation",
            fix=REJECT,
            command=f"copytrade evidence --lead {facts.lead_id}",
        )
    )


def holdout_unspent(facts: CandidateFacts, contract: Contract) -> GateResult:
    """The ledger verifies, and the holdout is fresh or was first opened for exactly this candidate, which held up."""
    judge = Judge(gate=Gate.HOLDOUT_UNSPENT, contract=contract, origin=facts.assumptions.origin)
    holdout, show = facts.holdout, f"copytrade holdout show --lead {facts.lead_id}"
    wait = "Wait until new signals have replaced the spent ones"
    return result_of(
        Gate.HOLDOUT_UNSPENT,
        [
            statement(
                name="ledger_verifies",
                verdict=PASS if holdout.fault is None else FAIL,
                reason=holdout.fault or "",
                fix="Bring registry/holdout_ledger.jsonl back from a backup; a ledger is never edited",
                command="copytrade holdout verify",
            ),
            statement(
                name="holdout_has_signals",
                verdict=PASS if holdout.signals_count else INCONCLUSIVE,
                reason="the holdout has no signal",
                fix="Wait for more signals of this lead",
                command=f"copytrade poll --lead {facts.lead_id} --once",
            ),
            statement(
                name="opened_for_no_other_candidate",
                verdict=FAIL if holdout.others is not None else INCONCLUSIVE if holdout.fault is not None else PASS,
                reason=f"the holdout is spent: {holdout.others}",
                fix=wait,
                command=show,
            ),
            judge.at_most(
                "openings_count_max",
                float(holdout.openings_count) if holdout.fault is None else None,
                absent="the ledger cannot be trusted",
                fix=wait,
                command=show,
            ),
            _own_result(facts, holdout, show),
        ],
    )


def _own_result(facts: CandidateFacts, holdout: HoldoutFacts, show: str) -> Criterion:
    if holdout.own is not None and holdout.own_verdict is None:
        return statement(
            name="held_up",
            verdict=INCONCLUSIVE,
            reason=f"the holdout was opened and its replay did not end: {holdout.own}",
            fix="Open it again for the same candidate: the opening stands and is finished",
            command=f"copytrade holdout open --lead {facts.lead_id} --policy FILE",
        )
    verdict = PASS if holdout.own_verdict is None else GateVerdict(holdout.own_verdict)
    return statement(name="held_up", verdict=verdict, reason=holdout.own or "", fix=REJECT, command=show)


def engine_equivalence(facts: CandidateFacts, contract: Contract) -> GateResult:
    """Both engines gave the same fills, bit for bit, for the judged policy among others, on this data."""
    judge = Judge(gate=Gate.ENGINE_EQUIVALENCE, contract=contract, origin=facts.assumptions.origin)
    search, again = facts.search, search_command(facts)
    of_data = search is not None and search.data_digest == facts.judged.data_digest
    of_code = search is not None and search.code_version == facts.judged.code_version
    engine = search.engine if search is not None else None
    return result_of(
        Gate.ENGINE_EQUIVALENCE,
        [
            _engines_equal(engine, again),
            statement(
                name="on_this_data",
                verdict=PASS if of_data and engine is not None else INCONCLUSIVE,
                reason="the engines were not compared on this data",
                fix="Search again on the data of today",
                command=again,
            ),
            statement(
                name="by_this_code",
                verdict=PASS if of_code and engine is not None else INCONCLUSIVE,
                reason="the engines that were compared are not those of this code version",
                fix="Search again with this version",
                command=again,
            ),
            statement(
                name="judged_policy_compared",
                verdict=PASS if engine and facts.judged.policy_digest in engine.policy_digests else INCONCLUSIVE,
                reason="the judged policy was not among the candidates compared",
                fix="Search around this policy, or judge the champion of the search",
                command=again,
            ),
            judge.enough(
                "candidates_compared_count_min",
                None if engine is None else float(engine.compared_count),
                absent="no search has compared the engines",
                fix="Search with more candidates to compare (settings/search.toml)",
                command=again,
            ),
        ],
    )


def _engines_equal(engine: EngineFacts | None, again: str) -> Criterion:
    if engine is None:
        verdict, reason = INCONCLUSIVE, "no search has compared the engines"
    elif engine.verdict == EQUAL:
        verdict, reason = PASS, ""
    else:
        verdict, reason = FAIL, f"the fast engine is {engine.verdict}: {engine.difference or 'it differs'}"
    return statement(
        name="engines_equal",
        verdict=verdict,
        reason=reason,
        fix="Search on this data" if engine is None else "Report this: no result of the fast engine counts",
        command=again,
    )
