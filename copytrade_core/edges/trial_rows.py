"""Trials as Parquet rows and back, exactly.

Which file a row is in and who may write it belongs to `trial_registry.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from copytrade_core.model.errors import BadInput, StoreFault, Where
from copytrade_core.model.trial import Trial, TrialMetrics

SCHEMA_VERSION = 1
"""Version of the columns below; a segment says which one it has."""
SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
PARAMETER = pl.Struct({"name": pl.String(), "value": pl.String()})
TRIAL_COLUMNS = {
    "trial_id": pl.String(),
    "search_id": pl.String(),
    "number": pl.Int64(),
    "origin": pl.String(),
    "status": pl.String(),
    "reasons": pl.List(pl.String()),
    "signals_count": pl.Int64(),
    "parameters": pl.List(PARAMETER),
    "policy_digest": pl.String(),
    "data_digest": pl.String(),
    "assumptions_digest": pl.String(),
    "space_digest": pl.String(),
    "seed": pl.Int64(),
    "code_version": pl.String(),
    "fill_hash": pl.String(),
}
METRIC_COLUMNS = {
    "trades_count": pl.Int64(),
    "net_pnl_usdt": pl.Float64(),
    "sharpe": pl.Float64(),
    "profit_factor": pl.Float64(),
    "drawdown_marked_ratio": pl.Float64(),
    "peak_gross_usdt": pl.Float64(),
    "objective": pl.Float64(),
}
"""All null for a trial without metrics."""
SCHEMA = pl.Schema({**TRIAL_COLUMNS, **METRIC_COLUMNS})
METRICS = tuple(field.name for field in fields(TrialMetrics))
INT64_MAX = 2**63 - 1


def frame_of_trials(batch: Sequence[Trial], search_id: str) -> pl.DataFrame:
    """One batch as a frame, in its order.

    Raises:
        BadInput: no trial, an id that is no sha256, a trial of another search, or a number that Parquet would change
            (not finite, beyond 64 bits); names row and field.
    """
    if not SHA256.fullmatch(search_id):
        raise BadInput(f"{search_id[:80]!r} is not a search id (sha256 in hex)", where=Where(field="search_id"))
    if not batch:
        raise BadInput("a batch has at least one trial", where=Where(field="batch"))
    return pl.DataFrame([_row(trial, search_id, row) for row, trial in enumerate(batch)], schema=SCHEMA)


def _row(trial: Trial, search_id: str, row: int) -> dict[str, object]:
    if trial.search_id != search_id:
        raise BadInput("a trial of another search", where=Where(row=row, field="search_id"))
    for name in ("trial_id", "data_digest"):
        if not SHA256.fullmatch(getattr(trial, name)):
            raise BadInput(f"{name} is not a sha256 in hex", where=Where(row=row, field=name))
    cells = {name: getattr(trial, name) for name in TRIAL_COLUMNS}
    cells["origin"], cells["status"] = trial.origin.value, trial.status.value
    cells["parameters"] = [{"name": name, "value": value} for name, value in trial.parameters]
    cells["reasons"] = list(trial.reasons)
    measured = trial.metrics
    cells |= {name: None if measured is None else getattr(measured, name) for name in METRICS}
    for name, cell in cells.items():
        if _is_changed_by_parquet(cell):
            raise BadInput(f"{name} of {cell} cannot be stored", where=Where(row=row, field=name))
    return cells


def _is_changed_by_parquet(cell: object) -> bool:
    match cell:
        case float():
            return not math.isfinite(cell)
        case int():
            return abs(cell) > INT64_MAX
        case _:
            return False


def trials_of_frame(frame: pl.DataFrame, *, path: Path) -> list[Trial]:
    """The rows of one segment as trials.

    Raises:
        StoreFault: other columns than these, or a row that is no trial; names file, row and field.
    """
    check_columns(frame, path=path)
    return [_trial(cells, path, row) for row, cells in enumerate(frame.iter_rows(named=True))]


def check_columns(frame: pl.DataFrame, *, path: Path) -> None:
    """Refuses a frame of another schema.

    Raises:
        StoreFault: names the file and the first column that differs.
    """
    if frame.schema == SCHEMA:
        return
    names = dict.fromkeys([*SCHEMA, *frame.schema])
    field = next((name for name in names if SCHEMA.get(name) != frame.schema.get(name)), "order of columns")
    raise StoreFault("a segment of the trial registry has other columns", where=Where(file=str(path), field=field))


def _trial(cells: Mapping[str, Any], path: Path, row: int) -> Trial:
    measured = {name: cells[name] for name in METRICS}
    shaped = {
        **{name: cells[name] for name in TRIAL_COLUMNS},
        "parameters": [[item["name"], item["value"]] for item in cells["parameters"]],
        "metrics": None if measured["trades_count"] is None else measured,
    }
    try:
        return msgspec.convert(shaped, type=Trial)
    except msgspec.ValidationError as error:
        field = str(error).rpartition("$.")[2].rstrip("`") if "$." in str(error) else None
        raise StoreFault(f"not a trial: {error}", where=Where(file=str(path), row=row, field=field)) from error
