"""`copytrade live`: refuses, and says what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from copytrade_core.cli.exit_codes import ExitCode
from copytrade_core.cli.options import JsonFlag, LeadOption
from copytrade_core.cli.output import answer, say, table
from copytrade_core.cli.workplace import workplace

if TYPE_CHECKING:
    from rich.console import Console

group = typer.Typer(no_args_is_help=True, help="Live trading: refuses until every gate and a person agree.")
Row = dict[str, object]


def add_to(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.add_typer(group, name="live")


@group.command("start")
def start(lead: LeadOption, json_output: JsonFlag = False) -> None:
    """Ask for the step to live; refuses and lists everything that stands in between.

    Orders are sent by the live asset in Dagster's live location only, never from here: this verb answers what that
    asset would still lack.

    Example: copytrade live start --lead 4751838302089254401
    """
    missing = _missing(lead)
    payload: Row = {"lead": lead, "step": "live_small", "allowed": False, "missing": missing}
    answer(payload, as_json=json_output, render=lambda to: _draw(to, lead, missing))
    raise typer.Exit(ExitCode.REFUSED)


def _missing(lead: str) -> list[Row]:
    from copytrade_core.edges.stages.promotion import decide_step
    from copytrade_core.model.errors import NotStored, PromotionRefused
    from copytrade_core.promotion.chain import Permit
    from copytrade_core.promotion.contract import Step

    elsewhere: Row = {
        "gate": "chain",
        "what": "this command has no run of Dagster behind it, and only the live asset may start",
        "fix": "Materialise promotion_evidence, then live_canary, in Dagster",
    }
    try:
        answered = decide_step(workplace(), lead, Step.LIVE_SMALL, materialisation=None, evaluations={})
    except (NotStored, PromotionRefused) as error:
        return [{"gate": "chain", "what": error.what, "fix": error.next_step or ""}, elsewhere]
    if isinstance(answered, Permit):
        return [elsewhere]
    rows: list[Row] = [
        {"gate": "chain" if item.gate is None else item.gate.value, "what": item.what, "fix": item.fix}
        for item in answered.missing
    ]
    return _once_by_gate(rows)


def _once_by_gate(rows: list[Row]) -> list[Row]:
    """The first reason of each gate: that no run has judged a gate says nothing new of one that fails anyway."""
    first: dict[object, Row] = {}
    for row in rows:
        _ = first.setdefault((row["gate"], row["what"]) if row["gate"] == "chain" else row["gate"], row)
    return list(first.values())


def _draw(to: Console, lead: str, missing: list[Row]) -> None:
    say(f"live is refused for lead {lead}; {len(missing)} things are missing", to=to)
    gates: dict[tuple[str, str], list[str]] = {}
    for row in missing:
        gates.setdefault((str(row["what"]), str(row["fix"])), []).append(str(row["gate"]))
    alone = [(names[0], what, fix) for (what, fix), names in gates.items() if len(names) == 1]
    table(to, ("needs", "what is missing", "what would change it"), alone, title=None, right=())
    for (what, fix), names in gates.items():
        if len(names) > 1:
            say(f"{len(names)} gates ({', '.join(names)}): {what}. {fix}", to=to)
