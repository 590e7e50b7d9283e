"""A clock that jumps: archived sessions, where nothing happens between two things that happen."""

from __future__ import annotations

from collections.abc import Callable

from typing_extensions import override

from copytrade_core.session.ports import WaitingClock


class VirtualClock(WaitingClock):
    """Time as the session lets it pass; it never runs backwards."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    @override
    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return self._now_ms

    @override
    def wait_until_ms(self, until_ms: int, disturbed: Callable[[], bool]) -> int:
        """It is that late at once."""
        self._now_ms = max(self._now_ms, until_ms)
        return self._now_ms
