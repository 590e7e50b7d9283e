"""What an intent is judged against: facts, in integers. Where they come from is not known here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from copytrade_core.model.controls import CLEAR, Controls
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks

NOTHING = Money(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """Notional that is held at its mark, or that an entry of ours may still come to hold at worst."""

    market: Market
    side: Side
    notional: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """Everything that an intent is judged against.

    `equity` at the marks known now; `day_result` what was won since 00:00 UTC, marked (negative is a loss), None when
    something held has no mark; `commitments` all that is held and all that entries of ours may still hold;
    `quantity_held` of the intent's episode. `entries_last_hour` counts opens and adds handed over within 3600 s. Ages
    are None when nothing was ever seen; `mark_age_ms` is that of the oldest mark among the intent's market and every
    market held; `mark` that of the intent's market. `unresolved_count` counts orders of the same position at the venue
    of which nobody knows whether they exist; `account_fault` says what keeps the account from being ours alone and
    known. `correlation_ppm` is that of `risk.correlated`. `notional_of_lead` is held and reserved of the lead whose
    episode it is, `notional_of_lead_max` that lead's own cap (None: it has none).
    """

    now_ms: int
    equity: Money
    day_result: Money | None
    commitments: tuple[Commitment, ...]
    quantity_held: Steps
    instrument: Instrument
    controls: Controls
    entries_last_hour: int
    source_age_ms: int | None
    mark_age_ms: int | None
    mark: Ticks | None
    unresolved_count: int
    account_fault: str | None
    is_one_way: bool
    correlation_ppm: Callable[[Market, Market], int | None]
    notional_of_lead: Money = NOTHING
    notional_of_lead_max: Money | None = None

    @property
    def notional_used(self) -> Money:
        """Held and reserved, all markets, whatever the side."""
        return Money(sum(each.notional for each in self.commitments))

    def notional_on(self, side: Side) -> Money:
        """Held and reserved on one side, all markets."""
        return Money(sum(each.notional for each in self.commitments if each.side is side))


def for_exit(*, now_ms: int, quantity_held: Steps, instrument: Instrument) -> Exposure:
    """What a reduction or a close is judged against: only what is held. Nothing else is even asked for."""
    return Exposure(
        now_ms=now_ms,
        equity=Money(0),
        day_result=Money(0),
        commitments=(),
        quantity_held=quantity_held,
        instrument=instrument,
        controls=CLEAR,
        entries_last_hour=0,
        source_age_ms=0,
        mark_age_ms=0,
        mark=None,
        unresolved_count=0,
        account_fault=None,
        is_one_way=False,
        correlation_ppm=lambda _a, _b: None,
    )
