"""Market files as rows of text: CSV, JSON, Parquet, feather, gzip and zip around them.

What the values mean and where they go does not belong here.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import feather

from copytrade_core.edges.market.bars_text import Rows
from copytrade_core.model.errors import BadInput, Where

FILE_BYTES_MAX = 1_000_000_000
"""Of the unpacked content: a year of 1-second bars is about 3 GB and comes in monthly files."""
KLINE_COLUMNS = ("open_time", "open", "high", "low", "close", "volume", "close_time")
FUNDING_ARCHIVE_COLUMNS = ("time", "interval_hours", "rate")
SYNONYMS = {
    "open_time": (
        "open_time",
        "open_time_ms",
        "opentime",
        "open time",
        "ts",
        "time",
        "timestamp",
        "date",
        "datetime",
        "t",
    ),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v"),
    "close_time": ("close_time", "closetime", "close time"),
    "symbol": ("symbol", "pair", "market"),
    "interval": ("interval", "timeframe"),
    "time": ("fundingtime", "time_ms", "calc_time", "funding_time", "time", "timestamp", "date"),
    "rate": ("fundingrate", "last_funding_rate", "funding_rate", "rate"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketFile:
    """A file's rows and what is known from its form.

    `ends_with_open_bar` is True for a raw answer of the exchange's kline call, whose last bar is the running one.
    """

    rows: Rows
    sha256: str
    ends_with_open_bar: bool


def read_market_file(path: Path, *, needed: Sequence[str], positional: Sequence[str]) -> MarketFile:
    """The rows of a file as text.

    Args:
        path: `.csv`, `.json`, `.parquet`, `.feather`; `.gz` around CSV and JSON; `.zip` around one CSV.
        needed: column names (keys of SYNONYMS) without which the file cannot be used.
        positional: names of the columns of a file without header, in order.

    Raises:
        BadInput: unreadable, of an unknown kind, without a needed column, with a row of another length; names row.
    """
    place = Where(file=str(path))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"The file cannot be read: {error.strerror}", where=place) from error
    digest = sha256(content).hexdigest()
    name = path.name.lower()
    content, name = _unpacked(content, name, place)
    is_answer = False
    match name.rpartition(".")[2]:
        case "csv":
            rows = _from_csv(content, place, needed, positional)
        case "json":
            rows = rows_from_json(content, place, needed=needed, positional=positional)
            is_answer = "open_time" in needed
        case "parquet" | "feather" | "arrow":
            rows = _from_frame(_frame(content, name, place), place, needed)
        case _:
            raise BadInput(
                "The kind of file is not known",
                where=place,
                next_step="Use .csv, .json (both also .gz), .parquet, .feather or a Binance archive .zip",
            )
    if not len(rows):
        raise BadInput("The file has no rows", where=place)
    return MarketFile(rows=rows, sha256=digest, ends_with_open_bar=is_answer)


def _unpacked(content: bytes, name: str, place: Where) -> tuple[bytes, str]:
    try:
        if name.endswith(".gz"):
            with gzip.open(io.BytesIO(content)) as packed:
                content, name = packed.read(FILE_BYTES_MAX + 1), name.removesuffix(".gz")
        elif name.endswith(".zip"):
            content, name = _unzipped(content, place)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise BadInput(f"The file cannot be unpacked: {error}", where=place) from error
    if len(content) > FILE_BYTES_MAX:
        raise BadInput(f"The unpacked file is larger than {FILE_BYTES_MAX} bytes", where=place)
    return content, name


def _unzipped(content: bytes, place: Where) -> tuple[bytes, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        members = [item for item in packed.infolist() if item.filename.lower().endswith(".csv")]
        if len(members) != 1:
            raise BadInput(f"The archive holds {len(members)} CSV files, one is expected", where=place)
        with packed.open(members[0]) as member:
            return member.read(FILE_BYTES_MAX + 1), "member.csv"


def _from_csv(content: bytes, place: Where, needed: Sequence[str], positional: Sequence[str]) -> Rows:
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        lines = [(reader.line_num, cells) for cells in reader if cells]
    except UnicodeDecodeError as error:
        raise BadInput(f"The file is not UTF-8 text: {error.reason}", where=place) from error
    except csv.Error as error:
        raise BadInput(f"The CSV cannot be read: {error}", where=place) from error
    if not lines:
        raise BadInput("The file has no rows", where=place)
    first = [cell.strip().lower() for cell in lines[0][1]]
    has_header = not any(character.isdigit() for character in first[0])
    names = _named(first, needed) if has_header else dict(zip(positional, range(len(first)), strict=False))
    body = lines[1:] if has_header else lines
    for number, cells in body:
        if len(cells) != len(first):
            raise BadInput(
                f"A row has {len(cells)} values, {len(first)} are expected", where=Where(file=place.file, row=number)
            )
    _require(names, needed, place)
    return Rows(
        place=place,
        numbers=np.array([number for number, _ in body], dtype=np.int64),
        columns={name: [cells[index] for _, cells in body] for name, index in names.items()},
    )


def rows_from_json(content: bytes, place: Where, *, needed: Sequence[str], positional: Sequence[str]) -> Rows:
    """Rows of a JSON list of lists (`positional` order) or of objects; numbers keep the text they were written with.

    Raises:
        BadInput: not JSON, not such a list, an error answer of the exchange, or entries of another form; names row.
    """
    try:
        document: object = json.loads(content, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"The JSON cannot be read: {error}", where=place) from error
    if not isinstance(document, list):
        raise BadInput(f"A JSON list of rows is expected, not {str(document)[:120]}", where=place)
    entries: list[object] = document
    if not entries:
        return Rows(place=place, numbers=np.empty(0, np.int64), columns={name: [] for name in needed})
    keyed = [_entry(entry, index, place, positional) for index, entry in enumerate(entries)]
    names = _named_keys(keyed[0], needed)
    _require(names, needed, place)
    return Rows(
        place=place,
        numbers=np.arange(1, len(entries) + 1, dtype=np.int64),
        columns={name: [_text(entry.get(key)) for entry in keyed] for name, key in names.items()},
    )


def _entry(entry: object, index: int, place: Where, positional: Sequence[str]) -> dict[str, object]:
    if isinstance(entry, dict):
        return {str(key).lower(): value for key, value in entry.items()}
    if isinstance(entry, list) and len(entry) >= min(6, len(positional)):
        return dict(zip(positional, entry, strict=False))
    raise BadInput(
        "An entry is not a row of values", where=Where(file=place.file, request=place.request, row=index + 1)
    )


def _text(value: object) -> str | None:
    return None if value is None or isinstance(value, (dict, list, bool)) else str(value)


def _frame(content: bytes, name: str, place: Where) -> pl.DataFrame:
    try:
        if name.endswith(".parquet"):
            return pl.read_parquet(io.BytesIO(content))
        made = pl.from_arrow(feather.read_table(io.BytesIO(content)))
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError, ValueError) as error:
        raise BadInput(f"The table cannot be read: {error}", where=place) from error
    assert isinstance(made, pl.DataFrame), "a table becomes a frame"
    return made


def _from_frame(frame: pl.DataFrame, place: Where, needed: Sequence[str]) -> Rows:
    by_lower = {name.strip().lower(): name for name in frame.columns}
    # freqtrade keeps a funding rate in the column `open` of a candle-shaped file.
    if "rate" in needed and "open" in by_lower and "rate" not in by_lower:
        by_lower["rate"] = by_lower["open"]
    names = _named_keys(by_lower, needed)
    _require(names, needed, place)
    columns = {name: _column_text(frame[by_lower[key]]) for name, key in names.items()}
    return Rows(place=place, numbers=np.arange(1, frame.height + 1, dtype=np.int64), columns=columns)


def _column_text(column: pl.Series) -> list[str | None]:
    """Text of a typed column. A float becomes its shortest text, which is the text it was parsed from."""
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.epoch("us").cast(pl.String).to_list()
    if column.dtype.is_float():
        return [None if value is None else repr(value) for value in column.to_list()]
    return column.cast(pl.String).to_list()


def _named(header: Sequence[str], needed: Sequence[str]) -> dict[str, int]:
    keys = _named_keys(header, needed)
    return {name: list(header).index(key) for name, key in keys.items()}


def _named_keys(keys: Collection[str], needed: Sequence[str]) -> dict[str, str]:
    """Our column name -> the file's, for needed and optional columns that are there."""
    found: dict[str, str] = {}
    for name in (*needed, "close_time", "symbol", "interval"):
        key = next((key for key in SYNONYMS[name] if key in keys), None)
        if key is not None:
            found[name] = key
    return found


def _require(names: dict[str, int] | dict[str, str], needed: Sequence[str], place: Where) -> None:
    for name in needed:
        if name not in names:
            raise BadInput(
                f"The file has no column {name}",
                where=Where(file=place.file, request=place.request, field=name),
                next_step=f"Give it a header with one of: {', '.join(SYNONYMS[name])}",
            )
