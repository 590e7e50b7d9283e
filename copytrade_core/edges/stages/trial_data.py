"""What the trials of a lead were tried on, as one digest: its episodes and the market data that was read with them.

How trials are counted belongs to `edges/trial_registry.py`.
"""

from __future__ import annotations

from copytrade_core.edges.lake import Head
from copytrade_core.edges.stages.market_data import LoadedMarkets
from copytrade_core.model.digest import digest_of

MARKET_ASSETS = ("bars/", "funding/", "instruments/")
"""What `load_markets` names its digests by."""


def data_digest_of(episodes: Head, markets: LoadedMarkets) -> str:
    """Identity of the data behind a trial.

    The split is not in it: whoever moves a boundary has still looked at the same data, and those trials count too.

    Args:
        episodes: head of the lead's `episodes`.
        markets: what `load_markets` gave for all episodes of the lead.
    """
    return digest_of({"episodes": episodes.digest, **markets.digests})


def data_digest_of_study(study: Head) -> str:
    """The same of what a stored study was replayed on."""
    read = study.parents
    markets = {name: digest for name, digest in read.items() if name.startswith(MARKET_ASSETS)}
    return digest_of({"episodes": read[f"episodes/{study.partition}"], **markets})
