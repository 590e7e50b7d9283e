"""What a reader of a search report should doubt, and what its figures rest on, spelled out.

Decisions belong to the search and the gates; nothing here changes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from copytrade_core.evidence.assumptions import FILL_RULES, Assumption
from copytrade_core.evidence.conclusion import TRADES_COUNT_MIN
from copytrade_core.evidence.search_inputs import SearchReportInputs
from copytrade_core.evidence.search_landscape import ParameterWeight
from copytrade_core.evidence.search_series import TrainAndValidation
from copytrade_core.evidence.search_trials import once
from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.trial import TrialStatus
from copytrade_core.model.units import money_to_float

RANK_CORRELATION_LOW = 0.1
"""Under this, what did better on train did not do better on validation in any way that matters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One thing to doubt: a title and a sentence with numbers and a consequence."""

    title: str
    text: str


def doubts(
    inputs: SearchReportInputs, weights: Sequence[ParameterWeight], both: TrainAndValidation
) -> tuple[Doubt, ...]:
    """Everything found, what weighs most first."""
    found = (
        _simulated(inputs),
        _engine(inputs),
        _few(inputs),
        _order(both),
        _base(inputs),
        _edges(inputs, weights),
        _searches(inputs),
        _validation_used(inputs),
        _aborted(inputs),
        _shortfall(inputs),
        _funding(inputs),
    )
    return tuple(doubt for doubt in found if doubt is not None)


def search_assumptions(inputs: SearchReportInputs) -> tuple[Assumption, ...]:
    """What every trial was judged under; the invariants of execution are never searched."""
    spec, costs = inputs.spec, inputs.spec.costs
    said = [
        ("Prices", f"{inputs.origin} bars of {spec.interval_ms / 60_000:g} minutes", "market store"),
        ("Market orders", f"{spec.market_fill}: {FILL_RULES[spec.market_fill]}", "[replay] market_fill"),
        ("Ladder rungs", f"{spec.rung_fill}: {FILL_RULES[spec.rung_fill]}", "[replay] rung_fill"),
        ("Delay", f"{spec.delay_s} s from the lead's event to our order", "[replay] delay_s; assumed, not measured"),
        ("Fees", f"taker {costs.taker_fee / 100:g} bps, maker {costs.maker_fee / 100:g} bps", costs.source),
        ("Slippage", f"{costs.slippage / 100:g} bps against us on every fill", costs.source),
        (
            "Funding",
            "paid and received at the recorded rates"
            if inputs.funding_known
            else "left out where rates are not stored around a whole trade",
            "market store",
        ),
        (
            "Capital",
            f"{money_to_float(spec.initial_equity):,.2f} USDT; a signal that capital cannot carry is not taken",
            "[replay] initial_equity_usdt",
        ),
        (
            "Embargo",
            f"{inputs.longest_holding_ms / 3_600_000:g} hours, the longest any candidate may hold: {_few_left(inputs)}",
            "split",
        ),
    ]
    return tuple(Assumption(name=name, value=value, source=source) for name, value, source in said)


def _few_left(inputs: SearchReportInputs) -> str:
    count = inputs.embargoed_count
    return f"{count} signals near a boundary belong to no part" if count else "no signal was near a boundary"


def _simulated(inputs: SearchReportInputs) -> Doubt | None:
    if inputs.origin is not PriceOrigin.SIMULATED:
        return None
    return Doubt(
        title="The market is simulated",
        text="Prices between the lead's trades are made up: the search found what suits a made-up market.",
    )


def _engine(inputs: SearchReportInputs) -> Doubt | None:
    engine = inputs.engine
    if engine is None:
        return Doubt(title="Engines not compared", text="No trial was replayed by both engines, so none is proved.")
    if not engine.differences:
        return None
    return Doubt(
        title="The engines disagree",
        text=f"{len(engine.differences)} of {engine.compared_count} compared candidates differ: no figure of this "
        f"search may be used. First difference: {engine.differences[0]}",
    )


def _few(inputs: SearchReportInputs) -> Doubt | None:
    train, validation = inputs.part("train").signals_count, inputs.part("validation").signals_count
    if min(train, validation) >= TRADES_COUNT_MIN:
        return None
    return Doubt(
        title="Few signals",
        text=f"Train has {train:,} signals and validation {validation:,}; with fewer than {TRADES_COUNT_MIN} luck "
        "passes often. More signals of this lead help more than more trials.",
    )


def _order(both: TrainAndValidation) -> Doubt | None:
    correlation = both.rank_correlation
    if correlation is None or correlation >= RANK_CORRELATION_LOW:
        return None
    return Doubt(
        title="Train says little about validation",
        text=f"Among {both.drawn_count:,} candidates drawn from the search, doing better on train did not mean doing "
        f"better on validation (rank correlation {correlation:+.2f}; 1 = same order, 0 = none).",
    )


def _base(inputs: SearchReportInputs) -> Doubt | None:
    judged, base = inputs.judged, inputs.base
    if judged is None or base.validation is None or judged.validation is None:
        return None
    ours, theirs = judged.validation.net_pnl_usdt, base.validation.net_pnl_usdt
    if ours > theirs:
        return None
    return Doubt(
        title="The untuned strategy did as well",
        text=f"On validation {base.name} as it is makes {theirs:+,.2f} USDT, trial {judged.trial.number:,} "
        f"{ours:+,.2f} USDT: the search improved train only.",
    )


def _edges(inputs: SearchReportInputs, weights: Sequence[ParameterWeight]) -> Doubt | None:
    judged = inputs.judged
    at_edge = [f"{one.parameter} = {one.judged_value}" for one in weights if one.is_at_edge]
    if judged is None or not at_edge:
        return None
    return Doubt(
        title="At the edge of the space",
        text=f"Trial {judged.trial.number:,} stands at the end of {', '.join(at_edge)}: the best may lie outside, and "
        "its neighbours are only on one side.",
    )


def _searches(inputs: SearchReportInputs) -> Doubt | None:
    others = inputs.totals.trials_count - len(once(inputs.trials))
    if others <= 0:
        return None
    return Doubt(
        title="Not the first try",
        text=f"Other searches or tries by hand on this data made {others:,} more; the figures about luck count all "
        f"{inputs.totals.trials_count:,} distinct trials.",
    )


def _validation_used(inputs: SearchReportInputs) -> Doubt | None:
    count = len(inputs.finalists)
    if count < 2:
        return None
    return Doubt(
        title="Validation was asked more than once",
        text=f"{count} finalists were shown to it. It ranks nobody, but each showing makes a pass by luck a little "
        "likelier, and so does every further search on this data.",
    )


def _aborted(inputs: SearchReportInputs) -> Doubt | None:
    count = sum(trial.status is TrialStatus.ABORTED for trial in inputs.trials)
    if not count:
        return None
    return Doubt(title="Trials without figures", text=f"{count:,} could not be evaluated; the reasons stand below.")


def _shortfall(inputs: SearchReportInputs) -> Doubt | None:
    return None if inputs.shortfall is None else Doubt(title="Fewer trials than asked", text=f"{inputs.shortfall}.")


def _funding(inputs: SearchReportInputs) -> Doubt | None:
    if inputs.funding_known:
        return None
    return Doubt(
        title="Funding is left out",
        text="Its rates are not stored around every trade: what holding for long costs or earns is not in any figure.",
    )
