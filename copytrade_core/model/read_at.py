"""At which addresses a session read: evidence counts only where it was read where today's settings point.

Which addresses the settings name, and where a session keeps them, belongs to edges.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAt:
    """Scheme, host and port of the lead's pages, of the market's prices, and of the venue that a shadow session reads.

    `venue` is None for a paper session, which reads none.
    """

    source: str
    market: str
    venue: str | None

    def against(self, other: ReadAt) -> str:
        """Where the two differ, in words: `source http://127.0.0.1:8080, not https://www.example.com`."""
        pairs = ((one.name, getattr(self, one.name), getattr(other, one.name)) for one in fields(self))
        return ", ".join(f"{name} {ours}, not {theirs}" for name, ours, theirs in pairs if ours != theirs)
