"""How a verb that repeats itself lets time pass. What it repeats is its own."""

from __future__ import annotations

import time

LOOK_S = 0.5


def wait(seconds: float) -> None:
    """In short sleeps: a Ctrl-C that comes just before a sleep begins is only heard when that one is over."""
    until_s = time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0:
        time.sleep(min(LOOK_S, left_s))
