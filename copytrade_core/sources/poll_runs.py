"""Many polls of one lead through the first-seen ledger: events, and when polls said what is held.

A poll that says again what the one before said changes nothing but times; of a run of such polls only the last is taken
in. What one poll means is decided in `first_seen`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

from copytrade_core.model.source import ClosedPosition, LeadId
from copytrade_core.model.source_event import SourceEvent
from copytrade_core.sources.first_seen import FirstSeenLedger, FirstSeenRules, advance, empty_ledger
from copytrade_core.sources.source_poll import PollReading, PositionsFailed, PositionsSeen, SourcePoll

_Content = tuple[object, ...]


class PollRuns:
    """The ledger of one lead, fed with polls in order of time.

    Args:
        lead_id: whose.
        history: closed rows; one counts from its `first_seen_at` on.
        rules: limits of the ledger.
    """

    def __init__(self, lead_id: LeadId, history: Sequence[ClosedPosition], rules: FirstSeenRules) -> None:
        self.ledger: FirstSeenLedger = empty_ledger(lead_id)
        self.events: list[SourceEvent] = []
        self.informed_at: list[datetime] = []
        self.polls_count = 0
        self._rules = rules
        self._history = sorted(history, key=lambda row: row.first_seen_at)
        self._known_at = [row.first_seen_at for row in self._history]
        self._content: _Content | None = None
        self._repeated: tuple[PositionsSeen | PositionsFailed, datetime] | None = None

    def take(self, positions: PositionsSeen | PositionsFailed, at: datetime) -> None:
        """One poll, answered at a time after all before."""
        self.polls_count += 1
        known = bisect_right(self._known_at, at)
        content = _content(positions, known)
        if content is not None and content == self._content and self._is_near(at):
            self._repeated = (positions, at)
            self.informed_at.append(at)
            return
        self.finish()
        events = self._advance(positions, at)
        self._content = content if not events and self._is_calm(positions) else None

    def learn(self, rows: Sequence[ClosedPosition]) -> None:
        """More closed rows, first seen after all before; one that is known already is left out."""
        known = {(row.source_id, row.market, row.side) for row in self._history}
        fresh = [row for row in rows if (row.source_id, row.market, row.side) not in known]
        self._history.extend(sorted(fresh, key=lambda row: row.first_seen_at))
        self._known_at = [row.first_seen_at for row in self._history]

    @property
    def lacks_someone(self) -> bool:
        """Whether something that was held is missing, so that the history should be asked."""
        return any(not holding.is_open for holding in self.ledger.holdings)

    def finish(self) -> None:
        """Take in the last poll of a run that is waiting."""
        waiting, self._repeated = self._repeated, None
        if waiting is not None:
            counted = len(self.informed_at)
            events = self._advance(*waiting)
            del self.informed_at[counted:]
            assert not events, "it says what the one before said"

    def _advance(self, positions: PositionsSeen | PositionsFailed, at: datetime) -> tuple[SourceEvent, ...]:
        poll = SourcePoll(lead_id=self.ledger.lead_id, observed_at=at, positions=positions, history=self._recent(at))
        self.ledger, events = advance(self.ledger, poll, now=at, rules=self._rules)
        self.events.extend(events)
        if self.ledger.last_informed_at == at:
            self.informed_at.append(at)
        return events

    def _is_near(self, at: datetime) -> bool:
        """Whether so little time has passed since the poll before that nothing may have come and gone unseen."""
        before = self._repeated[1] if self._repeated is not None else self.ledger.last_informed_at
        return before is not None and 0 < (at - before).total_seconds() <= self._rules.gap_s_max

    def _is_calm(self, positions: PositionsSeen | PositionsFailed) -> bool:
        """Whether the ledger holds just what the page shows, so that showing it again means nothing new."""
        if isinstance(positions, PositionsFailed) or self.ledger.last_reading is not PollReading.COMPLETE:
            return False
        shown = {(snapshot.market, snapshot.side) for snapshot in positions.snapshots}
        held = {(holding.seen.market, holding.seen.side) for holding in self.ledger.holdings}
        return shown == held and all(holding.is_open for holding in self.ledger.holdings)

    def _recent(self, at: datetime) -> tuple[ClosedPosition, ...]:
        """Rows known by then that may still prove something: older ones closed before anything held was last seen."""
        slack_s = max(self._rules.tolerances.closed_s_max, self._rules.stale_page_s_max)
        oldest = min((holding.seen.first_seen_at for holding in self.ledger.holdings), default=at)
        since = min(oldest, at) - timedelta(seconds=slack_s)
        return tuple(row for row in self._history[: bisect_right(self._known_at, at)] if row.closed_at >= since)


def _content(positions: PositionsSeen | PositionsFailed, known: int) -> _Content | None:
    """What makes two polls say the same; None for one that says nothing to rely on."""
    if isinstance(positions, PositionsFailed) or positions.unusable:
        return None
    shown = tuple((each.market, each.side, each.amount, each.entry_price) for each in positions.snapshots)
    return (shown, positions.positions_visible, known)
