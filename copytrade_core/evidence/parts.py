"""The measures of one part of a split, cut out of the result of a whole run.

Whether the holdout may be opened is not decided here; it is simply never computed unless it is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from copytrade_core.evidence.measures import measures
from copytrade_core.evidence.splits import Part, SplitManifest
from copytrade_core.model.measure import BootstrapSettings, Measures
from copytrade_core.model.round_trip import EquityCurve, ReplayResult

OPEN_PARTS = (Part.TRAIN, Part.VALIDATION)
"""The parts that anyone may look at. Opening the holdout is an act that is recorded first."""


def measures_by_part(
    result: ReplayResult, manifest: SplitManifest, bootstrap: BootstrapSettings, *, parts: Sequence[Part]
) -> Mapping[Part, Measures]:
    """Measures of exactly the parts that are named. Pass `OPEN_PARTS` unless the holdout has been opened."""
    return {part: measures(parts_result(result, manifest, (part,)), bootstrap) for part in parts}


def parts_result(result: ReplayResult, manifest: SplitManifest, parts: Sequence[Part]) -> ReplayResult:
    """The share of a result that belongs to one part, or to several neighbours, restarted at the initial equity.

    Round trips, skips and blocks are those of the parts' signals. The curve is the account's from the first entry to
    the last exit of those round trips, moved so that it starts at the initial equity: an embargoed trade that was held
    in that window is still inside the marked figures (not inside profit, trades or realised drawdown).
    """
    members = frozenset(name for part in parts for name in manifest.part(part).episode_ids)
    trips = tuple(trip for trip in result.round_trips if trip.episode_id in members)
    return replace(
        result,
        round_trips=trips,
        skipped=tuple(skip for skip in result.skipped if skip.episode_id in members),
        blocked=tuple(block for block in result.blocked if block.episode_id in members),
        equity=_curve_between(
            result,
            min((trip.entered_at_ms for trip in trips), default=0),
            max((trip.exited_at_ms for trip in trips), default=-1),
        ),
    )


def _curve_between(result: ReplayResult, start_ms: int, end_ms: int) -> EquityCurve:
    curve = result.equity
    inside = (curve.time_ms >= start_ms) & (curve.time_ms <= end_ms)
    before = sum(trip.pnl for trip in result.round_trips if trip.exited_at_ms <= start_ms)
    return EquityCurve(
        time_ms=curve.time_ms[inside],
        equity=curve.equity[inside] - before,
        worst_intrabar=curve.worst_intrabar[inside] - before,
        cash=curve.cash[inside] - before,
        gross=curve.gross[inside],
    )
