"""`RUN_STATUS.json` read: the one typed form of what `status_document` writes, or why there is none to be used.

What a status means is not judged here: the monitor, the screen and the evidence of a session each ask their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast

import msgspec

from copytrade_core.edges.runtime.runtime_stamp import SCHEMA_VERSION
from copytrade_core.model.episode import EpisodeState
from copytrade_core.model.session_end import Ended
from copytrade_core.model.side import Side
from copytrade_core.session.status import LimitUnit, SessionMode

STATUS_FILE = "RUN_STATUS.json"
STATUS_BYTES_MAX = 10_000_000
"""A status is a few kilobytes; something far larger is not one."""

Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class StatusLimit(msgspec.Struct, frozen=True):
    """One cap and what is used of it, both in `unit`; `value` is None while it is not known."""

    name: str
    value: float | None
    limit: float
    unit: LimitUnit


class StatusPosition(msgspec.Struct, frozen=True):
    """One open position: base units, quote units per base unit, and quote units."""

    episode_id: str
    market: str
    side: Side
    quantity: Decimal
    entry_price: Decimal
    mark_price: Decimal | None
    notional_usdt: Decimal
    unrealised_usdt: Decimal | None
    opened_at: Instant
    source_state: EpisodeState


class StatusUnknownOrder(msgspec.Struct, frozen=True):
    """An order of unknown fate, since when and why."""

    client_order_id: str
    market: str
    since: Instant
    why: str


class StatusBackoff(msgspec.Struct, frozen=True):
    """Wishes to enter that failed in a row, and until when none is tried."""

    failures: int
    until: Instant | None


class StatusAges(msgspec.Struct, frozen=True):
    """How old the newest input is, in seconds; None: never seen."""

    source: float | None
    mark: float | None


class StatusLeadPoll(msgspec.Struct, frozen=True):
    """One lead's newest poll, how old its last information is, and its back-off."""

    lead: str
    ok: bool
    at: Instant | None
    reading: str
    age_s: float | None
    latency_s: float | None
    failures: int
    next_at: Instant | None


class StatusPoll(msgspec.Struct, frozen=True):
    """The newest poll of the source."""

    ok: bool
    at: Instant | None
    reading: str
    price_latency_s: float | None
    seen_after_s: float | None
    leads: tuple[StatusLeadPoll, ...]


class StatusControls(msgspec.Struct, frozen=True):
    """Which controls the session had seen set."""

    kill: bool
    stop_new_orders: bool
    hot_stop: bool


class StatusCounters(msgspec.Struct, frozen=True):
    """What the session has done since its first start."""

    orders: int
    fills: int
    not_placed: int
    rejected: int


class StatusAlert(msgspec.Struct, frozen=True):
    """What a person was to hear of; `kind` is a word of `AlertKind`."""

    kind: str
    subject: str
    at: Instant
    what: str


class StatusVersions(msgspec.Struct, frozen=True):
    """The code that wrote the status, and the form it wrote it in."""

    code: str
    schema: int


class RunStatus(msgspec.Struct, frozen=True):
    """A whole status. Every instant but `wall_at` is of the session's own clock, which may be virtual."""

    schema_version: int
    run_id: str
    mode: SessionMode
    lead: str
    strategy: str
    policy_digest: str
    venue: str
    account: str
    leads: tuple[str, ...]
    paper_only: bool
    is_reconstructed: bool
    pid: int
    boot_id: str
    started_at: Instant
    written_at: Instant
    wall_at: Instant
    interval_s: float
    deadline_at: Instant | None
    ended: Ended | None
    controls: StatusControls
    limits: tuple[StatusLimit, ...]
    positions: tuple[StatusPosition, ...]
    cash_usdt: Decimal
    equity_usdt: Decimal
    day_result_usdt: Decimal
    working_orders: int
    unknown_orders: tuple[StatusUnknownOrder, ...]
    backoff: StatusBackoff
    input_ages_s: StatusAges
    last_poll: StatusPoll
    counters: StatusCounters
    alerts: tuple[StatusAlert, ...]
    last_error: str | None
    versions: StatusVersions


class StatusFault(StrEnum):
    """Why a directory has no status that can be used."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    DAMAGED = "damaged"
    OTHER_SCHEMA = "other_schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoStatus:
    """There is none that can be used: why, in a word and in a sentence."""

    fault: StatusFault
    what: str


def read_status(folder: Path) -> RunStatus | NoStatus:
    """The status of a runtime directory; never raises for what is in it."""
    document = read_document(folder)
    return document if isinstance(document, NoStatus) else status_of(document)


def read_document(folder: Path) -> dict[str, object] | NoStatus:
    """The JSON object of the status as it is, whichever schema it has."""
    path = folder / STATUS_FILE
    try:
        if path.stat().st_size > STATUS_BYTES_MAX:
            return _damaged("it is far too large to be a status")
        document = cast("object", msgspec.json.decode(path.read_bytes()))
    except FileNotFoundError:
        what = f"there is no {STATUS_FILE}" if folder.is_dir() else "there is no such directory"
        return NoStatus(fault=StatusFault.MISSING, what=what)
    except OSError as error:
        what = f"{STATUS_FILE} cannot be read: {error.strerror or type(error).__name__}"
        return NoStatus(fault=StatusFault.UNREADABLE, what=what)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _damaged(str(error))
    return cast("dict[str, object]", document) if isinstance(document, dict) else _damaged("it is no object")


def status_of(document: dict[str, object]) -> RunStatus | NoStatus:
    """A document as a typed status; a field that is not known is left alone."""
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        what = f"{STATUS_FILE} has schema {version}, this version reads {SCHEMA_VERSION}"
        return NoStatus(fault=StatusFault.OTHER_SCHEMA, what=what)
    try:
        status = msgspec.convert(document, type=RunStatus)
    except msgspec.ValidationError as error:
        return _damaged(str(error))
    return status if all(number.is_finite() for number in _numbers(status)) else _damaged("a number is not finite")


def _numbers(status: RunStatus) -> Iterator[Decimal]:
    yield from (status.cash_usdt, status.equity_usdt, status.day_result_usdt)
    for each in status.positions:
        numbers = (each.quantity, each.entry_price, each.mark_price, each.notional_usdt, each.unrealised_usdt)
        yield from (number for number in numbers if number is not None)


def _damaged(why: str) -> NoStatus:
    return NoStatus(fault=StatusFault.DAMAGED, what=f"{STATUS_FILE} is damaged: {why}")
