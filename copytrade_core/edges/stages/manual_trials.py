"""Tries by hand, kept in the trial registry like those of a search: whoever replays a policy has looked at the data.

How a search chooses its trials belongs to `search`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.edges.trial_registry import TrialRegistry
from copytrade_core.edges.trial_segment import Segment
from copytrade_core.evidence.measures import measures
from copytrade_core.evidence.parts import parts_result
from copytrade_core.evidence.sharpe import moments
from copytrade_core.evidence.splits import Part, SplitManifest
from copytrade_core.model.digest import digest_of
from copytrade_core.model.measure import BootstrapSettings
from copytrade_core.model.round_trip import ReplayResult
from copytrade_core.model.trial import Trial, TrialMetrics, TrialOrigin, TrialStatus, trial_id_of
from copytrade_core.model.units import money_to_float
from copytrade_core.replay.fill_hash import run_hash

NO_SPACE = digest_of("no space: one policy, by hand")


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualTries:
    """What was replayed by hand: results by name of the policy, all on one split of one data under one set of terms."""

    results: Sequence[tuple[str, ReplayResult]]
    split: SplitManifest
    data_digest: str
    assumptions_digest: str


def record_manual(place: Workplace, lead_id: str, tries: ManualTries) -> Segment | None:
    """Counts each policy as a trial, once however often it is replayed; None when all of them were counted before.

    Metrics are those of the train signals, as in a search.

    Raises:
        StoreFault: the registry cannot be written, or is not what was written.
    """
    search_id = digest_of({"by_hand": lead_id, "data": tries.data_digest})
    bootstrap = place.contract().bootstrap
    batch = [
        _trial(name, result, tries, search_id=search_id, code_version=place.code_version, bootstrap=bootstrap)
        for name, result in tries.results
    ]
    return TrialRegistry(place.lake.root).append_new(batch, search_id)


def _trial(
    name: str,
    result: ReplayResult,
    tries: ManualTries,
    *,
    search_id: str,
    code_version: str,
    bootstrap: BootstrapSettings,
) -> Trial:
    train = parts_result(result, tries.split, (Part.TRAIN,))
    return Trial(
        trial_id=trial_id_of(
            data_digest=tries.data_digest,
            assumptions_digest=tries.assumptions_digest,
            policy_digest=result.policy_digest,
        ),
        search_id=search_id,
        number=0,
        origin=TrialOrigin.MANUAL,
        status=TrialStatus.COMPLETE,
        reasons=(),
        signals_count=tries.split.part(Part.TRAIN).signals_count,
        parameters=(("policy", name),),
        policy_digest=result.policy_digest,
        data_digest=tries.data_digest,
        assumptions_digest=tries.assumptions_digest,
        space_digest=NO_SPACE,
        seed=0,
        code_version=code_version,
        fill_hash=str(run_hash([trip.fills for trip in train.round_trips])),
        metrics=_metrics(train, bootstrap),
    )


def _metrics(train: ReplayResult, bootstrap: BootstrapSettings) -> TrialMetrics:
    measured = measures(train, bootstrap)
    trips = sorted(train.round_trips, key=lambda trip: (trip.exited_at_ms, trip.episode_id))
    pnl = np.array([money_to_float(trip.pnl) for trip in trips], dtype=np.float64)
    return TrialMetrics(
        trades_count=measured.trades_count,
        net_pnl_usdt=measured.net_pnl_usdt,
        sharpe=moments(pnl).sharpe,
        profit_factor=measured.profit_factor,
        drawdown_marked_ratio=measured.max_drawdown_marked_ratio,
        peak_gross_usdt=measured.peak_gross_usdt,
        objective=None,
    )
