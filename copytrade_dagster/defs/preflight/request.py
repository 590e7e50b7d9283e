"""What a run asks of the preflight, and how its progress reaches the log. Imported where it runs: it brings a venue."""

from collections.abc import Callable

from copytrade_core.edges.stages.preflight import PreflightProgress, PreflightRequest
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.venue import Venue

EVERY = 50
"""One line of the log for so many drills."""


def request_of(place: Workplace, lead_id: str, *, venue: str | None, seeds: int | None) -> PreflightRequest:
    """A whole preflight of a lead."""
    return PreflightRequest(
        lead_id=lead_id,
        venue=place.settings.preflight.venue if venue is None else Venue(venue),
        seeds_count=seeds,
        scenario=None,
        seed=None,
        injected=(),
    )


def logged(tell: Callable[[str], None]) -> Callable[[PreflightProgress], None]:
    """A listener that tells now and then."""

    def listen(seen: PreflightProgress) -> None:
        if seen.done % EVERY == 0 or seen.done == seen.total:
            tell(f"{seen.doing}: {seen.done} of {seen.total}, {seen.broken} broken")

    return listen
