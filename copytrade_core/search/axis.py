"""One parameter of a space: its finite grid of exact values, and the file's words for it.

What a value does to a policy belongs to `space_policy.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum
from fractions import Fraction

from copytrade_core.model.side import SideFilter
from copytrade_core.model.toml_table import TomlTable

Value = Decimal | SideFilter | None
"""A coordinate: a number, a side, or None = the exit does not use this parameter."""

NONE = "none"
"""How an absent value is written among a trial's parameters."""

POINTS_MAX = 10_000
"""Values of one axis; a finer grid says nothing that data could tell apart."""

_EXACT = Context(prec=40, rounding=ROUND_HALF_EVEN)
"""Of its own, so that a caller's decimal context changes nothing."""


class Scale(StrEnum):
    """How an axis is divided."""

    LINEAR = "linear"
    """Every `step` from `low` to `high`."""
    LOG = "log"
    """`count` values with equal ratios, each rounded to the parameter's grain."""


class Absent(StrEnum):
    """Where "not used" stands on an axis: beside the value that behaves most like it."""

    NEVER = "never"
    FIRST = "first"
    """A trailing callback of nothing leaves at the take-profit."""
    LAST = "last"
    """A take-profit, stop or time-to-live that is never reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a parameter can be: multiples of `grain` within `low..high`, and whether it can be absent."""

    grain: Decimal
    low: Decimal
    high: Decimal
    absent: Absent


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One parameter and its values, in the order in which neighbours are neighbours."""

    name: str
    values: tuple[Value, ...]

    def text(self, index: int) -> str:
        """A value as exact text."""
        value = self.values[index]
        return NONE if value is None else value.value if isinstance(value, SideFilter) else plain(value)


def plain(value: Decimal) -> str:
    """A decimal without exponent and trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def number_axis(table: TomlTable, name: str, rule: Rule) -> Axis:
    """The axis that a parameter's table describes.

    One of `{ value = … }`, `{ none = true }`, `{ scale = "linear", low, high, step }`, `{ scale = "log", low, high,
    count }`; the last two may add `none = true`: absent is one of the choices.

    Raises:
        BadConfig: names file and key.
    """
    if rule.absent is Absent.NEVER and table.has("none"):
        raise table.wrong("none", f"{name} cannot be left out")
    none = table.true("none")
    if table.has("scale"):
        numbers = _numbers(table, rule)
    elif none:
        table.only("none")
        numbers = ()
    else:
        table.only("value")
        numbers = (_on_grain(table, "value", rule),)
    if not none:
        return Axis(name=name, values=numbers)
    return Axis(name=name, values=(*numbers, None) if rule.absent is Absent.LAST else (None, *numbers))


def side_axis(table: TomlTable, name: str) -> Axis:
    """The axis of the side filter: `{ choices = ["both", …] }`."""
    table.only("choices")
    return Axis(name=name, values=table.choices("choices", SideFilter))


def _numbers(table: TomlTable, rule: Rule) -> tuple[Decimal, ...]:
    scale = table.choice("scale", Scale)
    table.only("scale", "low", "high", "step" if scale is Scale.LINEAR else "count", "none")
    low, high = _on_grain(table, "low", rule), _on_grain(table, "high", rule)
    if low >= high:
        raise table.wrong("high", f"the range is empty or inverted: low {low}, high {high}; fix one value with `value`")
    return _linear(table, rule, low, high) if scale is Scale.LINEAR else _log(table, rule, low, high)


def _linear(table: TomlTable, rule: Rule, low: Decimal, high: Decimal) -> tuple[Decimal, ...]:
    first, last, step = _grains(low, rule), _grains(high, rule), _grains(table.number("step"), rule)
    if step.denominator != 1 or step <= 0:
        raise table.wrong("step", f"must be a positive multiple of {plain(rule.grain)}")
    if step > last - first:
        raise table.wrong("step", f"exceeds the range {low}..{high}")
    if (last - first) % step:
        raise table.wrong("step", f"does not divide the range {low}..{high}")
    count = int((last - first) / step) + 1
    if count > POINTS_MAX:
        raise table.wrong("step", f"gives {count} values; at most {POINTS_MAX}")
    return tuple(_EXACT.multiply(Decimal(int(first + step * index)), rule.grain) for index in range(count))


def _log(table: TomlTable, rule: Rule, low: Decimal, high: Decimal) -> tuple[Decimal, ...]:
    count = table.whole("count", low=2, high=POINTS_MAX)
    if low <= 0:
        raise table.wrong("low", "a log scale starts above zero")
    span = _EXACT.ln(_EXACT.divide(high, low))
    inner = (
        _EXACT.multiply(low, _EXACT.exp(_EXACT.divide(_EXACT.multiply(span, Decimal(i)), Decimal(count - 1))))
        for i in range(1, count - 1)
    )
    values = (low, *(_EXACT.quantize(value, rule.grain) for value in inner), high)
    if len(set(values)) < count:
        raise table.wrong("count", f"{count} values between {low} and {high} are closer than {plain(rule.grain)}")
    return values


def _on_grain(table: TomlTable, key: str, rule: Rule) -> Decimal:
    value = table.number(key)
    if not rule.low <= value <= rule.high:
        raise table.wrong(key, f"{value} is outside {plain(rule.low)}..{plain(rule.high)}")
    if _grains(value, rule).denominator != 1:
        raise table.wrong(key, f"{value} is not a multiple of {plain(rule.grain)}")
    return value


def _grains(value: Decimal, rule: Rule) -> Fraction:
    """A value in units of the grain; fractions, since a decimal remainder depends on the caller's context."""
    return Fraction(value) / Fraction(rule.grain)
