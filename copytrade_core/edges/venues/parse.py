"""From a venue's text and numbers to values on our integer grid, exactly or not at all.

A number that is not finite or not on the grid makes the whole answer unusable: nothing is rounded in silence. The one
exception says so: a position's average entry price is no price of the grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import cast

from copytrade_core.edges.venues.envelope import mapping_of, payload_at
from copytrade_core.model.errors import CopytradeError, Where
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.units import MONEY_SCALE, TICKS_MAX, Money, Ticks, money_from_decimal

Row = Mapping[str, object]


class BadAnswer(CopytradeError):
    """A value in a well-formed answer that cannot be used."""


def rows(body: object, *keys: str) -> list[Row]:
    """The rows at the end of the keys; their shape has been judged before."""
    return listed(payload_at(body, (keys,)))


def listed(value: object) -> list[Row]:
    """The value as rows.

    Raises:
        BadAnswer: no list, or a row that is no object.
    """
    if not isinstance(value, list):
        raise BadAnswer("no list")
    return [one_row(item) for item in cast("list[object]", value)]


def whole_page(found: list[Row], limit: int) -> list[Row]:
    """The rows of a list that was not cut.

    Raises:
        BadAnswer: it is as long as was asked for, so there may be more.
    """
    if len(found) >= limit:
        raise BadAnswer("the list is full and may be cut", where=Where(field="limit"))
    return found


def row_at(body: object, *places: tuple[str, ...]) -> Row:
    """The row at the first place that exists."""
    return one_row(payload_at(body, places))


def one_row(value: object) -> Row:
    """The value as a row.

    Raises:
        BadAnswer: it is none.
    """
    found = mapping_of(value)
    if found is None:
        raise BadAnswer("no object")
    return found


def text(row: Row, *keys: str) -> str:
    """The first of the keys with a value, as text.

    Raises:
        BadAnswer: none has one, or it is the word `None`.
    """
    found = text_or_none(row, *keys)
    if found is None:
        raise BadAnswer("missing", where=Where(field=keys[0]))
    return found


def text_or_none(row: Row, *keys: str) -> str | None:
    """The first of the keys with a value that is not empty, as text; the words of absence count as absent."""
    for key in keys:
        value = row.get(key)
        if value is None or isinstance(value, bool | dict | list):
            continue
        found = str(value).strip()
        if found not in ("", "None", "null"):
            return found
    return None


def number(row: Row, *keys: str) -> Decimal:
    """A finite number.

    Raises:
        BadAnswer: missing, not a number, or not finite.
    """
    found = text(row, *keys)
    try:
        value = Decimal(found)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise BadAnswer(f"{found!r} is not a finite number", where=Where(field=keys[0]))
    return value


def flag(row: Row, key: str) -> bool:
    """A truth value, also as text.

    Raises:
        BadAnswer: neither.
    """
    found = str(row.get(key)).lower()
    if found not in ("true", "false"):
        raise BadAnswer(f"{found!r} is neither true nor false", where=Where(field=key))
    return found == "true"


def whole(value: Decimal, unit: Decimal, field: str, *, maximum: int) -> int:
    """How many units a value is.

    Raises:
        BadAnswer: not a whole number of them, negative, or beyond what is counted.
    """
    count = value / unit
    if count != count.to_integral_value() or not 0 <= count <= maximum:
        raise BadAnswer(f"{value} is no count of {unit} in 0..{maximum}", where=Where(field=field))
    return int(count)


def ticks(value: Decimal, instrument: Instrument, field: str) -> Ticks:
    """An executed or resting price."""
    return Ticks(whole(value, instrument.tick_size, field, maximum=TICKS_MAX))


def average_ticks(value: Decimal, instrument: Instrument, field: str) -> Ticks:
    """An average price, to the nearest tick: it is an observation and no price of the grid."""
    count = int((value / instrument.tick_size).to_integral_value(rounding=ROUND_HALF_EVEN))
    if not 0 < count <= TICKS_MAX:
        raise BadAnswer(f"{value} is no price", where=Where(field=field))
    return Ticks(count)


def fee_money(value: Decimal) -> Money:
    """A fee, rounded up at 1e-8: a cost is never understated."""
    return Money(int((value * MONEY_SCALE).to_integral_value(rounding=ROUND_CEILING)))


def money(row: Row, *keys: str) -> Money:
    """An amount of quote currency."""
    return money_from_decimal(number(row, *keys))


def epoch_ms(row: Row, *keys: str) -> int:
    """A time in epoch milliseconds.

    Raises:
        BadAnswer: missing, or not after 2000 and before 2100.
    """
    value = number(row, *keys)
    if not Decimal(946_684_800_000) < value < Decimal(4_102_444_800_000):
        raise BadAnswer(f"{value} is no time in milliseconds", where=Where(field=keys[0]))
    return int(value)


def plain(value: Decimal) -> str:
    """A decimal as venues read it: no exponent, no trailing zeros."""
    shown = format(value, "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown
