"""Contrarian: open against the lead when it closes. How the trade ends belongs to the exit family."""

from __future__ import annotations

from copytrade_core.model.event import Event
from copytrade_core.model.source_event import SourceClosed
from copytrade_core.strategies.signal import Signal


def signal(event: Event) -> Signal | None:
    """The lead closed: a signal on the other side, against its average close."""
    if not isinstance(event, SourceClosed):
        return None
    return Signal(
        episode=event.episode,
        side=event.episode.side.opposite,
        source_price=event.exit_price,
        happened_at=event.happened_at,
        known_at=event.known_at,
    )
