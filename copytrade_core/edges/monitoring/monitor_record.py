"""What a monitor's history proves of a session: what happened, who was told, and whether anybody was looking.

The gate that judges it belongs to `promotion`; nothing here decides.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from copytrade_core.edges.monitoring.incident_db import INCIDENTS_FILE, IncidentDb
from copytrade_core.model.errors import NotStored, Where
from copytrade_core.monitor.finding import Severity
from copytrade_core.monitor.incidents import Delivery, Incident


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorRecord:
    """A history in numbers.

    `first_pass_ms`, `last_pass_ms` and `gap_s_max` (longest time between two passes) say how closely the session was
    watched; a session that nobody watched has no incidents and proves nothing. `incidents` are all of them, those of
    the baseline too; the properties name what a gate asks for, without baseline and information.
    """

    passes_count: int
    first_pass_ms: int | None
    last_pass_ms: int | None
    gap_s_max: float | None
    run_ids: tuple[str, ...]
    incidents: tuple[Incident, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Incidents by severity, the baseline excepted."""
        return dict(Counter(each.severity.value for each in self.incidents if not each.is_baseline))

    @property
    def critical(self) -> tuple[str, ...]:
        """Every critical incident there ever was."""
        return tuple(each.incident_id for each in self._counting() if each.severity is Severity.CRITICAL)

    @property
    def active(self) -> tuple[str, ...]:
        """Incidents that are not over, acknowledged or not."""
        return tuple(each.incident_id for each in self._counting() if each.is_active)

    @property
    def unheard(self) -> tuple[str, ...]:
        """Incidents of which nobody could be told yet."""
        return tuple(each.incident_id for each in self._counting() if each.delivery is Delivery.PENDING)

    def _counting(self) -> tuple[Incident, ...]:
        return tuple(each for each in self.incidents if not each.is_baseline and each.severity is not Severity.INFO)


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
    return MonitorRecord(
        passes_count=len(passes),
        first_pass_ms=min(at_ms, default=None),
        last_pass_ms=max(at_ms, default=None),
        gap_s_max=max((abs(after - before) / 1000 for before, after in pairwise(at_ms)), default=None),
        run_ids=tuple(sorted({each.run_id for each in passes if each.run_id is not None})),
        incidents=incidents,
    )
