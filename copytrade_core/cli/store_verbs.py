"""`copytrade sql`, and what the store holds for `copytrade status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copytrade_core.cli.options import JsonFlag
from copytrade_core.cli.output import answer, say, say_exactly, table
from copytrade_core.cli.workplace import workplace

if TYPE_CHECKING:
    from rich.console import Console

    from copytrade_core.edges.stages.workplace import Workplace

NARROW = 90
ARCHIVED_SHOWN = 3
STATUS_COLUMNS = ("asset", "partition", "rows", "made", "digest")


def add_to(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.command("sql")(sql)


SessionFolder = Annotated[
    Path | None,
    typer.Option("--session", metavar="DIR", help="Ask a session's runtime directory instead.", show_default=False),
]


def sql(
    query: Annotated[str, typer.Argument()],
    session: SessionFolder = None,
    json_output: JsonFlag = False,
) -> None:
    """Ask the store, or one session, in SQL (DuckDB, in memory, read-only).

    QUERY is one SELECT; each asset is a view, `heads` lists all partitions, SHOW TABLES names them. With --session the
    tables are those of its journal and files.

    Example: copytrade sql "SELECT market, count(*) FROM closed_positions GROUP BY market"
    """
    columns, rows = _asked(query, session)
    payload = {"columns": columns, "rows": [[_plain(cell) for cell in row] for row in rows]}
    answer(payload, as_json=json_output, render=lambda to: table(to, columns, rows, title=None, right=()))


def _asked(query: str, session: Path | None) -> tuple[list[str], list[tuple[object, ...]]]:
    import duckdb

    from copytrade_core.edges.lake_views import connect
    from copytrade_core.edges.runtime.runtime_views import connect_runtime
    from copytrade_core.model.errors import BadInput, Where

    connection = connect(workplace().lake) if session is None else connect_runtime(session)
    try:
        found = connection.execute(query)
        return [str(column[0]) for column in found.description or ()], found.fetchall()
    except duckdb.Error as error:
        raise BadInput(
            f"the query was refused: {str(error).splitlines()[0]}",
            where=Where(field="query"),
            next_step='List what there is: copytrade sql "SHOW TABLES"',
        ) from error
    finally:
        connection.close()


def _plain(cell: object) -> object:
    """A cell as JSON: numbers and booleans as they are (not-a-number is absent), everything else as text."""
    if isinstance(cell, float):
        return cell if cell - cell == 0 else None
    return cell if cell is None or isinstance(cell, bool | int | str) else str(cell)


def stored_status(*, as_json: bool) -> None:
    """Shows what is stored: raw pages of each lead, the newest version of every partition, and the sessions."""
    from copytrade_core.edges.runtime.runtime_place import runtime_directories

    place = workplace()
    leads = _leads(place)
    heads = [
        (head.asset, head.partition, head.rows, f"{head.created_at:%Y-%m-%d %H:%M}", head.digest)
        for asset in place.lake.assets()
        for partition in place.lake.partitions(asset)
        if (head := place.lake.head(asset, partition)) is not None
    ]
    payload = {
        "data_dir": str(place.settings.data_dir),
        "leads": leads,
        "stored": [dict(zip(STATUS_COLUMNS, row, strict=True)) for row in heads],
        "sessions": [str(folder) for folder in runtime_directories(place.settings.data_dir)],
    }
    answer(payload, as_json=as_json, render=lambda to: _draw(to, place, leads, heads))


def _leads(place: Workplace) -> list[dict[str, object]]:
    archive = place.archive
    return [
        {"lead": str(lead), "pages": sum(1 for _ in archive.pages(lead))}
        for lead in archive.leads()
        if not lead.startswith("_")
    ]


def _draw(
    to: Console, place: Workplace, leads: list[dict[str, object]], heads: list[tuple[str, str, int, str, str]]
) -> None:
    from copytrade_core.edges.runtime.runtime_place import runtime_directories

    say(f"data folder: {place.settings.data_dir}", to=to)
    if not leads and not heads:
        say("nothing is stored yet; start with: copytrade import --from-dir DIR, or: copytrade demo", to=to)
        return
    table(to, ("lead", "pages"), [list(lead.values()) for lead in leads], title="leads", right=("pages",))
    rows = [(*head[:4], head[4][:12]) for head in _by_asset(heads)]
    _draw_sessions(to, runtime_directories(place.settings.data_dir))
    # The digest is the first to go on a narrow screen; `--json` has all of it.
    kept = len(STATUS_COLUMNS) if to.width >= NARROW else len(STATUS_COLUMNS) - 1
    table(to, STATUS_COLUMNS[:kept], [row[:kept] for row in rows], title="stored", right=("rows",))


def _draw_sessions(to: Console, folders: list[Path]) -> None:
    """Live sessions, and the newest of those that were told a past day."""
    archived = [folder for folder in folders if folder.parent.parent.name.endswith("-archive")]
    hidden = archived[ARCHIVED_SHOWN:]
    for folder in folders:
        if folder not in hidden:
            say_exactly(f"session: copytrade status {folder}", to=to)
    if hidden:
        say(f"and {len(hidden)} more of past days: copytrade status --json", to=to)


def _by_asset(heads: list[tuple[str, str, int, str, str]]) -> list[tuple[str, str, int, str, str]]:
    """Long lists (bars by month) as one line per asset."""
    lines: list[tuple[str, str, int, str, str]] = []
    for asset in sorted({head[0] for head in heads}):
        mine = [head for head in heads if head[0] == asset]
        if len(mine) <= 3:
            lines.extend(mine)
        else:
            rows = sum(head[2] for head in mine)
            lines.append((asset, f"{len(mine)} partitions", rows, max(head[3] for head in mine), ""))
    return lines
