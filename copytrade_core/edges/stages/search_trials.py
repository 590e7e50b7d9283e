"""The sampling stage of a search: batch after batch is tried, stored in the registry, and only then gone on from.

Judging belongs to `search_judgement.py`; how candidates are chosen to `search`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import msgspec

from copytrade_core.edges.stages.search_desk import QUESTION, TRIALS, SearchDesk
from copytrade_core.edges.stages.search_engines import Engines
from copytrade_core.edges.stages.workplace import StageOutcome, Workplace
from copytrade_core.edges.trial_registry import TrialRegistry
from copytrade_core.edges.trial_rows import SCHEMA_VERSION, frame_of_trials
from copytrade_core.model.trial import Trial, TrialOrigin, TrialStatus
from copytrade_core.search.report_records import batch_record
from copytrade_core.search.run import TrialBatch, search_batches, shortfall


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchProgress:
    """Where a search is. `doing` is a word for people; `best` is the best objective so far of what went through."""

    doing: str
    batch_index: int
    trials_count: int
    stored_count: int
    sampled_count: int
    wanted_count: int
    best: float | None


Progress = Callable[[SearchProgress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Every trial of a search in order, with the batches that they came in."""

    trials: tuple[Trial, ...]
    batches: tuple[TrialBatch, ...]

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Trials by origin and by status."""
        return {
            "by_origin": _counted([trial.origin.value for trial in self.trials], list(TrialOrigin)),
            "by_status": _counted([trial.status.value for trial in self.trials], list(TrialStatus)),
        }


def sampled(place: Workplace, desk: SearchDesk, engines: Engines, progress: Progress) -> Sampled:
    """Runs the sampling, or goes on where it was stopped; every batch is in the registry before the next begins.

    Raises:
        BadInput: the plan cannot mean anything, or what is stored under its id is another search's.
        StoreFault: the registry cannot be read or written.
    """
    registry = TrialRegistry(place.lake.root)
    known = registry.batches(desk.plan.search_id)
    batches: list[TrialBatch] = []
    best: float | None = None
    count = stored = 0
    for batch in search_batches(desk.plan, engines.train, known):
        if batch.is_stored:
            stored += len(batch.trials)
        else:
            _ = registry.append(batch.trials, desk.plan.search_id, batch.index)
        batches.append(batch)
        count += len(batch.trials)
        best = _best(best, batch.trials)
        progress(
            SearchProgress(
                doing="neighbours" if batch.origin is TrialOrigin.NEIGHBOUR else batch.origin.value,
                batch_index=batch.index,
                trials_count=count,
                stored_count=stored,
                sampled_count=batch.sampled_count,
                wanted_count=batch.wanted_count,
                best=best,
            )
        )
    return Sampled(trials=tuple(trial for batch in batches for trial in batch.trials), batches=tuple(batches))


def judging(found: Sampled) -> SearchProgress:
    """What is told when the sampling is over."""
    last = found.batches[-1]
    return SearchProgress(
        doing="judging",
        batch_index=last.index,
        trials_count=len(found.trials),
        stored_count=sum(len(batch.trials) for batch in found.batches if batch.is_stored),
        sampled_count=last.sampled_count,
        wanted_count=last.wanted_count,
        best=_best(None, found.trials),
    )


def store_trials(place: Workplace, desk: SearchDesk, found: Sampled) -> StageOutcome:
    """Stores `trials`: the search's rows of the registry, with the question and the registry's head beside them."""
    plan = desk.plan
    metadata: dict[str, object] = {
        "search_id": plan.search_id,
        "trials_digest": trials_digest(found.trials),
        "trials_count": len(found.trials),
        **found.counts,
        "shortfall": shortfall(plan, found.trials),
        QUESTION: msgspec.to_builtins(desk.question),
        "batches": [msgspec.to_builtins(batch_record(batch)) for batch in found.batches],
        "registry": asdict(TrialRegistry(place.lake.root).head()),
    }
    stored = place.lake.put_table(
        TRIALS,
        desk.lead_id,
        frame_of_trials(found.trials, plan.search_id),
        schema_version=SCHEMA_VERSION,
        code_version=place.code_version,
        parents=desk.parents,
        metadata=metadata,
    )
    return StageOutcome(heads=(stored,), metadata=metadata)


def trials_digest(trials: Sequence[Trial]) -> str:
    """sha256 over all trials in order, but for the code version: the same results are the same, whoever made them."""
    rows = [{**_row(trial), "code_version": ""} for trial in trials]
    return hashlib.sha256(msgspec.json.encode(rows, order="sorted")).hexdigest()


def _row(trial: Trial) -> Mapping[str, object]:
    return {name: getattr(trial, name) for name in Trial.__dataclass_fields__}


def _best(best: float | None, trials: Sequence[Trial]) -> float | None:
    found = [
        trial.metrics.objective
        for trial in trials
        if trial.status is TrialStatus.COMPLETE and trial.metrics is not None and trial.metrics.objective is not None
    ]
    return max([*found, *([] if best is None else [best])], default=None)


def _counted(values: Sequence[str], names: Sequence[str]) -> dict[str, int]:
    return {str(name): values.count(name) for name in names if name in values}
