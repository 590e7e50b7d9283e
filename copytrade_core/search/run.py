"""The search itself: propose, judge, remember, batch by batch, the same for the same plan however often it is stopped.

Storing batches, showing progress and preparing the engine belong to the caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.trial import Trial, TrialOrigin
from copytrade_core.search.finalists import finalists_of
from copytrade_core.search.halving import Evaluate, judged, spans_of
from copytrade_core.search.memory import Memory, Proposal
from copytrade_core.search.phases import Stretch, derived_seed, elites_of, stretches_of
from copytrade_core.search.plan import SamplerChoice, SearchPlan, check_plan, point_in, trial_id_of
from copytrade_core.search.plateau import neighbours_of
from copytrade_core.search.samplers import Sampler, sampler_of
from copytrade_core.search.settings import SamplerName
from copytrade_core.search.space import Point, point_of
from copytrade_core.search.space_policy import Unfit, candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBatch:
    """Trials that were judged together: one append to the registry; never empty.

    `is_stored`: it came from `known` and is in the registry already. `asked_count` proposals gave these trials;
    `repeated_count` of them were policies that had been tried, `refused_count` broke a constraint. `sampled_count` of
    `wanted_count` trials have been sampled so far; neighbours are not counted there.
    """

    index: int
    origin: TrialOrigin
    trials: tuple[Trial, ...]
    is_stored: bool
    asked_count: int
    repeated_count: int
    refused_count: int
    sampled_count: int
    wanted_count: int


def search_batches(plan: SearchPlan, evaluate: Evaluate, known: Sequence[Sequence[Trial]]) -> Iterator[TrialBatch]:
    """Run a search: the sampled batches, then the neighbours of every finalist (a manual one is a single trial).

    A policy is tried once: a proposal that repeats one is told its score again and is no trial, and proposals go on
    until the asked number of different policies is reached or no more are found (`shortfall` says so). Only a
    finalist's neighbour that had been halved is tried again, on the whole train part. What is proposed depends on the
    plan and the results alone.

    Args:
        plan: what is asked.
        evaluate: the engine.
        known: stored batches of this search in order. They are proposed again, compared and told, not evaluated.

    Yields:
        Every batch in order, stored ones too.

    Raises:
        BadInput: the plan cannot mean anything (`check_plan`), or `known` is not what this plan proposes.
    """
    check_plan(plan)
    run = _Run(plan, evaluate, known)
    if plan.sampler is SamplerChoice.MANUAL:
        yield from run.manual()
    else:
        yield from run.sampled()
        yield from run.neighbours()
    run.finish()


def shortfall(plan: SearchPlan, trials: Sequence[Trial]) -> str | None:
    """Why a finished search holds fewer sampled trials than were asked for, or None."""
    count = sum(trial.origin is not TrialOrigin.NEIGHBOUR for trial in trials)
    if plan.sampler is SamplerChoice.MANUAL or count >= plan.trials_count:
        return None
    return (
        f"{count} of {plan.trials_count} trials: no more different policies within the constraints were found among "
        f"the {plan.space.size} points of {plan.space.name}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gathered:
    """Proposals of one batch and the points they were found among."""

    points: tuple[Point, ...]
    fresh: tuple[Proposal, ...]


class _Run:
    """One pass through a plan: its memory, its trials and the stored batches it is compared with."""

    def __init__(self, plan: SearchPlan, evaluate: Evaluate, known: Sequence[Sequence[Trial]]) -> None:
        self._plan = plan
        self._evaluate = evaluate
        self._known = known
        self._spans = spans_of(plan.settings.halving, len(plan.train_sides))
        self._memory = Memory(plan, self._spans)
        self._space_digest = plan.space.digest
        self._trials: list[Trial] = []
        self._batches_count = 0
        self._sampled_count = 0

    def manual(self) -> Iterator[TrialBatch]:
        """One trial: the base strategy, or one point."""
        plan = self._plan
        policy = plan.base
        if plan.manual:
            found = candidate(plan.space, point_of(plan.space, plan.manual), plan.base)
            if isinstance(found, Unfit):
                raise BadInput(f"outside {plan.space.name}: {found.reason}", where=Where(field="manual"))
            policy = found
        proposal = Proposal(parameters=plan.manual, policy=policy, digest=digest_of(policy))
        yield self._batch(TrialOrigin.MANUAL, _Gathered(points=(), fresh=(proposal,)), self._spans[-1:])

    def sampled(self) -> Iterator[TrialBatch]:
        """Every sampler's turn."""
        samplers: dict[SamplerName, Sampler] = {}
        for stream, stretch in enumerate(stretches_of(self._plan)):
            if self._sampled_count >= stretch.upto_count:
                continue
            sampler = samplers.get(stretch.sampler) if stretch.continues else None
            sampler = sampler or sampler_of(
                stretch.sampler,
                self._plan.space.lengths,
                seed=derived_seed(self._plan.seed, stream),
                settings=self._plan.settings,
                elites=elites_of(self._memory.scores(), self._plan.settings.sampling.elites_count),
            )
            samplers[stretch.sampler] = sampler
            yield from self._turn(stretch, sampler)

    def neighbours(self) -> Iterator[TrialBatch]:
        """Around every finalist, on the whole train part."""
        for finalist in finalists_of(self._plan, self._trials):
            centre = point_in(self._plan, finalist)
            points = () if centre is None else neighbours_of(self._plan, centre)
            fresh = self._memory.fresh(points, retry_halved=True)
            if fresh:
                gathered = _Gathered(points=tuple(points), fresh=tuple(fresh))
                yield self._batch(TrialOrigin.NEIGHBOUR, gathered, self._spans[-1:])

    def finish(self) -> None:
        """Refuse stored batches that this plan never proposed."""
        if self._batches_count < len(self._known):
            raise _not_ours(self._plan, self._batches_count)

    def _turn(self, stretch: Stretch, sampler: Sampler) -> Iterator[TrialBatch]:
        while self._sampled_count < stretch.upto_count:
            gathered = self._gather(stretch, sampler)
            if gathered.fresh:
                yield self._batch(TrialOrigin(stretch.sampler.value), gathered, self._spans)
            if sampler.learns:
                sampler.learn([self._memory.score_at(point) for point in gathered.points])
            if len(gathered.points) > stretch.proposals_per_trial_max * len(gathered.fresh) or not gathered.points:
                return

    def _gather(self, stretch: Stretch, sampler: Sampler) -> _Gathered:
        """A batch of new policies; a sampler that learns proposes once, any other until the batch is full."""
        wanted = min(stretch.batch_count, stretch.upto_count - self._sampled_count)
        asked_max = wanted * stretch.proposals_per_trial_max
        points: list[Point] = []
        fresh: list[Proposal] = []
        in_vain = 0
        while len(fresh) < wanted and len(points) < asked_max:
            drawn = sampler.propose(wanted - len(fresh))
            new = self._memory.fresh(drawn, retry_halved=False)
            points += drawn
            fresh += new
            in_vain = 0 if new else in_vain + len(drawn)
            if sampler.learns or not drawn or in_vain >= self._plan.settings.sampling.in_vain_count_max:
                break
        return _Gathered(points=tuple(points), fresh=tuple(fresh))

    def _batch(self, origin: TrialOrigin, gathered: _Gathered, spans: Sequence[int]) -> TrialBatch:
        is_stored = self._batches_count < len(self._known)
        trials = self._recalled(origin, gathered.fresh) if is_stored else self._judged(origin, gathered.fresh, spans)
        self._memory.keep(trials)
        self._trials += trials
        self._batches_count += 1
        self._sampled_count += 0 if origin is TrialOrigin.NEIGHBOUR else len(trials)
        refused = self._memory.refused_count(gathered.points)
        asked = max(len(gathered.points), len(trials))
        return TrialBatch(
            index=self._batches_count - 1,
            origin=origin,
            trials=tuple(trials),
            is_stored=is_stored,
            asked_count=asked,
            repeated_count=asked - refused - len(trials),
            refused_count=refused,
            sampled_count=self._sampled_count,
            wanted_count=1 if self._plan.sampler is SamplerChoice.MANUAL else self._plan.trials_count,
        )

    def _judged(self, origin: TrialOrigin, fresh: Sequence[Proposal], spans: Sequence[int]) -> list[Trial]:
        plan = self._plan
        outcomes = judged(
            [proposal.policy for proposal in fresh],
            self._evaluate,
            spans=spans,
            settings=plan.settings,
            initial_equity=plan.initial_equity,
        )
        return [
            Trial(
                trial_id=trial_id_of(
                    data_digest=plan.data_digest,
                    assumptions_digest=plan.assumptions_digest,
                    policy_digest=proposal.digest,
                ),
                search_id=plan.search_id,
                number=number,
                origin=origin,
                status=outcome.status,
                reasons=outcome.reasons,
                signals_count=outcome.signals_count,
                parameters=proposal.parameters,
                policy_digest=proposal.digest,
                data_digest=plan.data_digest,
                assumptions_digest=plan.assumptions_digest,
                space_digest=self._space_digest,
                seed=plan.seed,
                code_version=plan.code_version,
                fill_hash=outcome.fill_hash,
                metrics=outcome.metrics,
            )
            for number, (proposal, outcome) in enumerate(zip(fresh, outcomes, strict=True), len(self._trials))
        ]

    def _recalled(self, origin: TrialOrigin, fresh: Sequence[Proposal]) -> list[Trial]:
        """The stored batch, once it is proved to be the one that is proposed now."""
        stored = list(self._known[self._batches_count])
        proposed = [(n, origin, made.parameters, made.digest) for n, made in enumerate(fresh, len(self._trials))]
        if [(trial.number, trial.origin, trial.parameters, trial.policy_digest) for trial in stored] != proposed:
            raise _not_ours(self._plan, self._batches_count)
        return stored


def _not_ours(plan: SearchPlan, index: int) -> BadInput:
    return BadInput(
        f"stored batch {index} of search {plan.search_id[:12]} is not what this plan proposes",
        where=Where(field="registry"),
        next_step="The code has changed since it was stored: search again with another seed",
    )
