"""How much of a candidate may be luck: its figures on train and validation against every trial of the registry.

The formulas belong to `evidence`, the limits to `promotion`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from copytrade_core.edges.stages.search_desk import SearchDesk
from copytrade_core.edges.stages.search_engines import Engines
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.edges.trial_registry import TrialRegistry, sharpes_of
from copytrade_core.evidence.bootstrap import net_interval
from copytrade_core.evidence.overfitting import OverfittingInputs, overfitting_figures
from copytrade_core.model.bar import Float64s, Int64s
from copytrade_core.model.overfitting import OverfittingFigures
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.trial import Trial, TrialOrigin
from copytrade_core.model.units import MONEY_SCALE
from copytrade_core.promotion.luck import doubts
from copytrade_core.replay.sweep import TRIP_COLUMNS, pnl_by_episode, run_one
from copytrade_core.search.engine import KernelEngine
from copytrade_core.search.plan import policy_of
from copytrade_core.search.samples import overfitting_sample


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Luck:
    """What was computed about one candidate, and from what (see `OverfittingInputs`); `doubts` are over a limit."""

    trial: Trial
    figures: OverfittingFigures
    validation_net_low_usdt: float | None
    candidates_pnl: Float64s
    trial_sharpes: Float64s
    doubts: tuple[str, ...]


def luck_of(place: Workplace, desk: SearchDesk, engines: Engines, trial: Trial, trials: Sequence[Trial]) -> Luck:
    """The figures of a candidate, with the registry's trials of today.

    Args:
        place: where registry and contract are.
        desk: the search.
        engines: of the desk.
        trial: the candidate.
        trials: every trial of the search, for the choice among them.
    """
    contract = place.contract()
    policy = policy_of(desk.plan, trial)
    stored = TrialRegistry(place.lake.root).frame(desk.plan.data_digest)
    sample = overfitting_sample(desk.plan, trials)
    inputs = OverfittingInputs(
        trip_pnl=_trip_pnl(engines.train, len(desk.train), policy),
        trial_sharpes=sharpes_of(stored),
        candidates_pnl=_candidates_pnl(desk, engines, sample),
    )
    figures = overfitting_figures(
        inputs,
        blocks_count=desk.plan.settings.samples.overfitting_blocks_count,
        confidence_ratio=contract.bootstrap.confidence_ratio,
        bootstrap=contract.bootstrap,
    )
    low = _validation_low(place, desk, engines, policy)
    by_samplers = stored.filter(pl.col("origin") != TrialOrigin.MANUAL.value)
    return Luck(
        trial=trial,
        figures=figures,
        validation_net_low_usdt=low,
        candidates_pnl=inputs.candidates_pnl,
        trial_sharpes=inputs.trial_sharpes,
        doubts=doubts(
            figures,
            sampled_count=by_samplers.get_column("trial_id").n_unique(),
            validation_net_low_usdt=low,
            contract=contract,
        ),
    )


def _validation_low(place: Workplace, desk: SearchDesk, engines: Engines, policy: PolicySpec) -> float | None:
    if not desk.validation:
        return None
    interval = net_interval(_trip_pnl(engines.validation, len(desk.validation), policy), place.contract().bootstrap)
    return None if interval is None else interval[0]


def _trip_pnl(engine: KernelEngine, signals_count: int, policy: PolicySpec) -> Float64s:
    """Net per round trip in order of exit, USDT."""
    trips = run_one(engine.prepared(signals_count), policy).trips
    return _usdt(trips[:, TRIP_COLUMNS.index("pnl")])


def _candidates_pnl(desk: SearchDesk, engines: Engines, sample: Sequence[Trial]) -> Float64s:
    """Net per train signal (in order of the signals) and candidate, USDT, shape `(n_signals, n_candidates)`."""
    if not sample:
        return np.zeros((len(desk.train), 0))
    prepared = engines.train.prepared(len(desk.train))
    policies = [policy_of(desk.plan, trial) for trial in sample]
    pnl = pnl_by_episode(prepared, policies, threads=1)
    places = {name: place for place, name in enumerate(prepared.episode_ids)}
    in_order = [places[episode.episode_id] for episode in desk.train]
    return _usdt(pnl[:, in_order]).T


def _usdt(money: Int64s) -> Float64s:
    return money.astype(np.float64) / MONEY_SCALE
