"""The newest poll of each lead for the status: what it said, how long it took, when the next is. Decides nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from statistics import median

from copytrade_core.edges.feeds.live_polling import PolledPages, SeenPrices
from copytrade_core.edges.market.intervals import epoch_ms
from copytrade_core.model.source import LeadId
from copytrade_core.model.source_event import HistoryMatch
from copytrade_core.session.status import NOT_POLLED, LeadPoll, PollNow

DELAYS_KEPT = 50
"""Newest episodes whose opening time the history has told."""


class LeadPolls:
    """One line for each lead, and what was measured on the way.

    Args:
        informed_ms: whom a session follows, and when a poll last said what that lead holds.
    """

    def __init__(self, informed_ms: Mapping[LeadId, int | None]) -> None:
        self._leads = {
            lead: LeadPoll(
                lead_id=str(lead),
                ok=False,
                at_ms=None,
                reading=NOT_POLLED,
                informed_at_ms=at_ms,
                latency_ms=None,
                failures=0,
                next_at_ms=None,
            )
            for lead, at_ms in informed_ms.items()
        }
        self._newest_ms: int | None = None
        self._price_latency_ms: int | None = None
        self._seen_after_ms: deque[int] = deque(maxlen=DELAYS_KEPT)

    def answered(self, polled: PolledPages, reading: str, *, is_informed: bool) -> None:
        """An open-positions answer came; informed means that it said what is held."""
        before = self._leads[polled.lead_id]
        received_ms = None if polled.opened is None else epoch_ms(polled.opened.received_at)
        informed_ms = received_ms if is_informed else before.informed_at_ms
        self._keep(polled, ok=is_informed, reading=reading, informed_ms=informed_ms)

    def failed(self, polled: PolledPages) -> None:
        """None came."""
        informed_ms = self._leads[polled.lead_id].informed_at_ms
        self._keep(polled, ok=False, reading=polled.fault or "failed", informed_ms=informed_ms)

    def priced(self, seen: SeenPrices) -> None:
        """Prices came, or did not."""
        self._price_latency_ms = seen.took_ms

    def proven(self, match: HistoryMatch) -> None:
        """The history told when an episode had opened, so that it is known how late it was seen."""
        self._seen_after_ms.append(round(match.opened_before_first_seen_s * 1000))

    @property
    def now(self) -> PollNow:
        """All leads together: well only when every one of them said what it holds."""
        leads = tuple(self._leads.values())
        bad = [each for each in leads if not each.ok]
        shown = bad[0] if bad else leads[0]
        return PollNow(
            ok=not bad,
            at_ms=self._newest_ms,
            reading=shown.reading if len(leads) == 1 or not bad else f"{shown.lead_id}: {shown.reading}",
            leads=leads,
            price_latency_ms=self._price_latency_ms,
            seen_after_ms=round(median(self._seen_after_ms)) if self._seen_after_ms else None,
        )

    def _keep(self, polled: PolledPages, *, ok: bool, reading: str, informed_ms: int | None) -> None:
        asked_ms = self._newest_ms = epoch_ms(polled.asked_at)
        self._leads[polled.lead_id] = LeadPoll(
            lead_id=str(polled.lead_id),
            ok=ok,
            at_ms=asked_ms,
            reading=reading,
            informed_at_ms=informed_ms,
            latency_ms=polled.took_ms,
            failures=polled.failures_count,
            next_at_ms=None if polled.next_at is None else epoch_ms(polled.next_at),
        )
