"""`copytrade status` and `copytrade stop|kill|hot-stop|resume`: how a session stands, and a person's hand on it.

What is stored apart from sessions is shown by `store_verbs`; what a control does to orders is decided in `session`.
"""

from __future__ import annotations

import getpass
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copytrade_core.cli.exit_codes import ExitCode
from copytrade_core.cli.options import JsonFlag, OptionalLead, settings
from copytrade_core.cli.output import answer, console, print_json, say
from copytrade_core.cli.store_verbs import stored_status

if TYPE_CHECKING:
    from rich.console import Console

    from copytrade_core.edges.runtime.control_files import Control
    from copytrade_core.edges.runtime.runtime_look import RuntimeLook, SetControl
    from copytrade_core.edges.runtime.session_controls import Asked

WATCH_EVERY_S = 1.0
Directory = Annotated[
    Path | None, typer.Argument(metavar="[DIR]", help="The session's runtime directory.", show_default=False)
]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason; it is kept with your name.")]
Watch = Annotated[bool, typer.Option("--watch", help="Look again every second, until Ctrl-C.")]
AfterKill = Annotated[bool, typer.Option("--after-kill", help="Take KILL back too.")]


def add_to(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.command("status")(status)
    app.command("stop")(stop)
    app.command("kill")(kill)
    app.command("hot-stop")(hot_stop)
    app.command("resume")(resume)


def status(
    directory: Directory = None, lead: OptionalLead = None, watch: Watch = False, json_output: JsonFlag = False
) -> None:
    """Show how a session stands: mode, deadline, controls, limits, positions, doubts, last error.

    DIR is a runtime directory; with --lead it is the newest session of that lead. Without either: what is stored.
    Exit code 1 when the status is stale or damaged or its process is gone, 3 when there is none.

    Example: copytrade status data/runtime/4751838302089254401/paper --watch
    """
    if directory is None and lead is None:
        stored_status(as_json=json_output)
        return
    folder = _folder(directory, lead)
    if watch:
        _watch(folder, as_json=json_output)
        return
    found = _look(folder)
    answer(_payload(found), as_json=json_output, render=lambda to: _draw(to, found))
    raise typer.Exit(_exit_code(found))


def stop(directory: Directory = None, lead: OptionalLead = None, why: Why = "", json_output: JsonFlag = False) -> None:
    """Set STOP_NEW_ORDERS: nothing opens or adds from now on; exits go on.

    Example: copytrade stop data/runtime/4751838302089254401/paper --why "the lead behaves oddly"
    """
    _set("STOP_NEW_ORDERS", directory, lead, why, as_json=json_output)


def kill(directory: Directory = None, lead: OptionalLead = None, why: Why = "", json_output: JsonFlag = False) -> None:
    """Set KILL: the session cancels its open orders and ends; positions stay as they are.

    Example: copytrade kill data/runtime/4751838302089254401/paper --why "wrong account"
    """
    _set("KILL", directory, lead, why, as_json=json_output)


def hot_stop(
    directory: Directory = None, lead: OptionalLead = None, why: Why = "", json_output: JsonFlag = False
) -> None:
    """Set HOT_STOP: the session leaves a restart snapshot and ends; orders and positions stay.

    Example: copytrade hot-stop data/runtime/4751838302089254401/paper --why "new version"
    """
    _set("HOT_STOP", directory, lead, why, as_json=json_output)


def resume(
    directory: Directory = None,
    lead: OptionalLead = None,
    why: Why = "",
    after_kill: AfterKill = False,
    json_output: JsonFlag = False,
) -> None:
    """Take the controls back, so that a session goes on, or may be started again where it stopped.

    A snapshot of another schema, policy digest, venue or account is refused, and everything stays set.

    Example: copytrade resume data/runtime/4751838302089254401/paper --why "checked, all is well"
    """
    from copytrade_core.edges.runtime.session_controls import resume as take_back

    done = take_back(_folder(directory, lead), _asked(why), after_kill=after_kill)
    payload = {"cleared": [_control(each) for each in done.cleared], "from_snapshot": done.from_snapshot}

    def draw(to: Console) -> None:
        if not done.cleared:
            say("no control was set", to=to)
        for each in done.cleared:
            say(f"{each.control.value} is taken back; {_told(each)}", to=to)
        if done.from_snapshot:
            say("the restart snapshot fits; start the session again and it goes on where it stopped", to=to)

    answer(payload, as_json=json_output, render=draw)


def _set(name: str, directory: Path | None, lead: str | None, why: str, *, as_json: bool) -> None:
    from copytrade_core.edges.runtime.control_files import Control
    from copytrade_core.edges.runtime.session_controls import ask_for

    control, folder = Control(name), _folder(directory, lead)
    before = ask_for(folder, control, _asked(why))
    payload = {"control": name, "set": before is None, "before": None if before is None else _control(before)}
    answer(payload, as_json=as_json, render=lambda to: _tell_set(to, control, folder, before))


def _tell_set(to: Console, control: Control, folder: Path, before: SetControl | None) -> None:
    if before is None:
        say(f"{control.value} is set in {folder}; the session reads it before its next order", to=to)
    else:
        say(f"{control.value} was set already; {_told(before)}", to=to)


def _told(each: SetControl) -> str:
    from copytrade_core.cli.status_screen import shown_at

    note = each.note
    if note is None:
        return "it was set by hand, nobody said why"
    return f"{note.who} set it {shown_at(datetime.fromtimestamp(note.at_ms / 1000, UTC))}: {note.why}"


def _control(each: SetControl) -> dict[str, object]:
    note = each.note
    said = None if note is None else {"who": note.who, "why": note.why, "at_ms": note.at_ms}
    return {"control": each.control.value, "note": said}


def _asked(why: str) -> Asked:
    from copytrade_core.edges.runtime.session_controls import Asked

    who = f"{getpass.getuser()}@{socket.gethostname()}"
    return Asked(who=who, why=why, at_ms=time.time_ns() // 1_000_000)


def _folder(directory: Path | None, lead: str | None) -> Path:
    """The directory that is named, or the newest of the lead.

    Raises:
        BadInput: neither or both are named.
        NotStored: the lead has no session.
    """
    from copytrade_core.edges.runtime.runtime_place import newest_of
    from copytrade_core.model.errors import BadInput, Where

    if (directory is None) == (lead is None):
        raise BadInput(
            "name either a runtime directory or a lead", where=Where(field="DIR"), next_step="For example --lead ID"
        )
    if directory is not None:
        return directory
    assert lead is not None, "one of both is named"
    return newest_of(settings().data_dir, lead)


def _look(folder: Path) -> RuntimeLook:
    from copytrade_core.edges.runtime.runtime_look import look

    return look(folder, now=datetime.now(UTC))


def _payload(found: RuntimeLook) -> dict[str, object]:
    return {
        "directory": str(found.folder),
        "standing": found.standing.value,
        "fault": found.fault,
        "age_s": found.age_s,
        "deadline_in_s": found.deadline_in_s,
        "is_alive": found.is_alive,
        "controls": [_control(each) for each in found.controls],
        "status": found.document,
    }


def _draw(to: Console, found: RuntimeLook) -> None:
    from copytrade_core.cli.status_screen import screen

    to.print(screen(found, width=to.width))


def _exit_code(found: RuntimeLook) -> ExitCode:
    from copytrade_core.edges.runtime.runtime_look import Standing

    if found.standing is Standing.MISSING:
        return ExitCode.NOT_STORED
    return ExitCode.OK if found.standing in (Standing.RUNNING, Standing.ENDED) else ExitCode.REFUSED


def _watch(folder: Path, *, as_json: bool) -> None:
    """Until Ctrl-C; in a pipe one screen, or one JSON object, for each look."""
    if as_json:
        while True:
            print_json(_payload(_look(folder)))
            time.sleep(WATCH_EVERY_S)
    from rich.live import Live

    from copytrade_core.cli.status_screen import screen

    to = console()
    if not to.is_terminal:
        while True:
            _draw(to, _look(folder))
            time.sleep(WATCH_EVERY_S)
    with Live(screen(_look(folder), width=to.width), console=to, screen=True, auto_refresh=False) as live:
        while True:
            live.update(screen(_look(folder), width=to.width), refresh=True)
            time.sleep(WATCH_EVERY_S)
