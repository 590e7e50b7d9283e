"""What a monitor's history proves of a session: what happened, who was told, and whether anybody was looking.

The gate that judges it belongs to `promotion`; nothing here decides.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from copytrade_core.edges.incident_db import INCIDENTS_FILE, IncidentDb
from copytrade_core.model.errors import NotStored, Where
from copytrade_core.monitor.incidents import Delivery, Incident, IncidentState


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorRecord:
    """A history in numbers; incidents of the baseline are not in the counts.

    `first_pass_ms`, `last_pass_ms` and `gap_s_max` (longest time between two passes) say how closely the session was
    watched; a session that nobody watched has no incidents and proves nothing. `counts` are incidents by severity.
    """

    passes_count: int
    first_pass_ms: int | None
    last_pass_ms: int | None
    gap_s_max: float | None
    run_ids: tuple[str, ...]
    counts: dict[str, int]
    open_count: int
    undelivered_count: int
    incidents: tuple[Incident, ...]


def read_record(folder: Path) -> MonitorRecord:
    """The history of one runtime directory; nothing is changed.

    Raises:
        NotStored: no monitor has ever looked at it.
        StoreFault: the history cannot be read.
    """
    path = folder / INCIDENTS_FILE
    if not path.exists():
        step = f"Run: copytrade monitor {folder} --once"
        raise NotStored("no monitor has looked at this session", where=Where(file=str(path)), next_step=step)
    with IncidentDb.snapshot(folder) as history:
        passes, incidents = history.passes(), history.all()
    at_ms = [each.at_ms for each in passes]
    ours = tuple(each for each in incidents if not each.is_baseline)
    return MonitorRecord(
        passes_count=len(passes),
        first_pass_ms=min(at_ms, default=None),
        last_pass_ms=max(at_ms, default=None),
        gap_s_max=max((abs(after - before) / 1000 for before, after in pairwise(at_ms)), default=None),
        run_ids=tuple(sorted({each.run_id for each in passes if each.run_id is not None})),
        counts=dict(Counter(each.severity.value for each in ours)),
        open_count=sum(each.state is IncidentState.OPEN for each in ours),
        undelivered_count=sum(each.delivery is Delivery.PENDING for each in ours),
        incidents=incidents,
    )
