"""What a person sets and takes back in a runtime directory, each with who, why and when; a history keeps all of it.

A session itself reads only the control files (`control_files`).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from copytrade_core.edges.runtime.control_files import Control, clear_control, set_control
from copytrade_core.edges.runtime.hot_restart import read_hot_restart
from copytrade_core.edges.runtime.row_files import RowFile
from copytrade_core.edges.runtime.runtime_files import SESSION_FILE
from copytrade_core.edges.runtime.runtime_look import SetControl, set_controls
from copytrade_core.edges.runtime.session_process import session_process
from copytrade_core.edges.runtime.session_reader import owners, reading
from copytrade_core.edges.runtime.status_document import instant
from copytrade_core.edges.runtime.status_file import STATUS_FILE
from copytrade_core.model.errors import BadInput, NotStored, StoreFault, Where
from copytrade_core.session.identity import SessionIdentity
from copytrade_core.session.snapshot import check_resume

HISTORY_FILE = "control_history.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks for a control, why, and when (epoch ms)."""

    who: str
    why: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """What a resume took back; `from_snapshot` says whether a hot stop had left one, which fits."""

    cleared: tuple[SetControl, ...]
    from_snapshot: bool


def ask_for(folder: Path, control: Control, asked: Asked) -> SetControl | None:
    """Sets a control.

    Returns:
        Who set it before, when it was set already; None when it is set now.

    Raises:
        BadInput: no reason is given.
        NotStored: the folder is no runtime directory.
        StoreFault: it cannot be written; the control is not set.
    """
    _require_reason(asked)
    _require_runtime(folder)
    if not set_control(folder, control, who=asked.who, why=asked.why, at_ms=asked.at_ms):
        return next(each for each in set_controls(folder) if each.control is control)
    # The control itself says who and why: a history that cannot be written must not look like a control that is not.
    with suppress(StoreFault):
        _note(folder, control, "set", asked)
    return None


def resume(folder: Path, asked: Asked, *, after_kill: bool) -> Resumed:
    """Takes every control back, so that the session may go on or be started again.

    Args:
        folder: the runtime directory.
        asked: who, why, when.
        after_kill: whether KILL is taken back too.

    Raises:
        BadInput: no reason; a session that has not ended yet; a KILL that was not named; a snapshot that is damaged, of
            another schema, or of another policy digest, venue, account, lead or strategy than the journal.
        NotStored: the folder is no runtime directory.
        StoreFault: something cannot be read or written.
    """
    _require_reason(asked)
    _require_runtime(folder)
    found = set_controls(folder)
    names = {each.control for each in found}
    if Control.KILL in names and not after_kill:
        raise BadInput(
            "KILL is set, and a kill is not taken back by the way",
            where=Where(file=str(folder / Control.KILL.value)),
            next_step="Look at what is still open at the venue, then run it again with --after-kill",
        )
    ends = names & {Control.KILL, Control.HOT_STOP}
    if ends and session_process(folder / SESSION_FILE).is_alive:
        raise BadInput(
            "the session has not ended yet",
            where=Where(file=str(folder)),
            next_step="Wait until `copytrade status` says ended, then resume",
        )
    snapshot = read_hot_restart(folder)
    owner = owner_of(folder / SESSION_FILE)
    if snapshot is not None and owner is not None:
        check_resume(snapshot, owner)
    for each in found:
        # The history first: a control that is gone without a word could not be explained.
        _note(folder, each.control, "taken back", asked)
        _ = clear_control(folder, each.control)
    return Resumed(cleared=found, from_snapshot=snapshot is not None)


def owner_of(journal: Path) -> SessionIdentity | None:
    """Whose a journal is; None when there is none yet.

    Raises:
        StoreFault: it cannot be read.
    """
    if not journal.exists():
        return None
    with reading(journal) as connection:
        return next(reversed(owners(connection)), None)


def _require_reason(asked: Asked) -> None:
    if not asked.why.strip():
        raise BadInput(
            "a control needs a reason",
            where=Where(field="--why"),
            next_step='Add --why "what you saw"; it is kept with your name',
        )


def _require_runtime(folder: Path) -> None:
    if not (folder / STATUS_FILE).exists() and not (folder / SESSION_FILE).exists():
        raise NotStored(
            f"{folder} is no runtime directory of a session",
            where=Where(file=str(folder)),
            next_step="Run `copytrade status` to see the sessions there are",
        )


def _note(folder: Path, control: Control, action: str, asked: Asked) -> None:
    row = {
        "schema_version": 1,
        "at": instant(asked.at_ms),
        "control": control.value,
        "action": action,
        "who": asked.who,
        "why": asked.why,
    }
    RowFile(folder / HISTORY_FILE).append([msgspec.json.encode(row)])
