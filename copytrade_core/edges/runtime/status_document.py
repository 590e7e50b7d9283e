"""A session's status as the JSON object of `RUN_STATUS.json`: units for people, decimals as text. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from copytrade_core.edges.runtime.runtime_stamp import SCHEMA_VERSION, stamp_of
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.units import MONEY_SCALE, money_to_decimal
from copytrade_core.session.status import LeadPoll, LimitState, LimitUnit, PositionState, SessionMode, SessionStatus

Document = dict[str, object]


def status_document(
    status: SessionStatus,
    instruments: Mapping[str, Instrument],
    *,
    pid: int,
    boot_id: str,
    code_version: str,
    wall_ms: int,
) -> Document:
    """The object. Every instant but `wall_at` is of the session's own clock, which may be virtual."""
    facts, controls = status.facts, status.controls
    return {
        **stamp_of(facts).words(),
        "leads": list(facts.leads),
        "paper_only": facts.mode is not SessionMode.LIVE,
        "is_reconstructed": facts.is_reconstructed,
        "pid": pid,
        "boot_id": boot_id,
        "started_at": instant(facts.started_at_ms),
        "written_at": instant(status.at_ms),
        "wall_at": instant(wall_ms),
        "interval_s": facts.interval_ms / 1000,
        "deadline_at": None if facts.deadline_ms is None else instant(facts.deadline_ms),
        "ended": None if status.ended is None else status.ended.value,
        "controls": {
            "kill": controls.kill,
            "stop_new_orders": controls.stop_new_orders,
            "hot_stop": controls.hot_stop,
        },
        "limits": [_limit(each) for each in status.limits],
        "positions": [position_document(each, instruments[each.market]) for each in status.positions],
        "cash_usdt": money_text(status.cash),
        "equity_usdt": money_text(status.equity),
        "day_result_usdt": money_text(status.day_result),
        "working_orders": status.working_orders,
        **_doubts(status),
        "counters": {name: getattr(status.counters, name) for name in ("orders", "fills", "not_placed", "rejected")},
        "last_error": status.last_error,
        "versions": {"code": code_version, "schema": SCHEMA_VERSION},
    }


def _doubts(status: SessionStatus) -> Document:
    """What a person should look at: unknown orders, backoff, ages, the last poll, alerts."""
    poll, backoff = status.last_poll, status.backoff
    return {
        "unknown_orders": [
            {
                "client_order_id": each.client_order_id,
                "market": each.market,
                "since": instant(each.since_ms),
                "why": each.why,
            }
            for each in status.unknown_orders
        ],
        "backoff": {
            "failures": backoff.failures,
            "until": None if backoff.until_ms is None else instant(backoff.until_ms),
        },
        "input_ages_s": {"source": _seconds(status.source_age_ms), "mark": _seconds(status.mark_age_ms)},
        "last_poll": {
            "ok": poll.ok,
            "at": None if poll.at_ms is None else instant(poll.at_ms),
            "reading": poll.reading,
            "price_latency_s": _seconds(poll.price_latency_ms),
            "seen_after_s": _seconds(poll.seen_after_ms),
            "leads": [_lead(each, status.at_ms) for each in poll.leads],
        },
        "alerts": [
            {"kind": each.kind.value, "subject": each.subject, "at": instant(each.at_ms), "what": each.what}
            for each in status.alerts
        ],
    }


def _lead(poll: LeadPoll, at_ms: int) -> Document:
    """One lead's newest poll, how old its last information is, and its back-off."""
    informed_ms = poll.informed_at_ms
    return {
        "lead": poll.lead_id,
        "ok": poll.ok,
        "at": None if poll.at_ms is None else instant(poll.at_ms),
        "reading": poll.reading,
        "age_s": None if informed_ms is None else _seconds(max(0, at_ms - informed_ms)),
        "latency_s": _seconds(poll.latency_ms),
        "failures": poll.failures,
        "next_at": None if poll.next_at_ms is None else instant(poll.next_at_ms),
    }


def position_document(position: PositionState, instrument: Instrument) -> Document:
    """One holding in quote and base units."""
    return {
        "episode_id": position.episode_id,
        "market": position.market,
        "side": position.side.value,
        "quantity": f"{instrument.quantity(position.quantity):f}",
        "entry_price": f"{instrument.price(position.entry_price):f}",
        "mark_price": None if position.mark is None else f"{instrument.price(position.mark):f}",
        "notional_usdt": money_text(position.notional),
        "unrealised_usdt": None if position.unrealised is None else money_text(position.unrealised),
        "opened_at": instant(position.opened_at_ms),
        "source_state": position.source_state.value,
    }


def _limit(limit: LimitState) -> Document:
    """Quote money as a number of units: to be looked at, never to be counted with."""
    scale = MONEY_SCALE if limit.unit is LimitUnit.USDT else 1
    value = None if limit.value is None else limit.value / scale
    return {"name": limit.name, "value": value, "limit": limit.limit / scale, "unit": limit.unit.value}


def _seconds(age_ms: int | None) -> float | None:
    return None if age_ms is None else age_ms / 1000


def money_text(money: int) -> str:
    """Exact quote amount without an exponent."""
    return f"{money_to_decimal(money):f}"


def instant(at_ms: int) -> str:
    """ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
