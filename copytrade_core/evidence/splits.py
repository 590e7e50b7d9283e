"""Splitting signals in time order into train, validation and holdout, with an embargo between them.

Which figures may be looked at belongs to the caller; nothing here computes a result, and the holdout ledger is in
`promotion`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from copytrade_core.model.digest import digest_of
from copytrade_core.model.episode import Episode
from copytrade_core.model.errors import BadConfig, Where
from copytrade_core.model.policy import SignalMode

SPLIT_SCHEMA_VERSION = 1


class Part(StrEnum):
    """The parts of a split, in time order."""

    TRAIN = "train"
    VALIDATION = "validation"
    HOLDOUT = "holdout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One chance to trade: the episode and the instant its signal happened (epoch ms)."""

    episode_id: str
    signal_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRatios:
    """Shares of the signals; exact, positive, adding up to 1.

    Raises:
        BadConfig: a share is not positive, or they do not add up.
    """

    train: Fraction
    validation: Fraction
    holdout: Fraction

    def __post_init__(self) -> None:
        if min(self.train, self.validation, self.holdout) <= 0:
            raise BadConfig("every part of a split needs a share", where=Where(field="split"))
        if self.train + self.validation + self.holdout != 1:
            raise BadConfig("the shares of a split must add up to 1", where=Where(field="split"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PartBoundary:
    """One part: its signals, from the first one's time to the last one's (None when it has none)."""

    part: Part
    signals_count: int
    first_signal_at_ms: int | None
    last_signal_at_ms: int | None
    episode_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitManifest:
    """A whole split: `split_manifest.json`.

    `embargoed` are the signals too close before a boundary: a trade of theirs could still be held when the next part
    begins, so they belong to no part. `digest` is over everything else.
    """

    schema_version: int
    ratios: SplitRatios
    longest_holding_ms: int
    parts: tuple[PartBoundary, ...]
    embargoed: tuple[str, ...]
    digest: str

    def part(self, part: Part) -> PartBoundary:
        """The boundary of one part."""
        return next(boundary for boundary in self.parts if boundary.part is part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One walk-forward fold: train on everything before, test on what comes next; `embargoed` belongs to neither."""

    index: int
    train: tuple[str, ...]
    test: tuple[str, ...]
    embargoed: tuple[str, ...]


def signals_of(episodes: Iterable[Episode], mode: SignalMode) -> tuple[Signal, ...]:
    """The signals that a strategy of this mode can get from these episodes, in time order.

    An episode that is still open gives no close signal.
    """
    signals: list[Signal] = []
    for episode in episodes:
        at = episode.opened_at if mode is SignalMode.FOLLOW_OPEN else episode.closed_at
        if at is not None:
            signals.append(Signal(episode_id=episode.episode_id, signal_at_ms=round(at.timestamp() * 1000)))
    return _in_time_order(signals)


def split_signals(signals: Sequence[Signal], *, ratios: SplitRatios, longest_holding_ms: int) -> SplitManifest:
    """Splits by count in time order, then embargoes what could reach over a boundary.

    Args:
        signals: in any order; ids must differ.
        ratios: shares of the signals.
        longest_holding_ms: from a signal to the latest exit its trade can have.
    """
    ordered = _in_time_order(signals)
    cuts = _cuts(len(ordered), (ratios.train, ratios.validation))
    blocks = (ordered[: cuts[0]], ordered[cuts[0] : cuts[1]], ordered[cuts[1] :])
    parts: list[PartBoundary] = []
    embargoed: list[str] = []
    for index, (part, block) in enumerate(zip(Part, blocks, strict=True)):
        after = next((later[0].signal_at_ms for later in blocks[index + 1 :] if later), None)
        kept, dropped = _embargo(block, after, longest_holding_ms)
        embargoed.extend(dropped)
        parts.append(_boundary(part, kept))
    content = {
        "schema_version": SPLIT_SCHEMA_VERSION,
        "ratios": ratios,
        "longest_holding_ms": longest_holding_ms,
        "parts": parts,
        "embargoed": embargoed,
    }
    return SplitManifest(
        schema_version=SPLIT_SCHEMA_VERSION,
        ratios=ratios,
        longest_holding_ms=longest_holding_ms,
        parts=tuple(parts),
        embargoed=tuple(embargoed),
        digest=digest_of(content),
    )


def walk_forward_folds(signals: Sequence[Signal], *, folds_count: int, longest_holding_ms: int) -> tuple[Fold, ...]:
    """Expanding folds: the signals are cut into `folds_count + 1` blocks; fold k trains on blocks 0..k, tests on k + 1.

    Give it the signals of train and validation only: a fold must never see the holdout. Fewer signals than blocks give
    fewer folds.
    """
    if folds_count < 1:
        raise BadConfig("walk-forward needs at least one fold", where=Where(field="folds_count"))
    ordered = _in_time_order(signals)
    cuts = [0, *_cuts(len(ordered), [Fraction(1, folds_count + 1)] * folds_count), len(ordered)]
    blocks = [block for start, end in itertools.pairwise(cuts) if (block := ordered[start:end])]
    folds: list[Fold] = []
    for index, test in enumerate(blocks[1:]):
        before = tuple(signal for block in blocks[: index + 1] for signal in block)
        kept, dropped = _embargo(before, test[0].signal_at_ms, longest_holding_ms)
        folds.append(
            Fold(
                index=index,
                train=tuple(signal.episode_id for signal in kept),
                test=tuple(signal.episode_id for signal in test),
                embargoed=dropped,
            )
        )
    return tuple(folds)


def manifest_document(manifest: SplitManifest) -> Mapping[str, object]:
    """The content of `split_manifest.json` (plain JSON types)."""
    return {
        "schema_version": manifest.schema_version,
        "ratios": {part.value: str(getattr(manifest.ratios, part.value)) for part in Part},
        "longest_holding_s": manifest.longest_holding_ms / 1000,
        "parts": [
            {
                "part": boundary.part.value,
                "signals_count": boundary.signals_count,
                "first_signal_at_ms": boundary.first_signal_at_ms,
                "last_signal_at_ms": boundary.last_signal_at_ms,
                "episode_ids": list(boundary.episode_ids),
            }
            for boundary in manifest.parts
        ],
        "embargoed": list(manifest.embargoed),
        "embargoed_count": len(manifest.embargoed),
        "digest": manifest.digest,
    }


def _in_time_order(signals: Iterable[Signal]) -> tuple[Signal, ...]:
    return tuple(sorted(signals, key=lambda signal: (signal.signal_at_ms, signal.episode_id)))


def _cuts(count: int, shares: Sequence[Fraction]) -> list[int]:
    """Indices after each share, rounded half up, never decreasing."""
    total, cuts = Fraction(0), list[int]()
    for part in shares:
        total += part
        cuts.append(min(count, int(total * count + Fraction(1, 2))))
    return cuts


def _embargo(
    block: Sequence[Signal], next_starts_ms: int | None, longest_holding_ms: int
) -> tuple[tuple[Signal, ...], tuple[str, ...]]:
    if next_starts_ms is None:
        return tuple(block), ()
    kept = tuple(signal for signal in block if signal.signal_at_ms + longest_holding_ms < next_starts_ms)
    return kept, tuple(signal.episode_id for signal in block[len(kept) :])


def _boundary(part: Part, signals: Sequence[Signal]) -> PartBoundary:
    return PartBoundary(
        part=part,
        signals_count=len(signals),
        first_signal_at_ms=signals[0].signal_at_ms if signals else None,
        last_signal_at_ms=signals[-1].signal_at_ms if signals else None,
        episode_ids=tuple(signal.episode_id for signal in signals),
    )
