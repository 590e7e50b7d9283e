"""What the trials of a lead were tried on, as one digest: its episodes and the market data that was read with them.

How trials are counted belongs to `edges/trial_registry.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from copytrade_core.edges.lake import Head
from copytrade_core.edges.stages.market_data import LoadedMarkets
from copytrade_core.model.digest import digest_of
from copytrade_core.model.episode import Episode, Provenance
from copytrade_core.model.errors import NotStored, Where

DATA = "data"
"""The name of this digest among the parents of a stored study."""


def data_digest_of(episodes: Sequence[Episode], markets: LoadedMarkets) -> str:
    """Identity of the data behind a trial.

    The split is not in it: whoever moves a boundary has still looked at the same data, and those trials count too. When
    we first saw a reconstructed episode is not in it either: a replay reads the declared delay instead, so the same
    pages imported on another day are the same data.

    Args:
        episodes: all episodes of the lead.
        markets: what `load_markets` gave for them.
    """
    return digest_of({"episodes": [_as_replayed(episode) for episode in episodes], **markets.digests})


def data_digest_of_study(study: Head) -> str:
    """The same of what a stored study was replayed on.

    Raises:
        NotStored: an older version stored it.
    """
    if DATA not in study.parents:
        raise NotStored(
            f"the study of lead {study.partition} does not say which data its trials count for",
            where=Where(file=f"{study.asset}/{study.partition}"),
            next_step=f"Replay it again: copytrade evidence --lead {study.partition}",
        )
    return study.parents[DATA]


def _as_replayed(episode: Episode) -> Episode:
    if episode.provenance is not Provenance.RECONSTRUCTED:
        return episode
    return replace(episode, open_known_at=episode.opened_at, close_known_at=episode.closed_at)
