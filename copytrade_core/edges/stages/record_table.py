"""Frozen records as tables and back: one column per field, decimals as exact text, instants in UTC.

What the records mean does not belong here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
import polars as pl

from copytrade_core.model.errors import StoreFault, Where

Record = TypeVar("Record")

INSTANT = pl.Datetime("us", "UTC")
COLUMNS: Mapping[type, pl.DataType] = {bool: pl.Boolean(), int: pl.Int64(), float: pl.Float64(), datetime: INSTANT}


def record_schema(kind: type, *, leave_out: Sequence[str] = ()) -> pl.Schema:
    """The columns of a record type; fields that are not numbers, instants or booleans are text."""
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind) if field.name not in leave_out]
    return pl.Schema({name: COLUMNS.get(_plain_type(hints[name]), pl.String()) for name in names})


def _plain_type(hint: Any) -> type:  # noqa: ANN401 - a type hint has no narrower type
    hint = getattr(hint, "__supertype__", hint)
    if isinstance(hint, UnionType):
        hint = next(part for part in get_args(hint) if part is not NoneType)
    return getattr(hint, "__supertype__", hint)


def frame_of(records: Iterable[object], kind: type, *, leave_out: Sequence[str] = ()) -> pl.DataFrame:
    """Records as a frame, in the given order."""
    schema = record_schema(kind, leave_out=leave_out)
    rows = [{name: _cell(getattr(record, name)) for name in schema} for record in records]
    return pl.DataFrame(rows, schema=schema)


def _cell(value: object) -> object:
    match value:
        case Enum():
            return value.value
        case Decimal():
            return format(value, "f")
        case _:
            return value


def records_of(rows: Iterable[Mapping[str, object]], kind: type[Record], *, table: str) -> list[Record]:
    """Rows (as `frame.iter_rows(named=True)` gives them) as records.

    Raises:
        StoreFault: a stored row does not have the record's shape; names table and row.
    """
    found: list[Record] = []
    for number, row in enumerate(rows):
        try:
            found.append(msgspec.convert(row, type=kind, strict=False))
        except msgspec.ValidationError as error:
            raise StoreFault(f"{table} has another shape: {error}", where=Where(file=table, row=number)) from error
    return found
