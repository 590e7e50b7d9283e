"""The one profit formula of a linear contract, for both sides.

Gross result = quantity x (exit - entry) x sign, in quote units; fees and funding are posted beside it.
"""

from __future__ import annotations

from copytrade_core.model.book import Holding
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money


def linear_pnl(side: Side, *, entry_notional: int, exit_notional: int) -> Money:
    """Gross money won by entering at one notional and leaving the same quantity at another."""
    return Money(side.sign * (exit_notional - entry_notional))


def unrealised(holding: Holding, instrument: Instrument, price: int) -> Money:
    """Gross money of what is still held, marked at a price in ticks."""
    marked = instrument.notional(price, holding.quantity)
    return linear_pnl(holding.side, entry_notional=holding.cost, exit_notional=marked)
