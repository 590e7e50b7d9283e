"""Which signals may be replayed while the holdout is closed, and the measures of one part of a run.

Whether the holdout may be opened is not decided here: what is sealed is never replayed, so nothing can show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from copytrade_core.evidence.measures import measures
from copytrade_core.evidence.splits import Part, SplitManifest
from copytrade_core.model.episode import Episode
from copytrade_core.model.measure import BootstrapSettings, Measures
from copytrade_core.model.round_trip import EquityCurve, ReplayResult, Skipped

OPEN_PARTS = (Part.TRAIN, Part.VALIDATION)
"""The parts that anyone may look at. Opening the holdout is an act that is recorded first."""


def seal(
    manifest: SplitManifest, episodes: Sequence[Episode], parts: Sequence[Part]
) -> tuple[tuple[Episode, ...], tuple[Skipped, ...]]:
    """The episodes whose signals belong to these parts, and every other one as skipped with the reason.

    Reasons: the name of a part that is not open, `embargoed` (too close before a part), `no_signal_yet`.
    """
    part_of = {name: boundary.part for boundary in manifest.parts for name in boundary.episode_ids}
    visible = tuple(episode for episode in episodes if part_of.get(episode.episode_id) in parts)
    embargoed = frozenset(manifest.embargoed)
    sealed: list[Skipped] = []
    for episode in episodes:
        part = part_of.get(episode.episode_id)
        if part not in parts:
            reason = part.value if part else "embargoed" if episode.episode_id in embargoed else "no_signal_yet"
            sealed.append(_sealed(episode, reason))
    return visible, tuple(sealed)


def _sealed(episode: Episode, reason: str) -> Skipped:
    details = {
        "embargoed": "its trade could still be held when the next part of the split begins",
        "no_signal_yet": "the source has not done what the strategy waits for",
    }
    return Skipped(
        episode_id=episode.episode_id,
        source_id=episode.source_id,
        market=episode.market,
        reason=reason,
        detail=details.get(reason, f"its signal belongs to the closed {reason}"),
    )


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
