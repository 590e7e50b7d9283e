"""The paper stage: leads, a policy and a feed -> one bounded paper session in its runtime directory.

What a session does belongs to `session`. Nothing here can reach what sends orders.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from copytrade_core.edges.market.intervals import epoch_ms
from copytrade_core.edges.quiet_heap import quiet_heap
from copytrade_core.edges.runtime.control_files import ControlFiles
from copytrade_core.edges.runtime.hot_restart import read_hot_restart
from copytrade_core.edges.runtime.paper_account_file import PAPER_ACCOUNT_FILE, PaperAccountFile
from copytrade_core.edges.runtime.runtime_files import SESSION_FILE, RuntimeFiles
from copytrade_core.edges.runtime.session_db import SessionDb
from copytrade_core.edges.runtime.session_observer import SessionObserver
from copytrade_core.edges.runtime.shadow_orders import ShadowOrders
from copytrade_core.edges.runtime.unfinished import sweep_unfinished
from copytrade_core.edges.stages.paper_archive import Archived, Span, archived_of
from copytrade_core.edges.stages.paper_plan import PaperPlan
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.broker import Broker
from copytrade_core.model.digest import canonical
from copytrade_core.model.errors import NotStored
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.read_at import ReadAt
from copytrade_core.model.round_trip import Skipped
from copytrade_core.model.venue import PositionMode
from copytrade_core.session.archived_feed import ArchivedFeed, resumed_ms
from copytrade_core.session.archived_watch import ArchivedWatch
from copytrade_core.session.feed import Feed
from copytrade_core.session.identity import SessionIdentity
from copytrade_core.session.loop import LoopSettings
from copytrade_core.session.paper_matching import PaperTerms
from copytrade_core.session.paper_session import SessionPorts, paper_session
from copytrade_core.session.ports import WaitingClock
from copytrade_core.session.settings import RunnerSettings
from copytrade_core.session.shadow import ShadowAt, ShadowedPaper, in_shadow
from copytrade_core.session.snapshot import check_resume
from copytrade_core.session.status import SessionFacts, SessionMode, SessionStatus
from copytrade_core.session.unseen import StopWhenUnseen
from copytrade_core.session.virtual_clock import VirtualClock
from copytrade_core.strategies.leads import strategy_of_leads

VENUE = "paper"
DAY_MS = 86_400_000
WRITE_EVERY_MS = 1_000
"""Files are written at most once in a real second, however fast a virtual clock runs."""
ARCHIVED_LOOP = LoopSettings(reconcile_every_ms=DAY_MS, exits_for_ms=365 * DAY_MS, kill_for_ms=30_000)
"""On a virtual clock exits go on after the deadline until nothing is held; waiting costs nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperOutcome:
    """What a session came to: its last status and where its files are.

    `is_evidence` is False when some lead was fed from episodes that only later history shows: such a session proves
    that the machinery works and nothing about following that lead live.
    """

    status: SessionStatus
    folder: Path
    run_id: str
    is_evidence: bool
    reconstructed: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    events_count: int
    polls_count: int


def _another_day(archived: Archived) -> str:
    if archived.reach is None:
        return "No day has any: nothing that this lead did lies within the stored bars"
    first, last = archived.reach
    return f"Name a day from {first:%Y-%m-%d} to {last:%Y-%m-%d}"


def run_paper_session(
    place: Workplace, plan: PaperPlan, span: Span, *, folder: Path, run_id: str, shadow: ShadowAt | None = None
) -> PaperOutcome:
    """Runs one paper session over a past span on a virtual clock; the same folder goes on where it ended.

    Entries end with the span; what is held then is followed to its exit, as far as the stored bars reach.

    Args:
        place: settings and stores.
        plan: whom to follow and how.
        span: a day, a range, or all that is stored.
        folder: the runtime directory, for one session only.
        run_id: this start; the same id after a crash goes on with that run.
        shadow: the venue whose form every order must pass; None: a paper session.

    Raises:
        NotStored: nothing of the leads in that span is stored.
        StoreFault: another process runs this session; a file cannot be read or written.
        BadInput: the folder is of another session.
    """
    archived = archived_of(place, plan, span)
    if not archived.events:
        raise NotStored(f"the archive has no event of {plan.name} in that span", next_step=_another_day(archived))
    started_ms = epoch_ms(archived.events[0].known_at)
    facts = SessionFacts(
        identity=identity_of(plan),
        run_id=run_id,
        leads=tuple(lead.lead_id for lead in plan.leads),
        mode=SessionMode.PAPER,
        started_at_ms=started_ms,
        interval_ms=plan.status_every_ms,
        deadline_ms=None if span.until_at is None else epoch_ms(span.until_at),
        is_reconstructed=bool(archived.reconstructed),
    )
    facts = in_shadow(facts, shadow)
    with opened_journal(folder, facts) as journal:
        clock = VirtualClock(resumed_ms(journal.load(), started_ms=started_ms))
        feed = ArchivedFeed(
            archived.events,
            archived.data,
            interval_ms=archived.interval_ms,
            start_ms=started_ms,
            watch=ArchivedWatch(archived.data, archived.informed_ms),
        )
        desk = PaperDesk(place=place, plan=plan, folder=folder, facts=facts, journal=journal, shadow=shadow)
        status = desk.run(feed, archived.data.instruments, clock=clock, loop=ARCHIVED_LOOP)
    return PaperOutcome(
        status=status,
        folder=folder,
        run_id=run_id,
        is_evidence=not archived.reconstructed,
        reconstructed=archived.reconstructed,
        skipped=archived.skipped,
        events_count=len(archived.events),
        polls_count=archived.polls_count,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperDesk:
    """Where one paper session works: its plan, its runtime directory and its open journal.

    `read_at` is where a live session reads, None for one that is told the archive.
    With a `shadow`, every order must pass that venue's form and is written to `shadow_orders.jsonl` before it fills on
    paper: a shadow session.
    """

    place: Workplace
    plan: PaperPlan
    folder: Path
    facts: SessionFacts
    journal: SessionDb
    shadow: ShadowAt | None = None
    read_at: ReadAt | None = None

    def run(
        self, feed: Feed, instruments: Mapping[str, Instrument], *, clock: WaitingClock, loop: LoopSettings
    ) -> SessionStatus:
        """Run the session on a feed and a clock until it ends; everything it leaves is in the folder.

        Raises:
            CopytradeError: whatever stops a session; its last status says so.
        """
        files = RuntimeFiles(
            self.folder,
            facts=self.facts,
            instruments=instruments,
            code_version=self.place.code_version,
            wall_ms=lambda: epoch_ms(self.place.now()),
            write_every_ms=min(WRITE_EVERY_MS, self.plan.status_every_ms),
        )
        self._say_what_is_in_force(files)
        observer = SessionObserver(journal=self.journal, files=files, instruments=instruments)
        panel = ControlFiles(self.folder, now_ms=clock.now_ms, deadline_ms=self.facts.deadline_ms, approval_valid=None)
        session = paper_session(
            facts=self.facts,
            loop=loop,
            trading=self._trading(instruments),
            terms=terms_of(self.plan),
            feed=observer.feed(feed),
            ports=SessionPorts(
                journal=self.journal,
                log=PaperAccountFile(self.folder / PAPER_ACCOUNT_FILE),
                panel=panel,
                clock=clock,
                shown=StopWhenUnseen(observer, panel),
                restart=files,
            ),
            through=lambda paper: self._shadowed(paper, instruments, files, feed, clock),
        )
        with quiet_heap():
            return session.run()

    def _say_what_is_in_force(self, files: RuntimeFiles) -> None:
        """The plan and where it is read, beside the files and in the journal, so that nobody has to guess later."""
        in_force = {
            "plan": canonical(self.plan),
            "code_version": self.place.code_version,
            "read_at": canonical(self.read_at),
            "deadline_ms": self.facts.deadline_ms,
        }
        files.params(in_force)
        self.journal.record_config(json.dumps(in_force, sort_keys=True), at_ms=self.facts.started_at_ms)

    def _trading(self, instruments: Mapping[str, Instrument]) -> RunnerSettings:
        trading = trading_of(self.plan, instruments)
        return trading if self.shadow is None else replace(trading, position_mode=self.shadow.position_mode)

    def _shadowed(
        self,
        paper: Broker,
        instruments: Mapping[str, Instrument],
        files: RuntimeFiles,
        feed: Feed,
        clock: WaitingClock,
    ) -> Broker:
        if self.shadow is None:
            return paper
        return ShadowedPaper(
            paper=paper,
            shadow=self.shadow,
            instruments=instruments,
            sink=ShadowOrders(journal=self.journal, files=files),
            mark=feed.watch.mark,
            now_ms=clock.now_ms,
        )


def opened_journal(folder: Path, facts: SessionFacts) -> SessionDb:
    """The session's journal and with it the lease of its runtime directory, swept of what killed sessions left.

    Raises:
        StoreFault: another process runs this session, or the file cannot be used.
        BadInput: the folder, or what a hot stop left in it, is of another session.
    """
    snapshot = read_hot_restart(folder)
    if snapshot is not None:
        check_resume(snapshot, facts.identity)
    journal = SessionDb.open(
        folder / SESSION_FILE, identity=facts.identity, run_id=facts.run_id, now_ms=facts.started_at_ms
    )
    sweep_unfinished(folder)
    return journal


def identity_of(plan: PaperPlan) -> SessionIdentity:
    """Who a paper session of this plan is."""
    return SessionIdentity(
        lead=plan.name,
        strategy=plan.strategy,
        policy_digest=plan.policy_digest,
        venue=VENUE,
        account=plan.account,
    )


def trading_of(plan: PaperPlan, instruments: Mapping[str, Instrument]) -> RunnerSettings:
    """What the runner of a paper session trades with."""
    return RunnerSettings(
        strategy=strategy_of_leads(plan.policy, plan.leads),
        instruments=instruments,
        account=plan.account,
        lead_margin_balance=None,
        initial_equity=plan.equity,
        caps=plan.caps,
        position_mode=PositionMode.HEDGE,
        planned_entry_age_ms_max=30_000,
        clock_skew_ms_max=5_000,
        lead_caps={lead.lead_id: lead.notional_max for lead in plan.leads if lead.notional_max is not None},
    )


def terms_of(plan: PaperPlan) -> PaperTerms:
    """The paper account's assumptions."""
    return PaperTerms(
        market_fill=plan.market_fill,
        rung_fill=plan.rung_fill,
        costs=plan.costs,
        delay_ms=plan.delay_ms,
        cash=plan.equity,
    )
