"""Frames and documents as bytes: Parquet and canonical JSON, the same input always the same bytes.

Where the bytes are kept and what they mean does not belong here.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from copytrade_core.model.errors import BadInput, StoreFault, Where

ROW_GROUP_ROWS = 131_072
COMPRESSION = "zstd"
COMPRESSION_LEVEL = 3
ARROW_SCHEMA = b"ARROW:schema"
"""What pyarrow itself writes among the metadata."""


def parquet_bytes(frame: pl.DataFrame, meta: Mapping[str, str] | None = None) -> bytes:
    """The frame as Parquet, with `meta` as the file's key-value metadata.

    Written by one thread with fixed settings and no time stamp inside, so that equal frames give equal bytes. A new
    pyarrow may write other bytes for the same frame (it signs files with its version): the rows stay equal.
    """
    sink = pa.BufferOutputStream()
    table = frame.rechunk().to_arrow()
    if meta is not None:
        table = table.replace_schema_metadata(dict(meta))
    pq.write_table(
        table,
        sink,
        row_group_size=ROW_GROUP_ROWS,
        compression=COMPRESSION,
        compression_level=COMPRESSION_LEVEL,
        version="2.6",
        data_page_version="1.0",
        write_statistics=True,
        store_schema=True,
    )
    return sink.getvalue().to_pybytes()


def frame_from_parquet(content: bytes, *, path: Path) -> pl.DataFrame:
    """The frame in Parquet bytes.

    Raises:
        StoreFault: not a readable Parquet file; names `path`.
    """
    try:
        return pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StoreFault(f"Not a readable Parquet file: {error}", where=Where(file=str(path))) from error


def parquet_meta(content: bytes, *, path: Path) -> dict[str, str]:
    """The key-value metadata of Parquet bytes, without what the writer adds itself.

    Raises:
        StoreFault: not a readable Parquet file; names `path`.
    """
    try:
        found = pq.read_metadata(io.BytesIO(content)).metadata or {}
        return {key.decode(): value.decode() for key, value in found.items() if key != ARROW_SCHEMA}
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise StoreFault(f"Not a readable Parquet file: {error}", where=Where(file=str(path))) from error


def canonical_json(document: object) -> bytes:
    """The document as JSON with sorted keys, no spaces, UTF-8 and a newline at the end.

    Frozen values, instants, decimals and enumerations are written as msgspec writes them.

    Raises:
        BadInput: something in it has no JSON form, NaN and infinity included.
    """
    try:
        plain: object = msgspec.to_builtins(document, str_keys=True)  # pyright: ignore[reportAny]
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise BadInput(f"The document has no JSON form: {error}") from error
    return text.encode() + b"\n"
