"""Where runtime directories are found: every folder below `runtime` of the data folder that holds a session."""

from __future__ import annotations

from pathlib import Path

from copytrade_core.edges.runtime.runtime_files import SESSION_FILE
from copytrade_core.edges.runtime.status_file import STATUS_FILE, NoStatus, read_status
from copytrade_core.model.errors import NotStored, Where

RUNTIME = "runtime"


def runtime_directories(data_dir: Path) -> list[Path]:
    """Every runtime directory, the one that was written last first."""
    names = (STATUS_FILE, SESSION_FILE)
    found = {path.parent for name in names for path in (data_dir / RUNTIME).rglob(name)}
    return sorted(found, key=lambda folder: (_written_s(folder), str(folder)), reverse=True)


def newest_of(data_dir: Path, lead: str) -> Path:
    """The runtime directory of a lead that was written last.

    Raises:
        NotStored: there is none.
    """
    for folder in runtime_directories(data_dir):
        if lead in folder.parts or lead in _leads_of(folder):
            return folder
    raise NotStored(
        f"no session of lead {lead} was ever started here",
        where=Where(file=str(data_dir / RUNTIME)),
        next_step="Start one with `copytrade canary paper --lead ID`, or name its directory",
    )


def _written_s(folder: Path) -> float:
    return max(path.stat().st_mtime for name in (STATUS_FILE, SESSION_FILE) if (path := folder / name).exists())


def _leads_of(folder: Path) -> tuple[str, ...]:
    found = read_status(folder)
    return () if isinstance(found, NoStatus) else (found.lead, *found.leads)
