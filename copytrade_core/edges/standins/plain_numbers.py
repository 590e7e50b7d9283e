"""Numbers as venues write them and as requests give them: decimal text without exponent, and careful readers of text.

Which number stands where belongs to the rows; what a bad one is answered with belongs to the dialect.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from copytrade_core.model.instrument import Instrument
from copytrade_core.model.units import MONEY_SCALE, RATE_SCALE
from copytrade_core.virtual_exchange.venue_ask import EngineOrder

_TEXT_MAX = 40
_COUNT_DIGITS_MAX = 18
_AVERAGE_UNIT = Decimal("1e-8")


def plain(value: Decimal) -> str:
    """Decimal text without exponent and without trailing zeros; zero is `0`."""
    return f"{value.normalize():f}" if value else "0"


def money_plain(money: int) -> str:
    """Money as short decimal text."""
    return plain(Decimal(money) / MONEY_SCALE)


def money_padded(money: int) -> str:
    """Money with all its eight decimals."""
    return f"{Decimal(money) / MONEY_SCALE:.8f}"


def rate_plain(rate: int) -> str:
    """A rate in ppm as a ratio."""
    return plain(Decimal(rate) / RATE_SCALE)


def on_grid(value: Decimal, unit: Decimal) -> str:
    """A value with as many decimals as its grid has."""
    exponent = unit.normalize().as_tuple().exponent
    return f"{value:.{-exponent if isinstance(exponent, int) and exponent < 0 else 0}f}"


def average_price(order: EngineOrder, instrument: Instrument) -> Decimal:
    """Mean price of an order's fills at 1e-8, 0 before the first."""
    if not order.filled:
        return Decimal(0)
    average = Decimal(order.quote) / MONEY_SCALE / instrument.quantity(order.filled)
    return average.quantize(_AVERAGE_UNIT, rounding=ROUND_HALF_EVEN)


def decimal_of(text: str) -> Decimal | None:
    """A finite number of sane length, or None."""
    if len(text) > _TEXT_MAX:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value.adjusted()) < _TEXT_MAX else None


def count_of(text: str) -> int | None:
    """A whole number of at most 18 digits, or None."""
    is_count = text.isascii() and text.isdigit() and len(text) <= _COUNT_DIGITS_MAX
    return int(text) if is_count else None


def multiples_of(value: Decimal, unit: Decimal) -> int | None:
    """How many units a value is, or None when it lies between two."""
    count = value / unit
    return int(count) if count == count.to_integral_value() else None
