"""`copytrade import`: saved pages into the archive, with every row accounted for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copytrade_core.cli.options import JsonFlag, OptionalLead
from copytrade_core.cli.output import answer, say, table
from copytrade_core.cli.workplace import workplace

if TYPE_CHECKING:
    from rich.console import Console

    from copytrade_core.edges.pages.page_import import ImportResult


def add_to(app: typer.Typer) -> None:
    """Adds the verb of this module."""
    app.command("import")(import_pages)


def import_pages(
    from_dir: Annotated[Path, typer.Option("--from-dir", metavar="DIR", help="Folder of saved pages or seed CSV.")],
    lead: OptionalLead = None,
    json_output: JsonFlag = False,
) -> None:
    """Import saved pages of a lead; nothing is stored when one file is bad.

    Rows are normalised, rejected (with a reason and kept) or duplicates, and the three add up.

    Example: copytrade import --from-dir data/sample/leads/4751838302089254401
    """
    from copytrade_core.edges.stages import sources

    result = sources.import_pages(workplace(), from_dir, lead_id=lead)
    answer(_payload(result), as_json=json_output, render=lambda to: _draw(to, result))


def _payload(result: ImportResult) -> dict[str, object]:
    return {
        "pages": result.pages,
        "rows": result.rows,
        "normalised": result.normalised,
        "rejected": {str(reason): count for reason, count in sorted(result.rejected.items())},
        "duplicates": result.duplicates,
        "leads": [str(lead) for lead in result.leads],
    }


def _draw(to: Console, result: ImportResult) -> None:
    rejected = sum(result.rejected.values())
    rows = [
        ("pages", result.pages),
        ("rows", result.rows),
        ("normalised", result.normalised),
        ("rejected", rejected),
        ("duplicates", result.duplicates),
    ]
    table(to, ("what", "count"), rows, title="imported", right=("count",))
    for reason, count in sorted(result.rejected.items()):
        say(f"rejected for {reason}: {count}", to=to)
    for lead in result.leads:
        say(f"next: copytrade evidence --lead {lead}", to=to)
