"""SQL over the store: read only, in memory, one view per asset."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest

from copytrade_core.edges import lake_views
from copytrade_core.edges.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "o'data", now=lambda: datetime(2026, 5, 18, tzinfo=UTC))
    for partition, values in (("a", [1, 2]), ("b", [3]), ("c", [3])):
        frame = pl.DataFrame({"n": values, "late": values} if partition == "a" else {"n": values})
        lake.put_table("bars", partition, frame, schema_version=1, code_version="t", parents={})
    lake.put_document("notes", "x", {"k": 1}, schema_version=1, code_version="t", parents={})
    return lake


def test_each_asset_is_a_view_with_its_partitions(lake: Lake) -> None:
    with lake_views.connect(lake) as connection:
        rows = connection.execute("SELECT partition, n, late FROM bars ORDER BY ALL").fetchall()
        heads = connection.execute("SELECT asset, count(*), sum(row_count) FROM heads GROUP BY 1 ORDER BY 1").fetchall()
    assert rows == [("a", 1, 1), ("a", 2, 2), ("b", 3, None), ("c", 3, None)]
    assert heads == [("bars", 3, 4), ("notes", 1, 1)]


def test_sql_can_neither_read_other_files_nor_write_any(lake: Lake, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    with lake_views.connect(lake) as connection:
        for statement in (
            f"SELECT * FROM read_csv('{secret}')",
            f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
            "SET enable_external_access = true",
            f"ATTACH '{tmp_path / 'x.duckdb'}'",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(statement)
    assert not (tmp_path / "out.csv").exists()


def test_a_view_blocks_no_writer_and_keeps_the_moment_it_was_made(lake: Lake) -> None:
    with lake_views.connect(lake) as connection:
        lake.put_table("bars", "a", pl.DataFrame({"n": [9]}), schema_version=1, code_version="t", parents={})
        assert connection.execute("SELECT sum(n) FROM bars WHERE partition = 'a'").fetchall() == [(3,)]
    with lake_views.connect(lake) as connection:
        assert connection.execute("SELECT sum(n) FROM bars WHERE partition = 'a'").fetchall() == [(9,)]


def test_an_empty_store_has_no_heads(tmp_path: Path) -> None:
    with lake_views.connect(Lake(tmp_path, now=lambda: datetime(2026, 5, 18, tzinfo=UTC))) as connection:
        assert connection.execute("SELECT count(*) FROM heads").fetchall() == [(0,)]
