"""Which way a position points, and which way an order trades."""

from __future__ import annotations

from enum import StrEnum


class Side(StrEnum):
    """Direction of a position."""

    LONG = "long"
    SHORT = "short"

    @property
    def sign(self) -> int:
        """+1 for long, -1 for short."""
        return 1 if self is Side.LONG else -1

    @property
    def opposite(self) -> Side:
        """The other direction."""
        return Side.SHORT if self is Side.LONG else Side.LONG

    @property
    def entry_buys(self) -> bool:
        """Whether opening or adding buys."""
        return self is Side.LONG

    @property
    def exit_buys(self) -> bool:
        """Whether reducing or closing buys."""
        return self is Side.SHORT


class SideFilter(StrEnum):
    """Which of our sides a strategy may take."""

    BOTH = "both"
    LONG_ONLY = "long_only"
    SHORT_ONLY = "short_only"

    def allows(self, side: Side) -> bool:
        """Whether this filter lets the side trade."""
        return self is SideFilter.BOTH or self.value.startswith(side.value)


class MarginMode(StrEnum):
    """How the lead's position was margined, as published."""

    CROSS = "cross"
    ISOLATED = "isolated"
    UNKNOWN = "unknown"
