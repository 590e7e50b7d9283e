"""The end of the UTC day, for tests that live on the machine's clock and belong to the day on which they began."""

from __future__ import annotations

import time

DAY_S = 86_400


def leave_room_before_midnight(room_s: int = 60) -> None:
    """Waits until the next day has begun where this one ends within so many seconds."""
    left_s = DAY_S - time.time() % DAY_S
    if left_s < room_s:
        time.sleep(left_s + 0.1)
