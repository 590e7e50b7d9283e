"""Whether a search's best may be luck, asked before it is called a champion: the limits of the gate `overfitting`.

The gate itself asks again, about the policy that is to be promoted and with the registry of that day.
"""

from __future__ import annotations

from copytrade_core.model.overfitting import OverfittingFigures
from copytrade_core.promotion.contract import Contract
from copytrade_core.promotion.gate_result import Gate


def doubts(
    figures: OverfittingFigures, *, sampled_count: int, validation_net_low_usdt: float | None, contract: Contract
) -> tuple[str, ...]:
    """What speaks for luck, in words; nothing = within every limit. A figure that is missing is a doubt.

    Args:
        figures: of the candidate on the train signals, against every trial on that data.
        sampled_count: distinct trials on that data that a sampler proposed.
        validation_net_low_usdt: lower end of the bootstrap interval of its net result on validation.
        contract: the limits.
    """
    why = dict(figures.reasons)
    at_least: tuple[tuple[str, str, float | None, str], ...] = (
        ("trials_count_min", "sampled trials", float(sampled_count), ""),
        ("trips_count_min", "round trips on train", float(figures.observations_count), ""),
        (
            "deflated_sharpe_ratio_min",
            "deflated Sharpe ratio",
            figures.deflated_sharpe_ratio,
            why.get("deflated_sharpe_ratio", ""),
        ),
    )
    found: list[str] = []
    for name, words, value, absent in at_least:
        limit = float(contract.threshold(Gate.OVERFITTING, name).value)
        if value is None or not value >= limit:
            found.append(_said(words, value, f"{limit:g} is needed", absent))
    most = float(contract.threshold(Gate.OVERFITTING, "backtest_overfitting_ratio_max").value)
    chance, low = figures.backtest_overfitting_ratio, validation_net_low_usdt
    if chance is None or not chance <= most:
        absent = why.get("backtest_overfitting_ratio", "")
        found.append(_said("probability of backtest overfitting", chance, f"at most {most:g} is allowed", absent))
    above = float(contract.threshold(Gate.OVERFITTING, "validation_net_interval_low_usdt_above").value)
    if low is None or not low > above:
        absent = "fewer than two round trips on validation"
        found.append(_said("lower end of the net on validation", low, f"more than {above:g} USDT is needed", absent))
    return tuple(found)


def _said(words: str, value: float | None, asked: str, absent: str) -> str:
    return f"{words} cannot be told: {absent}" if value is None else f"{words} {value:.4g}, {asked}"
