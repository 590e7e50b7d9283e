"""New market rows joined with the stored months: equal overlap is fine, other overlap stops everything.

What the columns mean does not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from copytrade_core.edges.lake import Head, Lake
from copytrade_core.edges.market.intervals import instant
from copytrade_core.model.bar import Int64s
from copytrade_core.model.errors import BadInput, StoreFault, Where


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTable:
    """A monthly asset: its name, its time column (epoch ms), the columns it has, its schema version."""

    asset: str
    time_column: str
    value_columns: tuple[str, ...]
    schema_version: int


BARS = StoredTable(
    asset="bars",
    time_column="open_time_ms",
    value_columns=("open", "high", "low", "close", "volume"),
    schema_version=1,
)
FUNDING = StoredTable(asset="funding", time_column="time_ms", value_columns=("rate",), schema_version=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where new rows come from.

    `file` names the file or request in error texts; `parents` are digests of what was read (file or page sha256);
    `correction` is the reason for replacing stored rows that differ, None when nothing may be replaced.
    """

    file: str
    code_version: str
    parents: Mapping[str, str]
    correction: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Month:
    partition: str
    before: Head | None
    rows: pl.DataFrame
    replaced_count: int


def merged(
    lake: Lake,
    table: StoredTable,
    key: str,
    frame: pl.DataFrame,
    *,
    fixed: Mapping[str, str],
    provenance: Provenance,
    rows: Int64s | None,
) -> list[Head]:
    """Joins rows with the stored months `key|YYYY-MM` and returns the heads of the months they touch, in order.

    Every month is checked before the first is written. A kill between two months leaves whole months; running it
    again completes them.

    Args:
        lake: the store.
        table: which asset.
        key: what comes before the month in the partition's name.
        frame: new rows, times strictly increasing.
        fixed: facts that all months of the key share (origin, tick size ...), kept as metadata.
        provenance: where the rows come from, and the reason when they may replace stored ones.
        rows: the file's row of each new row for error texts, or None to count from 1.

    Raises:
        BadInput: a fixed fact or a stored row differs; names file, row and field.
        StoreFault: the store cannot be read or written.
    """
    numbers = pl.Series("row", rows) if rows is not None else pl.int_range(1, frame.height + 1, eager=True)
    time = pl.from_epoch(pl.col(table.time_column), time_unit="ms")
    numbered = frame.with_columns(numbers.alias("row"), time.dt.strftime("%Y-%m").alias("month"))
    with lake.locked(table.asset, key):
        _agree_on(lake, table, key, fixed, provenance)
        months = [
            _joined(lake, table, f"{key}|{month}", part.drop("month"), provenance)
            for (month,), part in numbered.group_by("month", maintain_order=True)
        ]
        return [_written(lake, table, month, fixed, provenance) for month in months]


def of_version(head: Head, version: int) -> Head:
    """The head itself, when this program reads its schema version.

    Raises:
        StoreFault: another version; nothing is guessed.
    """
    if head.schema_version != version:
        raise StoreFault(
            f"{head.asset} {head.partition} has schema version {head.schema_version}, this program reads {version}",
            next_step="Use the program that wrote it, or import the data again into another data folder",
        )
    return head


def _agree_on(lake: Lake, table: StoredTable, key: str, fixed: Mapping[str, str], provenance: Provenance) -> None:
    for partition in lake.partitions(table.asset):
        if partition.rpartition("|")[0] != key:
            continue
        stored = of_version(lake.require(table.asset, partition), table.schema_version).metadata
        for name, value in fixed.items():
            if stored.get(name) != value:
                raise BadInput(
                    f"{key} is stored with {name} {stored.get(name)}, the new rows have {value}",
                    where=Where(file=provenance.file, field=name),
                    next_step="Use another data folder: the two must not be mixed",
                )


def _joined(lake: Lake, table: StoredTable, partition: str, new: pl.DataFrame, provenance: Provenance) -> _Month:
    before = lake.head(table.asset, partition)
    if before is None:
        return _Month(partition=partition, before=None, rows=new.drop("row"), replaced_count=0)
    old = lake.table(table.asset, partition)
    both = new.join(old, on=table.time_column, how="inner", suffix="_stored", maintain_order="left")
    differs = pl.any_horizontal(pl.col(name) != pl.col(f"{name}_stored") for name in table.value_columns)
    conflicts = both.filter(differs)
    if conflicts.height and provenance.correction is None:
        raise _conflict(table, partition, conflicts.row(0, named=True), provenance)
    kept = old.join(new, on=table.time_column, how="anti")
    rows = pl.concat([kept, new.drop("row")]).sort(table.time_column)
    return _Month(partition=partition, before=before, rows=rows, replaced_count=conflicts.height)


def _conflict(table: StoredTable, partition: str, row: Mapping[str, object], provenance: Provenance) -> BadInput:
    field = next(name for name in table.value_columns if row[name] != row[f"{name}_stored"])
    at = instant(int(str(row[table.time_column])))
    stored = row[f"{field}_stored"]
    return BadInput(
        f"{partition}: {field} at {at:%Y-%m-%d %H:%M:%S} UTC is {stored} in the store, {row[field]} here",
        where=Where(file=provenance.file, row=int(str(row["row"])), field=field),
        next_step=f"Find out which is right; to replace it: copytrade {table.asset} import ... --correction REASON",
    )


def _written(lake: Lake, table: StoredTable, month: _Month, fixed: Mapping[str, str], provenance: Provenance) -> Head:
    before = month.before
    if before is not None and before.rows == month.rows.height and not month.replaced_count:
        return before
    corrections = list(_corrections(before))
    if month.replaced_count:
        corrections.append({"reason": provenance.correction, "rows": month.replaced_count})
    times = month.rows[table.time_column]
    span = {"first_ms": int(times[0]), "last_ms": int(times[-1])}
    return lake.put_table(
        table.asset,
        month.partition,
        month.rows,
        schema_version=table.schema_version,
        code_version=provenance.code_version,
        parents={**(before.parents if before else {}), **provenance.parents},
        metadata={**fixed, **span, "corrections": corrections},
    )


def _corrections(before: Head | None) -> list[object]:
    found = before.metadata.get("corrections") if before else None
    return list(found) if isinstance(found, list) else []
