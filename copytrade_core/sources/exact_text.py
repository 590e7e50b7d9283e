"""Numbers and times as published -> exact integers, a column at a time.

What a missing or faulty value means for its row is decided by the rules of each endpoint, not here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from enum import IntEnum
from types import NoneType
from typing import Any

import polars as pl

from copytrade_core.model.units import INT64_MAX

E8 = 10**8
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WRONG_KIND = "\x00"
"""Stands for a JSON value that is neither text nor number (object, list, true); no field may hold it as text."""

_PLAIN = r"^-?[0-9]{1,10}(\.[0-9]{1,8})?$"
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE | re.ASCII)


class Fault(IntEnum):
    """What is wrong with one value; 0 is nothing."""

    NONE = 0
    MISSING = 1
    WRONG_TYPE = 2
    NOT_FINITE = 3


def parse_e8(text: str | None) -> int | Fault:
    """A published number as an integer count of 1e-8, exact to eight decimals and half to even beyond.

    Blanks around it, a sign, an exponent and correct thousands commas are accepted; `1,5` is not a number here, for it
    could mean 1.5 or 15. A value that leaves int64 is `NOT_FINITE`.
    """
    if text is None or not (clean := text.strip(" \t\r\n")):
        return Fault.MISSING
    if _NOT_FINITE.fullmatch(clean):
        return Fault.NOT_FINITE
    if _GROUPED.fullmatch(clean):
        clean = clean.replace(",", "")
    elif not _NUMBER.fullmatch(clean):
        return Fault.WRONG_TYPE
    number = Decimal(clean)
    if number and number.adjusted() > 11:
        return Fault.NOT_FINITE
    if number and number.adjusted() < -20:
        return 0
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    scaled = Decimal((sign, digits, exponent + 8)).to_integral_value(rounding=ROUND_HALF_EVEN)
    value = int(scaled)
    return value if abs(value) <= INT64_MAX else Fault.NOT_FINITE


def decimal_e8(value: int) -> Decimal:
    """A stored 1e-8 integer as the published decimal, without needless zeros."""
    number = Decimal(value).scaleb(-8).normalize()
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number


def text_column(name: str, values: Sequence[Any]) -> pl.Series:
    """JSON values as text: numbers as written, booleans `true`/`false`, other kinds `WRONG_KIND`, null kept."""
    if set(map(type, values)) <= {str, NoneType}:
        return pl.Series(name, values, dtype=pl.String)
    return pl.Series(name, [text_of(value) for value in values], dtype=pl.String)


def text_of(value: object) -> str | None:
    """One JSON value as text, `WRONG_KIND` when it is neither text, number nor boolean."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else WRONG_KIND


def e8_columns(name: str, values: Sequence[Any]) -> tuple[pl.Series, pl.Series]:
    """Numbers as int64 counts of 1e-8 under `name`, and their `Fault` under `name_fault`; faulty values are null.

    Text of the plain shape is cast by polars; everything else goes through `parse_e8`, and both agree (tested).
    """
    texts = text_column(name, values)
    plain = texts.str.contains(_PLAIN).fill_null(value=False)
    numbers = texts.cast(pl.Decimal(38, 8), strict=False).to_physical().cast(pl.Int64, strict=False)
    faults = pl.zeros(len(texts), dtype=pl.UInt8, eager=True).alias(f"{name}_fault")
    if plain.all():
        return numbers.alias(name), faults
    rows = (~plain).arg_true()
    parsed = [parse_e8(text) for text in texts.gather(rows)]
    found = pl.Series([None if isinstance(value, Fault) else value for value in parsed], dtype=pl.Int64)
    wrong = pl.Series([value if isinstance(value, Fault) else 0 for value in parsed], dtype=pl.UInt8)
    return numbers.scatter(rows, found).alias(name), faults.scatter(rows, wrong).alias(f"{name}_fault")


def time_columns(name: str, values: Sequence[Any]) -> tuple[pl.Series, pl.Series]:
    """Epoch milliseconds as int64 under `name`, and their `Fault` under `name_fault`; faulty values are null."""
    fault_name = f"{name}_fault"
    if set(map(type, values)) == {int} and min(values) >= -INT64_MAX and max(values) <= INT64_MAX:
        return (
            pl.Series(name, values, dtype=pl.Int64),
            pl.zeros(len(values), dtype=pl.UInt8, eager=True).alias(fault_name),
        )
    parsed = [whole_number(value) for value in values]
    return (
        pl.Series(name, [None if isinstance(value, Fault) else value for value in parsed], dtype=pl.Int64),
        pl.Series(fault_name, [value if isinstance(value, Fault) else 0 for value in parsed], dtype=pl.UInt8),
    )


def whole_number(value: object) -> int | Fault:
    """A whole number of any published form within int64 (epoch milliseconds do not fit 1e-8 scaling)."""
    checked = parse_e8(text_of(value))
    if isinstance(checked, Fault) and checked is not Fault.NOT_FINITE:
        return checked
    clean = (text_of(value) or "").strip(" \t\r\n").replace(",", "")
    if _NOT_FINITE.fullmatch(clean):
        return Fault.NOT_FINITE
    number = Decimal(clean)
    if number.adjusted() > 18 or abs(number) > INT64_MAX:
        return Fault.NOT_FINITE
    return int(number) if number == number.to_integral_value() else Fault.WRONG_TYPE


def instant_of_ms(moment_ms: int) -> datetime | None:
    """Epoch milliseconds as an aware instant, or None when no calendar has it."""
    try:
        return EPOCH + timedelta(milliseconds=moment_ms)
    except OverflowError:
        return None
