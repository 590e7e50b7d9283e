"""`copytrade leads` and `copytrade track`: which leads we know, what one's history shows, and what to poll."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from copytrade_core.cli.options import JsonFlag, LeadOption
from copytrade_core.cli.output import answer, say, table
from copytrade_core.cli.workplace import workplace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

group = typer.Typer(no_args_is_help=True, help="Leads: which are archived, and what one's history shows and hides.")
LIST_COLUMNS = ("lead", "pages", "newest answer", "positions", "episodes")


def add_to(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.add_typer(group, name="leads")
    app.command("track")(track)


@group.command("list")
def list_leads(json_output: JsonFlag = False) -> None:
    """List the leads that are archived.

    Example: copytrade leads list
    """
    from copytrade_core.edges.lead_facts import known_leads

    rows = known_leads(workplace())
    answer({"leads": rows}, as_json=json_output, render=lambda to: _draw_list(to, rows))


def _draw_list(to: Console, rows: list[dict[str, object]]) -> None:
    if not rows:
        say("no lead is known; start with: copytrade poll --lead ID --once", to=to)
        return
    table(to, LIST_COLUMNS, [list(row.values()) for row in rows], title=None, right=("pages", "positions", "episodes"))


@group.command("explain")
def explain(lead: LeadOption, json_output: JsonFlag = False) -> None:
    """Show what a lead's history says, how complete it is, and what it cannot say.

    Example: copytrade leads explain --lead 4751838302089254401
    """
    from copytrade_core.edges.lead_facts import lead_facts
    from copytrade_core.edges.lead_line import derive_lead

    place = workplace()
    _ = derive_lead(place, lead)
    facts = lead_facts(place, lead)
    answer(facts, as_json=json_output, render=lambda to: _draw_facts(to, facts))


def _draw_facts(to: Console, facts: Mapping[str, object]) -> None:
    warnings, markets = facts["warnings"], facts["markets"]
    assert isinstance(warnings, list)
    assert isinstance(markets, list)
    shown = [(name, value) for name, value in facts.items() if not isinstance(value, list | dict)]
    table(to, ("what", "value"), shown, title=None, right=("value",))
    table(to, ("market", "side", "positions", "gross pnl usdt"), markets, title=None, right=("positions",))
    for warning in warnings:
        say(f"careful: {warning}", to=to)


def track(lead: Annotated[str, typer.Argument(metavar="ID")], json_output: JsonFlag = False) -> None:
    """Make a lead a partition of the Dagster graph, so that schedules and sensors care for it.

    ID is the lead's portfolio id.

    Example: copytrade track 4751838302089254401
    """
    from copytrade_core.edges.tracking import track_lead

    place = workplace()
    added = track_lead(place.settings, lead)
    payload = {"lead": lead, "added": added, "dagster_home": str(place.settings.dagster_home)}
    words = "is a partition now" if added else "was a partition already"
    answer(payload, as_json=json_output, render=lambda to: say(f"lead {lead} {words}", to=to))
