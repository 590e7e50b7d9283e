"""One stored session and replay over the same episodes, under the same assumptions. Storing it is `canary_parity`'s."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from copytrade_core.edges.market.intervals import epoch_ms, interval_ms_of
from copytrade_core.edges.runtime.parity_session import session_trades
from copytrade_core.edges.runtime.runtime_files import SESSION_FILE
from copytrade_core.edges.stages.canary_due import NOT_DERIVED
from copytrade_core.edges.stages.canary_request import DAY_S, begins_at, span_of
from copytrade_core.edges.stages.episodes import load_episodes
from copytrade_core.edges.stages.instruments import trading_rules
from copytrade_core.edges.stages.market_data import load_markets
from copytrade_core.edges.stages.paper import identity_of
from copytrade_core.edges.stages.paper_archive import Span, archived_of
from copytrade_core.edges.stages.paper_plan import PaperPlan
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.evidence.parity import IntentKey, ParityTable, TradePath
from copytrade_core.evidence.parity_paths import MarketRecord, Trades, compare_paths
from copytrade_core.evidence.parity_records import record_trades
from copytrade_core.flow import Record
from copytrade_core.model.caps import ReplayCaps
from copytrade_core.model.episode import Episode
from copytrade_core.model.errors import BadConfig, NotStored
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.round_trip import ReplayResult, ReplaySpec
from copytrade_core.model.session_record import SessionOrder, SessionRecord
from copytrade_core.model.source_event import SourceOpened
from copytrade_core.model.units import Money
from copytrade_core.replay.reference import replay


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A session that is stored: on which path it was, its plan, its record and its runtime directory."""

    path: TradePath
    plan: PaperPlan
    record: SessionRecord
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A session against replay. `told` are the episodes it heard of, `skipped` those not compared, with the reason."""

    table: ParityTable
    instruments: Mapping[str, Instrument]
    told: tuple[str, ...]
    skipped: Mapping[str, str]


def against_replay(place: Workplace, session: StoredSession) -> Comparison:
    """Replays what a session was told.

    Raises:
        NotStored: its episodes are not derived.
        StoreFault: stored bytes were changed, or the journal cannot be read.
        BadInput: the journal is of another session.
    """
    record = session.record
    told = _told(place, session.plan, record)
    derived = load_episodes(place, record.lead)
    known = [episode for episode in derived if episode.episode_id in told]
    traded = {*told.values(), *(episode.market for episode in derived), *(order.market for order in record.orders)}
    data = _with_rules(place, load_markets(place, known).data, traded)
    table, skipped = _compared(place, session, known, data)
    unknown = dict.fromkeys(sorted(set(told) - {episode.episode_id for episode in known}), NOT_DERIVED)
    return Comparison(
        table=table, instruments=data.instruments, told=tuple(sorted(told)), skipped={**skipped, **unknown}
    )


def _with_rules(place: Workplace, data: MarketData, markets: Collection[str]) -> MarketData:
    """The data with rules of markets that were traded before any bar of them was stored."""
    found: dict[str, Instrument] = {}
    for market in sorted(set(markets) - set(data.instruments)):
        with suppress(BadConfig, NotStored):
            found[market] = trading_rules(place, market)[0]
    return replace(data, instruments={**found, **data.instruments})


def _told(place: Workplace, plan: PaperPlan, record: SessionRecord) -> dict[str, str]:
    """Episodes of which the session heard an opening or in which it traded, with their markets.

    Who trades on a close enters positions that the lead opened on an earlier day.
    """
    if record.is_observed:
        from_ms, until_ms = record.started_at_ms, record.ended_at_ms + 1
        span = Span(from_at=_instant(from_ms), until_at=_instant(until_ms))
    else:
        span = span_of(record.day)
    events = archived_of(place, plan, span).events
    entered = {order.episode_id: order.market for order in record.orders if order.is_entry and _is_of(order, record)}
    return entered | {
        event.episode.episode_id: event.episode.market for event in events if isinstance(event, SourceOpened)
    }


def _is_of(order: SessionOrder, record: SessionRecord) -> bool:
    """Whether it was planned in the record's own time: the journal goes on from day to day."""
    return record.started_at_ms <= order.planned_at_ms <= record.ended_at_ms


def _compared(
    place: Workplace, session: StoredSession, known: Sequence[Episode], data: MarketData
) -> tuple[ParityTable, dict[str, str]]:
    """Both paths over the episodes that replay can trade whole; the others are named with replay's reason."""
    plan, record = session.plan, session.record
    records: list[Record] = []
    result = replay(known, plan.policy, _spec(place, plan), data, heard=records.append)
    skipped = {one.episode_id: str(one.reason) for one in result.skipped}
    market = MarketRecord(instruments=data.instruments, bars=data.bars)
    base = record_trades(TradePath.REPLAY, records, funding=_paid(result), record=market)
    who = replace(identity_of(plan), venue=record.venue)
    other = session_trades(session.folder / SESSION_FILE, session.path, who=who, record=market)
    theirs = _only(other, {episode.episode_id for episode in known} - set(skipped))
    until_ms = _entries_until_ms(record)
    cut = _cut(base, theirs, until_ms)
    names = {episode.episode_id for episode in known} - set(skipped) - set(cut)
    ours = _until(_only(base, names), theirs, until_ms)
    return compare_paths(ours, _only(theirs, names), data.instruments), {**skipped, **cut}


def _entries_until_ms(record: SessionRecord) -> int:
    """When the session stopped opening: an archived one at the end of its day, whatever exits it still followed."""
    if record.is_observed:
        return record.ended_at_ms
    return min(record.ended_at_ms, epoch_ms(begins_at(record.day)) + DAY_S * 1000)


def _cut(base: Trades, other: Trades, until_ms: int) -> dict[str, str]:
    """Episodes that both traded and that the session's end cut short: what is left of them is no other trade."""
    traded = {key.episode_id for key, trade in other.by_intent.items() if trade.filled}
    late = (key for key, trade in base.by_intent.items() if trade.at_ms > until_ms and trade.filled)
    return {
        key.episode_id: "the session ended before its last entry"
        for key in late
        if key.kind.is_entry and key.episode_id in traded and key not in other.by_intent
    }


def _only(trades: Trades, names: set[str]) -> Trades:
    kept = {key: trade for key, trade in trades.by_intent.items() if key.episode_id in names}
    return replace(trades, by_intent=kept)


def _until(trades: Trades, other: Trades, until_ms: int) -> Trades:
    """What replay did after the session had ended is nothing that the session missed."""
    kept = {
        key: trade
        for key, trade in trades.by_intent.items()
        if trade.at_ms <= until_ms or key in other.by_intent or _is_held(key, other)
    }
    return replace(trades, by_intent=kept)


def _is_held(key: IntentKey, other: Trades) -> bool:
    """An exit of what the session had entered is compared whenever it was."""
    return not key.kind.is_entry and any(each.episode_id == key.episode_id for each in other.by_intent)


def _spec(place: Workplace, plan: PaperPlan) -> ReplaySpec:
    """Replay under the plan's assumptions."""
    return ReplaySpec(
        market_fill=plan.market_fill,
        rung_fill=plan.rung_fill,
        costs=plan.costs,
        delay_s=plan.archive_delay_s,
        initial_equity=plan.equity,
        lead_margin_balance=None,
        interval_ms=interval_ms_of(place.settings.market.bar_interval),
        caps=ReplayCaps(notional_gross_max=plan.caps.notional_gross_max, daily_loss_max=plan.caps.daily_loss_max),
    )


def _paid(result: ReplayResult) -> dict[str, Money]:
    """What each episode's trades paid in funding; a replay takes it from the book without a word."""
    paid: dict[str, Money] = {}
    for trip in result.round_trips:
        paid[trip.episode_id] = Money(paid.get(trip.episode_id, Money(0)) + trip.funding)
    return paid


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC)
