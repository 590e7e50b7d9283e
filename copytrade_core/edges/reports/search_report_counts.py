"""What the registry holds on one data set, counted for the search report.

How trials are stored belongs to `trial_registry.py`.
"""

from __future__ import annotations

from collections import Counter

import polars as pl

from copytrade_core.edges.trial_segment import RegistryHead
from copytrade_core.evidence.search_inputs import TrialTotals
from copytrade_core.model.trial import TrialOrigin


def totals_of(frame: pl.DataFrame, head: RegistryHead) -> TrialTotals:
    """Counts distinct trials; one that was tried several times counts by its longest span, the first of equal ones.

    Args:
        frame: `TrialRegistry.frame(data_digest)`.
        head: `TrialRegistry.head()`.
    """
    longest_first = frame.sort("signals_count", descending=True, maintain_order=True)
    distinct = longest_first.unique("trial_id", keep="first", maintain_order=True)
    searched = frame.filter(pl.col("origin") != TrialOrigin.MANUAL.value)
    return TrialTotals(
        trials_count=distinct.height,
        searches_count=searched.get_column("search_id").n_unique(),
        by_origin=_counted(distinct.get_column("origin")),
        by_status=_counted(distinct.get_column("status")),
        head_sequence=head.sequence,
        head_digest=head.digest,
    )


def _counted(names: pl.Series) -> dict[str, int]:
    counts = Counter(str(name) for name in names.to_list())
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
