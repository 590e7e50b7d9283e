"""What the gates read about trials: the registry on the judged data as it is now, and what the newest search reported.

What a number must be belongs to `promotion`.
"""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl

from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.edges.trial_registry import TrialRegistry, sharpes_of
from copytrade_core.evidence.overfitting import OverfittingInputs, overfitting_figures
from copytrade_core.evidence.parts import parts_result
from copytrade_core.evidence.splits import Part, SplitManifest
from copytrade_core.model.errors import StoreFault, Where
from copytrade_core.model.round_trip import ReplayResult
from copytrade_core.model.trial import TrialOrigin
from copytrade_core.model.units import money_to_float
from copytrade_core.promotion.facts import SearchFacts, TrialFacts

REPORT, GATE_FACTS = "search_report", "gate_facts"
NO_CHOICE_BLOCKS_COUNT = 2
"""Without candidates there is no cross-validation, so any even number does: PBO comes from the search's own report."""


def trial_facts(place: Workplace, judged: ReplayResult, split: SplitManifest, data_digest: str) -> TrialFacts:
    """The registry on this data, and the judged policy's figures on its train signals against every trial in it."""
    bootstrap = place.contract().bootstrap
    try:
        stored = TrialRegistry(place.lake.root).frame(data_digest)
    except StoreFault as error:
        return TrialFacts(figures=None, sampled_count=0, fault=str(error))
    train = parts_result(judged, split, (Part.TRAIN,))
    trips = sorted(train.round_trips, key=lambda trip: (trip.exited_at_ms, trip.episode_id))
    figures = overfitting_figures(
        OverfittingInputs(
            trip_pnl=np.array([money_to_float(trip.pnl) for trip in trips], dtype=np.float64),
            trial_sharpes=sharpes_of(stored),
            candidates_pnl=np.zeros((0, 0)),
        ),
        blocks_count=NO_CHOICE_BLOCKS_COUNT,
        confidence_ratio=bootstrap.confidence_ratio,
        bootstrap=bootstrap,
    )
    sampled = stored.filter(pl.col("origin") != TrialOrigin.MANUAL.value)
    return TrialFacts(figures=figures, sampled_count=sampled.get_column("trial_id").n_unique(), fault=None)


def search_facts(place: Workplace, lead_id: str) -> SearchFacts | None:
    """What the lead's newest search reported; None when none has.

    Raises:
        StoreFault: the stored report was changed, or has no facts for gates.
    """
    if place.lake.head(REPORT, lead_id) is None:
        return None
    report = place.lake.document_as(REPORT, lead_id, dict[str, object])
    try:
        return msgspec.convert(report.get(GATE_FACTS), type=SearchFacts)
    except msgspec.ValidationError as error:
        where = Where(file=f"{REPORT}/{lead_id}", field=GATE_FACTS)
        raise StoreFault(f"the search report has no facts for gates: {error}", where=where) from error
