"""How long a lead is left alone before it is asked again: its interval, or longer after failures. Asks nobody."""

from __future__ import annotations

from collections.abc import Callable

BACKOFF_TIMES_MAX = 8
BACKOFF_S_MAX = 300.0
"""A failing lead waits for eight intervals at the most, and for five minutes: then one good answer is enough again."""
JITTER_RATIO = 0.25
"""Part of a longer wait that chance takes off, so that several sessions do not ask a returning host at once."""


class PollPace:
    """The pace of one lead.

    Args:
        every_s: between two polls while answers come.
        chance: a number in [0, 1), anew at each call.
    """

    def __init__(self, *, every_s: float, chance: Callable[[], float]) -> None:
        self.failures_count = 0
        self._every_s = every_s
        self._chance = chance
        self.wait_s_max = max(2 * every_s, min(BACKOFF_TIMES_MAX * every_s, BACKOFF_S_MAX))

    def answered(self) -> float:
        """Seconds until the next poll after an answer: the interval, whatever was before."""
        self.failures_count = 0
        return self._every_s

    def failed(self) -> float:
        """Seconds until the next poll after a failure: twice as long each time, up to `wait_s_max`."""
        self.failures_count = min(self.failures_count + 1, 1_000)
        longer_s = min(self._every_s * 2 ** min(self.failures_count, 30), self.wait_s_max)
        return longer_s * (1 - JITTER_RATIO * self._chance())
