"""`copytrade canary paper|shadow`: one session of a lead, or one for each of several past days.

What a session does belongs to `session`; `copytrade status` shows one that runs and `copytrade stop` ends its entries.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from copytrade_core.cli.canary_tables import draw_sessions, draw_shadows
from copytrade_core.cli.exit_codes import ExitCode
from copytrade_core.cli.options import JsonFlag, LeadOption, OptionalLead
from copytrade_core.cli.output import answer, error_console, say_exactly
from copytrade_core.cli.workplace import workplace
from copytrade_core.model.errors import BadInput, Where

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from copytrade_core.edges.stages.canary_request import CanaryRequest
    from copytrade_core.edges.stages.workplace import Workplace

group = typer.Typer(no_args_is_help=True, help="Sessions that send no order: fills on paper, or orders only written.")
Row = dict[str, object]
DayOption = Annotated[str | None, typer.Option("--day", metavar="DAY", help="One UTC day, 2026-11-02.")]
FromOption = Annotated[str | None, typer.Option("--from", metavar="DAY", help="The first of several days.")]
ToOption = Annotated[str | None, typer.Option("--to", metavar="DAY", help="The last of several days.")]
LiveFlag = Annotated[bool, typer.Option("--live", help="Follow the lead now, until the deadline or `copytrade stop`.")]
GroupOption = Annotated[
    str | None, typer.Option("--group", metavar="NAME", help="A group of leads: a file of paths.canaries.")
]
Deadline = Annotated[
    int | None, typer.Option("--deadline", min=1, metavar="SECONDS", help="How long a live session runs at most.")
]
DAYS_MAX = 3660


def add_to(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.add_typer(group, name="canary")


@group.command("paper")
def paper(
    lead: OptionalLead = None,
    group_name: GroupOption = None,
    day: DayOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    live: LiveFlag = False,
    deadline: Deadline = None,
    json_output: JsonFlag = False,
) -> None:
    """Run paper sessions of a lead; exit code 1 if one broke a check that must hold of every session.

    A past day is told from the archived pages on a virtual clock, in seconds; --live polls the lead. Fills are on paper
    at executable prices, after our delay, with slippage and fees. Then every intent is compared with what replay does
    on the same inputs. Only live sessions count as evidence of a canary. A group is several leads in one session, with
    capital for each and caps over all; its sessions are evidence of no single lead and are not compared with replay.

    Example: copytrade canary paper --lead 4751838302089254401 --day 2026-05-02
    """
    from copytrade_core.edges.canary_group import load_group
    from copytrade_core.edges.tracking import require_portfolio_id

    if (lead is None) == (group_name is None):
        step = "Give --lead ID or --group NAME, one of them"
        raise BadInput("whom to follow is not clear", where=Where(field="--lead"), next_step=step)
    if group_name is not None:
        _ = load_group(workplace().settings, group_name)
    else:
        require_portfolio_id(str(lead))
    _run(
        "paper",
        lead or str(group_name),
        _days(day, from_, to, live=live),
        live=live,
        deadline=deadline,
        as_json=json_output,
    )


@group.command("shadow")
def shadow(
    lead: LeadOption,
    day: DayOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    live: LiveFlag = False,
    deadline: Deadline = None,
    json_output: JsonFlag = False,
) -> None:
    """Write the orders that would be sent, validated to the last field, and send none; exit code 1 if one is invalid.

    The session is a paper session; each order is held against the rules of the venue of [preflight], which is only
    read. Its key and secret are in the files that COPYTRADE_SHADOW_KEY_FILE and COPYTRADE_SHADOW_SECRET_FILE name
    (mode 600), or in COPYTRADE_SHADOW_KEY and COPYTRADE_SHADOW_SECRET; a key that may withdraw is refused.

    Example: copytrade canary shadow --lead 4751838302089254401 --live
    """
    from copytrade_core.edges.tracking import require_portfolio_id

    require_portfolio_id(lead)
    _run("shadow", lead, _days(day, from_, to, live=live), live=live, deadline=deadline, as_json=json_output)


def _days(day: str | None, first: str | None, last: str | None, *, live: bool) -> list[str]:
    """The days that are meant; today for a live session."""
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    if live:
        if day not in {None, today} or first or last:
            raise BadInput(
                "only today can be followed live",
                where=Where(field="--live"),
                next_step="Leave --day, --from and --to out",
            )
        return [today]
    if (first is None) != (last is None):
        given, lacks = ("--from", "--to") if last is None else ("--to", "--from")
        step = f"Add {lacks}; for one day give --day"
        raise BadInput(f"{given} without {lacks} is no span of days", where=Where(field=lacks), next_step=step)
    if (day is None) == (first is None):
        step = "Give one --day, or --from and --to, or --live"
        raise BadInput("which days are meant is not clear", where=Where(field="--day"), next_step=step)
    if first is None or last is None:
        return [_date(str(day), "--day")]
    begins, ends = (datetime.fromisoformat(_date(one, name)) for one, name in ((first, "--from"), (last, "--to")))
    count = (ends - begins).days + 1
    if count < 1:
        step = "Exchange the two"
        raise BadInput(f"{last} is before {first}", where=Where(field="--to"), next_step=step)
    if count > DAYS_MAX:
        step = f"Give at most {DAYS_MAX:,} days at once"
        raise BadInput(f"{first} to {last} are {count:,} days", where=Where(field="--to"), next_step=step)
    return [(begins + timedelta(days=number)).strftime("%Y-%m-%d") for number in range(count)]


def _date(text: str, option: str) -> str:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).strftime("%Y-%m-%d")
    except ValueError as error:
        raise BadInput(
            f"{text!r} is not a day", where=Where(field=option), next_step="Write it as 2026-11-02"
        ) from error


def _run(mode: str, lead: str, days: Sequence[str], *, live: bool, deadline: int | None, as_json: bool) -> None:
    place = workplace()
    rows = [_session(place, mode, lead, day, live=live, deadline=deadline, is_alone=len(days) == 1) for day in days]
    done = [row for row in rows if "skipped" not in row]
    holds = not any(row.get(found) for row in done for found in ("broken", "invalid", "probe_faults"))
    payload = {"lead": lead, "mode": mode, "passed": holds, "sessions": rows}
    draw = draw_sessions if mode == "paper" else draw_shadows
    answer(payload, as_json=as_json, render=lambda to: draw(to, rows))
    if not holds:
        raise typer.Exit(ExitCode.REFUSED)


def _session(
    place: Workplace, mode: str, lead: str, day: str, *, live: bool, deadline: int | None, is_alone: bool
) -> Row:
    """One session with its parity; of several days, one that the archive has nothing of is left out and named."""
    from copytrade_core.edges.stages.canary_request import CanaryRequest
    from copytrade_core.model.errors import NotStored

    request = CanaryRequest(
        lead_id=lead, day=day, is_live=live, run_id=f"cli-{uuid.uuid4().hex[:12]}", deadline_s=deadline
    )
    progress = error_console()
    run = _paper if mode == "paper" else _shadow
    try:
        return run(place, request, lambda text: say_exactly(text, to=progress))
    except NotStored as error:
        # What is missing at a named place is missing on every day.
        if is_alone or error.where.field:
            raise
        return {"day": day, "skipped": error.what}


def _paper(place: Workplace, request: CanaryRequest, listen: Callable[[str], None]) -> Row:
    from copytrade_core.edges.stages.canary import run_canary
    from copytrade_core.edges.stages.canary_store import session_key
    from copytrade_core.edges.stages.canary_summary import session_row

    _ = run_canary(place, request, listen)
    return session_row(place, session_key(request.day, request.lead_id))


def _shadow(place: Workplace, request: CanaryRequest, listen: Callable[[str], None]) -> Row:
    from copytrade_core.edges.stages.canary_shadow import run_shadow
    from copytrade_core.edges.stages.canary_store import session_key
    from copytrade_core.edges.stages.shadow_summary import shadow_row

    _ = run_shadow(place, request, listen)
    return shadow_row(place, session_key(request.day, request.lead_id))
