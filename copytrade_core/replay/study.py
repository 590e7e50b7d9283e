"""Running one lead under many assumptions, so that evidence can say what a result depends on. It judges nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from copytrade_core.model.episode import Episode
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.round_trip import CostModel, ReplayResult, ReplaySpec
from copytrade_core.model.study import Scenario, Study
from copytrade_core.model.units import Ppm
from copytrade_core.replay.reference import replay

DELAYS_S = (0, 60, 300, 900)
SLIPPAGE_MULTIPLES = (Fraction(0), Fraction(1), Fraction(2), Fraction(4))
ONE = Fraction(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    main: Scenario
    by_strategy: tuple[Scenario, ...]
    delay_slippage: tuple[Scenario, ...]
    stressed: dict[str, Scenario]

    def scenarios(self) -> Iterator[Scenario]:
        yield from self.by_strategy
        yield from self.delay_slippage
        yield from self.stressed.values()


def run_study(episodes: Sequence[Episode], policies: Sequence[PolicySpec], spec: ReplaySpec, data: MarketData) -> Study:
    """Replay every scenario; the first policy is the main strategy.

    Args:
        episodes: the lead's episodes.
        policies: strategies to compare, main one first, names distinct.
        spec: the base assumptions; scenarios change its delay, slippage and fees only.
        data: the markets.

    Raises:
        BadInput: no policy, or two of one name.
    """
    by_name = {policy.name: policy for policy in policies}
    if not policies or len(by_name) < len(policies):
        raise BadInput("a study needs at least one policy, each with its own name", where=Where(field="policies"))
    plan = _plan([policy.name for policy in policies], spec)
    results: dict[Scenario, ReplayResult] = {}
    for scenario in plan.scenarios():
        if scenario not in results:
            results[scenario] = replay(episodes, by_name[scenario.policy], _applied(spec, scenario), data)
    return Study(
        main=plan.main,
        by_strategy=plan.by_strategy,
        delay_slippage=plan.delay_slippage,
        stressed=plan.stressed,
        results=results,
    )


def _plan(names: Sequence[str], spec: ReplaySpec) -> _Plan:
    """What to run; the same assumptions are one scenario, under the label it was first given."""
    known: dict[tuple[str, int, Fraction, Fraction], Scenario] = {}

    def scenario(label: str, policy: str, delay_s: int, slippage: Fraction = ONE, fees: Fraction = ONE) -> Scenario:
        fresh = Scenario(label=label, policy=policy, delay_s=delay_s, slippage_multiple=slippage, fee_multiple=fees)
        return known.setdefault((policy, delay_s, slippage, fees), fresh)

    by_strategy = tuple(scenario("as assumed", name, spec.delay_s) for name in names)
    first = names[0]
    stressed = {
        "slippage_x2": scenario("slippage doubled", first, spec.delay_s, slippage=Fraction(2)),
        "fees_x1.5": scenario("fees half as much again", first, spec.delay_s, fees=Fraction(3, 2)),
        "delay_plus_one_bar": scenario("one bar later", first, spec.delay_s + spec.interval_ms // 1000),
    }
    grid = tuple(
        scenario(f"delay {delay_s} s, slippage x{multiple}", first, delay_s, slippage=multiple)
        for delay_s in DELAYS_S
        for multiple in SLIPPAGE_MULTIPLES
    )
    return _Plan(main=by_strategy[0], by_strategy=by_strategy, delay_slippage=grid, stressed=stressed)


def _applied(spec: ReplaySpec, scenario: Scenario) -> ReplaySpec:
    costs = CostModel(
        taker_fee=_scaled(spec.costs.taker_fee, scenario.fee_multiple),
        maker_fee=_scaled(spec.costs.maker_fee, scenario.fee_multiple),
        slippage=_scaled(spec.costs.slippage, scenario.slippage_multiple),
        source=f"{spec.costs.source}; slippage x{scenario.slippage_multiple}, fees x{scenario.fee_multiple}",
    )
    return replace(spec, delay_s=scenario.delay_s, costs=costs)


def _scaled(rate: Ppm, multiple: Fraction) -> Ppm:
    return Ppm(-(-rate * multiple.numerator // multiple.denominator))
