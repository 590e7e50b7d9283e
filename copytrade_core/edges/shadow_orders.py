"""Desired orders of a shadow session on disk: `shadow_orders.jsonl` and the table of the journal, each order once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
from typing_extensions import override

from copytrade_core.edges.row_files import numbered_rows
from copytrade_core.edges.runtime_files import SHADOW_FILE, RuntimeFiles
from copytrade_core.edges.runtime_stamp import ForeignRow, RuntimeStamp, foreign
from copytrade_core.edges.session_db import SessionDb
from copytrade_core.edges.status_document import instant
from copytrade_core.model.intent import LimitStyle, MarketStyle, StopStyle
from copytrade_core.model.order import Order
from copytrade_core.session.shadow import DesiredOrder, ShadowSink

_INSERT = """INSERT OR IGNORE INTO shadow_orders (run, at_ms, client_order_id, episode_id, market, kind, leg,
    fault_kind, fault_field, fault_detail, request) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class ShadowOrders(ShadowSink):
    """Where one session's desired orders go.

    Args:
        journal: its ledger.
        files: its runtime directory.
    """

    def __init__(self, *, journal: SessionDb, files: RuntimeFiles) -> None:
        self._journal = journal
        self._files = files
        self._kept = {str(row.get("client_order_id")) for _, row in _rows(files.folder)}

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowFindings:
    """What a shadow session came to: its desired orders, those that a venue would not take, and rows of others."""

    orders_count: int
    invalid: tuple[str, ...]
    foreign: tuple[ForeignRow, ...]


def shadow_findings(folder: Path, stamp: RuntimeStamp) -> ShadowFindings:
    """Reads `shadow_orders.jsonl`; rows that are not of this session are named and never counted.

    Raises:
        StoreFault: it cannot be read.
    """
    strangers: list[ForeignRow] = []
    known: dict[str, str | None] = {}
    for number, row in _rows(folder):
        stranger = foreign(row, stamp, file=SHADOW_FILE, number=number)
        if stranger is not None:
            strangers.append(stranger)
            continue
        name, fault = str(row.get("client_order_id")), row.get("fault")
        known[name] = None if fault is None else f"{name}: {_said(fault)}"
    return ShadowFindings(
        orders_count=len(known),
        invalid=tuple(said for said in known.values() if said is not None),
        foreign=tuple(strangers),
    )


def _rows(folder: Path) -> list[tuple[int, dict[str, object]]]:
    found: list[tuple[int, dict[str, object]]] = []
    for number, line in numbered_rows(folder / SHADOW_FILE, has_header=False):
        try:
            found.append((number, msgspec.json.decode(line, type=dict[str, object])))
        except msgspec.DecodeError:
            # Not a row of anybody: it has no stamp, and is named as foreign.
            found.append((number, {}))
    return found


def _said(fault: object) -> str:
    return f"{fault.get('field')}: {fault.get('detail')}" if isinstance(fault, dict) else str(fault)


def _document(desired: DesiredOrder) -> dict[str, object]:
    order, fault = desired.order, desired.fault
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
        "fault": None if fault is None else {"kind": fault.kind, "field": fault.field, "detail": fault.detail},
        "request": dict(desired.request),
        "submitted": False,
    }


def _style(order: Order) -> dict[str, object]:
    match order.style:
        case MarketStyle():
            return {"type": "market"}
        case LimitStyle(price=price, post_only=post_only):
            return {"type": "limit", "price_ticks": price, "post_only": post_only}
        case StopStyle(trigger=trigger):
            return {"type": "stop", "trigger_ticks": trigger}
