"""Desired orders of a shadow session on disk, in `shadow_orders.jsonl` and the journal, and its looks at the venue.

Each order is written once; a look only where it shows something else than the one before. Judged by gates, not here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import msgspec
from typing_extensions import override

from copytrade_core.edges.runtime.row_files import numbered_rows
from copytrade_core.edges.runtime.runtime_files import LOOKS_FILE, SHADOW_FILE, RuntimeFiles
from copytrade_core.edges.runtime.runtime_stamp import ForeignRow, RuntimeStamp, foreign
from copytrade_core.edges.runtime.session_db import SessionDb
from copytrade_core.edges.runtime.status_document import instant
from copytrade_core.model.intent import LimitStyle, MarketStyle, StopStyle
from copytrade_core.model.order import Order
from copytrade_core.model.outcome import Unavailable
from copytrade_core.model.venue import VenueProbe
from copytrade_core.session.shadow import ShadowSink
from copytrade_core.session.venue_look import DesiredOrder, Looked, ShadowFault

_INSERT = """INSERT OR IGNORE INTO shadow_orders (run, at_ms, client_order_id, episode_id, market, kind, leg,
    fault_kind, fault_field, fault_detail, request) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
Row = dict[str, object]


class ShadowOrders(ShadowSink):
    """Where one session's desired orders and looks go.

    Args:
        journal: its ledger.
        files: its runtime directory.
    """

    def __init__(self, *, journal: SessionDb, files: RuntimeFiles) -> None:
        self._journal = journal
        self._files = files
        self._kept = {str(row.get("client_order_id")) for _, row in _rows(files.folder / SHADOW_FILE)}
        self._seen: Row | None = None

    @override
    def keep(self, desired: DesiredOrder) -> None:
        order, fault = desired.order, desired.fault
        if order.client_order_id not in self._kept:
            self._files.shadow_order(_document(desired))
            self._kept.add(order.client_order_id)
        request = None if fault is not None else msgspec.json.encode(dict(desired.request)).decode()
        told = (None, None, None) if fault is None else (fault.kind, fault.field, fault.detail)
        place = (order.client_order_id, order.episode_id, order.market, order.kind.value, order.leg)
        self._journal.note([(_INSERT, (desired.at_ms, *place, *told, request))])

    @override
    def looked(self, look: Looked) -> None:
        seen = _shown(look)
        if seen != self._seen:
            self._files.shadow_look({"at": instant(look.at_ms), **seen})
            self._seen = seen


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowFindings:
    """What a shadow session came to.

    `orders` are its desired orders as written, `invalid` those that a venue would not take with their first invalid
    field, `looks` what was seen of the account, `faults` what those found wrong, `unanswered_count` how often the venue
    fell silent, `rules` where its trading rules are stricter than ours, `foreign` rows of other sessions, never
    counted.
    """

    orders: tuple[Row, ...]
    invalid: tuple[str, ...]
    looks: tuple[Row, ...]
    faults: tuple[str, ...]
    unanswered_count: int
    rules: tuple[str, ...]
    foreign: tuple[ForeignRow, ...]

    @property
    def orders_count(self) -> int:
        """How many orders would have been sent."""
        return len(self.orders)


def shadow_findings(folder: Path, stamp: RuntimeStamp, *, runs: Collection[str]) -> ShadowFindings:
    """Reads `shadow_orders.jsonl` and `shadow_looks.jsonl`; rows that are not of this session are named, not counted.

    Args:
        folder: the runtime directory.
        stamp: whose rows count.
        runs: ids of the runs that are asked for; what the session's other runs wrote belongs to other days.

    Raises:
        StoreFault: they cannot be read.
    """
    strangers: list[ForeignRow] = []
    rows = [row for row in _ours(folder, SHADOW_FILE, stamp, strangers) if row["run_id"] in runs]
    orders = {str(row.get("client_order_id")): row for row in rows}
    looks = [row for row in _ours(folder, LOOKS_FILE, stamp, strangers) if row["run_id"] in runs]
    newest = next((_texts(row.get("rules")) for row in reversed(looks) if row.get("answered") is True), ())
    return ShadowFindings(
        orders=tuple(orders.values()),
        invalid=tuple(f"{name}: {_said(row['fault'])}" for name, row in orders.items() if row.get("fault") is not None),
        looks=tuple(looks),
        faults=tuple(dict.fromkeys(fault for row in looks for fault in _texts(row.get("faults")))),
        unanswered_count=sum(row.get("answered") is False for row in looks),
        rules=newest,
        foreign=tuple(strangers),
    )


def _ours(folder: Path, file: str, stamp: RuntimeStamp, strangers: list[ForeignRow]) -> list[Row]:
    kept: list[Row] = []
    for number, row in _rows(folder / file):
        stranger = foreign(row, stamp, file=file, number=number)
        if stranger is None:
            kept.append(row)
        else:
            strangers.append(stranger)
    return kept


def _rows(path: Path) -> list[tuple[int, Row]]:
    found: list[tuple[int, Row]] = []
    for number, line in numbered_rows(path, has_header=False):
        try:
            found.append((number, msgspec.json.decode(line, type=dict[str, object])))
        except msgspec.DecodeError:
            # Not a row of anybody: it has no stamp, and is named as foreign.
            found.append((number, {}))
    return found


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _said(fault: object) -> str:
    return f"{fault.get('field')}: {fault.get('detail')}" if isinstance(fault, dict) else str(fault)


def _shown(look: Looked) -> Row:
    """Truth values and words: no number of the account."""
    faults = [f"{fault.field}: {fault.detail}" for fault in look.faults]
    shown: Row = {"faults": faults, "rules": list(look.rules)}
    match look.seen:
        case VenueProbe() as seen:
            return {"answered": True, "why": None, "key": rights(seen), **shown}
        case Unavailable(why=why):
            return {"answered": False, "why": why, "key": None, **shown}
        case None:
            return {"answered": True, "why": None, "key": None, **shown}


def rights(seen: VenueProbe) -> dict[str, bool | None]:
    """What a probe says of the key, as truth values; None: the venue does not tell."""
    return {"can_trade": seen.can_trade, "can_withdraw": seen.can_withdraw, "ip_restricted": seen.ip_restricted}


def _document(desired: DesiredOrder) -> Row:
    order, rounding = desired.order, desired.rounding
    return {
        "at": instant(desired.at_ms),
        "client_order_id": order.client_order_id,
        "episode_id": order.episode_id,
        "market": order.market,
        "kind": order.kind.value,
        "leg": order.leg,
        "side": order.side.value,
        "buys": order.buys,
        "reduce_only": order.reduce_only,
        "style": _style(order),
        "quantity_steps": order.quantity,
        "mark_ticks": desired.mark,
        "reason": order.reason,
        "rounding_quantity_bps": None if rounding is None else rounding.quantity_bps,
        "rounding_price_bps": None if rounding is None else rounding.price_bps,
        "fault": _fault(desired.fault),
        "request": dict(desired.request),
        "submitted": False,
    }


def _fault(fault: ShadowFault | None) -> Row | None:
    return None if fault is None else {"kind": fault.kind, "field": fault.field, "detail": fault.detail}


def _style(order: Order) -> Row:
    match order.style:
        case MarketStyle():
            return {"type": "market"}
        case LimitStyle(price=price, post_only=post_only):
            return {"type": "limit", "price_ticks": price, "post_only": post_only}
        case StopStyle(trigger=trigger):
            return {"type": "stop", "trigger_ticks": trigger}
