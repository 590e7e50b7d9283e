"""What a drilled session sees of the world: marks and the lead's page with their ages, and controls in memory."""

from __future__ import annotations

from collections.abc import Callable

from typing_extensions import override

from copytrade_core.edges.preflight.drill_markets import START_MS
from copytrade_core.edges.preflight.story import Feed, Silence
from copytrade_core.model.controls import Controls
from copytrade_core.model.units import Ticks
from copytrade_core.session.ports import ControlPanel
from copytrade_core.session.watch import MarketWatch


class DrillWatch(MarketWatch):
    """Marks as told, and how old every input is; a feed in a silence ages from the moment it fell silent."""

    def __init__(self, silences: tuple[Silence, ...]) -> None:
        self._silences = silences
        self._marks: dict[str, Ticks] = {}

    def tell_mark(self, market: str, price: Ticks) -> None:
        """A price that the feed has just told."""
        self._marks[market] = price

    def is_silent(self, feed: Feed, at_ms: int) -> bool:
        """Whether a feed tells nothing now."""
        return self._silent_since(feed, at_ms) is not None

    def age_ms(self, feed: Feed, at_ms: int) -> int:
        """How old a feed's newest word is."""
        since_ms = self._silent_since(feed, at_ms)
        return 0 if since_ms is None else at_ms - since_ms

    def _silent_since(self, feed: Feed, at_ms: int) -> int | None:
        return next(
            (each.from_ms for each in self._silences if each.feed is feed and each.from_ms <= at_ms < each.to_ms), None
        )

    @override
    def mark(self, market: str, at_ms: int) -> Ticks | None:
        """The last price told."""
        return self._marks.get(market)

    @override
    def mark_age_ms(self, market: str, now_ms: int) -> int | None:
        """How old that price is."""
        return self.age_ms(Feed.MARK, now_ms) if market in self._marks else None

    @override
    def source_age_ms(self, episode_id: str, now_ms: int) -> int | None:
        """How long ago the lead's page was read."""
        return self.age_ms(Feed.SOURCE, now_ms)

    @override
    def correlation_ppm(self, market: str, other: str) -> int:
        """The drill's markets move together."""
        return 1_000_000


class MemoryPanel(ControlPanel):
    """Controls that outlive the session's process, as files would."""

    def __init__(self) -> None:
        self.kill = False
        self.stop = False
        self.hot_stop = False
        self.reasons: list[str] = []

    @override
    def read(self) -> Controls:
        """The controls in force now."""
        return Controls(
            kill=self.kill,
            stop_new_orders=self.stop,
            hot_stop=self.hot_stop,
            deadline_ms=None,
            approval_valid=None,
        )

    @override
    def stop_new_orders(self, reason: str) -> None:
        """Set by the session itself; cleared by nobody in a drill."""
        self.stop = True
        self.reasons.append(reason)


class DrillClock:
    """Virtual time: the driver moves it, and so does a call that waits at the venue."""

    def __init__(self, venue_now_ms: Callable[[], int]) -> None:
        self._venue_now_ms = venue_now_ms
        self._now_ms = START_MS

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        self._now_ms = max(self._now_ms, self._venue_now_ms())
        return self._now_ms

    def move(self, to_ms: int) -> None:
        """Time passes; it never runs backwards."""
        self._now_ms = max(self._now_ms, to_ms)
