"""From a point of a space to a policy: the base strategy with the space's families replaced, exactly.

Choosing points belongs to `samplers.py`; what a policy then does to `strategies`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import islice, product

import numpy as np

from copytrade_core.model.errors import BadConfig, Where
from copytrade_core.model.policy import AddMode, EntryRules, ExitSpec, LadderSpec, PolicySpec, SignalMode
from copytrade_core.model.side import Side, SideFilter
from copytrade_core.model.units import LEVEL_SCALE, RATE_SCALE, Money, Ppm
from copytrade_core.search.axis import Value
from copytrade_core.search.space import Constraints, Point, Space
from copytrade_core.strategies.dca_ladder import base_notional, level_ratios, rung_notionals

WEIGHTS_SUM_MAX = 100
"""Keeps every leg's share of the target a fraction of numbers under 2**47, as the fast engine carries it: a weight in
ppm times a base share in ppm over a sum of weights in ppm is at most 100 x 10**6 x 10**6."""

_ZERO = Fraction(0)

FITTING_TRIES = 4096
"""Points tried before a space is called empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """A point that gives no policy: a constraint it breaks, in words."""

    reason: str


def candidate(space: Space, point: Point, base: PolicySpec) -> PolicySpec | Unfit:
    """The policy at a point, or the first constraint that it breaks.

    `step_i = step_1 x step_growth^(i-1)`, `weight_i` likewise, i from 1, each rounded half to even to one ppm. The
    ladder's name says the space; policies of one space are told apart by their digests.
    """
    values = space.values_at(point)
    policy = base
    if space.exit_family is not None:
        if values["exit.trailing_callback"] is not None and values["exit.tp"] is None:
            return Unfit(reason="a trailing callback needs a take-profit to start at")
        policy = replace(policy, exit=_exit(space, values))
    broken = _broken_by_exit(space.constraints, policy.exit)
    if broken is not None:
        return Unfit(reason=broken)
    if space.has("ladder"):
        ladder = _ladder(space, values, base.ladder)
        if isinstance(ladder, Unfit):
            return ladder
        target = Money(base.sizing.target_notional * _ppm(values, "ladder.target_frac") // RATE_SCALE)
        policy = replace(policy, ladder=ladder, sizing=replace(base.sizing, target_notional=target))
    else:
        policy = replace(policy, ladder=replace(base.ladder, name=f"{base.ladder.name}@{space.name}"))
    if space.has("signal"):
        policy = replace(policy, entry=_entry(values))
    broken = _broken_by_ladder(space.constraints, policy)
    return policy if broken is None else Unfit(reason=broken)


def refusal(space: Space, point: Point, base: PolicySpec) -> str | None:
    """The constraint that a point breaks, in words, or None."""
    found = candidate(space, point, base)
    return found.reason if isinstance(found, Unfit) else None


def to_policy(space: Space, point: Point, base: PolicySpec) -> PolicySpec:
    """The policy at a point.

    Raises:
        BadConfig: the point breaks a constraint.
    """
    found = candidate(space, point, base)
    if isinstance(found, Unfit):
        raise BadConfig(f"this point of {space.name} is outside the space: {found.reason}")
    return found


def check_space(space: Space, base: PolicySpec, *, file: str) -> None:
    """Refuse a space that this strategy cannot take, or that no point of it can meet.

    Raises:
        BadConfig: names the space's file and the key.
    """

    def wrong(field: str, what: str) -> BadConfig:
        return BadConfig(f"{field}: {what}", where=Where(file=file, field=field))

    if space.has("ladder") and base.ladder.add_mode is AddMode.MIN_ORDER:
        raise wrong("ladder.weight_1", "the strategy's ladder adds the venue's minimum orders and uses no weights")
    if base.signal is SignalMode.CONTRARIAN_ON_CLOSE and (space.exit_family or base.exit.family).value != "autonomous":
        raise wrong("exit.family", "contrarian_on_close enters when the source has closed: only autonomous can end it")
    reasons: dict[str, int] = {}
    tried = 0
    for point in islice(_some_points(space), FITTING_TRIES):
        reason = refusal(space, point, base)
        if reason is None:
            return
        tried += 1
        reasons[reason] = reasons.get(reason, 0) + 1
    most = max(reasons, key=lambda reason: reasons[reason])
    raise wrong("constraints", f"none of the {tried} points tried meets them; most often: {most}")


def longest_ttl_s(space: Space, base: PolicySpec) -> int | None:
    """The longest time-to-live of any candidate; None = one of them has none. A split's embargo must cover it."""
    if space.exit_family is None:
        return base.exit.ttl_s
    hours = next(axis.values for axis in space.axes if axis.name == "exit.ttl_hours")
    found = [_whole(value, 3600) for value in hours if isinstance(value, Decimal)]
    return max(found) if len(found) == len(hours) else None


def sides_claimed(space: Space, base: PolicySpec) -> frozenset[SideFilter]:
    """Every side filter that a candidate can have."""
    for axis in space.axes:
        if axis.name == "signal.side":
            return frozenset(value for value in axis.values if isinstance(value, SideFilter))
    return frozenset({base.entry.side})


def _some_points(space: Space) -> Iterator[Point]:
    """Corners first (the outermost values of every axis), then a fixed random draw."""
    yield from islice(product(*({0, length - 1} for length in space.lengths)), FITTING_TRIES // 2)
    draws = np.random.default_rng(0).integers(0, space.lengths, size=(FITTING_TRIES, len(space.lengths)))
    for row in draws:
        yield tuple(int(index) for index in row)


def _ladder(space: Space, values: dict[str, Value], base: LadderSpec) -> LadderSpec | Unfit:
    count = int(_number(values, "ladder.dca_count"))
    steps = _grown(_ppm(values, "ladder.step_1"), _ppm(values, "ladder.step_growth"), count)
    weights = _grown(_ppm(values, "ladder.weight_1"), _ppm(values, "ladder.weight_growth"), count)
    if not all(0 < step < 1 for step in steps):
        return Unfit(reason="a ladder step grows out of 1 ppm to 1")
    if not all(weights) or sum(weights, _ZERO) > WEIGHTS_SUM_MAX:
        return Unfit(reason=f"the ladder's weights leave 1 ppm to {WEIGHTS_SUM_MAX} in sum")
    return LadderSpec(
        name=space.name,
        base_share=Fraction(_ppm(values, "ladder.base_frac"), RATE_SCALE),
        steps=steps,
        weights=weights,
        add_mode=base.add_mode,
        anchor=base.anchor,
    )


def _exit(space: Space, values: dict[str, Value]) -> ExitSpec:
    def ppm_or_none(name: str) -> Ppm | None:
        return None if values[name] is None else _ppm(values, name)

    assert space.exit_family is not None, "asked only when the exits are varied"
    ttl_s = None if values["exit.ttl_hours"] is None else _whole(_number(values, "exit.ttl_hours"), 3600)
    return ExitSpec(
        family=space.exit_family,
        take_profit_ppm=ppm_or_none("exit.tp"),
        stop_loss_ppm=ppm_or_none("exit.sl"),
        trailing_callback_ppm=ppm_or_none("exit.trailing_callback"),
        ttl_s=ttl_s,
    )


def _entry(values: dict[str, Value]) -> EntryRules:
    side = values["signal.side"]
    assert isinstance(side, SideFilter), "the parser lets nothing else be a side"
    return EntryRules(
        side=side,
        signal_age_s_max=int(_number(values, "signal.signal_age_s_max")),
        entry_drift_ppm_max=Ppm(_whole(_number(values, "signal.entry_drift_bps_max"), 100)),
    )


def _broken_by_exit(limits: Constraints, leave: ExitSpec) -> str | None:
    profit, callback, floor = leave.take_profit_ppm, leave.trailing_callback_ppm, limits.take_profit_ratio_above
    if floor is not None and profit is not None and profit <= floor * RATE_SCALE:
        return "the take-profit is not above take_profit_ratio_above"
    if limits.callback_below_take_profit and callback is not None and profit is not None and callback >= profit:
        return "the callback is not below the take-profit (callback_below_take_profit)"
    return None


def _broken_by_ladder(limits: Constraints, policy: PolicySpec) -> str | None:
    ladder, stop = policy.ladder, policy.exit.stop_loss_ppm
    deepest = _deepest_ppb(ladder)
    if limits.deepest_level_ratio_max is not None and deepest > limits.deepest_level_ratio_max * LEVEL_SCALE:
        return "the deepest level is beyond deepest_level_ratio_max"
    if limits.stop_beyond_ladder and stop is not None and stop * (LEVEL_SCALE // RATE_SCALE) <= deepest:
        return "the stop is not beyond the deepest level (stop_beyond_ladder)"
    if limits.weights_sum_max is not None and sum(ladder.weights, _ZERO) > limits.weights_sum_max:
        return "the weights add up to more than weights_sum_max"
    if limits.leg_notional_min is not None and _smallest_leg(policy) < limits.leg_notional_min:
        return "a leg is under leg_notional_usdt_min"
    return None


def _deepest_ppb(ladder: LadderSpec) -> int:
    """The last rung's distance from the anchor in 1e-9, on the side where it is farther (a short's)."""
    ratios = level_ratios(ladder, Side.SHORT)
    return ratios[-1] - LEVEL_SCALE if ratios else 0


def _smallest_leg(policy: PolicySpec) -> int:
    target = policy.sizing.target_notional
    legs = [base_notional(policy.ladder, target)]
    if policy.ladder.add_mode is not AddMode.MIN_ORDER:
        legs += rung_notionals(policy.ladder, target, ())
    return min(legs)


@lru_cache(maxsize=4096)
def _grown(first: int, growth: int, count: int) -> tuple[Fraction, ...]:
    """`first x growth^(i-1)` for i in 1..count, given in ppm, each rounded half to even to one ppm.

    Cached: a grid has few different shapes and a search asks for each of them thousands of times.
    """
    ratio = Fraction(growth, RATE_SCALE)
    return tuple(Fraction(round(first * ratio**power), RATE_SCALE) for power in range(count))


def _number(values: dict[str, Value], name: str) -> Decimal:
    value = values[name]
    assert isinstance(value, Decimal), f"{name} is a number on every grid"
    return value


@lru_cache(maxsize=65_536)
def _whole(value: Decimal, scale: int) -> int:
    """`value x scale`, which the grid makes whole; through a fraction, so that no decimal context can round it."""
    return int(Fraction(value) * scale)


def _ppm(values: dict[str, Value], name: str) -> Ppm:
    return Ppm(_whole(_number(values, name), RATE_SCALE))
