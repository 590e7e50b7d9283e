"""The files of a runtime directory: status, state, telemetry, equity, candles, chart events, restart snapshot.

Each is written whole or not at all and says whose it is; the journal, which a restart needs, is `session_db`. Nothing
here decides about trading: a file that cannot be written is told to the caller.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from typing_extensions import override

from copytrade_core.edges.atomic_files import write_whole
from copytrade_core.edges.runtime.row_files import RowFile
from copytrade_core.edges.runtime.runtime_stamp import STAMP_FIELDS, stamp_of
from copytrade_core.edges.runtime.session_lease import boot_id
from copytrade_core.edges.runtime.status_document import Document, instant, money_text, status_document
from copytrade_core.edges.runtime.status_file import STATUS_FILE, NoStatus, StatusFault, read_status
from copytrade_core.model.bar import Bar
from copytrade_core.model.controls import Controls
from copytrade_core.model.instrument import Instrument
from copytrade_core.session.ports import RestartSink, StatusSink
from copytrade_core.session.snapshot import HotRestart, encode_hot_restart
from copytrade_core.session.status import SessionFacts, SessionStatus

PARAMS_FILE = "live_strategy_params.json"
SNAPSHOT_FILE = "HOT_RESTART_SNAPSHOT.json"
EQUITY_FILE = "live_equity.csv"
CANDLES_FILE = "live_candles.csv"
EVENTS_CSV, EVENTS_JSONL = "live_chart_events.csv", "live_chart_events.jsonl"
SHADOW_FILE = "shadow_orders.jsonl"
LOOKS_FILE = "shadow_looks.jsonl"
SESSION_FILE = "session.sqlite"

EQUITY_COLUMNS = ("at", "cash_usdt", "equity_usdt", "day_result_usdt", "positions_count", "gross_notional_usdt")
CANDLE_COLUMNS = ("market", "opens_at", "interval_s", "open", "high", "low", "close")
EVENT_COLUMNS = ("event_id", "at", "kind", "episode_id", "market", "side", "price", "quantity", "label")


class RuntimeFiles(StatusSink, RestartSink):
    """The files of one run.

    Args:
        folder: the runtime directory.
        facts: whose it is.
        instruments: trading rules by market.
        code_version: what is noted as the code that writes.
        wall_ms: the machine's clock, epoch ms; the session's own may be virtual.
        write_every_ms: between two writes at least so long on the machine's clock; what happens meanwhile is kept and
            written with the next. An end, a control and an error are always written at once. 0 writes every time.
    """

    def __init__(
        self,
        folder: Path,
        *,
        facts: SessionFacts,
        instruments: Mapping[str, Instrument],
        code_version: str,
        wall_ms: Callable[[], int],
        write_every_ms: int,
    ) -> None:
        _put_aside_if_damaged(folder)
        self.folder = folder
        self._facts = facts
        self._instruments = instruments
        self._code_version = code_version
        self._wall_ms = wall_ms
        self._write_every_ms = write_every_ms
        self._written_ms: int | None = None
        self._urgent: tuple[object, ...] = ()
        self._boot_id = boot_id()
        self._words = stamp_of(facts).words()
        self._equity = RowFile(folder / EQUITY_FILE, header=_header(EQUITY_COLUMNS))
        self._candles = RowFile(folder / CANDLES_FILE, header=_header(CANDLE_COLUMNS))
        self._events_csv = RowFile(folder / EVENTS_CSV, header=_header(EVENT_COLUMNS))
        self._events = RowFile(folder / EVENTS_JSONL)
        self._shadow = RowFile(folder / SHADOW_FILE)
        self._looks = RowFile(folder / LOOKS_FILE)
        self._telemetry = RowFile(folder / f"run_telemetry_{facts.run_id}.jsonl")
        self._waiting: dict[RowFile, list[bytes]] = {}

    # -- the ports of a session ----------------------------------------------------------------------------------

    @override
    def show(self, status: SessionStatus) -> None:
        """Take the newest status: `RUN_STATUS.json`, the run's own state, and a row of telemetry and equity.

        Raises:
            StoreFault: something cannot be written; each file is as it was or complete, and what was not written is
                tried again with the next status.
        """
        self._wait(self._equity, self._csv(EQUITY_COLUMNS, _equity(status)))
        self._wait(self._telemetry, self._line(_telemetry(status)))
        if not self.is_due(status):
            return
        wall_ms = self._wall_ms()
        document = status_document(
            status,
            self._instruments,
            pid=os.getpid(),
            boot_id=self._boot_id,
            code_version=self._code_version,
            wall_ms=wall_ms,
        )
        # The status first: whatever else fails, a person sees the newest.
        self._whole(STATUS_FILE, document)
        self._whole(f"run_state_{self._facts.run_id}.json", document)
        self.flush()
        self._written_ms, self._urgent = wall_ms, _urgent(status)

    def is_due(self, status: SessionStatus) -> bool:
        """Whether `show` would write now."""
        is_late = self._written_ms is None or self._wall_ms() - self._written_ms >= self._write_every_ms
        return is_late or _urgent(status) != self._urgent

    @override
    def leave(self, snapshot: HotRestart) -> None:
        """Keep what a resume checks, and every row that waits.

        Raises:
            StoreFault: it cannot be written.
        """
        self.flush()
        self._whole(SNAPSHOT_FILE, {"snapshot": msgspec.Raw(encode_hot_restart(snapshot))})

    # -- rows ----------------------------------------------------------------------------------------------------

    def params(self, strategy: Mapping[str, object]) -> None:
        """`live_strategy_params.json`: what the strategy and its caps are, and the grid of every market.

        Raises:
            StoreFault: it cannot be written.
        """
        grid = [
            {
                "market": each.market,
                "tick_size": f"{each.tick_size:f}",
                "step_size": f"{each.step_size:f}",
                "min_quantity": f"{each.quantity(each.min_quantity):f}",
                "min_notional_usdt": money_text(each.min_notional),
            }
            for each in self._instruments.values()
        ]
        self._whole(PARAMS_FILE, {"instruments": grid, "parameters": strategy})

    def candle(self, bar: Bar) -> None:
        """A bar is over. Written with the next status."""
        rules = self._instruments[bar.market]
        prices = (f"{rules.price(price):f}" for price in (bar.open, bar.high, bar.low, bar.close))
        values = (bar.market, instant(bar.open_time_ms), f"{bar.interval_ms / 1000:g}", *prices)
        self._wait(self._candles, self._csv(CANDLE_COLUMNS, values))

    def chart_event(self, values: Mapping[str, object]) -> None:
        """Something to mark on a chart: the fields of EVENT_COLUMNS. Written with the next status."""
        cells = [values.get(name) for name in EVENT_COLUMNS]
        self._wait(self._events, self._line(dict(zip(EVENT_COLUMNS, cells, strict=True))))
        self._wait(self._events_csv, self._csv(EVENT_COLUMNS, ["" if cell is None else str(cell) for cell in cells]))

    def shadow_order(self, row: Mapping[str, object]) -> None:
        """An order that a venue would have been sent; durable on return.

        Raises:
            StoreFault: it cannot be written.
        """
        self._shadow.append([self._line(row)])

    def shadow_look(self, row: Mapping[str, object]) -> None:
        """What a shadow session saw of the venue's account; durable on return.

        Raises:
            StoreFault: it cannot be written.
        """
        self._looks.append([self._line(row)])

    def flush(self) -> None:
        """Write every row that waits.

        Raises:
            StoreFault: a file cannot be written; its rows go on waiting.
        """
        for file, rows in tuple(self._waiting.items()):
            file.append(rows)
            del self._waiting[file]

    def newest_events(self) -> dict[str, int]:
        """The largest number of each kind of chart event (`fill:12`) that is in the file already."""
        found: dict[str, int] = {}
        for row in self._events.rows():
            try:
                kind, _, number = str(json.loads(row)["event_id"]).rpartition(":")
                found[kind] = max(found.get(kind, 0), int(number))
            except (ValueError, KeyError, TypeError):
                continue
        return found

    def newest_candles(self) -> dict[str, str]:
        """When the newest candle of each market in the file opened."""
        found: dict[str, str] = {}
        at = len(STAMP_FIELDS)
        for cells in csv.reader(row.decode() for row in self._candles.rows()):
            if len(cells) == at + len(CANDLE_COLUMNS):
                found[cells[at]] = max(found.get(cells[at], ""), cells[at + 1])
        return found

    # -- forms ---------------------------------------------------------------------------------------------------

    def _wait(self, file: RowFile, row: bytes) -> None:
        self._waiting.setdefault(file, []).append(row)

    def _line(self, row: Mapping[str, object]) -> bytes:
        return msgspec.json.encode({**self._words, **row})

    def _csv(self, columns: Sequence[str], values: Sequence[str]) -> bytes:
        assert len(columns) == len(values), "a row has every column"
        return ",".join(_cell(str(each)) for each in (*self._words.values(), *values)).encode()

    def _whole(self, name: str, document: Mapping[str, object]) -> None:
        content = msgspec.json.format(msgspec.json.encode({**self._words, **document}), indent=1) + b"\n"
        write_whole(self.folder / name, content, tmp=self.folder)


def _put_aside_if_damaged(folder: Path) -> None:
    """The journal tells a new status all that an unreadable one held; what broke that one may still be asked."""
    found = read_status(folder)
    if isinstance(found, NoStatus) and found.fault is StatusFault.DAMAGED:
        _ = (folder / STATUS_FILE).replace(folder / f"{STATUS_FILE}.damaged")


def _urgent(status: SessionStatus) -> tuple[object, ...]:
    """What a person must see at once when it changes."""
    return (status.ended, status.controls, status.last_error, len(status.alerts), status.unknown_orders)


def _equity(status: SessionStatus) -> tuple[str, ...]:
    gross = sum(each.notional for each in status.positions)
    money = (status.cash, status.equity, status.day_result)
    return (
        instant(status.at_ms),
        *(money_text(each) for each in money),
        str(len(status.positions)),
        money_text(gross),
    )


def _telemetry(status: SessionStatus) -> Document:
    counters = status.counters
    return {
        "at": instant(status.at_ms),
        "ended": None if status.ended is None else status.ended.value,
        "equity_usdt": money_text(status.equity),
        "positions_count": len(status.positions),
        "working_orders": status.working_orders,
        "unknown_orders": len(status.unknown_orders),
        "source_age_ms": status.source_age_ms,
        "mark_age_ms": status.mark_age_ms,
        "poll_ok": status.last_poll.ok,
        "poll_reading": status.last_poll.reading,
        "poll_latency_ms": max((each.latency_ms or 0 for each in status.last_poll.leads), default=None),
        "poll_failures": max((each.failures for each in status.last_poll.leads), default=None),
        "price_latency_ms": status.last_poll.price_latency_ms,
        "seen_after_ms": status.last_poll.seen_after_ms,
        "orders": counters.orders,
        "fills": counters.fills,
        "not_placed": counters.not_placed,
        "rejected": counters.rejected,
        "controls": _set(status.controls),
        "last_error": status.last_error,
    }


def _set(controls: Controls) -> list[str]:
    return [name for name in ("kill", "stop_new_orders", "hot_stop") if getattr(controls, name)]


def _header(columns: Sequence[str]) -> bytes:
    return ",".join((*STAMP_FIELDS, *columns)).encode()


def _cell(text: str) -> str:
    """A CSV cell; a line break would end the row, so it becomes a space."""
    text = text.replace("\r", " ").replace("\n", " ")
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"') else text
