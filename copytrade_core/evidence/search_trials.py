"""The trials of a search in numbers: how many of each kind, each sampler's part, the best, the finalists.

Plots are in `search_series.py`; which trial is best is decided by `search`, here they are only ordered and counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from copytrade_core.evidence.search_inputs import BatchRecord, FinalistRecord, SearchReportInputs, TrialTotals
from copytrade_core.model.trial import Trial, TrialMetrics, TrialOrigin, TrialStatus

BEST_COUNT = 20
"""Rows of the table of the best."""
NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?%?")
MEASURED = re.compile(rf"^(\w+) {NUMBER.pattern} (is (?:over|under) .*)$")
"""A broken limit as a search words it: a name, the number that was measured, and the limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonCount:
    """Why trials were pruned or aborted, the measured number left out, and how many of them."""

    reason: str
    trials_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialCounts:
    """Trials of this search by status, origin and reason, beside everything the registry holds on this data.

    A trial may break several limits, so `reasons` may add up to more than the pruned ones. `spans` are the train spans
    in signals that trials reached, shortest first.
    """

    this_search_count: int
    by_status: Mapping[str, int]
    by_origin: Mapping[str, int]
    reasons: tuple[ReasonCount, ...]
    spans: tuple[int, ...]
    everything: TrialTotals


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseRow:
    """One sampler's part of the search; objectives are those of trials that came through the whole train part."""

    origin: str
    trials_count: int
    asked_count: int
    repeated_count: int
    refused_count: int
    complete_count: int
    best_objective: float | None
    best_number: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow:
    """One trial: parameters by name and its figures on the span it reached (None = it has none)."""

    number: int
    trial_id: str
    origin: str
    status: str
    parameters: Mapping[str, str]
    metrics: TrialMetrics | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalistRow:
    """A finalist on train and on validation, its neighbours in numbers, and what speaks against it."""

    trial: TrialRow
    validation: TrialMetrics | None
    neighbours_count: int
    profitable_ratio: float | None
    median_ratio: float | None
    worst_ratio: float | None
    reasons: tuple[str, ...]
    is_champion: bool


def objective_of(trial: Trial) -> float | None:
    """What the search maximised, of a trial that came through the whole train part within every limit."""
    if trial.status is not TrialStatus.COMPLETE or trial.metrics is None:
        return None
    return trial.metrics.objective


def counts_of_trials(trials: Sequence[Trial], everything: TrialTotals) -> TrialCounts:
    """Counts the trials of one search, every policy once by its longest span."""
    distinct = once(trials)
    reasons = Counter(reason for trial in distinct for reason in {without_number(text) for text in trial.reasons})
    return TrialCounts(
        this_search_count=len(distinct),
        by_status=_counted(trial.status.value for trial in distinct),
        by_origin=_counted(trial.origin.value for trial in distinct),
        reasons=tuple(
            ReasonCount(reason=reason, trials_count=count)
            for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
        ),
        spans=tuple(sorted({trial.signals_count for trial in trials})),
        everything=everything,
    )


def without_number(reason: str) -> str:
    """A broken limit without the number that was measured, so that equal reasons are equal."""
    found = MEASURED.match(reason)
    return reason if found is None else f"{found[1]} {found[2]}"


def phase_rows(batches: Sequence[BatchRecord], trials: Sequence[Trial]) -> tuple[PhaseRow, ...]:
    """Each sampler's part, in the order in which they began."""
    rows: list[PhaseRow] = []
    for origin in dict.fromkeys(batch.origin for batch in batches):
        own = [batch for batch in batches if batch.origin is origin]
        complete = [
            (objective, trial.number)
            for trial in trials
            if trial.origin is origin and (objective := objective_of(trial)) is not None
        ]
        best = max(complete, key=lambda item: (item[0], -item[1]), default=None)
        rows.append(
            PhaseRow(
                origin=origin.value,
                trials_count=sum(batch.trials_count for batch in own),
                asked_count=sum(batch.asked_count for batch in own),
                repeated_count=sum(batch.repeated_count for batch in own),
                refused_count=sum(batch.refused_count for batch in own),
                complete_count=len(complete),
                best_objective=None if best is None else best[0],
                best_number=None if best is None else best[1],
            )
        )
    return tuple(rows)


def best_rows(trials: Sequence[Trial]) -> tuple[TrialRow, ...]:
    """The best trials of the search by train objective, neighbours included, ties by number."""
    complete = [(objective, trial) for trial in trials if (objective := objective_of(trial)) is not None]
    ordered = sorted(complete, key=lambda item: (-item[0], item[1].number))
    return tuple(trial_row(trial) for _, trial in ordered[:BEST_COUNT])


def trial_row(trial: Trial) -> TrialRow:
    """One trial as a row."""
    return TrialRow(
        number=trial.number,
        trial_id=trial.trial_id,
        origin=trial.origin.value,
        status=trial.status.value,
        parameters=dict(trial.parameters),
        metrics=trial.metrics,
    )


def finalist_rows(inputs: SearchReportInputs) -> tuple[FinalistRow, ...]:
    """The finalists, best first."""
    return tuple(_finalist_row(one, is_champion=one is inputs.champion) for one in inputs.finalists)


def once(trials: Sequence[Trial]) -> list[Trial]:
    """Every policy once, by its longest span: a finalist's neighbour that had been left behind is tried again."""
    longest: dict[str, Trial] = {}
    for trial in trials:
        known = longest.get(trial.trial_id)
        if known is None or trial.signals_count > known.signals_count:
            longest[trial.trial_id] = trial
    return list(longest.values())


def sampled(trials: Sequence[Trial]) -> list[Trial]:
    """Trials that a sampler drew; neighbours were tried because of where they stand."""
    return [trial for trial in trials if trial.origin is not TrialOrigin.NEIGHBOUR]


def _finalist_row(finalist: FinalistRecord, *, is_champion: bool) -> FinalistRow:
    return FinalistRow(
        trial=trial_row(finalist.trial),
        validation=finalist.validation,
        neighbours_count=finalist.neighbours_count,
        profitable_ratio=finalist.profitable_ratio,
        median_ratio=finalist.median_ratio,
        worst_ratio=finalist.worst_ratio,
        reasons=finalist.reasons,
        is_champion=is_champion,
    )


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))
