"""Absolute caps on what a strategy may open. There is no default for a cap: None says that it is not set."""

from __future__ import annotations

from dataclasses import dataclass

from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.units import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Caps that every open and add must keep; money.

    `notional_gross_max` bounds notional held, reserved and asked for together. `daily_loss_max` bounds what was lost
    since 00:00 UTC: cash now minus cash then, plus the unrealised result of every holding. Once it is reached, nothing
    opens or adds until the next day; reductions and closes pass.

    Raises:
        BadInput: a cap that is not positive.
    """

    notional_gross_max: Money | None
    daily_loss_max: Money | None

    def __post_init__(self) -> None:
        for name in ("notional_gross_max", "daily_loss_max"):
            cap = getattr(self, name)
            if cap is not None and cap <= 0:
                raise BadInput(f"{name} must be positive", where=Where(field=name))


UNCAPPED = Caps(notional_gross_max=None, daily_loss_max=None)
"""Only equity bounds what may be held."""
