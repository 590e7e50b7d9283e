"""Many candidates, one after the other: the function whose machine code is kept. One candidate is in `run.py`."""

from __future__ import annotations

from collections.abc import Callable

from copytrade_core.replay import arrays
from copytrade_core.replay.kernel import account, exits, fills, layout, money, opening, portfolio, run, trades, trees
from copytrade_core.replay.kernel.compiled import kept
from copytrade_core.replay.kernel.fingerprint import fingerprint
from copytrade_core.replay.kernel.layout import (
    A_PNL,
    C_SOURCE,
)
from copytrade_core.replay.kernel.run import replay_one

KERNEL = fingerprint((arrays, layout, money, trees, account, exits, fills, opening, trades, portfolio, run))
"""Of all compiled code: part of the key under which the machine code is kept."""


def _compiled(version: int) -> Callable[..., None]:
    @kept
    def replay_part(
        nodes, facts, rows, events, events_counts, candidates, levels, memory, out, ratios, pnl, order, first, step
    ):
        """Replay every `step`-th candidate of `order` from `first` on, with one memory; other threads do the rest.

        `pnl` `(candidates, episodes)` receives the net results by episode, or has no column when nobody asks for them.
        """
        for place in range(first, len(order) if version else 0, step):
            index = order[place]
            source = candidates[index, C_SOURCE]
            replay_one(
                nodes,
                facts,
                rows[source],
                events[source],
                events_counts[source],
                candidates[index],
                levels[index],
                memory,
                out[index],
                ratios[index],
            )
            for episode in range(pnl.shape[1]):
                pnl[index, episode] = memory[memory[A_PNL] + episode]

    return replay_part


replay_part = _compiled(KERNEL)
