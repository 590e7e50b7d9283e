"""One table of a settings file: every key known, every number exact, every error with file and key.

What the keys mean belongs to the parser that asks; opening the file is not done here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fractions import Fraction
from typing import TypeVar, cast

from copytrade_core.model.errors import BadConfig, Where
from copytrade_core.model.units import Ppm

Choice = TypeVar("Choice", bound=StrEnum)


class TomlTable:
    """A table as parsed with `parse_float=Decimal`; `section` is its dotted name ("" for the file itself)."""

    def __init__(self, content: Mapping[str, object], section: str, file: str) -> None:
        self._content = content
        self._section = section
        self._file = file

    def wrong(self, key: str, what: str) -> BadConfig:
        """The error that names file and key."""
        name = ".".join(part for part in (self._section, key) if part)
        return BadConfig(f"{name}: {what}", where=Where(file=self._file, field=name))

    def only(self, *known: str) -> None:
        """Refuse keys that nobody reads."""
        unknown = sorted(set(self._content) - set(known))
        if unknown:
            raise self.wrong(unknown[0], f"unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}")

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return key in self._content

    def table(self, key: str) -> TomlTable:
        """A table inside this one."""
        content = self._need(key)
        if not isinstance(content, Mapping):
            raise self.wrong(key, "must be a table")
        section = ".".join(part for part in (self._section, key) if part)
        return TomlTable(cast("Mapping[str, object]", content), section, self._file)

    def text(self, key: str) -> str:
        """A text that is not empty."""
        value = self._need(key)
        if not isinstance(value, str) or not value:
            raise self.wrong(key, "must be a text")
        return value

    def choice(self, key: str, kind: type[Choice]) -> Choice:
        """A word of an enumeration."""
        return self._choice(key, self.text(key), kind)

    def choices(self, key: str, kind: type[Choice]) -> tuple[Choice, ...]:
        """Different words of an enumeration, at least one."""
        found = tuple(self._choice(key, item, kind) for item in self._list(key))
        if not found or len(set(found)) < len(found):
            raise self.wrong(key, "must be a list of different words, at least one")
        return found

    def true(self, key: str) -> bool:
        """Whether the key is there; the only value it takes is `true`."""
        if key in self._content and self._content[key] is not True:
            raise self.wrong(key, "must be true, or be left out")
        return key in self._content

    def integer(self, key: str) -> int:
        """A whole number; what bounds it is checked by the value that takes it."""
        value = self._need(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(key, "must be a whole number")
        return value

    def whole(self, key: str, *, low: int, high: int) -> int:
        """A whole number within bounds."""
        value = self.integer(key)
        if not low <= value <= high:
            raise self.wrong(key, f"{value} is outside {low}..{high}")
        return value

    def number(self, key: str) -> Decimal:
        """An exact number."""
        return self._number(key, self._need(key))

    def ppm(self, key: str, *, per_unit: int) -> Ppm:
        """A number of units (`per_unit` parts per million each: 100 for basis points) in whole parts per million."""
        scaled = self.number(key) * per_unit
        if scaled != scaled.to_integral_value():
            raise self.wrong(key, "is finer than one part per million")
        return Ppm(int(scaled))

    def fraction(self, key: str) -> Fraction:
        """An exact number, or a text such as `1/3`."""
        return self._fraction(key, self._need(key))

    def fractions(self, key: str) -> tuple[Fraction, ...]:
        """Exact numbers or texts such as `1/3`; none is allowed."""
        return tuple(self._fraction(key, value) for value in self._list(key))

    def ratio(self, key: str, *, low: Decimal, high: Decimal) -> Fraction:
        """An exact number within bounds."""
        value = self.number(key)
        if not low <= value <= high:
            raise self.wrong(key, f"{value} is outside {low}..{high}")
        return Fraction(value)

    def ratios(self, key: str, *, low: Decimal, high: Decimal) -> tuple[Fraction, ...]:
        """Exact numbers within bounds, at least one."""
        values = tuple(self._number(key, item) for item in self._list(key))
        if not values or any(not low <= value <= high for value in values):
            raise self.wrong(key, f"must be a list of numbers in {low}..{high}, at least one")
        return tuple(Fraction(value) for value in values)

    def _choice(self, key: str, value: object, kind: type[Choice]) -> Choice:
        if not isinstance(value, str) or value not in set(kind):
            raise self.wrong(key, f"{value!r} is none of {', '.join(kind)}")
        return kind(value)

    def _list(self, key: str) -> Sequence[object]:
        values = self._need(key)
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise self.wrong(key, "must be a list")
        return cast("Sequence[object]", values)

    def _need(self, key: str) -> object:
        if key not in self._content:
            raise self.wrong(key, "is missing")
        return self._content[key]

    def _fraction(self, key: str, value: object) -> Fraction:
        if isinstance(value, str) and "/" in value:
            try:
                return Fraction(value)
            except (ValueError, ZeroDivisionError):
                raise self.wrong(key, f"{value!r} is not a fraction") from None
        return Fraction(self._number(key, value))

    def _number(self, key: str, value: object) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
            raise self.wrong(key, f"{value!r} is not an exact number")
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise self.wrong(key, f"{value!r} is not a number") from None
        if not number.is_finite():
            raise self.wrong(key, f"{value!r} is not finite")
        return number
