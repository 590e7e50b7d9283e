"""Whether a paper session of a lead should begin by itself, and what makes it a new one.

Nothing is started here: the orchestrator asks, and remembers what it was told.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from copytrade_core.edges.runtime.session_addresses import addresses_in, addresses_of, elsewhere
from copytrade_core.edges.stages.canary_place import live_folder, standing_of
from copytrade_core.edges.stages.canary_plan import canary_policy_digest
from copytrade_core.edges.stages.promotion import gate_results
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import NotStored, StoreFault
from copytrade_core.promotion.contract import Step
from copytrade_core.promotion.gate_result import GateVerdict

PAPER = "paper"
DIGEST_SHOWN = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A session that should begin: `key` is the same for the same lead, day, source and policy."""

    key: str
    day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotNow:
    """Why none should."""

    why: str


def next_session(place: Workplace, lead_id: str) -> Start | NotNow:
    """Which session it would be: another day, source or policy makes another one, and a control that is set none.

    Costs milliseconds, since gates are not asked here. What the lead holds and held is its `episodes`: polls that show
    the same positions at other prices change nothing.

    Raises:
        BadConfig: settings, policy or contract cannot be read.
        StoreFault: the store cannot be read.
    """
    standing = standing_of(live_folder(place.settings, lead_id, PAPER))
    if standing.controls:
        return NotNow(why=f"{', '.join(standing.controls)} is set; `copytrade resume` takes it back")
    episodes = place.lake.head("episodes", lead_id)
    if episodes is None:
        return NotNow(why="nothing is known of its positions yet")
    day = place.now().strftime("%Y-%m-%d")
    policy = canary_policy_digest(place, lead_id)
    if standing.policy_digest not in {None, policy}:
        return NotNow(
            why=f"what is in {standing.folder} is of another policy, money or caps and cannot go on; "
            "let it end, then move the folder away: another canary begins"
        )
    read_at = addresses_of(place.settings, with_venue=False)
    where: str | None = None
    with suppress(StoreFault):  # A journal that cannot be read stops the session, which says so.
        where = elsewhere(addresses_in(standing.folder), read_at)
    if where is not None:
        return NotNow(
            why=f"what is in {standing.folder} read {where}; "
            "point the settings back, or move the folder away: another canary begins"
        )
    digest = digest_of({"episodes": episodes.digest, "day": day, "policy": policy, "read_at": read_at})
    return Start(key=f"{lead_id}:{digest[:DIGEST_SHOWN]}", day=day)


def not_yet(place: Workplace, lead_id: str) -> NotNow | None:
    """Which gates up to the replay step do not pass now, None where all do; reads all evidence of the lead.

    Errors as `next_session`.
    """
    required = place.contract().required[Step.REPLAYED]
    try:
        results = gate_results(place, lead_id)
    except NotStored:
        return NotNow(why="the replay gates do not pass: no evidence is stored")
    unmet = [gate.value for gate in required if gate not in results or results[gate].verdict is not GateVerdict.PASS]
    return NotNow(why=f"the replay gates do not pass: {', '.join(unmet)}") if unmet else None
