"""Whether the process that holds a session's lease lives; asked without touching the lock itself.

A lock that is tried, even for a moment, could make a starting session believe that another one runs.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from copytrade_core.edges.runtime.session_lease import Holder, boot_id, started_ticks
from copytrade_core.monitor.facts import ProcessFact

PROC = Path("/proc")
_DEAD_STATES = ("Z", "X")


def session_process(journal: Path) -> ProcessFact:
    """Who is written in the lease of a journal, and whether that process is of this boot and alive.

    A zombie is dead: its lock is gone; so is a holder whose pid another process has now. `is_alive` is False when
    nobody ever took the lease, and None when the file cannot be read or this machine has no boot id.
    """
    try:
        content = journal.with_name(f"{journal.name}.lock").read_bytes()
        holder = msgspec.json.decode(content, type=Holder)
    except FileNotFoundError:
        return ProcessFact(pid=None, boot_id=None, is_alive=False)
    except (OSError, msgspec.DecodeError):
        return ProcessFact(pid=None, boot_id=None, is_alive=None)
    ours = boot_id()
    if not ours or not holder.boot_id:
        return ProcessFact(pid=holder.pid, boot_id=holder.boot_id, is_alive=None)
    alive = holder.boot_id == ours and _is_alive(holder)
    return ProcessFact(pid=holder.pid, boot_id=holder.boot_id, is_alive=alive)


def _is_alive(holder: Holder) -> bool:
    try:
        stat = (PROC / str(holder.pid) / "stat").read_text(encoding="utf-8", errors="replace")
        # The name may hold spaces and brackets: the state follows the last bracket.
        state = stat.rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return not PROC.is_dir() and _answers(holder.pid)
    is_another = holder.started_ticks is not None and started_ticks(stat) != holder.started_ticks
    return state not in _DEAD_STATES and not is_another


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
