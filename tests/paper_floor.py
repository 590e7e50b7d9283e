"""A paper session over archived events and bars, all in memory, and what it traded: what its tests stand on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from copytrade_core.edges.runtime.session_db import SessionDb
from copytrade_core.flow import FlowState
from copytrade_core.model.book import Book
from copytrade_core.model.caps import Caps
from copytrade_core.model.controls import CLEAR
from copytrade_core.model.episode import Episode
from copytrade_core.model.fill import Fill
from copytrade_core.model.intent import Hold
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.round_trip import ReplaySpec
from copytrade_core.model.source_event import SourceEvent
from copytrade_core.model.units import NOTIONAL_MAX, Money, Ppm
from copytrade_core.model.venue import PositionMode
from copytrade_core.model.verdict import Refused
from copytrade_core.replay.coverage import epoch_ms, why_skipped
from copytrade_core.replay.timeline import timeline
from copytrade_core.session.archived_feed import ArchivedFeed, resumed_ms
from copytrade_core.session.archived_watch import ArchivedWatch
from copytrade_core.session.done_trades import with_done
from copytrade_core.session.identity import SessionIdentity
from copytrade_core.session.loop import LoopSettings, Session
from copytrade_core.session.paper_broker import PaperBroker
from copytrade_core.session.paper_log import MemoryLog, PaperLog
from copytrade_core.session.paper_matching import PaperTerms
from copytrade_core.session.paper_session import SessionPorts, directly, paper_session
from copytrade_core.session.ports import Journal, Journalled, JournalStep
from copytrade_core.session.settings import RunnerSettings
from copytrade_core.session.snapshot import HotRestart, decode_done, decode_state
from copytrade_core.session.status import SessionFacts, SessionMode, SessionStatus
from copytrade_core.session.virtual_clock import VirtualClock
from copytrade_core.strategies.leads import LeadPlan, strategy_of_leads
from copytrade_core.strategies.machine import strategy_of
from tests.session_floor import Panel

DAY_MS = 86_400_000
IDENTITY = SessionIdentity(lead="lead", strategy="policy", policy_digest="digest", venue="paper", account="paper")
WIDE = Money(NOTIONAL_MAX)
LOOP = LoopSettings(reconcile_every_ms=DAY_MS, exits_for_ms=0, kill_for_ms=30_000)


def caps_of(spec: ReplaySpec) -> Caps:
    """The caps of a replay; what it does not have is as wide as it gets."""
    gross = spec.caps.notional_gross_max or WIDE
    return Caps(
        notional_gross_max=gross,
        notional_one_side_max=gross,
        notional_correlated_max=gross,
        daily_loss_max=spec.caps.daily_loss_max or WIDE,
        orders_per_hour_max=10**6,
        source_age_s_max=10**9,
        mark_age_s_max=10**9,
        entry_drift_ppm_max=Ppm(10**9),
    )


class KeptJournal(Journal):
    """Passes through, and keeps every fill that was posted."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.fills: list[Fill] = []
        self.refused: list[Refused] = []
        self.holds: list[Hold] = []

    def load(self) -> Journalled:
        return self.journal.load()

    def commit(self, step: JournalStep) -> None:
        self.journal.commit(step)
        self.fills.extend(record for record in step.records if isinstance(record, Fill))
        self.refused.extend(record for record in step.records if isinstance(record, Refused))
        self.holds.extend(record for record in step.records if isinstance(record, Hold))


@dataclass
class Shown:
    """Every status and snapshot that a session left."""

    statuses: list[SessionStatus] = field(default_factory=list)
    snapshots: list[HotRestart] = field(default_factory=list)

    def show(self, status: SessionStatus) -> None:
        self.statuses.append(status)

    def leave(self, snapshot: HotRestart) -> None:
        self.snapshots.append(snapshot)


def replayed_events(
    episodes: Sequence[Episode], policy: PolicySpec, spec: ReplaySpec, data: MarketData
) -> list[SourceEvent]:
    """The events that a replay tells: those of episodes whose trade lies whole within the bars."""
    kept = [each for each in episodes if why_skipped(each, policy, spec.delay_s, data) is None]
    return [*timeline(kept, spec.delay_s, data)]


class Paper:
    """One paper session whose process may end at any moment; journal, account log and controls stay."""

    def __init__(
        self,
        events: Sequence[SourceEvent],
        policy: PolicySpec,
        spec: ReplaySpec,
        data: MarketData,
        *,
        delay_ms: int = 0,
        deadline_ms: int | None = None,
        loop: LoopSettings = LOOP,
        caps: Caps | None = None,
        leads: tuple[LeadPlan, ...] = (),
    ) -> None:
        self.events, self.data, self.spec = events, data, spec
        self.start_ms = epoch_ms(events[0].known_at) if events else 0
        self.journal: Journal = SessionDb.in_memory(identity=IDENTITY, run_id="run", now_ms=self.start_ms)
        self.kept = KeptJournal(self.journal)
        self.log: PaperLog = MemoryLog()
        self.panel = Panel()
        self.shown = Shown()
        self.loop = loop
        self.facts = SessionFacts(
            identity=IDENTITY,
            run_id="run",
            leads=("lead",),
            mode=SessionMode.PAPER,
            started_at_ms=self.start_ms,
            interval_ms=DAY_MS,
            deadline_ms=deadline_ms,
            is_reconstructed=True,
        )
        self.trading = RunnerSettings(
            strategy=strategy_of_leads(policy, leads) if leads else strategy_of(policy),
            instruments=data.instruments,
            account="paper",
            lead_margin_balance=spec.lead_margin_balance,
            initial_equity=spec.initial_equity,
            caps=caps or caps_of(spec),
            position_mode=PositionMode.HEDGE,
            planned_entry_age_ms_max=30_000,
            clock_skew_ms_max=5_000,
            lead_caps={each.lead_id: each.notional_max for each in leads if each.notional_max is not None},
        )
        self.terms = PaperTerms(
            market_fill=spec.market_fill,
            rung_fill=spec.rung_fill,
            costs=spec.costs,
            delay_ms=delay_ms,
            cash=spec.initial_equity,
        )

    def session(
        self, *, journal: Journal | None = None, log: PaperLog | None = None, clock: VirtualClock | None = None
    ) -> Session:
        """A new process on what is left of the one before."""
        now_ms = resumed_ms(self.journal.load(), started_ms=self.start_ms)
        watch = ArchivedWatch(self.data, {})
        feed = ArchivedFeed(
            self.events, self.data, interval_ms=self.spec.interval_ms, start_ms=self.start_ms, watch=watch
        )
        return paper_session(
            facts=self.facts,
            loop=self.loop,
            trading=self.trading,
            terms=self.terms,
            feed=feed,
            ports=SessionPorts(
                journal=journal or self.kept,
                log=log or self.log,
                panel=self.panel,
                clock=clock or VirtualClock(now_ms),
                shown=self.shown,
                restart=self.shown,
            ),
            through=directly,
        )

    def broker(self) -> PaperBroker:
        """The account as its log makes it."""
        return PaperBroker(
            account="paper",
            instruments=self.data.instruments,
            terms=self.terms,
            log=self.log,
            clock=VirtualClock(self.start_ms),
        )

    def state(self) -> FlowState:
        """All that a restart knows, as it is on disk."""
        stored = self.journal.load()
        assert stored.state is not None, "something was committed"
        return with_done(decode_state(stored.state), [decode_done(body) for body in stored.done.values()])

    def book(self) -> Book:
        """The ledger as it is on disk."""
        return self.state().book

    def stop(self, **controls: bool) -> None:
        """What a person sets."""
        self.panel.controls = replace(CLEAR, **controls)


def by_episode(fills: Sequence[Fill]) -> dict[str, list[Fill]]:
    """Fills of each episode in order, without the ids, in which the account's name is."""
    found: dict[str, list[Fill]] = {}
    for fill in fills:
        found.setdefault(fill.episode_id, []).append(replace(fill, client_order_id=""))
    return found
