"""`copytrade monitor`: watches one session's runtime directory, tells a person once per incident."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copytrade_core.cli.exit_codes import ExitCode
from copytrade_core.cli.options import JsonFlag, settings
from copytrade_core.cli.output import answer, print_json, say, table
from copytrade_core.cli.session_words import counted
from copytrade_core.cli.waiting import wait

if TYPE_CHECKING:
    from rich.console import Console

    from copytrade_core.edges.monitoring.alerts import AlertChannel
    from copytrade_core.edges.monitoring.monitor_pass import Monitor, MonitorPass
    from copytrade_core.edges.settings import Settings
    from copytrade_core.monitor.incidents import Incident

COLUMNS = ("incident", "severity", "state", "since", "what", "what to do")
STYLES = {"critical": "bold red", "warning": "yellow", "info": "dim"}
TOLD = {"none": "not told", "pending": "not told yet", "sent": "told"}
Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The session's runtime directory.")]
Once = Annotated[bool, typer.Option("--once", help="Look once; exit code 1 when something needs a person.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Look once and print; nothing is written, sent or stopped.")]
Baseline = Annotated[
    bool, typer.Option("--init-baseline", help="Look once and declare everything that is there as seen.")
]
Test = Annotated[bool, typer.Option("--test", help="Only send a test message through the alert address.")]
Ack = Annotated[str | None, typer.Option("--ack", metavar="ID", help="Mark an incident as seen by you.")]


def add_to(app: typer.Typer) -> None:
    """Adds the verb of this module."""
    app.command("monitor")(monitor)


def monitor(
    directory: Directory,
    once: Once = False,
    dry_run: DryRun = False,
    init_baseline: Baseline = False,
    test: Test = False,
    ack: Ack = None,
    json_output: JsonFlag = False,
) -> None:
    """Watch a session and alert once per incident; without an option, until Ctrl-C.

    The alert address is an apprise URL (Telegram: tgram://TOKEN/CHAT) in COPYTRADE_ALERT_URL, or in the file that
    COPYTRADE_ALERT_URL_FILE names. docs/runbook.md says what each rule means. The session is only observed; with
    monitor.on_breach = "stop" a new breach writes STOP_NEW_ORDERS.

    Example: copytrade monitor data/runtime/4751838302089254401/paper --once
    """
    if sum((dry_run, init_baseline, test, ack is not None)) > 1:
        raise typer.BadParameter("--dry-run, --init-baseline, --test and --ack exclude each other")
    chosen = settings()
    if test:
        _test(chosen, as_json=json_output)
    elif ack is not None:
        _acknowledge(directory, ack, as_json=json_output)
    else:
        watching = _monitor(directory, chosen, is_dry_run=dry_run)
        if once or dry_run or init_baseline:
            _once(watching, as_baseline=init_baseline, as_json=json_output)
        else:
            _until_stopped(watching, chosen.monitor.interval_s, as_json=json_output)


def _monitor(directory: Path, chosen: Settings, *, is_dry_run: bool) -> Monitor:
    from copytrade_core.edges.monitoring.alert_address import ALERT_URL, HEARTBEAT_URL
    from copytrade_core.edges.monitoring.monitor_pass import Monitor

    alerts, heartbeats = _channel(chosen, ALERT_URL), _channel(chosen, HEARTBEAT_URL)
    return Monitor(directory, chosen, alerts=alerts, heartbeats=heartbeats, is_dry_run=is_dry_run)


def _channel(chosen: Settings, variable: str) -> AlertChannel | None:
    from copytrade_core.edges.monitoring.alert_address import address
    from copytrade_core.edges.monitoring.alerts import AlertChannel

    url = address(os.environ, variable)
    return None if url is None else AlertChannel(url, chosen.alerts, variable=variable)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _once(watching: Monitor, *, as_baseline: bool, as_json: bool) -> None:
    from copytrade_core.edges.monitoring.monitor_pass import NO_ADDRESS

    found = watching.look(now_ms=_now_ms(), as_baseline=as_baseline)
    answer(pass_payload(found), as_json=as_json, render=lambda to: draw_pass(to, found, as_baseline=as_baseline))
    if found.unacknowledged:
        raise typer.Exit(ExitCode.REFUSED)
    # Who has set no address is not told, and has not been failed by anybody.
    if found.failure not in (None, NO_ADDRESS) and not as_baseline:
        raise typer.Exit(ExitCode.UPSTREAM)


def _until_stopped(watching: Monitor, interval_s: float, *, as_json: bool) -> None:
    """Pass after pass; a history that cannot be used for a while is told and tried again."""
    from copytrade_core.cli.faults import tell
    from copytrade_core.cli.output import console
    from copytrade_core.model.errors import StoreFault

    while True:
        try:
            found = watching.look(now_ms=_now_ms())
        except StoreFault as error:
            tell(error, as_json=as_json, debug=False)
        else:
            if as_json:
                print_json(pass_payload(found))
            elif found.opened or found.resolved or found.message:
                draw_pass(console(), found)
        sys.stdout.flush()
        wait(interval_s)


def _acknowledge(directory: Path, incident_id: str, *, as_json: bool) -> None:
    from copytrade_core.edges.monitoring.monitor_ack import acknowledge

    seen = acknowledge(directory, incident_id, by=os.environ.get("USER") or "somebody", now_ms=_now_ms())
    said = f"{seen.incident_id} is acknowledged; it is armed again once it is over"
    answer({"incident": incident_row(seen)}, as_json=as_json, render=lambda to: say(said, to=to))


def _test(chosen: Settings, *, as_json: bool) -> None:
    from copytrade_core.edges.monitoring.alert_address import ALERT_URL
    from copytrade_core.model.errors import BadConfig, Where

    channel = _channel(chosen, ALERT_URL)
    if channel is None:
        raise BadConfig(
            "no alert address is set",
            where=Where(field=ALERT_URL),
            next_step=f"export {ALERT_URL}=tgram://TOKEN/CHAT, or name a file with {ALERT_URL}_FILE",
        )
    failure = channel.send("copytrade: a test", "If you can read this, alerts of copytrade reach you.")
    why = None if failure is None else failure.why
    said = f"{channel.service_name} took the test message" if why is None else why
    payload = {"service": channel.service_name, "sent": why is None, "failure": why}
    answer(payload, as_json=as_json, render=lambda to: say(said, to=to))
    if why is not None:
        raise typer.Exit(ExitCode.UPSTREAM)


def pass_payload(found: MonitorPass) -> dict[str, object]:
    """One pass as JSON."""
    return {
        "at_ms": found.at_ms,
        "session": found.session,
        "opened": [each.incident_id for each in found.opened],
        "resolved": [each.incident_id for each in found.resolved],
        "active": [incident_row(each) for each in found.active],
        "blind": [rule.value for rule in found.blind],
        "message": None if found.message is None else {"title": found.message.title, "body": found.message.body},
        "failure": found.failure,
        "waits": None if found.waits is None else found.waits.value,
        "pending_count": found.pending_count,
        "stopped": found.stopped,
        "heartbeat_failure": found.heartbeat_failure,
    }


def incident_row(incident: Incident) -> dict[str, object]:
    """One incident as JSON."""
    from copytrade_core.monitor.rules import RULES

    return {
        "id": incident.incident_id,
        "rule": incident.rule.value,
        "subject": incident.subject,
        "severity": incident.severity.value,
        "state": incident.state.value,
        "is_baseline": incident.is_baseline,
        "first_at_ms": incident.first_at_ms,
        "last_at_ms": incident.last_at_ms,
        "count": incident.count,
        "what": incident.what,
        "numbers": dict(incident.numbers),
        "do": RULES[incident.rule].do,
        "delivery": incident.delivery.value,
        "failure": incident.failure,
        "stop": incident.stop.value,
    }


def draw_pass(to: Console, found: MonitorPass, *, as_baseline: bool = False) -> None:
    """One pass for people: what is active, and what was said to whom; of a baseline that it is seen."""
    from rich.text import Text

    from copytrade_core.cli.status_screen import lasting
    from copytrade_core.monitor.message import utc
    from copytrade_core.monitor.rules import RULES

    rows = [
        (
            each.incident_id,
            Text(each.severity.value, style=STYLES[each.severity.value]),
            f"{each.state.value}, {TOLD[each.delivery.value]}",
            f"{lasting(max(0, found.at_ms - each.first_at_ms) / 1000)} ago",
            _what(each),
            RULES[each.rule].do,
        )
        for each in sorted(found.active, key=lambda each: (each.severity.rank, each.number))
    ]
    opened, resolved, at = len(found.opened), len(found.resolved), utc(found.at_ms)
    urgent = len(found.unacknowledged)
    needs = "nothing needs a person" if not urgent else f"{urgent} {'needs' if urgent == 1 else 'need'} a person"
    active = counted(len(rows), "active incident", "active incidents")
    say(f"{needs}: {active}, {opened} new, {resolved} over ({found.session}, {at})", to=to)
    if as_baseline:
        say(
            "everything that is there now is declared as seen: nobody is told of it, and of what is new they are", to=to
        )
    if rows:
        table(to, COLUMNS, rows, title=None, right=())
    if found.blind:
        say(f"not judged now: {', '.join(found.blind)}", to=to)
    if found.stopped:
        say("STOP_NEW_ORDERS is set; `copytrade resume` takes it back", to=to)
    _draw_message(to, found)


def _what(incident: Incident) -> str:
    numbers = ", ".join(f"{name} {value}" for name, value in incident.numbers)
    return f"{incident.subject}: {incident.what}" + (f" ({numbers})" if numbers else "")


def _draw_message(to: Console, found: MonitorPass) -> None:
    count = found.pending_count
    waiting = "1 incident waits" if count == 1 else f"{count} incidents wait"
    if found.failure is not None:
        say(f"not told yet: {found.failure}; {waiting}", to=to)
    elif found.waits is not None and found.pending_count:
        say(f"{waiting}: {found.waits.value}", to=to)
    if found.message is not None and found.failure is None:
        say(f"message: {found.message.title}", to=to)
        say(found.message.body, to=to)
    if found.heartbeat_failure is not None:
        say(f"the sign of life was not sent: {found.heartbeat_failure}", to=to)
