"""The first-seen ledger: polls of one lead -> episodes and events, as a pure state machine.

It concludes only what was seen or proven. What to do about a missing holding is a strategy's decision, and nothing here
closes an episode without a history row that matches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from copytrade_core.model.episode import EpisodeState, Provenance
from copytrade_core.model.instrument import Market
from copytrade_core.model.side import Side
from copytrade_core.model.source import ClosedPosition, LeadId, OpenPositionSnapshot, PositionStatus
from copytrade_core.model.source_event import (
    HistoryMatch,
    MatchRefusal,
    SourceChanged,
    SourceEvent,
    SourceMissing,
    SourceOpened,
)
from copytrade_core.sources.history_match import MatchTolerances, find_match
from copytrade_core.sources.holding import Holding, change_between, closed_by, first_sight, sighting_of
from copytrade_core.sources.source_poll import PollReading, PositionsSeen, SourcePoll, reading_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstSeenRules:
    """Every limit of the ledger.

    `source_age_s_max`: an older answer is no information. `gap_s_max`: after a longer time without information, what
    newly shows is seeded, for nobody knows when it opened. `stale_page_s_max`: how long the open page may still show
    a position that history already lists as closed. `sightings_max`: changes remembered per holding.
    """

    tolerances: MatchTolerances
    source_age_s_max: int
    gap_s_max: int
    stale_page_s_max: int
    sightings_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstSeenLedger:
    """Everything remembered about one lead; at most one open holding per market and side.

    `last_poll_at` is the newest answer taken in, `last_informed_at` the newest that said what is held;
    `uninformative_polls_count` counts the polls in a row that did not.
    """

    lead_id: LeadId
    holdings: tuple[Holding, ...]
    is_seeded: bool
    last_poll_at: datetime | None
    last_informed_at: datetime | None
    last_reading: PollReading | None
    uninformative_polls_count: int


def empty_ledger(lead_id: LeadId) -> FirstSeenLedger:
    """A lead that was never polled."""
    return FirstSeenLedger(
        lead_id=lead_id,
        holdings=(),
        is_seeded=False,
        last_poll_at=None,
        last_informed_at=None,
        last_reading=None,
        uninformative_polls_count=0,
    )


def advance(
    ledger: FirstSeenLedger, poll: SourcePoll, *, now: datetime, rules: FirstSeenRules
) -> tuple[FirstSeenLedger, tuple[SourceEvent, ...]]:
    """Take one poll in.

    Closes by history come first (history is proof whatever the page shows), then holdings still listed, then those
    that a complete page lacks, then new ones. A poll without information changes no holding that history does not
    close. The first believable poll seeds.
    """
    assert poll.lead_id == ledger.lead_id
    step = _Step(ledger=ledger, poll=poll, now=now, rules=rules)
    return step.run()


@dataclass(slots=True, kw_only=True)
class _Step:
    """The working state of one `advance`; it does not outlive the call."""

    ledger: FirstSeenLedger
    poll: SourcePoll
    now: datetime
    rules: FirstSeenRules

    def run(self) -> tuple[FirstSeenLedger, tuple[SourceEvent, ...]]:
        listed = self._listed()
        proofs = {
            holding.episode.episode_id: find_match(
                holding.seen, self.poll.history, now=self.now, tolerances=self.rules.tolerances
            )
            for holding in self.ledger.holdings
        }
        reading = self._reading(listed, proofs)
        if not reading.shows_holdings:
            listed = {}
        events: list[SourceEvent] = []
        kept: list[Holding] = []
        for holding in self.ledger.holdings:
            snapshot = listed.get((holding.seen.market, holding.seen.side)) if holding.is_open else None
            after = self._follow(holding, snapshot, proofs[holding.episode.episode_id], reading, events)
            kept.extend(after)
        if self._may_open(reading):
            kept.extend(self._opened(listed, kept, events))
        return self._ledger(tuple(kept), reading), tuple(events)

    def _listed(self) -> dict[tuple[Market, Side], OpenPositionSnapshot]:
        match self.poll.positions:
            case PositionsSeen(snapshots=snapshots):
                return {(snapshot.market, snapshot.side): snapshot for snapshot in snapshots}
            case _:
                return {}

    def _reading(
        self, listed: dict[tuple[Market, Side], OpenPositionSnapshot], proofs: dict[str, _Outcome]
    ) -> PollReading:
        opened = [holding for holding in self.ledger.holdings if holding.is_open]
        unexplained = [
            holding
            for holding in opened
            if (holding.seen.market, holding.seen.side) not in listed and _proof(proofs[_id(holding)]) is None
        ]
        return reading_of(
            self.poll,
            now=self.now,
            last_poll_at=self.ledger.last_poll_at,
            open_count=len(opened),
            gone_unexplained_count=len(unexplained),
            source_age_s_max=self.rules.source_age_s_max,
        )

    def _follow(
        self,
        holding: Holding,
        snapshot: OpenPositionSnapshot | None,
        outcome: _Outcome,
        reading: PollReading,
        events: list[SourceEvent],
    ) -> list[Holding]:
        """The holding after this poll (none when it closed); appends what happened."""
        proof = _proof(outcome)
        if proof is not None:
            row, match = proof
            if snapshot is not None and self.poll.observed_at <= self._stale_until(row):
                return [holding]
            events.append(closed_by(holding, row, match, self.now))
            return []
        if snapshot is not None:
            return [self._sighted(holding, snapshot, events)]
        if reading is not PollReading.COMPLETE:
            return [holding]
        return [self._missed(holding, _refusals(outcome), events)]

    def _stale_until(self, row: ClosedPosition) -> datetime:
        """Until then a page that still lists the closed position is taken for an old copy, not for a new position."""
        return row.closed_at + timedelta(seconds=self.rules.stale_page_s_max)

    def _sighted(self, holding: Holding, snapshot: OpenPositionSnapshot, events: list[SourceEvent]) -> Holding:
        before = holding.seen.sightings[-1]
        seen = replace(holding.seen, last_seen_at=self.poll.observed_at)
        change = change_between(before, snapshot)
        if change is None:
            return replace(holding, seen=seen)
        sightings = (*seen.sightings, sighting_of(snapshot, self.poll.observed_at))[-self.rules.sightings_max :]
        episode = replace(
            holding.episode,
            entry_price=snapshot.entry_price,
            quantity_max=max(holding.episode.quantity_max, snapshot.amount),
            leverage=snapshot.leverage,
        )
        events.append(
            SourceChanged(
                episode=episode,
                change=change,
                happened_at=self.poll.observed_at,
                known_at=self.now,
                entry_price_before=before.entry_price,
                entry_price=snapshot.entry_price,
                quantity_before=before.quantity,
                quantity=snapshot.amount,
            )
        )
        return replace(holding, seen=replace(seen, sightings=sightings), episode=episode)

    def _missed(self, holding: Holding, refusals: tuple[MatchRefusal, ...], events: list[SourceEvent]) -> Holding:
        missing = replace(
            holding,
            episode=replace(holding.episode, state=EpisodeState.MISSING),
            missing_polls_count=holding.missing_polls_count + 1,
        )
        events.append(
            SourceMissing(
                episode=missing.episode,
                happened_at=self.poll.observed_at,
                known_at=self.now,
                last_seen_at=holding.seen.last_seen_at,
                missing_polls_count=missing.missing_polls_count,
                why_not_closed=refusals,
            )
        )
        return missing

    def _may_open(self, reading: PollReading) -> bool:
        """An incomplete first page cannot seed: what it lacks would later look new."""
        return reading is PollReading.COMPLETE or (reading.shows_holdings and self.ledger.is_seeded)

    def _opened(
        self,
        listed: dict[tuple[Market, Side], OpenPositionSnapshot],
        kept: list[Holding],
        events: list[SourceEvent],
    ) -> list[Holding]:
        """Listed holdings that no open episode covers; a reappearance is a new episode."""
        covered = {(holding.seen.market, holding.seen.side) for holding in kept if holding.is_open}
        provenance = Provenance.SEEDED if self._is_seeding() else Provenance.OBSERVED
        fresh: list[Holding] = []
        for key, snapshot in listed.items():
            if key not in covered and not self._may_be_an_old_copy(snapshot):
                holding = first_sight(snapshot, provenance, self.poll.observed_at, self.now)
                fresh.append(holding)
                events.append(
                    SourceOpened(
                        episode=holding.episode,
                        happened_at=self.poll.observed_at,
                        known_at=self.now,
                        entry_price=snapshot.entry_price,
                        quantity=snapshot.amount,
                    )
                )
        return fresh

    def _may_be_an_old_copy(self, snapshot: OpenPositionSnapshot) -> bool:
        """Whether history says that this market and side closed a moment ago: then one more poll is waited for."""
        return any(
            (row.market, row.side, row.status) == (snapshot.market, snapshot.side, PositionStatus.CLOSED)
            and row.closed_at <= self.poll.observed_at <= self._stale_until(row)
            for row in self.poll.history
        )

    def _is_seeding(self) -> bool:
        informed = self.ledger.last_informed_at
        if not self.ledger.is_seeded or informed is None:
            return True
        return (self.poll.observed_at - informed).total_seconds() > self.rules.gap_s_max

    def _ledger(self, holdings: tuple[Holding, ...], reading: PollReading) -> FirstSeenLedger:
        informed = self._may_open(reading)
        is_newest = reading.shows_holdings or reading is PollReading.SUSPICIOUSLY_EMPTY
        return replace(
            self.ledger,
            holdings=holdings,
            is_seeded=self.ledger.is_seeded or informed,
            last_poll_at=self.poll.observed_at if is_newest else self.ledger.last_poll_at,
            last_informed_at=self.poll.observed_at if informed else self.ledger.last_informed_at,
            last_reading=reading,
            uninformative_polls_count=0 if informed else self.ledger.uninformative_polls_count + 1,
        )


_Outcome = tuple[ClosedPosition, HistoryMatch] | tuple[MatchRefusal, ...]


def _id(holding: Holding) -> str:
    return holding.episode.episode_id


def _proof(outcome: _Outcome) -> tuple[ClosedPosition, HistoryMatch] | None:
    match outcome:
        case (ClosedPosition() as row, HistoryMatch() as match):
            return row, match
        case _:
            return None


def _refusals(outcome: _Outcome) -> tuple[MatchRefusal, ...]:
    return tuple(item for item in outcome if isinstance(item, MatchRefusal))
