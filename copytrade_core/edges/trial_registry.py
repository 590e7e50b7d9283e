"""The trial registry: every policy that was ever tried on data, in append-only, hash-chained Parquet segments.

One registry for all leads, below `<data_dir>/registry/trials/`; how trials are chosen belongs to `search`. A segment is
one batch of one search. Its metadata holds the digest of the segment before it, its name holds its own, and `head.json`
names the last one. Who rewrites every segment from some point on, and the head, leaves no trace here; but the digest of
the last segment is in what is stored elsewhere (search reports), and is in no chain from then on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import filelock
import numpy as np
import polars as pl

from copytrade_core.edges.atomic_files import make_folder, read_if_present, store_faults, write_whole
from copytrade_core.edges.tables import frame_from_parquet, parquet_bytes
from copytrade_core.edges.trial_rows import SCHEMA, check_columns, frame_of_trials, trials_of_frame
from copytrade_core.edges.trial_segment import (
    BEFORE_FIRST,
    RESTORE,
    SEARCH_CHARACTERS,
    Named,
    RegistryHead,
    Segment,
    head_bytes,
    head_of,
    named,
    segment_meta,
    segment_name,
    segment_of,
)
from copytrade_core.model.bar import Float64s
from copytrade_core.model.errors import BadInput, StoreFault, Where
from copytrade_core.model.trial import Trial

FOLDER = Path("registry") / "trials"
LOCK_TIMEOUT_S = 60.0
"""A writer holds the lock for one small write; a minute means that something is stuck."""


@dataclass(frozen=True, slots=True)
class TrialRegistry:
    """The registry in a data folder; nothing is created before the first write.

    Every read re-hashes what it reads. Reading is safe beside a writer: a segment is whole before it has its name.
    """

    data_dir: Path

    # --- writing

    def append(self, batch: Sequence[Trial], search_id: str, batch_index: int) -> Segment:
        """Stores one batch of a search; durable on return, and killed at any moment it is stored whole or not at all.

        The same batch again is no second one: it changes nothing and returns the segment that is there, so a search
        that was killed between storing and going on can simply store it again.

        Args:
            batch: at least one trial, all of this search, in their order.
            search_id: sha256 in hex.
            batch_index: 0 for the first batch of a search, then without a gap.

        Raises:
            BadInput: no trial, a trial of another search, a number that is not finite, an index out of turn, or an
                index that is stored with other trials.
            StoreFault: the registry cannot be written, or its end is not what was written.
        """
        frame = frame_of_trials(batch, search_id)
        with self._locked():
            return self._append(frame, search_id, batch_index)

    def append_new(self, batch: Sequence[Trial], search_id: str) -> Segment | None:
        """Stores as the search's next batch those trials whose id no search has stored yet; None when there is none.

        For tries by hand, which have no batches of their own: `number` is given here. Errors as `append`.
        """
        with self._locked():
            known = {str(trial_id) for trial_id in self.frame().get_column("trial_id")}
            new = list({trial.trial_id: trial for trial in batch if trial.trial_id not in known}.values())
            if not new:
                return None
            mine = self.batches(search_id)
            start = sum(len(stored) for stored in mine)
            numbered = [replace(trial, number=start + index) for index, trial in enumerate(new)]
            return self._append(frame_of_trials(numbered, search_id), search_id, len(mine))

    def settle(self) -> RegistryHead:
        """Points the head at the one segment that a killed writer may have stored and not pointed at; returns the head.

        The next `append` does the same. A resumed search that has nothing left to store calls this, so that the whole
        folder is the one of an undisturbed search. Errors as `append`.
        """
        if self.folder.exists():
            with self._locked():
                self._settle_head(self._names())
        return self.head()

    def _append(self, frame: pl.DataFrame, search_id: str, batch_index: int) -> Segment:
        names = self._names()
        self._settle_head(names)
        mine = [name for name in names if name.search == search_id[:SEARCH_CHARACTERS]]
        if batch_index < len(mine):
            return self._stored_already(mine[batch_index], frame)
        if batch_index > len(mine):
            raise BadInput(
                f"batch {batch_index} of a search of which {len(mine)} are stored: batches are stored in turn",
                where=Where(field="batch_index"),
            )
        last = self.head()
        unnamed = Segment(
            sequence=last.sequence + 1,
            search_id=search_id,
            batch_index=batch_index,
            rows=frame.height,
            digest="",
            previous=last.digest,
        )
        content = parquet_bytes(frame, segment_meta(unnamed))
        segment = replace(unnamed, digest=hashlib.sha256(content).hexdigest())
        write_whole(self.folder / segment_name(segment), content, tmp=self.data_dir / "tmp")
        self._point_at(RegistryHead(sequence=segment.sequence, digest=segment.digest))
        return segment

    def _stored_already(self, name: Named, frame: pl.DataFrame) -> Segment:
        content = _whole(name)
        if not frame_from_parquet(content, path=name.path).equals(frame):
            raise BadInput(
                f"batch {name.batch_index} of this search is stored with other trials",
                where=Where(file=str(name.path)),
                next_step="The same search gave other trials: run it again with another seed, and report this",
            )
        return segment_of(content, name)

    def _settle_head(self, names: Sequence[Named]) -> None:
        """Moves the head over the one segment that a killed writer had stored and not pointed at yet."""
        head, last = self.head(), names[-1] if names else None
        if last is None and head == BEFORE_FIRST:
            return
        self._check_head(names, head)
        assert last is not None, "a head without segments is a fault"
        found = segment_of(_whole(last), last)
        if last.sequence == head.sequence + 1:
            self._point_at(RegistryHead(sequence=found.sequence, digest=found.digest))

    def _point_at(self, head: RegistryHead) -> None:
        write_whole(self.folder / "head.json", head_bytes(head), tmp=self.data_dir / "tmp")

    @contextmanager
    def _locked(self) -> Generator[None, None, None]:
        make_folder(self.folder)
        path = self.folder / ".lock"
        lock = filelock.FileLock(path, timeout=LOCK_TIMEOUT_S)
        try:
            with store_faults(path, "lock"):
                _ = lock.acquire()
        except filelock.Timeout as error:
            where = Where(file=str(path))
            raise StoreFault("the trial registry is being written by another process", where=where) from error
        try:
            yield
        finally:
            lock.release()

    # --- reading

    @property
    def folder(self) -> Path:
        """Where the segments are."""
        return self.data_dir / FOLDER

    def head(self) -> RegistryHead:
        """The last segment as the registry's pointer says; sequence 0 while nothing is stored."""
        path = self.folder / "head.json"
        content = read_if_present(path)
        return BEFORE_FIRST if content is None else head_of(content, path)

    def segments(self) -> list[Segment]:
        """Every segment in order, each verified: bytes, schema and the chain.

        Raises:
            StoreFault: see `verify`.
        """
        return [segment for segment, _ in self._verified()]

    def frame(self, data_digest: str | None = None) -> pl.DataFrame:
        """Every stored trial as a frame (columns of `trial_rows.SCHEMA`), oldest first; errors as `verify`."""
        frames = [pl.DataFrame(schema=SCHEMA), *(frame for _, frame in self._verified())]
        found = pl.concat(frames)
        return found if data_digest is None else found.filter(pl.col("data_digest") == data_digest)

    def trials(self, search_id: str | None = None, data_digest: str | None = None) -> list[Trial]:
        """Stored trials, oldest first: all, those of one search, those on one data; errors as `verify`."""
        return [
            trial
            for segment, frame in self._verified()
            if search_id in (None, segment.search_id)
            for trial in trials_of_frame(frame, path=self.folder / segment_name(segment))
            if data_digest in (None, trial.data_digest)
        ]

    def batches(self, search_id: str) -> list[list[Trial]]:
        """The stored batches of a search in order, to go on after them; none when it is new. Errors as `verify`."""
        return [
            trials_of_frame(frame, path=self.folder / segment_name(segment))
            for segment, frame in self._verified()
            if segment.search_id == search_id
        ]

    def trials_count(self, data_digest: str) -> int:
        """Distinct trials over all searches on this data, those by hand, aborted ones and neighbours included."""
        return self.frame(data_digest).get_column("trial_id").n_unique()

    def sharpes(self, data_digest: str) -> Float64s:
        """Sharpe ratio per round trip of each distinct trial on this data, in order of trial id, shape `(n_trials,)`.

        NaN for a trial without one. A trial that is stored more than once has the figure of its longest span.
        """
        return sharpes_of(self.frame(data_digest))

    def verify(self) -> RegistryHead:
        """Reads everything and returns the head that holds for it.

        Raises:
            StoreFault: a changed byte, a missing, doubled or reordered segment, another schema, a row that is no trial,
                or an end that the head does not name; names file, and row and field where there is one.
        """
        reached = BEFORE_FIRST
        for segment, frame in self._verified():
            path = self.folder / segment_name(segment)
            for row, trial in enumerate(trials_of_frame(frame, path=path)):
                if trial.search_id != segment.search_id:
                    where = Where(file=str(path), row=row, field="search_id")
                    raise StoreFault("a trial of another search", where=where, next_step=RESTORE)
            reached = RegistryHead(sequence=segment.sequence, digest=segment.digest)
        return reached

    def _verified(self) -> Iterator[tuple[Segment, pl.DataFrame]]:
        head = self.head()  # before the names: a writer adds a segment first and points at it then
        names = self._names()
        self._check_head(names, head)
        previous = BEFORE_FIRST.digest
        counts: dict[str, int] = {}
        for name in names:
            content = _whole(name)
            segment = segment_of(content, name)
            where = Where(file=str(name.path))
            if segment.previous != previous:
                raise StoreFault("a segment does not follow the one before it", where=where, next_step=RESTORE)
            if segment.batch_index != counts.get(segment.search_id, 0):
                raise StoreFault("a batch of a search is out of turn", where=where, next_step=RESTORE)
            frame = frame_from_parquet(content, path=name.path)
            check_columns(frame, path=name.path)
            previous, counts[segment.search_id] = segment.digest, segment.batch_index + 1
            yield segment, frame

    def _names(self) -> list[Named]:
        with store_faults(self.folder, "list"):
            paths = list(self.folder.glob("*.parquet")) if self.folder.exists() else []
        names = sorted((named(path) for path in paths), key=lambda name: (name.sequence, name.digest))
        for sequence, name in enumerate(names, start=1):
            if name.sequence != sequence:
                what = f"segment {sequence} of the trial registry is " + (
                    "missing" if name.sequence > sequence else "there twice"
                )
                raise StoreFault(what, where=Where(file=str(name.path)), next_step=RESTORE)
        return names

    def _check_head(self, names: Sequence[Named], head: RegistryHead) -> None:
        where = Where(file=str(self.folder / "head.json"))
        if head.sequence > len(names):
            what = f"the trial registry ends at segment {len(names)}, its head says {head.sequence}"
            raise StoreFault(what, where=where, next_step=RESTORE)
        if len(names) > head.sequence + 1 and len(names) > self.head().sequence + 1:
            # Asked again: a writer may have stored more since the head was read, and is one ahead of it at most.
            raise StoreFault("the head of the trial registry is gone or an old one", where=where, next_step=RESTORE)
        if head.sequence and names[head.sequence - 1].digest != head.digest:
            what = f"segment {head.sequence} of the trial registry is not the one its head names"
            raise StoreFault(what, where=where, next_step=RESTORE)


def _whole(name: Named) -> bytes:
    content = read_if_present(name.path)
    if content is None or hashlib.sha256(content).hexdigest() != name.digest:
        where = Where(file=str(name.path))
        raise StoreFault("a segment of the trial registry was changed", where=where, next_step=RESTORE)
    return content


def sharpes_of(trials: pl.DataFrame) -> Float64s:
    """See `TrialRegistry.sharpes`; `trials` are rows of one data."""
    stored = trials.select("trial_id", "signals_count", "sharpe")
    longest = stored.sort("signals_count", maintain_order=True).unique("trial_id", keep="last")
    found = longest.sort("trial_id").get_column("sharpe").fill_null(float("nan"))
    return found.to_numpy().astype(np.float64)
