"""How BingX writes numbers: money as decimal text, precision as a count of decimals.

Which number stands where belongs to the rows.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.units import MONEY_SCALE


def money_text(money: int) -> str:
    """Money as decimal text with all its digits, at least four decimals."""
    text = f"{Decimal(money) / MONEY_SCALE:.8f}"
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals[:4]}{decimals[4:].rstrip('0')}"


def decimals_of(unit: Decimal) -> int:
    """How many decimals a tick or step has.

    Raises:
        BadInput: not 1, 0.1, 0.01...: BingX tells precision as a number of decimals and nothing else.
    """
    exponent = unit.normalize().as_tuple().exponent
    if not isinstance(exponent, int) or exponent > 0 or unit != Decimal(1).scaleb(exponent):
        raise BadInput(
            f"BingX cannot list a step of {unit}",
            where=Where(field="tick_size"),
            next_step="Use a power of ten that is not above 1",
        )
    return -exponent


def price_text(price: Decimal, instrument: Instrument) -> str:
    """A price with the market's decimals; an average is rounded to them."""
    unit = Decimal(1).scaleb(-decimals_of(instrument.tick_size))
    return f"{price.quantize(unit, rounding=ROUND_HALF_EVEN):f}"


def quantity_text(steps: int, instrument: Instrument) -> str:
    """A quantity in base units."""
    return f"{instrument.quantity(steps):f}"
