"""Pages of one endpoint -> rows of raw values with their place, a bounded batch at a time.

Values are not judged here; a row that is no JSON object is kept as an empty one and marked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import msgspec
import numpy as np
import polars as pl

from copytrade_core.model.source import Endpoint, SourcePage
from copytrade_core.sources.envelope import SUCCESS_CODE, read_payload
from copytrade_core.sources.schemas import INSTANT, UNUSABLE_ROW_SCHEMA


class HistoryRow(msgspec.Struct, gc=False, rename="camel"):
    """One row of `position_history` before any rule; floats arrive as their text."""

    source_id: Any = msgspec.field(name="id", default=None)
    symbol: Any = None
    contract: Any = msgspec.field(name="type", default=None)
    opened: Any = None
    closed: Any = None
    avg_cost: Any = None
    avg_close_price: Any = None
    closing_pnl: Any = None
    max_open_interest: Any = None
    closed_volume: Any = None
    isolated: Any = None
    side: Any = None
    status: Any = None
    update_time: Any = None
    leverage: Any = None
    roi: Any = None


class OpenRow(msgspec.Struct, gc=False, rename="camel"):
    """One row of `open_positions` before any rule; floats arrive as their text."""

    source_id: Any = msgspec.field(name="id", default=None)
    symbol: Any = None
    position_amount: Any = None
    entry_price: Any = None
    break_even_price: Any = None
    mark_price: Any = None
    notional_value: Any = None
    unrealized_profit: Any = None
    leverage: Any = None
    isolated: Any = None
    position_side: Any = None


Row = TypeVar("Row", HistoryRow, OpenRow)


class _HistoryData(msgspec.Struct, gc=False):
    rows: list[HistoryRow] = msgspec.field(name="list")
    total: int


class _HistoryAnswer(msgspec.Struct, gc=False):
    code: str
    data: _HistoryData


class _OpenAnswer(msgspec.Struct, gc=False):
    code: str
    data: list[OpenRow]


_HISTORY_PAGE = msgspec.json.Decoder(_HistoryAnswer, float_hook=str)
_OPEN_PAGE = msgspec.json.Decoder(_OpenAnswer, float_hook=str)
_HISTORY_ROW = msgspec.json.Decoder(HistoryRow, float_hook=str)
_OPEN_ROW = msgspec.json.Decoder(OpenRow, float_hook=str)


@dataclass(slots=True, kw_only=True)
class RowBatch(Generic[Row]):
    """Rows of some whole pages. `counts[i]` rows belong to `pages[i]`; `not_objects` are positions in `rows`."""

    pages: list[SourcePage] = field(default_factory=list[SourcePage])
    counts: list[int] = field(default_factory=list[int])
    rows: list[Row] = field(default_factory=list)  # pyright: ignore[reportUnknownVariableType]
    not_objects: list[int] = field(default_factory=list[int])

    def add(self, page: SourcePage, rows: list[Row], not_objects: list[int]) -> None:
        """Append the rows of one page; `not_objects` are positions within the page."""
        start = len(self.rows)
        self.not_objects.extend(start + position for position in not_objects)
        self.pages.append(page)
        self.counts.append(len(rows))
        self.rows.extend(rows)

    def place_columns(self) -> pl.DataFrame:
        """Columns that say where each row comes from, plus `not_object`; height is the number of rows."""
        counts = np.array(self.counts, dtype=np.int64)
        page_at = np.repeat(np.arange(len(self.pages), dtype=np.int32), counts)
        starts = np.repeat(np.cumsum(counts) - counts, counts)
        not_object = np.zeros(len(self.rows), dtype=np.bool_)
        not_object[self.not_objects] = True
        pages = pl.DataFrame(
            {
                "lead_id": [page.lead_id for page in self.pages],
                "page_sha256": [page.sha256 for page in self.pages],
                "received_at": [page.received_at for page in self.pages],
            },
            schema={"lead_id": pl.String, "page_sha256": pl.String, "received_at": INSTANT},
        )
        return pages[page_at].with_columns(
            pl.Series("page_at", page_at),
            pl.Series("index", (np.arange(len(self.rows)) - starts).astype(np.int32)),
            pl.Series("not_object", not_object),
        )


def history_batches(pages: Iterable[SourcePage], *, batch_rows: int) -> Iterator[RowBatch[HistoryRow]]:
    """Batches of whole pages with at least `batch_rows` rows each, except the last.

    Raises:
        SourceError: an answer that holds no payload (`envelope.read_payload`).
    """
    batch: RowBatch[HistoryRow] = RowBatch()
    for page in pages:
        assert page.endpoint is Endpoint.POSITION_HISTORY
        batch.add(page, *_history_rows(page))
        if len(batch.rows) >= batch_rows:
            yield batch
            batch = RowBatch()
    if batch.pages:
        yield batch


def open_batch(pages: Iterable[SourcePage]) -> RowBatch[OpenRow]:
    """All rows of some open-positions answers.

    Raises:
        SourceError: an answer that holds no payload, `HiddenPositions` among them.
    """
    batch: RowBatch[OpenRow] = RowBatch()
    for page in pages:
        assert page.endpoint is Endpoint.OPEN_POSITIONS
        batch.add(page, *_open_rows(page))
    return batch


def _history_rows(page: SourcePage) -> tuple[list[HistoryRow], list[int]]:
    if page.status == 200:
        try:
            answer = _HISTORY_PAGE.decode(page.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _row_by_row(page, _HISTORY_ROW, HistoryRow)
        if answer.code == SUCCESS_CODE and answer.data.total >= 0:
            return answer.data.rows, []
    return _row_by_row(page, _HISTORY_ROW, HistoryRow)


def _open_rows(page: SourcePage) -> tuple[list[OpenRow], list[int]]:
    if page.status == 200:
        try:
            answer = _OPEN_PAGE.decode(page.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _row_by_row(page, _OPEN_ROW, OpenRow)
        if answer.code == SUCCESS_CODE:
            return answer.data, []
    return _row_by_row(page, _OPEN_ROW, OpenRow)


def _row_by_row(page: SourcePage, decoder: msgspec.json.Decoder[Row], empty: type[Row]) -> tuple[list[Row], list[int]]:
    """The slow way: raises the page's typed error, or keeps the rows that are no objects as marked empty ones."""
    rows: list[Row] = []
    not_objects: list[int] = []
    for position, raw in enumerate(read_payload(page).rows):
        try:
            rows.append(decoder.decode(raw))
        except (msgspec.ValidationError, UnicodeDecodeError):
            rows.append(empty())
            not_objects.append(position)
    return rows, not_objects


def unusable_rows(pages: Sequence[SourcePage], rejected: pl.DataFrame) -> pl.DataFrame:
    """Rejected rows (columns `page_at` into `pages`, `index`, `reason`, `field`) with the row exactly as received."""
    places: list[int] = rejected["page_at"].unique().sort().to_list()
    raw = {at: read_payload(pages[at]).rows for at in places}
    records: list[dict[str, object]] = []
    places_and_reasons = rejected.select("page_at", "index", "reason", "field")
    for at, index, reason, name in cast("Iterator[tuple[int, int, str, str]]", places_and_reasons.iter_rows()):
        page = pages[at]
        records.append(
            {
                "lead_id": page.lead_id,
                "endpoint": page.endpoint.value,
                "page": page.page,
                "index": index,
                "reason": reason,
                "field": name,
                "row_json": bytes(raw[at][index]).decode("utf-8", "replace"),
                "page_sha256": page.sha256,
            }
        )
    return pl.DataFrame(records, schema=UNUSABLE_ROW_SCHEMA)
