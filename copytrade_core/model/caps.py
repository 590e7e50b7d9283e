"""Absolute caps on what a strategy may open. There is no default for a cap: None says that it is not set.

Judging an intent against them is `risk`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from copytrade_core.model.errors import BadConfig, BadInput, Where
from copytrade_core.model.units import Money, Ppm


def _positive(caps: Iterable[tuple[str, int | None]]) -> None:
    for name, cap in caps:
        if cap is not None and cap <= 0:
            raise BadInput(f"{name} must be positive", where=Where(field=name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Caps that every open and add must keep. Reductions and closes pass all of them.

    Money: `notional_gross_max` bounds notional held, reserved and asked for together, `notional_one_side_max` the same
    on the side that is asked for, `notional_correlated_max` the same weighted by how alike markets move
    (`risk.correlated`). `daily_loss_max` bounds what was lost since 00:00 UTC: cash now minus cash then, plus the
    unrealised result of every holding at its own mark; once it is reached, or a mark is unknown, nothing opens or adds.
    `orders_per_hour_max` counts opens and adds handed over within 3600 s; `source_age_s_max` and `mark_age_s_max` bound
    the age of what the decision stands on; `entry_drift_ppm_max` how far the mark may be from the price that the
    decision saw.

    Raises:
        BadInput: a cap that is not positive.
    """

    notional_gross_max: Money | None
    notional_one_side_max: Money | None
    notional_correlated_max: Money | None
    daily_loss_max: Money | None
    orders_per_hour_max: int | None
    source_age_s_max: int | None
    mark_age_s_max: int | None
    entry_drift_ppm_max: Ppm | None

    def __post_init__(self) -> None:
        _positive((field.name, getattr(self, field.name)) for field in fields(self))

    @property
    def is_complete(self) -> bool:
        """Whether every cap is set."""
        return not self._missing()

    def require_all(self) -> None:
        """What a session asks of its caps before it starts: each is mandatory, and none is made void by another.

        Raises:
            BadConfig: a cap is missing, or is larger than one that it lies within; names it.
        """
        missing = self._missing()
        if missing:
            raise BadConfig(
                f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set",
                where=Where(field=missing[0]),
                next_step="Set every cap: a session has no default for any of them",
            )
        assert self.notional_gross_max is not None
        for name in ("notional_one_side_max", "notional_correlated_max"):
            if getattr(self, name) > self.notional_gross_max:
                raise BadConfig(
                    f"{name} is larger than notional_gross_max, so it would never hold anything back",
                    where=Where(field=name),
                    next_step="Lower it, or raise notional_gross_max",
                )

    def _missing(self) -> list[str]:
        return [field.name for field in fields(self) if getattr(self, field.name) is None]


UNCAPPED = Caps(
    notional_gross_max=None,
    notional_one_side_max=None,
    notional_correlated_max=None,
    daily_loss_max=None,
    orders_per_hour_max=None,
    source_age_s_max=None,
    mark_age_s_max=None,
    entry_drift_ppm_max=None,
)
"""Only equity bounds what may be held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayCaps:
    """The two caps that a replay keeps, in both engines; its inputs have no age and its orders no throttle.

    Raises:
        BadInput: a cap that is not positive.
    """

    notional_gross_max: Money | None
    daily_loss_max: Money | None

    def __post_init__(self) -> None:
        _positive((field.name, getattr(self, field.name)) for field in fields(self))

    def as_caps(self) -> Caps:
        """The same caps where every cap is asked for; the others are not set."""
        return Caps(
            notional_gross_max=self.notional_gross_max,
            notional_one_side_max=None,
            notional_correlated_max=None,
            daily_loss_max=self.daily_loss_max,
            orders_per_hour_max=None,
            source_age_s_max=None,
            mark_age_s_max=None,
            entry_drift_ppm_max=None,
        )


UNCAPPED_REPLAY = ReplayCaps(notional_gross_max=None, daily_loss_max=None)
"""Only equity bounds what a replay may hold."""
