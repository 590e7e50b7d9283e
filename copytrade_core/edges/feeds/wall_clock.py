"""The machine's clock for a session: it sleeps in short pieces, so that a control that is set is heard at once."""

from __future__ import annotations

import time
from collections.abc import Callable

from typing_extensions import override

from copytrade_core.model.errors import BadInput, Where
from copytrade_core.session.ports import WaitingClock

LOOK_S = 0.2
"""Between two looks at what may disturb a wait."""
STEP_BACK_MS = 2_000
"""A clock that is set back by less is waited for; one that is set back by more ends the session."""


class WallClock(WaitingClock):
    """Epoch milliseconds of the machine.

    Args:
        read_ms: the machine's clock.
        sleep: lets real time pass.
    """

    def __init__(
        self,
        *,
        read_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._read_ms = read_ms
        self._sleep = sleep
        self._newest_ms = 0

    @override
    def now_ms(self) -> int:
        """The time now; it stands still while the machine's clock makes up for a small step back.

        Raises:
            BadInput: it was set back by more.
        """
        seen_ms = self._read_ms()
        if seen_ms < self._newest_ms - STEP_BACK_MS:
            raise BadInput(
                f"the machine's clock went back from {self._newest_ms} to {seen_ms}",
                where=Where(field="clock"),
                next_step="Correct the clock and start again; the session goes on where it was",
            )
        self._newest_ms = max(self._newest_ms, seen_ms)
        return self._newest_ms

    @override
    def wait_until_ms(self, until_ms: int, disturbed: Callable[[], bool]) -> int:
        """Sleep until then, or until something disturbs."""
        while (now_ms := self.now_ms()) < until_ms and not disturbed():
            self._sleep(min(LOOK_S, (until_ms - now_ms) / 1000))
        return now_ms
