"""`copytrade gates`: what was measured, what was asked for, and what would change the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from copytrade_core.cli.exit_codes import ExitCode
from copytrade_core.cli.options import JsonFlag, LeadOption
from copytrade_core.cli.output import answer, say, say_exactly, table, verdict_text
from copytrade_core.cli.workplace import workplace
from copytrade_core.model.errors import NotStored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from copytrade_core.promotion.gate_result import Criterion, Gate, GateResult

COLUMNS = ("gate", "result", "criteria unmet", "number", "threshold", "why, and what would fix it")
YES_OR_NO = "yes (1) or no (0)"
"""The unit of a threshold that asks a question; a person is shown the answer."""
NARROW = 140
"""Columns of a screen under which the reasons stand below the table."""
GateRow = dict[str, object]


def add_to(app: typer.Typer) -> None:
    """Adds the verb of this module."""
    app.command("gates")(gates)


def gates(lead: LeadOption, json_output: JsonFlag = False) -> None:
    """Judge a lead's stored evidence; exit code 1 unless every gate passes under the settings in force.

    Example: copytrade gates --lead 4751838302089254401
    """
    from copytrade_core.edges.stages.promotion import gate_results
    from copytrade_core.edges.stages.stale_settings import stale_settings

    place = workplace()
    try:
        rows = gate_rows(gate_results(place, lead))
        stale = list(stale_settings(place, lead))
    except NotStored as error:
        step = f"Run: copytrade evidence --lead {lead}"
        raise NotStored(f"lead {lead} has no evidence yet: {error.what}", where=error.where, next_step=step) from error
    passed = not stale and all(row["result"] == "pass" for row in rows)
    payload = {"lead": lead, "passed": passed, "stale_settings": stale, "gates": rows}
    answer(payload, as_json=json_output, render=lambda to: _draw(to, lead, rows, stale))
    if not passed:
        raise typer.Exit(ExitCode.REFUSED)


def _draw(to: Console, lead: str, rows: list[GateRow], stale: list[str]) -> None:
    draw_gates(to, rows)
    if stale:
        say(f"careful: these numbers were made under other settings: run copytrade evidence --lead {lead}", to=to)
        for name in stale:
            say(f"  changed: {name}", to=to)


def gate_rows(results: Mapping[Gate, GateResult]) -> list[GateRow]:
    """Each gate with the criterion that decides, how many are not met, and all criteria behind it."""
    from copytrade_core.promotion.gate_result import GateVerdict

    return [
        {
            "gate": gate.value,
            "result": result.verdict.value,
            **_criterion(result.deciding),
            "unmet_count": sum(item.verdict is not GateVerdict.PASS for item in result.criteria),
            "criteria": [{"result": item.verdict.value, **_criterion(item)} for item in result.criteria],
        }
        for gate, result in results.items()
    ]


def _criterion(item: Criterion) -> GateRow:
    return {
        "criterion": item.name,
        "number": item.number,
        "bound": item.bound.value,
        "threshold": item.limit,
        "unit": item.unit,
        "reason": item.reason,
        "fix": item.fix,
        "command": item.command,
    }


def draw_gates(to: Console, rows: list[GateRow]) -> None:
    """The table of gates for people; on a narrow screen the reasons stand below it."""
    drawn = [
        (
            row["gate"],
            verdict_text(str(row["result"])),
            f"{row['unmet_count']} of {len(_criteria(row))}",
            _number(row),
            "yes" if row["unit"] == YES_OR_NO else f"{row['bound']} {row['threshold']:g} {row['unit']}",
            "\n".join(_why(row)),
        )
        for row in rows
    ]
    shown = len(COLUMNS) if to.width >= NARROW else len(COLUMNS) - 1
    table(to, COLUMNS[:shown], [row[:shown] for row in drawn], title="gates", right=("number",))
    if shown < len(COLUMNS):
        for row in rows:
            _draw_why(to, row)
    passed = sum(row["result"] == "pass" for row in rows)
    say(f"{passed} of {len(rows)} gates pass", to=to)


def _number(row: GateRow) -> object:
    return row["number"] == 1 if row["unit"] == YES_OR_NO and row["number"] is not None else row["number"]


def _draw_why(to: Console, row: GateRow) -> None:
    if row["result"] != "pass":
        first, *more = _why(row)
        say(f"{row['gate']}: {first}", to=to)
        for line in more:
            tell = say_exactly if line.startswith("run: ") else say
            tell(f"  {line}", to=to)


def _why(row: GateRow) -> list[str]:
    """The criterion that decides with its reason and fix, the other unmet ones by name, and what to run."""
    if row["result"] == "pass":
        return [str(row["criterion"])]
    parts = [str(row[name]).rstrip(".") for name in ("reason", "fix") if row[name]]
    lines = [f"{row['criterion']}: {'. '.join(parts)}"]
    unmet = [item for item in _criteria(row) if item["result"] != "pass"]
    others = [str(item["criterion"]) for item in unmet if item["criterion"] != row["criterion"]]
    if others:
        lines.append(f"also unmet: {', '.join(others)}")
    commands = dict.fromkeys(
        command for item in unmet if (command := str(item["command"])).startswith(("copytrade", "dagster"))
    )
    return [*lines, *(f"run: {command}" for command in commands)]


def _criteria(row: GateRow) -> list[GateRow]:
    criteria = row["criteria"]
    assert isinstance(criteria, list), "a gate has criteria"
    return criteria
