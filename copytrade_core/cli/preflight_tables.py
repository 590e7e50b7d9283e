"""What a preflight and a certificate look like to people: verdict, scenarios, the coverage grid, what was assumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from copytrade_core.cli.output import say, say_exactly, table, verdict_text

if TYPE_CHECKING:
    from rich.console import Console

Row = Mapping[str, object]
STATES = ("flat", "opening", "adding", "held", "closing", "recovering")
FAILURES_MAX = 10
"""Failures drawn one by one; the JSON has all."""


def draw_certificate(to: Console, payload: Row) -> None:
    """What was sent for each call, and what is only assumed."""
    requests = [(row["call"], row["method"], row["path"], len(rows_of(row, "params"))) for row in requests_of(payload)]
    table(to, ("call", "method", "path", "parameters"), requests, title="what the client sent", right=("parameters",))
    facts = [(row["name"], row["basis"], row["value"]) for row in rows_of(payload, "facts")]
    table(to, ("rule", "basis", "value"), facts, title="what the order path relies on", right=())
    say(
        f"{payload['venue']} is certified for ccxt {payload['ccxt_version']}: "
        f"{len(requests)} requests, {len(rows_of(payload, 'codes'))} codes",
        to=to,
    )


def requests_of(payload: Row) -> list[Row]:
    """The certificate's requests."""
    return rows_of(payload, "requests")


def draw_preflight(to: Console, payload: Row) -> None:
    """The verdict last, so that it is what stays on the screen."""
    _draw_scenarios(to, rows_of(payload, "scenarios"))
    _draw_grid(to, _shown(payload))
    _draw_crashes(to, rows_of(payload, "crash_points"))
    assumed = names_of(payload, "assumed_rules")
    say(f"venue rules that were only assumed: {', '.join(assumed) or 'none'}", to=to)
    empty = len(names_of(payload, "empty_required"))
    if empty:
        say(f"{empty} required cells of the grid are empty (!), so nothing is known there: run more seeds", to=to)
    failures = rows_of(payload, "failures")
    for failure in failures[:FAILURES_MAX]:
        _draw_failure(to, failure)
    if len(failures) > FAILURES_MAX:
        say(f"and {len(failures) - FAILURES_MAX} more; --json has all", to=to)
    _draw_verdict(to, payload)


def _draw_scenarios(to: Console, scenarios: Sequence[Row]) -> None:
    """One line per scenario, one column for each way to the venue that it ran by."""
    if not scenarios:
        return
    faces = list(dict.fromkeys(str(row["face"]) for row in scenarios))
    results: dict[str, dict[str, bool]] = {}
    unmet: dict[str, list[str]] = {}
    for row in scenarios:
        results.setdefault(str(row["name"]), {})[str(row["face"])] = bool(row["passed"])
        unmet.setdefault(str(row["name"]), []).extend(names_of(row, "unmet"))
    rows = [
        (name, *(_result(found.get(face)) for face in faces), "; ".join(dict.fromkeys(unmet[name])))
        for name, found in results.items()
    ]
    columns = ("scenario", *(face.replace("_", " ") for face in faces), "what did not come out")
    table(to, columns, rows, title="named scenarios", right=())


def _result(passed: bool | None) -> object:
    return None if passed is None else verdict_text("pass" if passed else "fail")


def _shown(payload: Row) -> list[Row]:
    """The cells to draw: where the grid need not be full (one drill run again), only what was struck."""
    cells = rows_of(payload, "grid")
    return cells if payload["empty_required"] else [cell for cell in cells if cell["count"]]


def _draw_grid(to: Console, cells: Sequence[Row]) -> None:
    """One line per fault and call, one column per state; a required cell that is empty shows an exclamation mark."""
    if not cells:
        return
    states = sorted({str(cell["state"]) for cell in cells}, key=_in_order)
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for cell in cells:
        shown = "!" if cell["required"] and not cell["count"] else str(cell["count"] or "")
        lines.setdefault((str(cell["call"]), str(cell["fault"])), {})[str(cell["state"])] = shown
    rows = [(*key, *(found.get(state, "") for state in states)) for key, found in sorted(lines.items())]
    table(to, ("call", "fault", *states), rows, title="faults that struck, by state of the session", right=states)


def _in_order(state: str) -> int:
    """As a trade goes; a state that is not among them comes last."""
    return STATES.index(state) if state in STATES else len(STATES)


def _draw_crashes(to: Console, points: Sequence[Row]) -> None:
    if not points:
        return
    counts: dict[tuple[str, str], int] = {}
    for point in points:
        key = (str(point["what"]), "after it" if point["after"] else "before it")
        counts[key] = counts.get(key, 0) + int(str(point["count"]))
    rows = [(*key, count) for key, count in sorted(counts.items())]
    table(to, ("step", "died", "times"), rows, title="where the session was killed and started again", right=("times",))


def _draw_failure(to: Console, failure: Row) -> None:
    say(f"broken: {failure['drill']} ({failure['face']})", to=to)
    for violation in names_of(failure, "violations"):
        say(f"  {violation}", to=to)
    say_exactly(f"  run: {failure['replay']}", to=to)


def _draw_verdict(to: Console, payload: Row) -> None:
    scenarios = rows_of(payload, "scenarios")
    passed = sum(bool(row["passed"]) for row in scenarios)
    to.print(verdict_text("pass" if payload["verdict"] == "pass" else "fail"), end=" ")
    say(
        f"preflight at {payload['venue']} of {payload['policy']}: {passed} of {len(scenarios)} scenarios, "
        f"{payload['runs']} drills in process and {payload['runs_http']} over HTTP, "
        f"{len(rows_of(payload, 'failures'))} broken",
        to=to,
    )


def rows_of(payload: Row, name: str) -> list[Row]:
    """A list of objects of a payload."""
    found = payload[name]
    assert isinstance(found, list), name
    return cast("list[Row]", found)


def names_of(payload: Row, name: str) -> list[str]:
    """A list of words of a payload."""
    found = payload[name]
    assert isinstance(found, list), name
    return [str(each) for each in cast("list[object]", found)]
