"""Where the sessions of a lead are, and how each of them stands: live, controlled, ended, or gone without an end.

Nothing is started here and nothing is written.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from copytrade_core.edges.canary_group import GROUP_NAME
from copytrade_core.edges.monitoring.failed_runs import FAILED_RUNS_FILE
from copytrade_core.edges.runtime.control_files import Control
from copytrade_core.edges.runtime.runtime_files import SESSION_FILE
from copytrade_core.edges.runtime.session_process import session_process
from copytrade_core.edges.runtime.status_file import STATUS_FILE, NoStatus, StatusFault, read_status
from copytrade_core.edges.settings import Settings
from copytrade_core.edges.tracking import require_portfolio_id
from copytrade_core.model.errors import StoreFault, Where
from copytrade_core.model.session_end import Ended

RUNTIME = "runtime"
LIVE_PATHS = ("paper", "shadow")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStanding:
    """How the session of one runtime directory stands.

    `run_id` is the run that wrote its status last (None: no readable status), `policy_digest` what it traded,
    `written_at` when it wrote, by the clock on the wall, and `ended` how it ended. `is_alive` says whether the process
    that holds its lease lives (None: this machine cannot tell); `controls` are those set now.
    """

    folder: Path
    run_id: str | None
    policy_digest: str | None
    written_at: datetime | None
    ended: Ended | None
    is_alive: bool | None
    controls: tuple[str, ...]

    @property
    def is_gone(self) -> bool:
        """Whether its process died without an end: a new one would go on where it was."""
        return self.run_id is not None and self.ended is None and self.is_alive is False


def runtime_root(settings: Settings) -> Path:
    """The folder that holds every runtime directory."""
    return settings.data_dir / RUNTIME


def live_folder(settings: Settings, lead_id: str, mode: str) -> Path:
    """The runtime directory in which the lead's sessions go on from day to day.

    Raises:
        BadInput: not a portfolio id.
    """
    if not GROUP_NAME.fullmatch(lead_id):
        require_portfolio_id(lead_id)
    return runtime_root(settings) / lead_id / mode


def archived_folder(settings: Settings, lead_id: str, mode: str, day: str) -> Path:
    """The runtime directory of a past day told from the archive."""
    return live_folder(settings, lead_id, f"{mode}-archive") / day


def standing_of(folder: Path) -> SessionStanding:
    """How the session of a runtime directory stands; nothing needs to be there.

    Raises:
        StoreFault: it is there and cannot be read.
    """
    found = read_status(folder)
    if isinstance(found, NoStatus) and found.fault is StatusFault.UNREADABLE:
        raise StoreFault(found.what, where=Where(file=str(folder / STATUS_FILE)))
    status = None if isinstance(found, NoStatus) else found
    return SessionStanding(
        folder=folder,
        run_id=None if status is None else status.run_id,
        policy_digest=None if status is None else status.policy_digest,
        written_at=None if status is None else status.wall_at,
        ended=None if status is None else status.ended,
        is_alive=session_process(folder / SESSION_FILE).is_alive,
        controls=tuple(control.value for control in Control if os.path.lexists(folder / control.value)),
    )


def runtime_folders(settings: Settings, lead_id: str) -> list[Path]:
    """Runtime directories of the lead's live sessions that exist, whatever ran in them, or failed to."""
    folders = [live_folder(settings, lead_id, mode) for mode in LIVE_PATHS]
    left = (STATUS_FILE, SESSION_FILE, FAILED_RUNS_FILE)
    return [folder for folder in folders if any((folder / name).exists() for name in left)]
