"""Turning what happened in a replay into round trips, blocked records and the equity curve. It changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from copytrade_core.ledger.equity import equity, gross_notional
from copytrade_core.ledger.pnl import unrealised
from copytrade_core.ledger.post import closed_holding
from copytrade_core.model.bar import Bar
from copytrade_core.model.book import Book, Holding
from copytrade_core.model.fill import Fill
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.round_trip import Blocked, EquityCurve, RoundTrip
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money
from copytrade_core.model.verdict import Refused
from copytrade_core.strategies.dca_ladder import LadderPlan

EMPTY_PLAN = LadderPlan(rungs=(), skipped_count=0, skipped_notional=Money(0))


@dataclass(slots=True)
class _Open:
    signal_at_ms: int
    source_id: str | None
    fills: list[Fill] = field(default_factory=list[Fill])
    bars_held: int = 0
    mae: int = 0
    mfe: int = 0
    last: Holding | None = None


class Recorder:
    """Collects the outputs of one replay.

    Args:
        instruments: trading rules by market.
    """

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments
        self._open: dict[str, _Open] = {}
        self._blocked: dict[tuple[str, str, str], Blocked] = {}
        self._curve: list[tuple[int, int, int, int, int]] = []
        self.round_trips: list[RoundTrip] = []

    def signal(self, episode_id: str, source_id: str | None, at_ms: int) -> None:
        """A signal was given to the strategy."""
        _ = self._open.setdefault(episode_id, _Open(signal_at_ms=at_ms, source_id=source_id))

    def refused(self, refused: Refused, at_ms: int) -> None:
        """Risk refused an intent; the first refusal of each leg and reason is kept."""
        intent = refused.intent
        key = (intent.episode_id, intent.leg, refused.reason.value)
        _ = self._blocked.setdefault(
            key,
            Blocked(
                episode_id=intent.episode_id,
                leg=intent.leg,
                reason=refused.reason,
                at_ms=at_ms,
                numbers=refused.numbers,
            ),
        )

    def fill(self, fill: Fill, before: Holding | None, after: Holding | None, plan: LadderPlan | None) -> None:
        """A fill was booked; the one that empties the holding completes the round trip."""
        trip = self._open[fill.episode_id]
        trip.fills.append(fill)
        if after is None and before is not None:
            last = closed_holding(before, fill, self._instruments[fill.market])
            self.round_trips.append(_round_trip(trip, last, fill, plan if plan is not None else EMPTY_PLAN))

    def bar_end(self, book: Book, bars: Mapping[str, Bar], end_ms: int) -> None:
        """Mark the book at the closes of the bars that just ended, and at each market's adverse extreme."""
        for held in book.holdings.values():
            bar = bars[held.market]
            instrument = self._instruments[held.market]
            trip = self._open[held.episode_id]
            trip.bars_held += 1
            trip.mae = min(trip.mae, held.realised + unrealised(held, instrument, _worst(held, bar)))
            trip.mfe = max(trip.mfe, held.realised + unrealised(held, instrument, _best(held, bar)))
        closes = equity(book, self._instruments, lambda held: bars[held.market].close)
        worst = equity(book, self._instruments, lambda held: _worst(held, bars[held.market]))
        gross = gross_notional(book, self._instruments, lambda held: bars[held.market].close)
        self._curve.append((end_ms, closes, worst, book.cash, gross))

    def blocked(self) -> tuple[Blocked, ...]:
        """Every blocked leg once, in order."""
        return tuple(self._blocked.values())

    def curve(self) -> EquityCurve:
        """The equity curve so far."""
        columns = np.array(self._curve, dtype=np.int64).reshape(-1, 5).T.copy()
        return EquityCurve(
            time_ms=columns[0], equity=columns[1], worst_intrabar=columns[2], cash=columns[3], gross=columns[4]
        )


def _worst(held: Holding, bar: Bar) -> int:
    if held.opened_at_ms > bar.open_time_ms:
        return bar.close  # the rest of the bar may have been before the entry
    return bar.low if held.side is Side.LONG else bar.high


def _best(held: Holding, bar: Bar) -> int:
    if held.opened_at_ms > bar.open_time_ms:
        return bar.close
    return bar.high if held.side is Side.LONG else bar.low


def _round_trip(trip: _Open, last: Holding, fill: Fill, plan: LadderPlan) -> RoundTrip:
    return RoundTrip(
        episode_id=fill.episode_id,
        source_id=trip.source_id,
        market=fill.market,
        side=fill.side,
        signal_at_ms=trip.signal_at_ms,
        entered_at_ms=trip.fills[0].time_ms,
        exited_at_ms=fill.time_ms,
        quantity_max=last.quantity_max,
        entered=last.entered,
        realised=last.realised,
        fees=last.fees,
        slippage=last.slippage,
        funding=last.funding,
        pnl=Money(last.realised - last.fees - last.funding),
        mae=Money(min(trip.mae, last.realised)),
        mfe=Money(max(trip.mfe, last.realised)),
        bars_held=trip.bars_held,
        dca_fills=sum(each.kind is IntentKind.ADD for each in trip.fills),
        rungs_skipped=plan.skipped_count,
        rungs_planned=len(plan.rungs) + plan.skipped_count,
        notional_skipped=plan.skipped_notional,
        exit_reason=fill.reason,
        is_truncated=False,
        fills=tuple(trip.fills),
    )
