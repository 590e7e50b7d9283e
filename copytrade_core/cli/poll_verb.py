"""`copytrade poll`: ask the source for a lead's pages, once or again and again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copytrade_core.cli.options import JsonFlag
from copytrade_core.cli.output import answer, console, say, table
from copytrade_core.cli.waiting import wait
from copytrade_core.cli.workplace import workplace

if TYPE_CHECKING:
    from rich.console import Console

    from copytrade_core.edges.stages.workplace import Workplace

EVERY_S_MIN = 10.0
"""A poll of one lead is at least three requests; faster than this is no longer polite."""


def add_to(app: typer.Typer) -> None:
    """Adds the verb of this module."""
    app.command("poll")(poll)


def poll(
    lead: Annotated[str, typer.Option("--lead", "--portfolio-id", metavar="ID", help="The lead's portfolio id.")],
    once: Annotated[bool, typer.Option("--once", help="Poll one time and end.")] = False,
    every: Annotated[
        float | None, typer.Option("--every", metavar="SECONDS", min=EVERY_S_MIN, help="Poll until Ctrl-C.")
    ] = None,
    report_dir: Annotated[
        Path | None, typer.Option("--report-dir", metavar="DIR", help="Also copy raw pages and normalised rows there.")
    ] = None,
    json_output: JsonFlag = False,
) -> None:
    """Read a lead's history, open positions and detail; every answer is archived before it is looked at.

    Example: copytrade poll --lead 4751838302089254401 --once
    """
    if once == (every is not None):
        raise typer.BadParameter("say either --once or --every SECONDS")
    if every is not None and json_output:
        raise typer.BadParameter("--json prints one object, so it goes with --once")
    place = workplace()
    payload = _polled(place, lead, report_dir)
    answer(payload, as_json=json_output, render=lambda to: _draw(to, payload))
    while every is not None:
        wait(every)
        _draw(console(), _polled(place, lead, report_dir))


def _polled(place: Workplace, lead: str, report_dir: Path | None) -> dict[str, object]:
    from copytrade_core.edges.poll_report import write_poll_report
    from copytrade_core.edges.stages.sources import poll_lead
    from copytrade_core.model.source import LeadId

    outcome = poll_lead(place, lead)
    payload: dict[str, object] = {**asdict(outcome), "polled_at": f"{place.now():%Y-%m-%dT%H:%M:%SZ}"}
    if report_dir is not None:
        payload |= write_poll_report(place.archive, LeadId(lead), report_dir)
    return payload


def _draw(to: Console, payload: dict[str, object]) -> None:
    say(
        f"{payload['polled_at']} lead {payload['lead_id']}: {payload['distinct_count']} of {payload['total_count']}"
        f" history rows, {'new pages' if payload['page_set_changed'] else 'nothing new'}",
        to=to,
    )
    failed = payload["failed"]
    assert isinstance(failed, dict), "calls that failed, by endpoint"
    if failed:
        table(to, ("call", "why it failed"), failed.items(), title=None, right=())
    if "report_dir" in payload:
        say(f"report: {payload['report_dir']}", to=to)
