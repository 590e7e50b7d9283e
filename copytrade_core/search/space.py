"""A space: the families of a strategy that a search varies, as grids of exact values with constraints.

Reading one from a file and turning a point into a policy are done elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.policy import ExitFamily
from copytrade_core.model.units import Money
from copytrade_core.search.axis import Axis, Value

Point = tuple[int, ...]
"""Where a candidate stands: one index into each axis, in the order of `Space.axes`."""

_COUNT = "ladder.dca_count"
_FIRSTS = ("ladder.step_1", "ladder.weight_1")
_GROWTHS = ("ladder.step_growth", "ladder.weight_growth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """What a candidate must keep, whatever its coordinates; None or False = not asked.

    `deepest_level_ratio_max` bounds the last rung's distance from the anchor, `weights_sum_max` the sum of the rungs'
    weights, `leg_notional_min` every leg, `take_profit_ratio_above` the profit aimed at (the cost floor).
    `stop_beyond_ladder`: a stop is wider than the last rung's distance. `callback_below_take_profit`: a trailing stop
    that has started lies on the winning side of the entry.
    """

    deepest_level_ratio_max: Fraction | None
    weights_sum_max: Fraction | None
    leg_notional_min: Money | None
    take_profit_ratio_above: Fraction | None
    stop_beyond_ladder: bool
    callback_below_take_profit: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Axes by family (`ladder.*`, `exit.*`, `signal.*`); a family without axes stays the base strategy's.

    `exit_family` is set when the exits are varied, None otherwise.
    """

    name: str
    exit_family: ExitFamily | None
    axes: tuple[Axis, ...]
    constraints: Constraints

    @property
    def digest(self) -> str:
        """sha256 over all of it."""
        return digest_of(self)

    @property
    def size(self) -> int:
        """Points of the grid, those that break a constraint included."""
        return math.prod(len(axis.values) for axis in self.axes)

    @property
    def lengths(self) -> tuple[int, ...]:
        """Values of each axis."""
        return tuple(len(axis.values) for axis in self.axes)

    def has(self, family: str) -> bool:
        """Whether a family is varied."""
        return any(axis.name.startswith(f"{family}.") for axis in self.axes)

    def values_at(self, point: Point) -> dict[str, Value]:
        """The coordinates of a point by parameter."""
        return {axis.name: axis.values[index] for axis, index in zip(self.axes, point, strict=True)}


def parameters_of(space: Space, point: Point) -> tuple[tuple[str, str], ...]:
    """A point as a trial keeps it: exact text by parameter, in the order of the axes."""
    return tuple((axis.name, axis.text(index)) for axis, index in zip(space.axes, point, strict=True))


def settled(space: Space, point: Point) -> Point:
    """The point with coordinates that its policy does not use moved to the middle of their axes.

    A ladder without rungs uses no step and no weight, one with a single rung no growth. Without this, one policy would
    stand at thousands of points, and points that differ in nothing would count as far apart.
    """
    count = next((axis.values[i] for axis, i in zip(space.axes, point, strict=True) if axis.name == _COUNT), None)
    if not isinstance(count, Decimal) or count > 1:
        return point
    unused = _GROWTHS if count == 1 else (*_GROWTHS, *_FIRSTS)
    return tuple(
        len(axis.values) // 2 if axis.name in unused else index for axis, index in zip(space.axes, point, strict=True)
    )


def point_of(space: Space, parameters: Sequence[tuple[str, str]]) -> Point:
    """The point that these parameters name.

    Raises:
        BadInput: a parameter is missing, unknown or not on the grid; names it.
    """
    given = dict(parameters)
    unknown = sorted(set(given) - {axis.name for axis in space.axes})
    if unknown or len(given) < len(parameters):
        name = unknown[0] if unknown else min(name for name, _ in parameters)
        raise BadInput(
            f"{name} is not a parameter of {space.name}" if unknown else "a parameter is given twice",
            where=Where(field=name),
            next_step=f"Known: {', '.join(axis.name for axis in space.axes)}",
        )
    return tuple(_index(space, axis, given.get(axis.name)) for axis in space.axes)


def _index(space: Space, axis: Axis, text: str | None) -> int:
    if text is None and len(axis.values) == 1:
        return 0
    texts = [axis.text(index) for index in range(len(axis.values))]
    if text not in texts:
        raise BadInput(
            f"{axis.name} = {text} is not on the grid of {space.name}" if text else f"{axis.name} is missing",
            where=Where(field=axis.name),
            next_step=f"Its values: {', '.join(texts)}",
        )
    return texts.index(text)
