"""Judging a sampled search: finalists on validation, both engines side by side, luck, and the holdout's ledger.

Only what survives all of them is called a champion; otherwise the reasons are the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from copytrade_core.edges.stages.holdout_facts import holdout_of, ledger_of
from copytrade_core.edges.stages.manual_trials import ManualTries, record_manual
from copytrade_core.edges.stages.search_desk import SearchDesk
from copytrade_core.edges.stages.search_engines import Engines, compared
from copytrade_core.edges.stages.search_luck import Luck, luck_of
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.evidence.search_inputs import BasePolicy, HoldoutNote
from copytrade_core.model.digest import digest_of
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.trial import Trial, TrialMetrics
from copytrade_core.promotion.holdout_ledger import Fresh, Unfinished, claims_on, state_of, told
from copytrade_core.replay.equivalence import EngineVerdict, EquivalenceRecord
from copytrade_core.replay.reference import replay
from copytrade_core.search.engine import KernelEngine
from copytrade_core.search.finalists import Champion, Judged, finalists_of, judge
from copytrade_core.search.halving import unreadable
from copytrade_core.search.metrics import metrics_of
from copytrade_core.search.plan import SearchPlan, policy_of
from copytrade_core.search.samples import equivalence_sample, overfitting_sample


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """What became of a search. `champion` is None when `reasons` say why.

    `luck` is about the champion, else about the finalist that came closest; None without a finalist.
    `validation_sample` is for a picture only: nothing is chosen by it.
    """

    champion: Judged | None
    reasons: tuple[str, ...]
    judged: tuple[Judged, ...]
    engine: EquivalenceRecord | None
    luck: Luck | None
    holdout: HoldoutNote
    base: BasePolicy
    validation_sample: Mapping[str, TrialMetrics]

    @property
    def subject(self) -> Judged | None:
        """Whom the figures are about: the champion, else the finalist that came closest."""
        return self.champion or closest(self.judged)


def judgement_of(place: Workplace, desk: SearchDesk, engines: Engines, trials: Sequence[Trial]) -> Judgement:
    """Judges the trials of a search; the same trials and the same registry give the same judgement.

    Raises:
        BadInput: a trial is not the policy that its parameters give now.
        StoreFault: the registry or the holdout's ledger does not verify.
    """
    plan = desk.plan
    finalists = finalists_of(plan, trials)
    base = _base(place, desk, engines)  # first: it is a try, too, and counted with all others
    answer = judge(plan, trials, _by_trial(desk, engines.validation, finalists))
    winner = answer.winner if isinstance(answer, Champion) else None
    subject = winner or closest(answer.judged)
    engine = compared(desk, engines, equivalence_sample(plan, trials), finalists)
    luck = None if subject is None else luck_of(place, desk, engines, subject.trial, trials)
    holdout, spent = _holdout(place, desk, winner)
    reasons = [] if isinstance(answer, Champion) else list(answer.reasons)
    if engine is not None and engine.verdict is not EngineVerdict.EQUAL:
        reasons.insert(0, f"the fast engine is {engine.verdict}: {engine.differences[0]}")
    if winner is not None and luck is not None:
        reasons += [f"trial {winner.trial.number}: {doubt}" for doubt in luck.doubts]
        reasons += spent
    sample = _by_trial(desk, engines.validation, overfitting_sample(plan, trials))
    return Judgement(
        champion=None if reasons else winner,
        reasons=tuple(reasons),
        judged=answer.judged,
        engine=engine,
        luck=luck,
        holdout=holdout,
        base=base,
        validation_sample={name: found for name, found in sample.items() if found is not None},
    )


def closest(judged: Sequence[Judged]) -> Judged | None:
    """The first finalist that validation and its neighbours left standing, else the best."""
    return next((one for one in judged if not one.reasons), next(iter(judged), None))


def judgement_digest(search_id: str, trials_digest: str, found: Judgement) -> str:
    """Identity of what a search found.

    Neither time nor what other searches did to the registry is in it: the same question on the same data has one.
    """
    engine = None if found.engine is None else (found.engine.verdict, found.engine.hash_of_hashes)
    return digest_of(
        {
            "search_id": search_id,
            "trials": trials_digest,
            "finalists": [(one.trial.trial_id, one.validation, one.plateau, one.reasons) for one in found.judged],
            "engine": engine,
            "base": found.base,
        }
    )


def _by_trial(desk: SearchDesk, engine: KernelEngine, trials: Sequence[Trial]) -> dict[str, TrialMetrics | None]:
    """Figures on validation by trial id; None = could not be evaluated."""
    policies = [policy_of(desk.plan, trial) for trial in trials]
    found = _evaluated(desk.plan, engine, len(desk.validation), policies)
    return {trial.trial_id: metrics for trial, metrics in zip(trials, found, strict=True)}


def _evaluated(
    plan: SearchPlan, engine: KernelEngine, signals_count: int, policies: Sequence[PolicySpec]
) -> list[TrialMetrics | None]:
    if not policies or not signals_count:
        return [None] * len(policies)
    table = engine(policies, signals_count)
    return [
        None
        if unreadable(table, row) is not None
        else metrics_of(table, row, objective=plan.settings.objective, initial_equity=plan.initial_equity)
        for row in range(len(policies))
    ]


def _base(place: Workplace, desk: SearchDesk, engines: Engines) -> BasePolicy:
    """The strategy itself: what the search is compared with, and so a try by hand."""
    plan = desk.plan
    result = replay((*desk.train, *desk.validation), plan.base, desk.spec, desk.markets.data)
    tries = ManualTries(
        results=[(desk.question.strategy, result)],
        split=desk.split,
        data_digest=plan.data_digest,
        assumptions_digest=plan.assumptions_digest,
    )
    _ = record_manual(place, desk.lead_id, tries)
    return BasePolicy(
        name=plan.base.name,
        train=_evaluated(plan, engines.train, len(desk.train), [plan.base])[0],
        validation=_evaluated(plan, engines.validation, len(desk.validation), [plan.base])[0],
    )


def _holdout(place: Workplace, desk: SearchDesk, winner: Judged | None) -> tuple[HoldoutNote, list[str]]:
    """What the ledger says of the holdout, and why it is no fresh one for this winner."""
    holdout = holdout_of(desk.split, desk.lead_id, desk.plan.data_digest)
    if holdout is None:
        return HoldoutNote(state="empty", signals_count=0, told=()), ["the holdout has no signal to be held against"]
    entries = ledger_of(place).entries()
    state = state_of(entries, holdout)
    claims = claims_on(entries, holdout)
    word = "closed" if isinstance(state, Fresh) else "opened" if isinstance(state, Unfinished) else "spent"
    note = HoldoutNote(state=word, signals_count=len(holdout.episode_ids), told=tuple(told(claim) for claim in claims))
    candidate = None if winner is None else winner.trial.policy_digest
    others = [told(claim) for claim in claims if claim.opened.candidate != candidate]
    return note, [f"the holdout is spent: {others[0]}"] if others else []
