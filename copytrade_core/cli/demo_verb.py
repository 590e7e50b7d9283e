"""`copytrade demo`: the whole line on the recorded pages of a real lead, offline, in a few minutes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copytrade_core.cli.canary_tables import draw_sessions
from copytrade_core.cli.evidence_verbs import conclusion_lines
from copytrade_core.cli.gates_verb import draw_gates, gate_rows
from copytrade_core.cli.options import JsonFlag, loaded
from copytrade_core.cli.output import answer, error_console, say, say_exactly, table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from rich.console import Console
    from rich.progress import Progress

    from copytrade_core.edges.demo_line import DemoFolder, Step
    from copytrade_core.edges.stages.workplace import Workplace

Summary = dict[str, object]
REFUSED = "Live is refused. "
"""How Dagster's refusal begins; what follows says it again, with what and for whom."""


def add_to(app: typer.Typer) -> None:
    """Adds the verb of this module."""
    app.command("demo")(demo)


def demo(
    folder: Annotated[
        Path | None,
        typer.Option("--folder", metavar="DIR", help="Where the demo keeps everything; default is demo/ in the store."),
    ] = None,
    json_output: JsonFlag = False,
) -> None:
    """Poll a stand-in that serves a real lead's recorded pages, materialise the graph in Dagster, judge the gates.

    The market is simulated and labelled so. Nothing outside the demo's folder is touched, and no network is used.

    Example: copytrade demo
    """
    from copytrade_core.edges.demo_line import SAMPLE_LEAD, fresh_folder, sample_pages, standin
    from copytrade_core.edges.settings import load_settings
    from copytrade_core.edges.stages.workplace import open_workplace

    begun = time.monotonic()
    pages = sample_pages()
    place_of_demo = fresh_folder(folder or loaded().settings.data_dir / "demo")
    with standin(place_of_demo, pages) as base_url:
        environment = place_of_demo.environment(base_url)
        place = open_workplace(load_settings(environ=environment))
        with _progress(shown=not json_output) as progress:
            counts = _read_source(place, pages / SAMPLE_LEAD, SAMPLE_LEAD, progress)
            refusal = _run_graph(place_of_demo, environment, SAMPLE_LEAD, progress)
    summary = _summary(place, place_of_demo, SAMPLE_LEAD)
    summary |= {"imported": counts, "live": refusal, "duration_s": round(time.monotonic() - begun, 1)}
    answer(summary, as_json=json_output, render=lambda to: _draw(to, summary))


def _progress(*, shown: bool) -> AbstractContextManager[Progress]:
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    return Progress(
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=30)),
        TextColumn("[dim]{task.fields[detail]}[/]", table_column=Column(no_wrap=True, overflow="ellipsis")),
        TimeElapsedColumn(),
        console=error_console(),
        disable=not shown,
    )


def _read_source(place: Workplace, pages: Path, lead: str, progress: Progress) -> Summary:
    """Imports the recorded pages; the graph's first asset reads the same lead over HTTP."""
    from copytrade_core.edges.stages.sources import import_pages

    task = progress.add_task("import recorded pages", total=1, detail="")
    imported = import_pages(place, pages, lead_id=lead)
    progress.update(task, completed=1, detail=f"{imported.rows} rows, {imported.normalised} usable")
    return {"rows": imported.rows, "normalised": imported.normalised, "duplicates": imported.duplicates}


def _run_graph(folder: DemoFolder, environment: dict[str, str], lead: str, progress: Progress) -> str:
    """Materialises the graph and asks for live; gives the refusal."""
    from copytrade_core.edges.demo_line import dagster_steps

    refusal = ""
    start = progress.add_task("start Dagster", total=1, detail="")
    tasks: dict[str, object] = {}
    for step in _finishing(dagster_steps(folder, environment, lead), progress, start):
        if step.name not in tasks:
            tasks[step.name] = progress.add_task(step.name, total=1, detail=step.detail)
        done = step.state != "begun"
        progress.update(tasks[step.name], completed=int(done), detail=_first_line(step.detail))  # pyright: ignore[reportArgumentType]
        if step.state == "refused":
            refusal = step.detail
    return refusal


def _finishing(steps: Iterator[Step], progress: Progress, start: object) -> Iterator[Step]:
    for step in steps:
        progress.update(start, completed=1)  # pyright: ignore[reportArgumentType]
        yield step


def _first_line(text: str) -> str:
    return text.partition("\n")[0].removeprefix(REFUSED).rstrip(":")


def _summary(place: Workplace, folder: DemoFolder, lead: str) -> Summary:
    from copytrade_core.edges.lead_study import render_report
    from copytrade_core.edges.stages.canary_store import SESSION, session_keys
    from copytrade_core.edges.stages.canary_summary import session_row
    from copytrade_core.edges.stages.promotion import gate_results
    from copytrade_core.edges.stages.replay import summary
    from copytrade_core.edges.stages.study_store import load_study

    report = place.lake.require("evidence_report", lead)
    paths = render_report(place, lead, None)
    return {
        "lead": lead,
        "replay": summary(load_study(place.lake, lead)),
        "conclusion": report.metadata.get("conclusion"),
        "gates": gate_rows(gate_results(place, lead)),
        "paper": [session_row(place, key) for key in session_keys(place, SESSION, lead)],
        "report": str(paths.html),
        "folder": str(folder.root),
        "ui": folder.ui_command(),
    }


def _draw(to: Console, summary: Summary) -> None:
    replayed, gates = summary["replay"], summary["gates"]
    assert isinstance(replayed, dict)
    assert isinstance(gates, list)
    say("", to=to)
    for line in conclusion_lines(summary["conclusion"]):
        say(line, to=to)
    shown = {name: value for name, value in replayed.items() if not isinstance(value, dict | list)}
    _ = shown.pop("fill_hash", None)
    say("", to=to)
    title = f"replay of lead {summary['lead']} on {replayed['origin']} prices"
    table(to, ("measure", "value"), shown.items(), title=title, right=("value",))
    draw_gates(to, gates)
    first, *reasons = refusal_lines(str(summary["live"]))
    say(f"\nasked Dagster for live: {first}", to=to)
    for line in reasons:
        say(line, to=to)
    say("", to=to)
    draw_sessions(to, summary["paper"])  # pyright: ignore[reportArgumentType]
    say_exactly(f"\nreport  {summary['report']}", to=to)
    say_exactly(f"graph   {summary['ui']}", to=to)
    say_exactly(f"\ndone in {summary['duration_s']} s; everything is in {summary['folder']}", to=to)


def refusal_lines(refusal: str) -> list[str]:
    """The refusal for a terminal: the gates' own reasons are in the table above, so they are only counted."""
    reasons = refusal.splitlines()[1:]
    later = [line for line in reasons if "does not exist yet" in line]
    approval = [line for line in reasons if line.startswith("- human_approval")]
    rest = len(reasons) - len(later) - len(approval)
    names = ", ".join(line.removeprefix("- ").partition(":")[0] for line in later)
    lines = [_first_line(refusal)]
    if rest:
        lines.append(f"- {rest} reasons from the gates above, as stored and as computed again from the stored bytes")
    if later:
        lines.append(f"- gates of later steps, which nothing can pass yet: {names}")
    return [*lines, *approval]
