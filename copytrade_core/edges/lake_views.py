"""DuckDB over the store: one read-only view per asset, in memory.

No DuckDB file is ever opened, so nothing here can block a writer or another reader; nothing is written.
"""

from __future__ import annotations

import duckdb

from copytrade_core.edges.lake import Kind, Lake


def connect(lake: Lake) -> duckdb.DuckDBPyConnection:
    """An in-memory connection with a view per asset whose partitions are tables, and the view `heads`.

    Each asset's view has all columns of its partitions (joined by name) and `partition`. `heads` has a row per
    partition of any kind. The views show the heads of this moment: connect again to see later ones.

    Raises:
        StoreFault: a head cannot be read.
    """
    connection = duckdb.connect(":memory:")
    try:
        _make_views(connection, lake)
        # After the views exist, SQL may read the store's objects and nothing else, and cannot undo that.
        objects = str(lake.root / "objects")
        connection.execute(f"SET allowed_directories = [{_quoted(objects)}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except BaseException:
        connection.close()
        raise
    return connection


def _make_views(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(
        "CREATE TABLE stored_heads (asset VARCHAR, partition VARCHAR, digest VARCHAR, kind VARCHAR,"
        " schema_version BIGINT, row_count BIGINT, code_version VARCHAR, created_at TIMESTAMPTZ, path VARCHAR)"
    )
    for asset in lake.assets():
        files: list[str] = []
        for partition in lake.partitions(asset):
            head = lake.require(asset, partition)
            path = str(lake.object_path(head.digest, head.kind))
            row = [asset, partition, head.digest, head.kind.value, head.schema_version, head.rows, head.code_version]
            connection.execute(
                "INSERT INTO stored_heads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [*row, head.created_at, path]
            )
            if head.kind is Kind.PARQUET:
                files.append(path)
        if files:
            _make_view(connection, asset, sorted(set(files)))
    connection.execute("CREATE VIEW heads AS SELECT * EXCLUDE (path) FROM stored_heads")


def _make_view(connection: duckdb.DuckDBPyConnection, asset: str, files: list[str]) -> None:
    # Two partitions may hold equal bytes, hence one object: the join gives its rows to both.
    listed = ", ".join(_quoted(path) for path in files)
    connection.execute(
        f"CREATE VIEW {asset} AS"  # noqa: S608 - the name matched [a-z0-9_]+ and the paths are quoted
        f" SELECT h.partition, t.* EXCLUDE (filename)"
        f" FROM read_parquet([{listed}], union_by_name = true, filename = true) t"
        f" JOIN stored_heads h ON h.path = t.filename AND h.asset = '{asset}'"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
