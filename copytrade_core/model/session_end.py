"""How a session ends: the one word that its status, its record, the monitor and the orchestrator share."""

from __future__ import annotations

from enum import StrEnum


class Ended(StrEnum):
    """Why a session is over."""

    DEADLINE = "deadline"
    KILL = "kill"
    HOT_STOP = "hot_stop"
    FEED_ENDED = "feed_ended"
    ERROR = "error"
