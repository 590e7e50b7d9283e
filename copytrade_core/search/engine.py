"""The fast engine behind the search's port: train episodes in signal order, each span prepared once.

Which spans are asked belongs to `halving.py`; loading episodes and bars to the caller.
"""

from __future__ import annotations

from collections.abc import Sequence

from copytrade_core.evidence.splits import signals_of
from copytrade_core.model.episode import Episode
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.policy import PolicySpec, SignalMode
from copytrade_core.model.round_trip import ReplaySpec
from copytrade_core.model.side import Side
from copytrade_core.model.sweep import SweepTable
from copytrade_core.replay.arrays import PreparedMarkets
from copytrade_core.replay.sweep import Prepared, prepare, sweep


class KernelEngine:
    """`Evaluate` by the kernel.

    Args:
        episodes: those of one part, in signal order (`in_signal_order`).
        spec: assumptions.
        data: the markets.
        markets: `prepare_markets(data, spec.interval_ms)`, shared between parts.
        threads: cores to use; the figures do not depend on it.
    """

    def __init__(
        self, episodes: Sequence[Episode], spec: ReplaySpec, data: MarketData, markets: PreparedMarkets, *, threads: int
    ) -> None:
        self._episodes = tuple(episodes)
        self._spec = spec
        self._data = data
        self._markets = markets
        self._threads = threads
        self._prepared: dict[int, Prepared] = {}

    def __call__(self, policies: Sequence[PolicySpec], signals_count: int) -> SweepTable:
        """Figures over the first `signals_count` episodes."""
        return sweep(self.prepared(signals_count), policies, threads=self._threads)

    def prepared(self, signals_count: int) -> Prepared:
        """The first `signals_count` episodes as the kernel reads them."""
        if signals_count not in self._prepared:
            span = self._episodes[:signals_count]
            self._prepared[signals_count] = prepare(span, self._spec, self._data, self._markets)
        return self._prepared[signals_count]


def in_signal_order(episodes: Sequence[Episode], mode: SignalMode) -> tuple[Episode, ...]:
    """The episodes that give a signal of this mode, in the order of their signals."""
    by_id = {episode.episode_id: episode for episode in episodes}
    return tuple(by_id[signal.episode_id] for signal in signals_of(episodes, mode))


def our_sides(episodes: Sequence[Episode], mode: SignalMode) -> tuple[Side, ...]:
    """The side that we would take on each episode's signal."""
    contrarian = mode is SignalMode.CONTRARIAN_ON_CLOSE
    return tuple(episode.side.opposite if contrarian else episode.side for episode in episodes)
