"""A signal: what a source event means to a strategy before any entry rule is asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from copytrade_core.model.episode import Episode
from copytrade_core.model.side import Side


def epoch_ms(at: datetime) -> int:
    """An instant as epoch milliseconds."""
    return round(at.timestamp() * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Our side and the artefact price that our executable price is compared with."""

    episode: Episode
    side: Side
    source_price: Decimal
    happened_at: datetime
    known_at: datetime
