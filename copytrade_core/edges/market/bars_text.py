"""Columns of text from files or answers as exact integers: instants, ticks, volumes; the first bad value is named.

Which columns a file has does not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import numpy as np
import polars as pl
from numpy.typing import NDArray

from copytrade_core.model.bar import Float64s, Int32s, Int64s
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.units import TICKS_MAX

PLAIN_NUMBER = r"^[0-9]{1,12}(\.[0-9]{1,12})?$"
FIRST_MS = 1_567_296_000_000
"""2019-09-01: Binance USD-M futures did not exist before."""
LAST_MS = 4_102_444_800_000
"""2100-01-01: beyond it a number is not milliseconds."""
DATE_TIME = "%Y-%m-%d %H:%M:%S%.f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of one file or answer as text columns of equal length; None is an absent value.

    `place` names the file or request; `numbers` are the rows' own numbers there (1-based lines or entries), shape
    `(n,)`.
    """

    place: Where
    numbers: Int64s
    columns: Mapping[str, Sequence[str | None]]

    def __len__(self) -> int:
        return len(self.numbers)

    def fault(self, index: int, field: str, what: str) -> BadInput:
        """The error for one value."""
        where = Where(file=self.place.file, row=int(self.numbers[index]), field=field, request=self.place.request)
        return BadInput(what, where=where)

    def refuse(self, wrong: NDArray[np.bool_], field: str, what: str) -> None:
        """Raises for the first True.

        Raises:
            BadInput: names file, row, field and, where there is one, the value.
        """
        if wrong.any():
            index = int(np.argmax(wrong))
            column = self.columns.get(field)
            value = f": {column[index]!r}" if column is not None else ""
            raise self.fault(index, field, f"{what}{value}")


def times_ms(rows: Rows, field: str) -> Int64s:
    """Epoch milliseconds of a column of millisecond (or microsecond) counts or of UTC date-times.

    A date-time without an offset is UTC.

    Raises:
        BadInput: absent, unreadable, in seconds, before 2019-09-01, or not a whole millisecond.
    """
    text = pl.Series(rows.columns[field], dtype=pl.String).str.strip_chars()
    numbers = text.cast(pl.Int64, strict=False)
    if numbers.null_count() == len(text):
        plain = text.str.replace("T", " ").str.replace(r"(Z|\+00:?00)$", "")
        numbers = plain.str.to_datetime(DATE_TIME, strict=False, time_unit="us").dt.epoch("us")
    rows.refuse(numbers.is_null().to_numpy(), field, "not an instant (UTC date-time or epoch milliseconds)")
    found: Int64s = numbers.to_numpy().astype(np.int64)
    micro = found >= FIRST_MS * 1000
    rows.refuse(micro & (found % 1000 != 0), field, "an instant is not a whole millisecond")
    found = np.where(micro, found // 1000, found)
    seconds = (found >= FIRST_MS // 1000) & (found < LAST_MS // 1000)
    rows.refuse(seconds, field, "an instant is in seconds, milliseconds are needed")
    rows.refuse((found < FIRST_MS) | (found > LAST_MS), field, "an instant is impossible for this exchange")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class TickColumn:
    """Prices in ticks, shape `(n,)`, and how many had to be rounded to the grid."""

    ticks: Int32s
    off_grid_count: int


def ticks_of(rows: Rows, field: str, tick_size: Decimal, *, may_round: bool) -> TickColumn:
    """Exact ticks of a price column, from its text: `units.ticks_nearest` a column at a time; no float is involved.

    Args:
        rows: the text.
        field: which column.
        tick_size: the grid.
        may_round: foreign data: a price off the grid is rounded half to even and counted; venue data: it is an error.

    Raises:
        BadInput: absent, not a finite positive number, beyond int32 ticks, or off the grid where that is an error.
    """
    digits, scale = _scaled(rows, field, tick_size)
    unit = int(tick_size.scaleb(scale))
    ticks, rest = np.divmod(digits, unit)
    off = rest != 0
    if not may_round:
        rows.refuse(off, field, f"a price is off the tick grid of {tick_size}")
    up = (2 * rest > unit) | ((2 * rest == unit) & (ticks % 2 == 1))
    ticks = ticks + up
    rows.refuse(ticks <= 0, field, "a price is not positive on the tick grid")
    rows.refuse(ticks > TICKS_MAX, field, f"a price is beyond {TICKS_MAX} ticks of {tick_size}")
    return TickColumn(ticks=ticks.astype(np.int32), off_grid_count=int(np.count_nonzero(off)))


def _scaled(rows: Rows, field: str, tick_size: Decimal) -> tuple[Int64s, int]:
    """The prices as integers of 10**-scale, for the smallest scale that holds every digit and the tick."""
    text = _plain_numbers(rows, field)
    parts = text.str.split_exact(".", 1).struct
    whole = parts.field("field_0").cast(pl.Int64)
    fraction = parts.field("field_1").fill_null("").str.strip_chars_end("0")
    longest = fraction.str.len_chars().max()
    tick_digits = -int(str(tick_size.normalize().as_tuple().exponent))
    scale = max(0, tick_digits, longest if isinstance(longest, int) else 0)
    too_long = whole.to_numpy() >= 10 ** (18 - scale)
    rows.refuse(too_long, field, "a price has too many digits")
    digits = whole * 10**scale
    if scale:
        digits += fraction.str.pad_end(scale, "0").cast(pl.Int64)
    return digits.to_numpy(), scale


def _plain_numbers(rows: Rows, field: str) -> pl.Series:
    text = pl.Series(rows.columns[field], dtype=pl.String).str.strip_chars()
    odd = np.flatnonzero((~text.str.contains(PLAIN_NUMBER)).fill_null(value=True).to_numpy())
    if len(odd):
        replaced = text.to_list()
        for index in odd.tolist():
            replaced[index] = _plain_number(rows, field, index)
        text = pl.Series(replaced, dtype=pl.String)
    return text


def _plain_number(rows: Rows, field: str, index: int) -> str:
    """One number that is not written plainly (1e-05, +1, 1.0000000000001) as plain digits."""
    value = rows.columns[field][index]
    number = decimal_of(value)
    if number is None:
        raise rows.fault(index, field, f"a price is absent or not a finite number: {value!r}")
    if number <= 0:
        raise rows.fault(index, field, f"a price is not positive: {value!r}")
    plain = format(number.normalize(), "f")
    whole, _, fraction = plain.partition(".")
    if len(whole) > 12 or len(fraction) > 12:
        raise rows.fault(index, field, f"a price has too many digits: {value!r}")
    return plain


def volumes_of(rows: Rows, field: str) -> Float64s:
    """Volumes in base units: a statistic, so a float.

    Raises:
        BadInput: absent, negative, NaN or infinite.
    """
    numbers = pl.Series(rows.columns[field], dtype=pl.String).str.strip_chars().cast(pl.Float64, strict=False)
    found: Float64s = numbers.fill_null(float("nan")).to_numpy().astype(np.float64)
    rows.refuse(~np.isfinite(found) | (found < 0), field, "a volume is absent, negative or not finite")
    return found


def decimal_of(text: str | None) -> Decimal | None:
    """A finite decimal, or None."""
    try:
        number = Decimal((text or "").strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
