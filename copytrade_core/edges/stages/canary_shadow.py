"""Shadow sessions of a lead: refused until a read-only key of the venue has a place in the settings.

What a shadow session does with one is `session.shadow` and `venues.shadow_venue`; `PaperDesk` takes the venue's look.
"""

from __future__ import annotations

from collections.abc import Callable

from copytrade_core.edges.stages.canary_request import CanaryRequest, is_live
from copytrade_core.edges.stages.workplace import StageOutcome, Workplace
from copytrade_core.model.errors import BadConfig, Where


def run_shadow(place: Workplace, request: CanaryRequest, listen: Callable[[str], None] | None) -> StageOutcome:
    """Says what is missing; nothing is asked of any venue.

    Raises:
        BadInput: a day that cannot be read, or live on another day than today.
        BadConfig: always today.
    """
    del listen
    _ = is_live(place, request)
    raise BadConfig(
        f"no read-only key of {place.settings.preflight.venue} can be given to a session yet, so no order can be "
        "validated by its real rules",
        where=Where(field="shadow"),
        next_step=f"Rehearse on loopback instead: copytrade preflight --lead {request.lead_id}",
    )
