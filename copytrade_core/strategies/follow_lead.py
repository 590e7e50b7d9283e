"""Follow: open with the source, on its side. How the trade ends belongs to the exit family."""

from __future__ import annotations

from copytrade_core.model.event import Event
from copytrade_core.model.source_event import SourceOpened
from copytrade_core.strategies.signal import Signal


def signal(event: Event) -> Signal | None:
    """The lead opened: a signal on its side, against its entry price."""
    if not isinstance(event, SourceOpened):
        return None
    return Signal(
        episode=event.episode,
        side=event.episode.side,
        source_price=event.entry_price,
        happened_at=event.happened_at,
        known_at=event.known_at,
    )
