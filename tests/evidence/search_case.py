"""A finished search made by hand: trials on a smooth hill over three parameters, with finalists, neighbours and luck.

Nothing in it is random; what a test wants otherwise it replaces.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from copytrade_core.evidence.overfitting import OverfittingInputs, overfitting_figures
from copytrade_core.evidence.search_inputs import (
    BasePolicy,
    BatchRecord,
    EngineRecord,
    FinalistRecord,
    HoldoutNote,
    LuckLimits,
    NeighbourRecord,
    ParameterGrid,
    SearchLimit,
    SearchPart,
    SearchReportInputs,
    TrialTotals,
)
from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.caps import UNCAPPED_REPLAY
from copytrade_core.model.fill import FillModel
from copytrade_core.model.measure import BootstrapSettings
from copytrade_core.model.round_trip import CostModel, ReplaySpec
from copytrade_core.model.trial import Trial, TrialMetrics, TrialOrigin, TrialStatus
from copytrade_core.model.units import Money, Ppm

TRAIN_SIGNALS, VALIDATION_SIGNALS, BLOCKS = 40, 20, 4
LEFT_BEHIND_UNDER = 1.5
GRIDS = (
    ParameterGrid(name="exit.tp", texts=("0.005", "0.01", "0.02", "0.04", "none")),
    ParameterGrid(name="exit.ttl_hours", texts=("12", "24", "36", "48", "60", "72")),
    ParameterGrid(name="ladder.dca_count", texts=("0", "1", "2", "3")),
)
TOP = (2, 3, 1)


def parameters_at(point: tuple[int, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((grid.name, grid.texts[index]) for grid, index in zip(GRIDS, point, strict=True))


def profits(point: tuple[int, ...], count: int, *, lift: float = 0.0) -> np.ndarray:
    """Profit per signal: best at `TOP`, with a wave of its own for every point."""
    far = sum(((a - b) * weight) ** 2 for a, b, weight in zip(point, TOP, (0.5, 0.2, 0.01), strict=True))
    wave = [3 * math.sin(1.7 * signal + sum(point)) for signal in range(count)]
    return 1.5 - far + lift + np.array(wave)


def metrics_of_profits(pnl: np.ndarray) -> TrialMetrics:
    losses = float(pnl[pnl < 0].sum())
    sharpe = float(pnl.mean() / pnl.std(ddof=1))
    return TrialMetrics(
        trades_count=len(pnl),
        net_pnl_usdt=float(pnl.sum()),
        sharpe=sharpe,
        profit_factor=float(pnl[pnl > 0].sum()) / -losses if losses else None,
        drawdown_marked_ratio=0.02,
        peak_gross_usdt=100.0,
        objective=sharpe * math.sqrt(len(pnl)),
    )


def trial_at(point: tuple[int, ...], number: int, **changes: Any) -> Trial:
    made = Trial(
        trial_id=f"{point[0]}{point[1]}{point[2]}" * 16,
        search_id="5" * 64,
        number=number,
        origin=TrialOrigin.QMC,
        status=TrialStatus.COMPLETE,
        reasons=(),
        signals_count=TRAIN_SIGNALS,
        parameters=parameters_at(point),
        policy_digest=f"{point[0]}{point[1]}{point[2]}" * 16,
        data_digest="d" * 64,
        assumptions_digest="a" * 64,
        space_digest="b" * 64,
        seed=1,
        code_version="test",
        fill_hash="0" * 16,
        metrics=metrics_of_profits(profits(point, TRAIN_SIGNALS)),
    )
    return replace(made, **changes)


def trials() -> list[Trial]:
    """All points in grid order; the worst left behind, one pruned, one that could not be evaluated."""
    made: list[Trial] = []
    for number, point in enumerate(product(*(range(len(grid.texts)) for grid in GRIDS))):
        trial = trial_at(point, number)
        objective = trial.metrics.objective if trial.metrics else None
        if number == 7:
            trial = replace(trial, status=TrialStatus.ABORTED, metrics=None, reasons=("an order would be too large",))
        elif number in {11, 12}:
            reason = f"drawdown_marked_ratio 0.{number} is over 0.1"
            trial = replace(trial, status=TrialStatus.PRUNED, reasons=(reason,))
        elif objective is not None and objective < LEFT_BEHIND_UNDER:
            trial = replace(trial, status=TrialStatus.HALVED, reasons=("left behind",), signals_count=20)
        made.append(trial)
    return made


def finalist(point: tuple[int, ...], tried: list[Trial], *reasons: str) -> FinalistRecord:
    """A finalist with its six neighbours, as far as they are on the grid."""
    by_parameters = {trial.parameters: trial for trial in tried}
    around = [
        tuple(p + step if place == axis else p for place, p in enumerate(point))
        for axis in range(3)
        for step in (-1, 1)
    ]
    inside = [p for p in around if all(0 <= i < len(grid.texts) for i, grid in zip(p, GRIDS, strict=True))]
    return FinalistRecord(
        trial=by_parameters[parameters_at(point)],
        validation=metrics_of_profits(profits(point, VALIDATION_SIGNALS, lift=-0.3)),
        reasons=reasons,
        neighbours_count=len(inside),
        profitable_ratio=1.0,
        median_ratio=0.8,
        worst_ratio=0.5,
        neighbours=tuple(
            NeighbourRecord(parameters=parameters_at(p), trial=by_parameters[parameters_at(p)]) for p in inside
        ),
    )


def search_inputs(**changes: Any) -> SearchReportInputs:
    """A search with a champion, on a recorded market."""
    tried = trials()
    champion = finalist(TOP, tried)
    second = finalist((2, 1, 1), tried, "validation: net -3.40 USDT is not above 0")
    complete = [trial for trial in tried if trial.status is TrialStatus.COMPLETE]
    points = [
        tuple(grid.texts.index(text) for grid, (_, text) in zip(GRIDS, t.parameters, strict=True)) for t in complete
    ]
    candidates = np.array([profits(point, TRAIN_SIGNALS) for point in points]).T
    sharpes = np.array([float("nan") if t.metrics is None else t.metrics.sharpe for t in tried], dtype=np.float64)
    made = SearchReportInputs(
        lead_id="1",
        nickname=None,
        origin=PriceOrigin.RECORDED,
        search_id="5" * 64,
        space_name="by_hand",
        space_size=120,
        sampler="phases",
        seed=1,
        wanted_count=120,
        objective="t_statistic",
        strategy="contrarian_on_close/both/dca/autonomous",
        trials=tried,
        batches=[
            BatchRecord(origin=TrialOrigin.QMC, trials_count=100, asked_count=120, repeated_count=15, refused_count=5),
            BatchRecord(origin=TrialOrigin.QMC, trials_count=20, asked_count=20, repeated_count=0, refused_count=0),
        ],
        shortfall=None,
        grids=GRIDS,
        finalists=(champion, second),
        champion_trial_id=champion.trial.trial_id,
        reasons=(),
        policy_toml='name = "champion"\n',
        base=BasePolicy(name="contrarian", train=tried[0].metrics, validation=tried[0].metrics),
        validation_sample={
            trial.trial_id: metrics_of_profits(profits(point, VALIDATION_SIGNALS, lift=-0.3))
            for trial, point in zip(complete, points, strict=True)
        },
        overfitting=overfitting_figures(
            OverfittingInputs(trip_pnl=profits(TOP, TRAIN_SIGNALS), trial_sharpes=sharpes, candidates_pnl=candidates),
            blocks_count=BLOCKS,
            confidence_ratio=0.95,
            bootstrap=BootstrapSettings(seed=1, resamples_count=50, block_mean_count=2, confidence_ratio=0.9),
        ),
        candidates_pnl=candidates,
        trial_sharpes=sharpes,
        blocks_count=BLOCKS,
        luck_limits=LuckLimits(deflated_sharpe_ratio_min=0.95, backtest_overfitting_ratio_max=0.1),
        totals=TrialTotals(
            trials_count=150,
            searches_count=2,
            by_origin={"qmc": 140, "manual": 10},
            by_status={"complete": 150},
            head_sequence=3,
            head_digest="e" * 64,
        ),
        engine=EngineRecord(
            engine="fast",
            verdict="EQUAL",
            compared_count=30,
            episodes_count=TRAIN_SIGNALS,
            fills_count=900,
            hash_of_hashes="f" * 64,
            differences=(),
            policy_digests=(),
        ),
        parts=(part("train", TRAIN_SIGNALS), part("validation", VALIDATION_SIGNALS), part("holdout", 18)),
        embargoed_count=2,
        longest_holding_ms=72 * 3_600_000,
        holdout=HoldoutNote(state="closed", signals_count=18, told=()),
        spec=ReplaySpec(
            market_fill=FillModel.NEXT_BAR_OPEN,
            rung_fill=FillModel.CLOSE_BEYOND,
            costs=CostModel(taker_fee=Ppm(500), maker_fee=Ppm(200), slippage=Ppm(500), source="a | test"),
            delay_s=60,
            initial_equity=Money(1000 * 10**8),
            lead_margin_balance=None,
            interval_ms=300_000,
            caps=UNCAPPED_REPLAY,
        ),
        funding_known=True,
        limits=(SearchLimit(name="Trial: marked drawdown", value="at most 10.0% of the peak"),),
        digests={"data": "d" * 64},
        code_version="test",
    )
    return replace(made, **changes)


def part(name: str, count: int) -> SearchPart:
    return SearchPart(name=name, signals_count=count, first_signal_at_ms=1_767_600_000_000, last_signal_at_ms=None)
