"""One canary session of a lead: which plan, which folder, which feed; run, then stored for checks and gates.

What a session does belongs to `session`, how a paper session is put together to `paper.py` and `paper_live.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from copytrade_core.edges.runtime.session_evidence import read_session
from copytrade_core.edges.stages.canary_place import archived_folder, live_folder, standing_of
from copytrade_core.edges.stages.canary_plan import plan_of
from copytrade_core.edges.stages.canary_request import CanaryRequest, deadline_of, is_live, span_of
from copytrade_core.edges.stages.canary_store import SESSION, load_session, session_key, store_session
from copytrade_core.edges.stages.instruments import trading_rules
from copytrade_core.edges.stages.paper import run_paper_session
from copytrade_core.edges.stages.paper_live import run_live_paper_session
from copytrade_core.edges.stages.paper_plan import PaperPlan
from copytrade_core.edges.stages.workplace import StageOutcome, Workplace
from copytrade_core.model.errors import BadInput, NotStored, Where
from copytrade_core.model.session_end import Ended

ENDED_WELL = {Ended.DEADLINE, Ended.FEED_ENDED}
"""An archived session that ended so is over: its day is told anew to a new one."""
PAPER = "paper"
FOLDERS_MAX = 10_000


def run_canary(place: Workplace, request: CanaryRequest, listen: Callable[[str], None] | None) -> StageOutcome:
    """Runs one paper session and stores its record; killed and started again, it goes on where it was.

    Raises:
        BadInput: a day that cannot be read, or a live session of another day than today.
        NotStored: the archive has nothing of that day, or the day was watched live: that record is evidence.
        StoreFault: another process runs this session; a file cannot be read or written.
    """
    tell, plan, name = listen or _nobody, plan_of(place, request.lead_id), request.lead_id
    watches = is_live(place, request)
    if watches:
        folder = live_folder(place.settings, name, PAPER)
        tell(f"following live; look at it with: copytrade status {folder}")
        _live(place, plan, folder, request)
    else:
        _leave_evidence_alone(place, request)
        folder = free_folder(archived_folder(place.settings, name, PAPER, request.day))
        tell(f"{request.day} from the archive, in {folder}")
        _ = run_paper_session(place, plan, span_of(request.day), folder=folder, run_id=request.run_id)
    record = read_session(
        folder, lambda market: trading_rules(place, market)[0], day=request.day, run_id=request.run_id
    )
    # Whatever the clocks say: only who polled the lead has observed it.
    return store_session(place, replace(record, is_observed=record.is_observed and watches), folder=folder)


def _leave_evidence_alone(place: Workplace, request: CanaryRequest) -> None:
    """A day has one record: what the archive tells later must not take the place of what was observed."""
    key = session_key(request.day, request.lead_id)
    if place.lake.head(SESSION, key) is not None and load_session(place, key).is_observed:
        raise NotStored(
            f"{request.day} was watched live: its record is evidence, which the archive does not replace",
            next_step="Choose a day on which no session ran",
        )


def free_folder(root: Path) -> Path:
    """The folder in which an archived session of a day goes on, or a new one beside those that are over.

    Raises:
        BadInput: there are far too many.
    """
    for number in range(1, FOLDERS_MAX):
        folder = root / f"{number:04d}"
        if standing_of(folder).ended not in ENDED_WELL:
            return folder
    raise BadInput("too many sessions of one day", where=Where(file=str(root)), next_step="Remove old ones")


def _live(place: Workplace, plan: PaperPlan, folder: Path, request: CanaryRequest) -> None:
    """Until the deadline, and at the latest until the day is over: tomorrow is another session in the same folder."""
    canary = place.settings.canary
    _ = run_live_paper_session(
        place,
        plan,
        folder=folder,
        run_id=request.run_id,
        deadline_s=deadline_of(place, request),
        poll_every_s=canary.poll_every_s,
        price_every_s=canary.price_every_s,
    )


def _nobody(_: str) -> None:
    """Where nobody listens."""
