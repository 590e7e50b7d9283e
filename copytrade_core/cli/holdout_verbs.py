"""`copytrade holdout`: open the holdout of a lead once, on record; show and verify the ledger."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copytrade_core.cli.exit_codes import ExitCode
from copytrade_core.cli.options import JsonFlag, LeadOption
from copytrade_core.cli.output import answer, say, table, verdict_text
from copytrade_core.cli.workplace import workplace
from copytrade_core.model.errors import BadInput, Where

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from copytrade_core.edges.stages.holdout_plan import OpeningPlan
    from copytrade_core.edges.stages.workplace import Workplace
    from copytrade_core.model.policy import PolicySpec

group = typer.Typer(no_args_is_help=True, help="The holdout of a lead: opened once, on record, for one candidate.")
FIGURES = (
    "trades_count",
    "net_pnl_usdt",
    "net_ratio",
    "profit_factor",
    "expectancy_usdt",
    "win_ratio",
    "max_drawdown_marked_ratio",
)


def add_to(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.add_typer(group, name="holdout")


@group.command("open")
def open_once(
    lead: LeadOption,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="The candidate; default the champion of the newest search."),
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who opens it; default your user name.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; this can be done once.")] = False,
    json_output: JsonFlag = False,
) -> None:
    """Open the holdout for one candidate: recorded first, then replayed, and spent for every other candidate.

    A second opening is refused with the first's record. A holdout is fresh again when new signals have replaced all
    that were opened.

    Example: copytrade holdout open --lead 4751838302089254401 --policy settings/policies/follow_lead.toml --yes
    """
    from copytrade_core.edges.lead_line import derive_lead
    from copytrade_core.edges.stages.holdout import check_opening, open_holdout
    from copytrade_core.edges.stages.holdout_plan import plan_opening

    place = workplace()
    _ = derive_lead(place, lead)
    plan = plan_opening(place, lead, _candidate(place, lead, policy))
    name = by or _user()
    waiting = check_opening(place, plan, by=name)
    if not yes:
        _ask(plan, name, finishes=waiting is not None, as_json=json_output)
    outcome = open_holdout(place, plan, by=name)
    document = place.lake.document_as("holdout_result", lead, dict[str, object])
    payload = {
        "lead": lead,
        **_newest_of(document, plan),
        "covered_count": plan.covered_count,
        "digest": outcome.head("holdout_result").digest,
    }
    answer(payload, as_json=json_output, render=lambda to: _draw_opened(to, payload))


def _candidate(place: Workplace, lead: str, policy: Path | None) -> PolicySpec:
    from copytrade_core.edges.stages.holdout_plan import champion_of
    from copytrade_core.edges.stages.policies import load_policy

    return champion_of(place, lead) if policy is None else load_policy(policy)


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        step = "Say who opens the holdout with --by NAME"
        raise BadInput("this machine does not say who you are", where=Where(field="by"), next_step=step) from None


def _ask(plan: OpeningPlan, name: str, *, finishes: bool, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise BadInput(
            "opening a holdout can be done once, and nobody is here to be asked",
            where=Where(field="yes"),
            next_step="Run it in a terminal, or add --yes when you mean it",
        )
    doing = "finish the opening of" if finishes else "open"
    count = len(plan.holdout.episode_ids)
    typer.echo(
        f"{name} is about to {doing} the holdout of lead {plan.lead_id} for {plan.policy.name}: {count} signals, "
        f"{plan.covered_count} of them with bars. It can be done once; then it is spent for every other candidate."
    )
    if not typer.confirm("Open it?", default=False):
        typer.echo("nothing was opened")
        raise typer.Exit(ExitCode.REFUSED)


def _newest_of(document: Mapping[str, object], plan: OpeningPlan) -> dict[str, object]:
    from copytrade_core.model.digest import digest_of

    records = document["records"]
    assert isinstance(records, list), "a holdout document has records"
    own = [one for one in records if one["opening"]["candidate"] == digest_of(plan.policy)][-1]
    result = own["result"]
    return {
        "verdict": result["verdict"],
        "reasons": result["reasons"],
        "origin": result["origin"],
        "skipped": dict(result["skipped"]),
        "measures": result["measures"],
        "opening": own["opening"],
    }


def _draw_opened(to: Console, payload: Mapping[str, object]) -> None:
    measures, reasons = payload["measures"], payload["reasons"]
    assert isinstance(measures, dict)
    assert isinstance(reasons, list)
    table(to, ("measure", "holdout"), [(name, measures[name]) for name in FIGURES], title="holdout", right=("holdout",))
    to.print("result:", verdict_text(str(payload["verdict"])))
    for reason in reasons:
        say(f"  {reason}", to=to)
    say(f"prices: {payload['origin']}; {payload['covered_count']} signals have bars", to=to)


@group.command("show")
def show(lead: LeadOption, json_output: JsonFlag = False) -> None:
    """Show whether the holdout of a lead is fresh, and who opened what.

    Example: copytrade holdout show --lead 4751838302089254401
    """
    from copytrade_core.edges.lead_line import derive_lead
    from copytrade_core.edges.stages.holdout import holdout_state

    place = workplace()
    _ = derive_lead(place, lead)
    payload = holdout_state(place, lead)
    answer(payload, as_json=json_output, render=lambda to: _draw_state(to, payload))


STATES = {
    "closed": "closed: nobody has seen any of it",
    "opened": "opened, without a result yet: the same candidate may finish",
    "spent": "spent: opened before, and refused to every other candidate",
    "empty": "empty: there are not enough signals to keep some back",
}


def _draw_state(to: Console, payload: Mapping[str, object]) -> None:
    told = payload["told"]
    assert isinstance(told, list)
    say(f"the holdout of lead {payload['lead_id']} is {STATES[str(payload['state'])]}", to=to)
    say(f"{payload['signals_count']} signals, {payload['new_signals_count']} of them never opened", to=to)
    for line in told:
        say(f"- {line}", to=to)


@group.command("verify")
def verify(json_output: JsonFlag = False) -> None:
    """Verify the chain of the holdout ledger, every line of it.

    Example: copytrade holdout verify
    """
    from copytrade_core.edges.stages.holdout_facts import ledger_of

    ledger = ledger_of(workplace())
    entries = ledger.entries()
    digest = entries[-1].digest if entries else None
    payload: dict[str, object] = {"entries_count": len(entries), "digest": digest, "file": str(ledger.path)}
    answer(payload, as_json=json_output, render=lambda to: _draw_verified(to, payload))


def _draw_verified(to: Console, payload: Mapping[str, object]) -> None:
    say(f"{payload['entries_count']} entries, each following the one before it", to=to)
    if payload["digest"]:
        say(f"last: {payload['digest']}", to=to)
