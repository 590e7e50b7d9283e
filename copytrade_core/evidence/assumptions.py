"""What a result assumes, spelled out: each assumption with its value and where it comes from.

Settings are read elsewhere; here they are only put into words.
"""

from __future__ import annotations

from dataclasses import dataclass

from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.fill import FillModel
from copytrade_core.model.measure import BootstrapSettings
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.round_trip import ReplayResult
from copytrade_core.model.units import Money, money_to_float

FILL_RULES = {
    FillModel.NEXT_BAR_OPEN: "market orders fill at the open of the first bar at or after signal + delay",
    FillModel.FIRST_BAR_CLOSE: "market orders fill at the close of the first bar at or after signal + delay",
    FillModel.QUOTE_SNAPSHOT: "market orders fill at the recorded opposite quote",
    FillModel.TOUCH: "a resting rung fills at its price as soon as a bar touches it (optimistic)",
    FillModel.CLOSE_BEYOND: (
        "a resting rung fills at its price only when a bar closes beyond it, at most one per bar (strict)"
    ),
    FillModel.LEGACY_CONTRARIAN: "the original study's rule: entry at the lead's price (artefact)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """One assumption in words, and where it comes from."""

    name: str
    value: str
    source: str


def assumptions(
    result: ReplayResult,
    policy: PolicySpec | None,
    bootstrap: BootstrapSettings,
    *,
    smallest_target: Money | None,
    at_once_count: int,
) -> tuple[Assumption, ...]:
    """Everything the main result rests on, and the least capital at which it could have been copied whole.

    Args:
        result: the main result.
        policy: its policy, if known.
        bootstrap: how the interval of net was made.
        smallest_target: the least notional per trade at which no leg is under the venue's minimum.
        at_once_count: the most trades held at once.
    """
    spec, costs = result.spec, result.spec.costs
    simulated = result.origin is PriceOrigin.SIMULATED
    said = [
        ("Prices", f"{result.origin} bars of {spec.interval_ms / 60_000:g} minutes", "market store"),
        ("Market orders", f"{spec.market_fill}: {FILL_RULES[spec.market_fill]}", "[replay] market_fill"),
        ("Ladder rungs", f"{spec.rung_fill}: {FILL_RULES[spec.rung_fill]}", "[replay] rung_fill"),
        ("Delay", f"{spec.delay_s} s from the lead's event to our order", "[replay] delay_s; assumed, not measured"),
        ("Fees", f"taker {costs.taker_fee / 100:g} bps, maker {costs.maker_fee / 100:g} bps", costs.source),
        ("Slippage", f"{costs.slippage / 100:g} bps against us on every fill", costs.source),
        (
            "Funding",
            "paid and received at the recorded rates"
            if result.funding_known
            else "left out where rates are not stored around a whole trade",
            "market store",
        ),
        (
            "Capital",
            f"{money_to_float(spec.initial_equity):,.2f} USDT, unlevered: gross notional never above equity",
            "[replay] initial_equity_usdt",
        ),
        ("Interval of net", _bootstrap_words(bootstrap), "Politis & Romano 1994"),
        (
            "Annualising",
            "365 days; Sharpe and Sortino of daily marked returns, risk-free rate 0",
            "crypto never closes",
        ),
    ]
    if policy is not None:
        target = money_to_float(policy.sizing.target_notional)
        said.insert(
            5, ("Sizing", f"{policy.sizing.rule}: {target:,.2f} USDT per trade, base and rungs together", "policy")
        )
    if smallest_target is not None:
        least = money_to_float(smallest_target)
        words = f"{least:,.2f} USDT per trade, {least * at_once_count:,.2f} USDT for {at_once_count} at once"
        said.append(("Smallest capital that can copy every leg", words, "venue minimums and the ladder"))
    if simulated:
        said.insert(0, ("Simulated market", "prices between the lead's trades are made up", "virtual_exchange"))
    return tuple(Assumption(name=name, value=value, source=source) for name, value, source in said)


def _bootstrap_words(bootstrap: BootstrapSettings) -> str:
    return (
        f"stationary bootstrap, {bootstrap.confidence_ratio:.0%}, {bootstrap.resamples_count} resamples, mean block "
        f"{bootstrap.block_mean_count:g} trades, seed {bootstrap.seed}"
    )
