"""The live paper stage: a lead followed now, on the machine's clock, with fills on paper at executable quotes.

The same session and the same files as a past day told from the archive; nothing here can reach what sends orders.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec

from copytrade_core.edges.feeds.archived_polls import polled_events
from copytrade_core.edges.feeds.live_feed import LiveFeed
from copytrade_core.edges.feeds.live_polling import LivePolling
from copytrade_core.edges.feeds.live_quotes import LiveQuotes
from copytrade_core.edges.feeds.live_watch import LiveWatch
from copytrade_core.edges.feeds.wall_clock import STEP_BACK_MS, WallClock
from copytrade_core.edges.market.http_market import FuturesMarket
from copytrade_core.edges.market.intervals import epoch_ms, instant, interval_ms_of
from copytrade_core.edges.pages.page_origin import refuse_mixed
from copytrade_core.edges.runtime.session_addresses import addresses_of, refuse_elsewhere
from copytrade_core.edges.runtime.session_db import SessionDb
from copytrade_core.edges.runtime.session_lease import SessionLease
from copytrade_core.edges.stages.episodes import RULES
from copytrade_core.edges.stages.instruments import exchange_of, trading_rules
from copytrade_core.edges.stages.paper import PaperDesk, PaperOutcome, identity_of, opened_journal
from copytrade_core.edges.stages.paper_plan import PaperPlan
from copytrade_core.edges.stages.sources import source_client
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.bar import BarSeries
from copytrade_core.model.errors import BadConfig, BadInput, CopytradeError, NotStored, Where
from copytrade_core.model.fill import FillModel
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.read_at import ReadAt
from copytrade_core.model.source import ClosedPosition, Endpoint, LeadId
from copytrade_core.session.loop import LoopSettings
from copytrade_core.session.ports import WaitingClock
from copytrade_core.session.shadow import ShadowAt, in_shadow
from copytrade_core.session.status import SessionFacts, SessionMode
from copytrade_core.sources.envelope import is_success
from copytrade_core.sources.normalise_history import normalise_history
from copytrade_core.sources.poll_runs import PollRuns
from copytrade_core.sources.position_values import closed_positions

DAY_MS = 86_400_000
CORRELATION_SPAN = timedelta(hours=26)
LIVE_LOOP = LoopSettings(reconcile_every_ms=60_000, exits_for_ms=0, kill_for_ms=30_000)
LIVE_STATUS_EVERY_MS = 5_000


class _InForce(msgspec.Struct, frozen=True):
    deadline_ms: int | None = None


def run_live_paper_session(
    place: Workplace,
    plan: PaperPlan,
    *,
    folder: Path,
    run_id: str,
    deadline_s: int | None,
    poll_every_s: float = 60.0,
    price_every_s: float = 2.0,
    status_every_ms: int = LIVE_STATUS_EVERY_MS,
    shadow: ShadowAt | None = None,
    clock: WaitingClock | None = None,
) -> PaperOutcome:
    """Follows the plan's leads until the deadline, a control or a fault; the same folder goes on where it ended.

    Args:
        place: settings and stores; every answer is archived before it is looked at.
        plan: whom to follow and how; market orders fill at the next quote, whatever it says.
        folder: the runtime directory, for one session only.
        run_id: this start.
        deadline_s: from now; None: until the end of the UTC day. A run that goes on keeps the earlier one.
        poll_every_s: between two polls of a lead.
        price_every_s: between two readings of prices; an order that waits asks at once.
        status_every_ms: between two statuses.
        shadow: the venue whose form every order must pass; None: a paper session.
        clock: our time; None: the machine's.

    Raises:
        StoreFault: another process follows these leads with this strategy, or works in this folder.
        BadConfig: no market of the leads has trading rules.
        BadInput: the folder is of another session or read elsewhere, the archive holds answers of another source, or
            the machine's clock went back.
    """
    plan = _filled_at_quotes(plan, status_every_ms)
    clock = clock or WallClock()
    facts = in_shadow(_facts(plan, run_id, clock.now_ms(), deadline_s), shadow)
    leads = tuple(LeadId(lead.lead_id) for lead in plan.leads)
    read_at = addresses_of(place.settings, with_venue=shadow is not None)
    with _only_one(place, plan, facts.mode), _unmixed(place, leads, folder, read_at, facts) as journal:
        facts = replace(facts, deadline_ms=_first_deadline_ms(journal, facts))
        history = {lead: _history(place, lead) for lead in leads}
        runs = {lead: polled_events(place.archive, lead, history[lead], rules=RULES) for lead in leads}
        _refuse_the_future(runs, clock.now_ms())
        instruments = _instruments(place, plan, runs, [row for rows in history.values() for row in rows])
        market = exchange_of(place)
        polling = LivePolling(
            leads=leads,
            pages=source_client(place),
            market=market,
            poll_every_s=poll_every_s,
            price_every_s=price_every_s,
            now=place.now,
        )
        feed = _feed(runs, polling, instruments, _recent_bars(place, market, instruments), journal, clock)
        polling.start()
        try:
            desk = PaperDesk(
                place=place, plan=plan, folder=folder, facts=facts, journal=journal, shadow=shadow, read_at=read_at
            )
            status = desk.run(feed, instruments, clock=clock, loop=LIVE_LOOP)
        finally:
            polling.close()
    return PaperOutcome(
        status=status,
        folder=folder,
        run_id=run_id,
        is_evidence=True,
        reconstructed=(),
        skipped=(),
        events_count=sum(len(each.events) for each in runs.values()),
        polls_count=sum(each.polls_count for each in runs.values()),
    )


def _facts(plan: PaperPlan, run_id: str, now_ms: int, deadline_s: int | None) -> SessionFacts:
    midnight_ms = (now_ms // DAY_MS + 1) * DAY_MS
    return SessionFacts(
        identity=identity_of(plan),
        run_id=run_id,
        leads=tuple(lead.lead_id for lead in plan.leads),
        mode=SessionMode.PAPER,
        started_at_ms=now_ms,
        interval_ms=plan.status_every_ms,
        deadline_ms=midnight_ms if deadline_s is None else now_ms + deadline_s * 1000,
        is_reconstructed=False,
    )


def _first_deadline_ms(journal: SessionDb, facts: SessionFacts) -> int | None:
    """A run that was killed and goes on under its id is bounded as before; a deadline that passed meanwhile ends it."""
    query = "SELECT body FROM config_snapshots JOIN runs USING (run) WHERE run_id = ? ORDER BY number LIMIT 1"
    first = [msgspec.json.decode(body, type=_InForce).deadline_ms for (body,) in journal.ask(query, (facts.run_id,))]
    return min((each for each in (*first, facts.deadline_ms) if each is not None), default=None)


def _filled_at_quotes(plan: PaperPlan, status_every_ms: int) -> PaperPlan:
    return replace(
        plan,
        market_fill=FillModel.QUOTE_SNAPSHOT,
        delay_ms=plan.live_delay_ms,
        status_every_ms=status_every_ms,
    )


def _unmixed(
    place: Workplace, leads: Sequence[LeadId], folder: Path, read_at: ReadAt, facts: SessionFacts
) -> SessionDb:
    """The journal, once it is known that all that it would go on from was read where the settings point."""
    for lead in leads:
        refuse_mixed(place.archive, lead, read_at.source)
    refuse_elsewhere(folder, read_at)
    return opened_journal(folder, facts)


@contextmanager
def _only_one(place: Workplace, plan: PaperPlan, mode: SessionMode) -> Generator[None]:
    """One live session of a mode for each lead and strategy on this machine, wherever its folder is.

    Raises:
        StoreFault: another process holds the lease of one of the leads.
    """
    taken: list[SessionLease] = []
    try:
        for lead_id in sorted(lead.lead_id for lead in plan.leads):
            name = f"{lead_id}-{plan.strategy}-{mode}"
            taken.append(SessionLease.take(place.settings.data_dir / "runtime" / "leases" / name))
        yield
    finally:
        for lease in taken:
            lease.release()


def _history(place: Workplace, lead: LeadId) -> tuple[ClosedPosition, ...]:
    """Every closed row of the archive, with the time at which it was first seen."""
    pages = [page for page in place.archive.pages(lead, Endpoint.POSITION_HISTORY) if is_success(page)]
    return closed_positions(normalise_history(sorted(pages, key=lambda page: page.received_at)).positions)


def _refuse_the_future(runs: Mapping[LeadId, PollRuns], now_ms: int) -> None:
    """Answers from the future would look fresh for ever, and the next polls older than they.

    Raises:
        BadInput: the archive has one; the machine's clock went back since.
    """
    for lead, each in runs.items():
        newest = each.ledger.last_poll_at
        if newest is not None and epoch_ms(newest) > now_ms + STEP_BACK_MS:
            raise BadInput(
                f"the clock stands at {instant(now_ms)}, before an archived poll of lead {lead} at {newest}",
                where=Where(field="clock"),
                next_step="Correct the machine's clock; the session goes on once it is past that moment",
            )


def _instruments(
    place: Workplace, plan: PaperPlan, runs: Mapping[LeadId, PollRuns], history: Sequence[ClosedPosition]
) -> dict[str, Instrument]:
    """Rules of every market that a lead was ever seen in or that is allowed by name, where there are rules.

    Raises:
        BadConfig: there is none.
    """
    wanted = {str(row.market) for row in history}
    wanted.update(str(event.episode.market) for each in runs.values() for event in each.events)
    wanted.update(str(market) for lead in plan.leads for market in lead.allowed or ())
    found: dict[str, Instrument] = {}
    for market in sorted(wanted):
        with suppress(BadConfig, NotStored):
            found[market] = trading_rules(place, market)[0]
    if not found:
        raise BadConfig(
            f"no market of {plan.name} has trading rules",
            where=Where(field="instruments"),
            next_step="Poll its history first (copytrade poll), or name the markets that are allowed",
        )
    return found


def _recent_bars(
    place: Workplace, market: FuturesMarket, instruments: Mapping[str, Instrument]
) -> dict[str, BarSeries]:
    """Bars of about a day for correlations; a market without any counts as moving with all others."""
    if len(instruments) < 2:
        return {}
    now_ms, interval_ms = epoch_ms(place.now()), interval_ms_of(place.settings.market.bar_interval)
    start_ms = now_ms - round(CORRELATION_SPAN.total_seconds() * 1000)
    found: dict[str, BarSeries] = {}
    for name, rules in instruments.items():
        with suppress(CopytradeError):
            series = market.bars(
                name, interval_ms=interval_ms, start_ms=start_ms, end_ms=now_ms, tick_size=rules.tick_size
            ).series
            if len(series):
                found[name] = series
    return found


def _feed(
    runs: Mapping[LeadId, PollRuns],
    polling: LivePolling,
    instruments: Mapping[str, Instrument],
    bars: Mapping[str, BarSeries],
    journal: SessionDb,
    clock: WaitingClock,
) -> LiveFeed:
    watch = LiveWatch(bars)
    for lead, each in runs.items():
        if each.ledger.last_informed_at is not None:
            watch.informed(lead, epoch_ms(each.ledger.last_informed_at))
    ((begun_ms,),) = journal.ask("SELECT min(started_at_ms) FROM runs")
    return LiveFeed(
        runs=runs,
        asking=polling,
        quotes=LiveQuotes(instruments, watch),
        watch=watch,
        held_since_ms=_held_since(journal),
        begun_ms=begun_ms,
        now_ms=clock.now_ms,
    )


def _held_since(journal: SessionDb) -> Mapping[Market, int]:
    """Markets in which the session ever held something, since the first fill of each.

    What was closed owes the funding of the time before: a process that ended meanwhile may not have heard of it.
    """
    return {Market(market): at_ms for market, at_ms in journal.ask("SELECT market, min(time_ms) FROM fills GROUP BY 1")}
