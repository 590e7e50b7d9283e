"""What is asked before a search may call its best a champion: each limit, at it and beyond it, and what is missing."""

import tomllib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from copytrade_core.model.overfitting import OverfittingFigures
from copytrade_core.promotion.contract import contract_from_mapping
from copytrade_core.promotion.gate_result import Gate
from copytrade_core.promotion.luck import doubts

PATH = Path(__file__).resolve().parents[2] / "settings/promotion.toml"
CONTRACT = contract_from_mapping(tomllib.loads(PATH.read_text(encoding="utf-8"), parse_float=Decimal), file="x")


def limit(name: str) -> float:
    return float(CONTRACT.threshold(Gate.OVERFITTING, name).value)


FIGURES = OverfittingFigures(
    trials_count=1000,
    trials_without_sharpe_count=0,
    trials_sharpe_variance=0.1,
    observations_count=int(limit("trips_count_min")),
    sharpe=0.5,
    skewness=0.0,
    kurtosis=3.0,
    sharpe_expected_maximum=0.1,
    deflated_sharpe_ratio=limit("deflated_sharpe_ratio_min"),
    min_track_record_count=10,
    confidence_ratio=0.9,
    backtest_overfitting_ratio=limit("backtest_overfitting_ratio_max"),
    loss_out_of_sample_ratio=0.0,
    degradation_slope=0.0,
    candidates_count=100,
    combinations_count=252,
    net_interval_low_usdt=1.0,
    net_interval_high_usdt=2.0,
    reasons=(),
)
SAMPLED_COUNT = int(limit("trials_count_min"))
NET_LOW_USDT = limit("validation_net_interval_low_usdt_above") + 1e-9


def doubted(
    figures: OverfittingFigures,
    *,
    sampled_count: int = SAMPLED_COUNT,
    validation_net_low_usdt: float | None = NET_LOW_USDT,
) -> tuple[str, ...]:
    """The doubts; what is not given lies at its limit."""
    return doubts(
        figures,
        sampled_count=sampled_count,
        validation_net_low_usdt=validation_net_low_usdt,
        contract=CONTRACT,
    )


def test_a_figure_at_its_limit_is_no_doubt():
    assert doubted(FIGURES) == ()


@pytest.mark.parametrize(
    ("change", "asked", "words"),
    [
        ({"deflated_sharpe_ratio": limit("deflated_sharpe_ratio_min") - 1e-6}, {}, "deflated Sharpe ratio"),
        ({"backtest_overfitting_ratio": limit("backtest_overfitting_ratio_max") + 1e-6}, {}, "backtest overfitting"),
        ({"observations_count": int(limit("trips_count_min")) - 1}, {}, "round trips on train"),
        ({}, {"sampled_count": int(limit("trials_count_min")) - 1}, "sampled trials"),
        ({}, {"validation_net_low_usdt": limit("validation_net_interval_low_usdt_above")}, "net on validation"),
        ({}, {"validation_net_low_usdt": None}, "cannot be told: fewer than two"),
    ],
)
def test_each_limit_is_a_doubt_of_its_own(change, asked, words):
    (only,) = doubted(replace(FIGURES, **change), **asked)
    assert words in only


def test_a_missing_figure_is_a_doubt_with_its_reason():
    missing = replace(
        FIGURES,
        deflated_sharpe_ratio=None,
        backtest_overfitting_ratio=None,
        reasons=(("deflated_sharpe_ratio", "two trips"), ("backtest_overfitting_ratio", "nine signals")),
    )
    assert doubted(missing) == (
        "deflated Sharpe ratio cannot be told: two trips",
        "probability of backtest overfitting cannot be told: nine signals",
    )


def test_not_a_number_is_a_doubt():
    assert doubted(replace(FIGURES, deflated_sharpe_ratio=float("nan")))
