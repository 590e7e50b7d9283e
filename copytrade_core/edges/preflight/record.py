"""What one drill left behind: the venue's ledger, what the session journalled, and what passed between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from copytrade_core.edges.preflight.coverage import Cell
from copytrade_core.edges.preflight.observers import CrashMet, Sent, StepSeen
from copytrade_core.edges.preflight.schedule import Schedule
from copytrade_core.edges.preflight.venue_ledger import VenueLedger
from copytrade_core.flow import Record
from copytrade_core.model.alert import Alert
from copytrade_core.model.book import Book
from copytrade_core.model.controls import Controls
from copytrade_core.model.instrument import Market
from copytrade_core.model.order_row import OrderRow, OrderState
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRecord:
    """Everything a judge may look at.

    `foreign_steps` is what others did to each position, signed in the position's own direction; `closed_told` are the
    episodes whose end the session was told, with the time; `accidents` are holdings that left the book while the venue
    still held them; `halted` says that a kill or a hot stop ended the session for good.
    """

    schedule: Schedule
    ledger: VenueLedger
    rows: Mapping[str, OrderRow]
    histories: Mapping[str, tuple[OrderState, ...]]
    sent: tuple[Sent, ...]
    cancelled: tuple[str, ...]
    records: tuple[Record, ...]
    alerts: tuple[Alert, ...]
    book: Book
    controls: Controls
    foreign_steps: Mapping[tuple[Market, Side], int]
    closed_told: Mapping[str, int]
    accidents: tuple[str, ...]
    stale_entries: tuple[str, ...]
    gross_cap: Money
    submit_deadline_ms: int
    same_id_again: bool
    restarts_count: int
    crashes: tuple[CrashMet, ...]
    cells: frozenset[Cell]
    trace: tuple[StepSeen, ...]
    settled: bool
    halted: bool
    ended_at_ms: int
