"""RUN_STATUS.json as facts: every field of the contract checked, in the units of the rooms. Judges nothing."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec

from copytrade_core.model.episode import EpisodeState
from copytrade_core.model.errors import BadInput
from copytrade_core.model.units import Money, money_from_decimal
from copytrade_core.monitor.facts import (
    Ended,
    LimitFact,
    PositionFact,
    SessionWords,
    StatusFact,
    UnknownOrderFact,
    Unreadable,
)

STATUS_FILE = "RUN_STATUS.json"
SCHEMA_VERSION = 1
STATUS_BYTES_MAX = 10_000_000
"""A status is a few kilobytes; something far larger is not one."""


class _Schema(msgspec.Struct, frozen=True):
    schema_version: int


class _Limit(msgspec.Struct, frozen=True):
    name: str
    value: float | None
    limit: float
    unit: str


class _Position(msgspec.Struct, frozen=True):
    episode_id: str
    market: str
    quantity: Decimal
    entry_price: Decimal
    source_state: EpisodeState


class _Unknown(msgspec.Struct, frozen=True):
    client_order_id: str
    market: str
    since: datetime


class _Backoff(msgspec.Struct, frozen=True):
    failures: int
    until: datetime | None


class _Ages(msgspec.Struct, frozen=True):
    source: float | None


class _Status(msgspec.Struct, frozen=True):
    """The part of the status that rules read; what else is in it is left alone."""

    run_id: str
    lead: str
    leads: tuple[str, ...]
    strategy: str
    policy_digest: str
    venue: str
    account: str
    mode: str
    pid: int
    boot_id: str
    started_at: datetime
    written_at: datetime
    interval_s: float
    deadline_at: datetime | None
    ended: Ended | None
    limits: tuple[_Limit, ...]
    positions: tuple[_Position, ...]
    unknown_orders: tuple[_Unknown, ...]
    backoff: _Backoff
    input_ages_s: _Ages
    last_error: str | None
    wall_at: datetime | None = None


def read_status(folder: Path) -> StatusFact | Unreadable:
    """The status of a runtime directory, or why there is none that can be used."""
    path = folder / STATUS_FILE
    try:
        if path.stat().st_size > STATUS_BYTES_MAX:
            return Unreadable(what=f"{STATUS_FILE} is far too large to be a status")
        content = path.read_bytes()
    except FileNotFoundError:
        return Unreadable(what=f"there is no {STATUS_FILE}")
    except OSError as error:
        return Unreadable(what=f"{STATUS_FILE} cannot be read: {error.strerror or type(error).__name__}")
    try:
        version = msgspec.json.decode(content, type=_Schema).schema_version
        if version != SCHEMA_VERSION:
            return Unreadable(what=f"{STATUS_FILE} has schema {version}, this version reads {SCHEMA_VERSION}")
        return _fact(msgspec.json.decode(content, type=_Status))
    except (msgspec.DecodeError, UnicodeDecodeError, BadInput, InvalidOperation, OverflowError) as error:
        return Unreadable(what=f"{STATUS_FILE} is damaged: {error}")


def _fact(status: _Status) -> StatusFact:
    return StatusFact(
        run_id=status.run_id,
        leads=status.leads,
        words=SessionWords(
            lead=status.lead,
            strategy=status.strategy,
            policy_digest=status.policy_digest,
            venue=status.venue,
            account=status.account,
        ),
        mode=status.mode,
        pid=status.pid,
        boot_id=status.boot_id,
        started_ms=_ms(status.started_at, "started_at"),
        written_ms=_ms(status.written_at, "written_at"),
        wall_ms=_ms(status.wall_at or status.written_at, "wall_at"),
        interval_s=status.interval_s,
        deadline_ms=None if status.deadline_at is None else _ms(status.deadline_at, "deadline_at"),
        ended=status.ended,
        positions=tuple(_position(each) for each in status.positions),
        limits=tuple(
            LimitFact(name=each.name, value=each.value, limit=each.limit, unit=each.unit) for each in status.limits
        ),
        unknown_orders=tuple(
            UnknownOrderFact(
                client_order_id=each.client_order_id, market=each.market, since_ms=_ms(each.since, "unknown_orders")
            )
            for each in status.unknown_orders
        ),
        backoff_failures=status.backoff.failures,
        backoff_until_ms=None if status.backoff.until is None else _ms(status.backoff.until, "backoff.until"),
        source_age_s=status.input_ages_s.source,
        last_error=status.last_error,
    )


def _position(position: _Position) -> PositionFact:
    return PositionFact(
        episode_id=position.episode_id,
        market=position.market,
        cost=_money(position.quantity * position.entry_price),
        source_state=position.source_state,
    )


def _money(value: Decimal) -> Money:
    if not value.is_finite():
        raise BadInput("a number is not finite")
    return money_from_decimal(value)


def _ms(instant: datetime, field: str) -> int:
    if instant.tzinfo is None:
        raise BadInput(f"{field} has no time zone")
    return int(instant.timestamp() * 1000)
