"""A paper session compared with replay: the same episodes, the same assumptions, intent by intent.

The comparison and its waterfall belong to `evidence.parity`; here both paths are read and the answer is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from copytrade_core.edges.intervals import epoch_ms, interval_ms_of
from copytrade_core.edges.parity_session import session_trades
from copytrade_core.edges.runtime_files import SESSION_FILE
from copytrade_core.edges.stages.canary_due import NOT_DERIVED, comparison_inputs
from copytrade_core.edges.stages.canary_plan import plan_of
from copytrade_core.edges.stages.canary_request import DAY_S, begins_at, span_of
from copytrade_core.edges.stages.canary_store import (
    FACTS,
    PARITY,
    SESSION,
    day_and_lead,
    load_session,
    store_document,
)
from copytrade_core.edges.stages.episodes import load_episodes
from copytrade_core.edges.stages.instruments import trading_rules
from copytrade_core.edges.stages.market_data import load_markets
from copytrade_core.edges.stages.paper import identity_of
from copytrade_core.edges.stages.paper_archive import Span, archived_of
from copytrade_core.edges.stages.paper_plan import PaperPlan
from copytrade_core.edges.stages.parity_table import store_parity_rows
from copytrade_core.edges.stages.workplace import StageOutcome, Workplace
from copytrade_core.evidence.parity import IntentKey, ParityTable, TradePath
from copytrade_core.evidence.parity_paths import MarketRecord, Trades, compare_paths
from copytrade_core.evidence.parity_records import record_trades
from copytrade_core.evidence.parity_rows import parity_rows, parity_summary
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
from copytrade_core.promotion.facts_canary import ParityFacts
from copytrade_core.replay.reference import replay

FOLDER = "folder"
"""Metadata of a session's head: its runtime directory below the data folder."""


def compare_session(place: Workplace, key: str) -> StageOutcome:
    """Replays what a stored session was told and stores `paper_parity`.

    Raises:
        NotStored: no such session, its runtime directory is gone, or its episodes are not derived.
        StoreFault: stored bytes were changed, or the journal cannot be read.
    """
    head, record = place.lake.require(SESSION, key), load_session(place, key)
    _, lead_id = day_and_lead(key)
    folder = _folder(place, key, head.metadata.get(FOLDER))
    plan = plan_of(place, lead_id)
    told = _told(place, plan, record)
    derived = load_episodes(place, lead_id)
    known = [episode for episode in derived if episode.episode_id in told]
    traded = {*told.values(), *(episode.market for episode in derived), *(order.market for order in record.orders)}
    data = _with_rules(place, load_markets(place, known).data, traded)
    table, skipped = _compared(place, plan, record, folder, known, data)
    skipped |= dict.fromkeys(sorted(set(told) - {episode.episode_id for episode in known}), NOT_DERIVED)
    facts = _facts(key, record, table, made_at=place.now())
    rows = [row for row in parity_rows(table, data.instruments) if row["notional_e8"]]
    metadata: dict[str, object] = {
        "intents_compared": facts.compared_count,
        "missed": list(facts.missed),
        "residual_bps_max": facts.residual_bps_max,
        "difference_bps_mean": facts.difference_bps_mean,
        "episodes_not_comparable": skipped,
    }
    document = {
        "key": key,
        "told": sorted(told),
        "inputs": comparison_inputs(place, lead_id, told),
        FACTS: msgspec.to_builtins(facts),
        "summary": parity_summary(table),
        "episodes_not_comparable": skipped,
        "rows": rows,
    }
    store_parity_rows(place, key, rows, session_digest=head.digest)
    return store_document(place, PARITY, key, document, read={f"{SESSION}/{key}": head.digest}, metadata=metadata)


def _folder(place: Workplace, key: str, named: object) -> Path:
    folder = place.settings.data_dir / str(named)
    if not named or not (folder / SESSION_FILE).exists():
        lead_step = f"Run the session again: copytrade canary paper --lead {day_and_lead(key)[1]}"
        raise NotStored(f"the runtime directory of session {key} is gone", next_step=lead_step)
    return folder


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
    place: Workplace,
    plan: PaperPlan,
    record: SessionRecord,
    folder: Path,
    known: Sequence[Episode],
    data: MarketData,
) -> tuple[ParityTable, dict[str, str]]:
    """Both paths over the episodes that replay can trade whole; the others are named with replay's reason."""
    records: list[Record] = []
    result = replay(known, plan.policy, _spec(place, plan), data, heard=records.append)
    skipped = {one.episode_id: str(one.reason) for one in result.skipped}
    market = MarketRecord(instruments=data.instruments, bars=data.bars)
    base = record_trades(TradePath.REPLAY, records, funding=_paid(result), record=market)
    other = session_trades(folder / SESSION_FILE, TradePath.PAPER, who=identity_of(plan), record=market)
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


def _facts(key: str, record: SessionRecord, table: ParityTable, *, made_at: datetime) -> ParityFacts:
    """Intents of which nothing was filled on either path (a limit that was never reached) are no difference."""
    rows = [row for row in table.rows if row.notional]
    residual = max((abs(row.bps(row.residual)) for row in rows), default=None)
    return ParityFacts(
        key=key,
        policy_digest=record.policy_digest,
        code_version=record.code_version,
        is_observed=record.is_observed,
        made_at=made_at,
        compared_count=sum(not row.is_missed for row in rows),
        residual_bps_max=None if residual is None else float(residual),
        difference_bps_mean=float(sum(row.bps(row.total) for row in rows) / len(rows)) if rows else None,
        missed=tuple(
            f"{row.pair.key.kind} {row.pair.key.leg} of {row.pair.key.episode_id}" for row in rows if row.is_missed
        ),
    )


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC)
