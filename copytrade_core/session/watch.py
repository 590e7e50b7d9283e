"""What risk is shown of a session's surroundings: controls, ages, unknown orders, the state of the account."""

from __future__ import annotations

from typing import Protocol

from copytrade_core.model.controls import Controls
from copytrade_core.model.units import Ticks
from copytrade_core.model.venue import PositionMode
from copytrade_core.session.memory import SessionMemory
from copytrade_core.session.ports import ControlPanel


class MarketWatch(Protocol):
    """What the feed knows. An age of None means that it has never been seen."""

    def mark(self, market: str, at_ms: int) -> Ticks | None:
        """The last price of a market known at a time, in ticks; None when there is none."""
        ...

    def mark_age_ms(self, market: str, now_ms: int) -> int | None:
        """How old that price is."""
        ...

    def source_age_ms(self, episode_id: str, now_ms: int) -> int | None:
        """How long ago the source of an episode was last seen."""
        ...

    def correlation_ppm(self, market: str, other: str) -> int | None:
        """Correlation of recent returns of two markets, in ppm; None where it is not known."""
        ...


class SessionWatch:
    """The surroundings of one session.

    Args:
        panel: the controls.
        market_watch: what the feed knows.
        mode: how the account keeps positions.
        memory: what the session knows of its orders.
    """

    def __init__(
        self, *, panel: ControlPanel, market_watch: MarketWatch, mode: PositionMode, memory: SessionMemory
    ) -> None:
        self._panel = panel
        self._memory = memory
        self._market_watch = market_watch
        self.mode = mode
        self.faults: dict[str, str] = {}
        """What is wrong with the account, by what found it; anything here blocks entries."""

    def note(self, finder: str, fault: str | None) -> None:
        """Set or clear what one finder says is wrong with the account."""
        if fault is None:
            _ = self.faults.pop(finder, None)
        else:
            self.faults[finder] = fault

    def controls(self) -> Controls:
        """The controls, read anew."""
        return self._panel.read()

    def source_age_ms(self, episode_id: str, now_ms: int) -> int | None:
        """Age of the episode's source."""
        return self._market_watch.source_age_ms(episode_id, now_ms)

    def mark_age_ms(self, market: str, now_ms: int) -> int | None:
        """Age of the market's mark."""
        return self._market_watch.mark_age_ms(market, now_ms)

    def correlation_ppm(self, market: str, other: str) -> int | None:
        """Correlation of two markets."""
        return self._market_watch.correlation_ppm(market, other)

    def is_unresolved(self, client_order_id: str) -> bool:
        """Whether nobody knows what became of an order."""
        row = self._memory.rows.get(client_order_id)
        return row is not None and row.state.is_unresolved

    def may_still_fill(self, client_order_id: str) -> bool:
        """Whether an order of ours has not ended, so that it may fill even after the flow has taken it back."""
        row = self._memory.rows.get(client_order_id)
        return row is not None and not row.state.is_final

    def account_fault(self) -> str | None:
        """Why nothing may open at this account now."""
        return next(iter(self.faults.values()), None)

    def is_one_way(self) -> bool:
        """Whether the account keeps one net position per market."""
        return self.mode is PositionMode.ONE_WAY
