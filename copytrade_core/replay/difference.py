"""The first thing in which the fast engine is not the reference: found, kept as a record, told in words.

Which candidates are compared, and what a difference means for a search, is in `replay/equivalence.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np

from copytrade_core.model.bar import Int64s
from copytrade_core.model.round_trip import ReplayResult
from copytrade_core.model.sweep import SweepStatus, SweepTable
from copytrade_core.replay.coverage import utc
from copytrade_core.replay.fill_hash import EXIT_CODES
from copytrade_core.replay.reference_summary import curve_rows, fill_rows, summary_of, trip_rows
from copytrade_core.replay.sweep import CURVE_COLUMNS, FILL_COLUMNS, TRIP_COLUMNS, FastRun

TRADES = {1: "buy", 0: "sell"}
EXIT_NAMES = {code: name for name, code in EXIT_CODES.items()}


class DifferenceKind(StrEnum):
    """Where two engines part, in the order in which it is looked for."""

    STATUS = "status"
    """One finished the candidate, the other did not."""
    FILL = "fill"
    ROUND_TRIP = "round_trip"
    CURVE = "curve"
    SUMMARY = "summary"
    SWEEP = "sweep"
    """The candidate alone is right, its row among many is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillSeen:
    """A fill as a person reads it: prices in ticks, quantity in steps, fee and slippage in money."""

    leg: str
    bar_open_ms: int
    time_ms: int
    trade: str
    raw_price: int
    price: int
    quantity: int
    fee: int
    slippage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first difference of one candidate.

    `index` counts the episode's fills, the round trips in order of exit, or the rows of the curve. `field` is the first
    column that differs, or "count" when one engine has a row more. Both fills are given when fills differ; None where
    an engine has none at that place.
    """

    policy: str
    policy_digest: str
    kind: DifferenceKind
    episode_id: str | None
    index: int
    field: str
    reference: int | float | None
    fast: int | float | None
    reference_fill: FillSeen | None
    fast_fill: FillSeen | None


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of both engines under the same columns."""

    columns: tuple[str, ...]
    reference: Int64s
    fast: Int64s

    def first(self) -> int | None:
        """Index of the first row that differs or that only one engine has."""
        count = min(len(self.reference), len(self.fast))
        wrong = np.nonzero((self.reference[:count] != self.fast[:count]).any(axis=1))[0]
        if len(wrong):
            return int(wrong[0])
        return None if len(self.reference) == len(self.fast) else count

    def at(self, index: int, column: str) -> int:
        """A value of a row, the reference's where it has that row."""
        rows = self.reference if index < len(self.reference) else self.fast
        return int(rows[index, self.columns.index(column)])

    def of_episode(self, episode: int) -> _Rows:
        """The rows of one episode, which is the first column."""
        ours, theirs = self.reference, self.fast
        return _Rows(self.columns, ours[ours[:, 0] == episode], theirs[theirs[:, 0] == episode])

    def values(self, index: int) -> tuple[str, int, int]:
        """The first column that differs in a row, and both values; row counts when one engine has no such row."""
        if index >= min(len(self.reference), len(self.fast)):
            return "count", len(self.reference), len(self.fast)
        column = int(np.argmax(self.reference[index] != self.fast[index]))
        return self.columns[column], int(self.reference[index, column]), int(self.fast[index, column])


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Whose runs are compared: builds the record of a difference."""

    policy: str
    policy_digest: str

    def differs(
        self,
        kind: DifferenceKind,
        values: tuple[str, int | float | None, int | float | None],
        *,
        index: int = 0,
        episode_id: str | None = None,
        fills: tuple[FillSeen | None, FillSeen | None] = (None, None),
    ) -> Difference:
        return Difference(
            policy=self.policy,
            policy_digest=self.policy_digest,
            kind=kind,
            episode_id=episode_id,
            index=index,
            field=values[0],
            reference=values[1],
            fast=values[2],
            reference_fill=fills[0],
            fast_fill=fills[1],
        )


def compare(reference: ReplayResult, fast: FastRun, episode_ids: Sequence[str]) -> Difference | None:
    """The first difference between the reference's result and the fast engine's run, or None.

    Args:
        reference: what is true.
        fast: the same candidate from the fast engine.
        episode_ids: the fast engine's episodes by their number (`prepared.episode_ids`).
    """
    whose = _Candidate(reference.policy, reference.policy_digest)
    stopped = compare_status(whose.policy, whose.policy_digest, SweepStatus.OK, fast.summary, 0)
    if stopped is not None:
        return stopped
    ids = tuple(episode_ids)
    return (
        _fills(whose, _Rows(FILL_COLUMNS, fill_rows(reference, ids), fast.fills), ids)
        or _trips(whose, _Rows(TRIP_COLUMNS, trip_rows(reference, ids), fast.trips), ids)
        or _curve(whose, _Rows(CURVE_COLUMNS, curve_rows(reference), fast.curve))
        or _table(whose, DifferenceKind.SUMMARY, summary_of(reference), fast.summary, 0)
    )


def compare_row(reference: ReplayResult, table: SweepTable, index: int) -> Difference | None:
    """The first figure in which a row of a sweep is not the reference's summary, or None."""
    whose = _Candidate(reference.policy, reference.policy_digest)
    stopped = compare_status(whose.policy, whose.policy_digest, SweepStatus.OK, table, index)
    return stopped or _table(whose, DifferenceKind.SWEEP, summary_of(reference), table, index)


def compare_status(
    policy: str, policy_digest: str, reference: SweepStatus, table: SweepTable, index: int
) -> Difference | None:
    """A difference when only one engine could finish the candidate, or both stopped for another reason."""
    fast = int(table.status[index])
    if fast == reference:
        return None
    return _Candidate(policy, policy_digest).differs(DifferenceKind.STATUS, ("status", int(reference), fast))


def _fills(whose: _Candidate, rows: _Rows, episode_ids: tuple[str, ...]) -> Difference | None:
    """The earliest of the episodes' first differing fills; fills of different episodes may come in any order."""
    firsts: list[tuple[int, int, int]] = []
    for episode in np.unique(np.concatenate([rows.reference[:, 0], rows.fast[:, 0]])).tolist():
        own = rows.of_episode(episode)
        index = own.first()
        if index is not None:
            firsts.append((own.at(index, "time_ms"), episode, index))
    if not firsts:
        return None
    _, episode, index = min(firsts)
    own = rows.of_episode(episode)
    return whose.differs(
        DifferenceKind.FILL,
        own.values(index),
        index=index,
        episode_id=_name(episode_ids, episode),
        fills=(_seen(own.reference, index), _seen(own.fast, index)),
    )


def _trips(whose: _Candidate, rows: _Rows, episode_ids: tuple[str, ...]) -> Difference | None:
    index = rows.first()
    if index is None:
        return None
    episode_id = _name(episode_ids, rows.at(index, "episode"))
    return whose.differs(DifferenceKind.ROUND_TRIP, rows.values(index), index=index, episode_id=episode_id)


def _curve(whose: _Candidate, rows: _Rows) -> Difference | None:
    index = rows.first()
    return None if index is None else whose.differs(DifferenceKind.CURVE, rows.values(index), index=index)


def _table(
    whose: _Candidate, kind: DifferenceKind, reference: SweepTable, fast: SweepTable, index: int
) -> Difference | None:
    for column in fields(SweepTable):
        ours, theirs = getattr(reference, column.name)[0], getattr(fast, column.name)[index]
        if ours.dtype != theirs.dtype or ours.tobytes() != theirs.tobytes():
            return whose.differs(kind, (column.name, ours.item(), theirs.item()))
    return None


def _name(episode_ids: tuple[str, ...], episode: int) -> str:
    # A broken engine may number an episode that does not exist; the report must still be made.
    return episode_ids[episode] if 0 <= episode < len(episode_ids) else f"episode number {episode}"


def _seen(rows: Int64s, index: int) -> FillSeen | None:
    if index >= len(rows):
        return None
    row = dict(zip(FILL_COLUMNS, rows[index].tolist(), strict=True))
    return FillSeen(
        leg=_leg(row["leg"]),
        bar_open_ms=row["bar_open_ms"],
        time_ms=row["time_ms"],
        trade=TRADES.get(row["buys"], f"direction {row['buys']}"),
        raw_price=row["raw_price"],
        price=row["price"],
        quantity=row["quantity"],
        fee=row["fee"],
        slippage=row["slippage"],
    )


def _leg(code: int) -> str:
    return EXIT_NAMES.get(code, f"rung{code}" if code else "base")


def describe(difference: Difference) -> str:
    """A difference in words, the first differing fill of both engines included."""
    where = f", episode {difference.episode_id}" if difference.episode_id is not None else ""
    first = (
        f"{difference.policy} ({difference.policy_digest[:12]}): {difference.kind} {difference.index}{where}: "
        f"{difference.field} is {difference.fast}, the reference has {difference.reference}"
    )
    if difference.kind is not DifferenceKind.FILL:
        return first
    seen = (("reference: ", difference.reference_fill), ("fast:      ", difference.fast_fill))
    return "\n".join([first, *(f"  {engine}{_spelled(fill)}" for engine, fill in seen)])


def _spelled(fill: FillSeen | None) -> str:
    if fill is None:
        return "no such fill"
    return (
        f"{utc(fill.time_ms)} bar {utc(fill.bar_open_ms)} {fill.leg} {fill.trade} {fill.quantity} steps "
        f"at {fill.price} ticks (raw {fill.raw_price}), fee {fill.fee}, slippage {fill.slippage}"
    )
