"""What a session does with one thing that its feed brought: tell the runner, let orders fill, let them come to rest.

When to listen, and when to stop, is the loop's.
"""

from __future__ import annotations

from collections.abc import Mapping

from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.event import BarClosed, FundingPaid, MarkSeen
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.units import funding_cost
from copytrade_core.session.feed import (
    BarEnded,
    BarsOpened,
    FeedStep,
    FundingDue,
    PriceTaker,
    QuoteSeen,
    SourceTold,
)
from copytrade_core.session.runner import Runner

PASSES_MAX = 200
"""A pass that still changes something after so many others is a fault of ours."""


class Ears:
    """The listening part of one session.

    Args:
        runner: who is told.
        taker: what turns prices into fills; None where a venue does.
        instruments: trading rules by market.
    """

    def __init__(self, *, runner: Runner, taker: PriceTaker | None, instruments: Mapping[str, Instrument]) -> None:
        self._runner = runner
        self._taker = taker
        self._instruments = instruments

    def hear(self, step: FeedStep) -> None:
        """Take one item in, all the way until nothing more follows from it."""
        if step.cursor is not None:
            self._runner.reach(step.cursor)
        match step.item:
            case SourceTold(event=event):
                self._runner.tell(event, cursor=step.cursor or "")
            case BarsOpened():
                self._bars_opened(step.item)
            case BarEnded(bar=bar):
                self._runner.tell(BarClosed(bar=bar))
            case QuoteSeen():
                self._quote_seen(step.item)
            case FundingDue():
                self._fund(step.item)
        self.settle()

    def finish_fills(self) -> None:
        """Let every fill of what was begun happen, and hear what the strategy makes of each."""
        while self._taker is not None and self._taker.step():
            self.settle()

    def settle(self) -> None:
        """Pass after pass until one changes nothing.

        Raises:
            BadInput: orders do not come to rest.
        """
        for _ in range(PASSES_MAX):
            before = self._runner.changes_count
            self._runner.pump()
            if self._runner.changes_count == before:
                return
        raise BadInput("orders do not come to rest", where=Where(field="pump"))

    def _bars_opened(self, opened: BarsOpened) -> None:
        if self._taker is None:
            return
        if not self._taker.has_begun(opened.bars[0].open_time_ms):
            for due in opened.funding:
                self._fund(due)
        if self._taker.begin_bars(opened.bars, closing=opened.closing):
            # The account remembers its fills; a restart that met them at an earlier bar would tell that bar again.
            self._runner.arrive()
        self.finish_fills()

    def _quote_seen(self, seen: QuoteSeen) -> None:
        if self._taker is not None:
            self._taker.begin_quote(seen.market, bid=seen.bid, ask=seen.ask, time_ms=seen.time_ms)
            self.finish_fills()
        if any(held.market == seen.market for held in self._runner.state.book.holdings.values()):
            event = MarkSeen(market=seen.market, price=seen.mark, time_ms=seen.time_ms, age_ms=seen.age_ms)
            self._runner.tell(event)

    def _fund(self, due: FundingDue) -> None:
        """Owed by what was held at the instant: until its rate is known, that may have grown, shrunk or gone."""
        for held in self._runner.held_then(due.market, due.time_ms):
            notional = self._instruments[due.market].notional(due.price, held.quantity)
            cost = funding_cost(notional, due.rate, sign=held.side.sign)
            if self._taker is not None:
                # The ledger follows the account: killed in between, the rate may be another when it is due again.
                cost = self._taker.charge(f"{held.episode_id}|{due.time_ms}", cost)
            paid = FundingPaid(episode_id=held.episode_id, market=due.market, cost=cost, time_ms=due.time_ms)
            self._runner.fund(paid)
