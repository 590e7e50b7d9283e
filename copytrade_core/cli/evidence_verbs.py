"""`copytrade evidence` and `copytrade report`: the whole study of a lead, and where its report is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copytrade_core.cli.gates_verb import draw_gates, gate_rows
from copytrade_core.cli.options import JsonFlag, LeadOption
from copytrade_core.cli.output import answer, say, say_exactly
from copytrade_core.cli.workplace import workplace

if TYPE_CHECKING:
    from rich.console import Console

    from copytrade_core.edges.stages.workplace import Workplace

group = typer.Typer(no_args_is_help=True, help="The evidence report of a lead: where it is, or open it.")


def add_to(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.command("evidence")(evidence)
    app.add_typer(group, name="report")


def evidence(
    lead: LeadOption,
    report_dir: Annotated[
        Path | None, typer.Option("--report-dir", metavar="DIR", help="Where the report goes; default reports/<ID>.")
    ] = None,
    json_output: JsonFlag = False,
) -> None:
    """Run every step of a lead on what is archived and stored: episodes, replay, report, gates.

    The same stages as in Dagster; the same input gives the same digests there and here.

    Example: copytrade evidence --lead 4751838302089254401
    """
    from copytrade_core.edges.lead_study import judge_lead, render_report
    from copytrade_core.edges.stages.promotion import gate_results

    place = workplace()
    outcome = judge_lead(place, lead)
    paths = render_report(place, lead, report_dir)
    payload = {
        **outcome.metadata,
        "lead": lead,
        "html": str(paths.html),
        "gates": gate_rows(gate_results(place, lead)),
        "digests": {head.asset: head.digest for head in outcome.heads},
    }
    answer(payload, as_json=json_output, render=lambda to: _draw(to, payload))


def _draw(to: Console, payload: dict[str, object]) -> None:
    gates = payload["gates"]
    assert isinstance(gates, list)
    for line in conclusion_lines(payload["conclusion"]):
        say(line, to=to)
    draw_gates(to, gates)
    say(f"prices: {payload['origin']}", to=to)
    say_exactly(f"report: {payload['html']}", to=to)


def conclusion_lines(conclusion: object) -> list[str]:
    """The report's conclusion for a terminal: question, answer, the decisive numbers, why it is not better."""
    assert isinstance(conclusion, dict), "a conclusion is a record"
    words = str(conclusion["answer"]).replace("_", " ").capitalize()
    reasons = [f"  - {reason}" for reason in conclusion["reasons"]]
    return [str(conclusion["question"]), f"{words}. {conclusion['sentence']}", *reasons]


@group.command("path")
def path(lead: LeadOption, json_output: JsonFlag = False) -> None:
    """Print where the lead's HTML report is.

    Example: copytrade report path --lead 4751838302089254401
    """
    found = _report(workplace(), lead)
    answer({"lead": lead, "html": str(found)}, as_json=json_output, render=lambda to: say_exactly(str(found), to=to))


@group.command("open")
def open_report(lead: LeadOption, json_output: JsonFlag = False) -> None:
    """Open the lead's HTML report in the browser.

    Example: copytrade report open --lead 4751838302089254401
    """
    import webbrowser

    found = _report(workplace(), lead)
    opened = webbrowser.open(found.resolve().as_uri())
    payload = {"lead": lead, "html": str(found), "opened": opened}
    answer(
        payload,
        as_json=json_output,
        render=lambda to: say_exactly(f"{'opened' if opened else 'open it:'} {found}", to=to),
    )


def _report(place: Workplace, lead: str) -> Path:
    """The rendered report; one that is stored and not rendered yet (made in Dagster) is rendered now."""
    from copytrade_core.edges.lead_study import render_report

    html = place.settings.reports_dir / lead / "report.html"
    return html if html.is_file() else render_report(place, lead, None).html
