"""`copytrade doctor`: is everything here that the next step needs, and what to do where it is not."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from copytrade_core.cli.exit_codes import ExitCode
from copytrade_core.cli.options import JsonFlag
from copytrade_core.cli.output import answer, say, say_exactly, table, verdict_text
from copytrade_core.cli.workplace import workplace

if TYPE_CHECKING:
    from rich.console import Console

    from copytrade_core.edges.diagnosis import Finding
    from copytrade_core.edges.stages.workplace import Workplace

GARBAGE_AGE_S = 3600
"""Younger leftovers may belong to a writer that is still alive."""


def add_to(app: typer.Typer) -> None:
    """Adds the verb of this module."""
    app.command("doctor")(doctor)


def doctor(
    gc: Annotated[
        bool, typer.Option("--gc", help="Remove what killed writers left behind (older than an hour).")
    ] = False,
    json_output: JsonFlag = False,
) -> None:
    """Check settings, store, clock and permissions, and say what the next step lacks.

    Example: copytrade doctor --gc
    """
    from copytrade_core.edges.diagnosis import diagnose

    place = workplace()
    removed = _collect(place) if gc else None
    findings = diagnose(place.settings, place.lake, place.archive, now=place.now(), garbage_age_s=GARBAGE_AGE_S)
    healthy = all(finding.is_fine for finding in findings)
    payload: dict[str, object] = {"healthy": healthy, "findings": [asdict(finding) for finding in findings]}
    if removed is not None:
        payload["removed"] = removed
    answer(payload, as_json=json_output, render=lambda to: _draw(to, findings, removed))
    if not healthy:
        raise typer.Exit(ExitCode.REFUSED)


def _collect(place: Workplace) -> list[str]:
    from copytrade_core.edges.lake_garbage import collect_garbage

    removed = collect_garbage(place.lake.root, older_than_s=place.now().timestamp() - GARBAGE_AGE_S)
    return [str(path.relative_to(place.lake.root)) for path in removed]


def _draw(to: Console, findings: list[Finding], removed: list[str] | None) -> None:
    # A path is never broken by a column: what to do with one stands below, to be copied.
    below = [finding for finding in findings if "/" in finding.next_step]
    rows = [
        (
            finding.subject,
            verdict_text("ok" if finding.is_fine else "fail"),
            finding.found,
            "see below" if finding in below else finding.next_step,
        )
        for finding in findings
    ]
    table(to, ("subject", "state", "found", "what to do"), rows, title=None, right=())
    for finding in below:
        say_exactly(f"{finding.subject}: {finding.next_step}", to=to)
    if removed is not None:
        say(f"removed {len(removed)} leftover files", to=to)
