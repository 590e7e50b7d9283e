"""One canary session of a lead: which plan, which folder, which feed; run, then stored for checks and gates.

What a session does belongs to `session`, how a paper session is put together to `paper.py`; shadow sessions reach a
venue's read-only calls and are imported only when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from copytrade_core.edges.session_evidence import read_session
from copytrade_core.edges.stages.canary_place import archived_folder, live_folder, standing_of
from copytrade_core.edges.stages.canary_store import store_session
from copytrade_core.edges.stages.episodes import load_episodes
from copytrade_core.edges.stages.market_data import load_markets
from copytrade_core.edges.stages.paper import PaperOutcome, run_paper_session
from copytrade_core.edges.stages.paper_archive import Span
from copytrade_core.edges.stages.paper_plan import PaperPlan, canary_plan
from copytrade_core.edges.stages.policies import load_policy
from copytrade_core.edges.stages.workplace import StageOutcome, Workplace
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.session.leads import plain_lead

PAPER, SHADOW = "paper", "shadow"
ENDED_WELL = {"deadline", "feed_ended"}
"""An archived session that ended so is over: its day is told anew to a new one."""
FOLDERS_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryRequest:
    """What is asked for. `day` is UTC, `2026-11-02`.

    `is_live` polls the lead (only for today), else the archived pages of the day are told on a virtual clock; None
    chooses by the day. `run_id` names this start; `deadline_s` bounds a live session (None: the end of the day).
    """

    lead_id: str
    day: str
    mode: str
    is_live: bool | None
    run_id: str
    deadline_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CanarySession:
    """What came of it: where its files are, how it ended, and what was stored."""

    folder: Path
    ended: str
    is_observed: bool
    outcome: StageOutcome


def run_canary(place: Workplace, request: CanaryRequest, listen: Callable[[str], None] | None) -> StageOutcome:
    """Runs one session and stores its record; killed and started again, it goes on where it was.

    Raises:
        BadInput: a day that cannot be read, or a live session of another day than today.
        NotStored: the archive has nothing of that day.
        StoreFault: another process runs this session; a file cannot be read or written.
    """
    return canary_session(place, request, listen).outcome


def canary_session(place: Workplace, request: CanaryRequest, listen: Callable[[str], None] | None) -> CanarySession:
    """As `run_canary`, with where its files are."""
    tell = listen or _nobody
    begins = _day(request.day)
    is_today = begins.date() == place.now().date()
    is_live = is_today if request.is_live is None else request.is_live
    if is_live and not is_today:
        raise BadInput(
            f"only today can be followed live, not {request.day}",
            where=Where(field="day"),
            next_step="Leave --live out to be told the archived pages of that day",
        )
    if request.mode == SHADOW:
        return _shadow(place, request, is_live=is_live)
    plan = plan_of(place, request.lead_id)
    if is_live:
        folder = live_folder(place.settings, request.lead_id, request.mode)
        tell(f"live in {folder}")
        found = _live(place, plan, folder, request)
    else:
        folder = free_folder(archived_folder(place.settings, request.lead_id, request.mode, request.day))
        tell(f"archived {request.day} in {folder}")
        span = Span(from_at=begins, until_at=begins + timedelta(days=1))
        found = run_paper_session(place, plan, span, folder=folder, run_id=request.run_id)
    return _stored(place, request, folder, found)


def plan_of(place: Workplace, lead_id: str) -> PaperPlan:
    """The plan of a lead's paper canary: the policy that gates judge, with the canary's money, caps and costs.

    Raises:
        BadConfig: the policy cannot be read.
    """
    name = place.settings.main_policy
    return canary_plan(place.settings, name, load_policy(place.settings.policies[name]), plain_lead(lead_id))


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


def _day(day: str) -> datetime:
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise BadInput(f"{day!r} is no day", where=Where(field="day"), next_step="Write it as 2026-11-02") from error


def _live(place: Workplace, plan: PaperPlan, folder: Path, request: CanaryRequest) -> PaperOutcome:
    from copytrade_core.edges.stages.paper_live import run_live_paper_session

    return run_live_paper_session(place, plan, folder=folder, run_id=request.run_id, deadline_s=request.deadline_s)


def _shadow(place: Workplace, request: CanaryRequest, *, is_live: bool) -> CanarySession:
    from copytrade_core.edges.stages.canary_shadow import shadow_session

    return shadow_session(place, request, is_live=is_live)


def _stored(place: Workplace, request: CanaryRequest, folder: Path, found: PaperOutcome) -> CanarySession:
    """The runtime directory as a record of the day that was asked for."""
    instruments = load_markets(place, load_episodes(place, request.lead_id)).data.instruments
    record = read_session(folder, instruments, day=request.day)
    ended = found.status.ended
    return CanarySession(
        folder=folder,
        ended="" if ended is None else ended.value,
        is_observed=record.is_observed,
        outcome=store_session(place, record, folder=folder),
    )


def _nobody(_: str) -> None:
    """Where nobody listens."""
