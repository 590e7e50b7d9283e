"""The holdout ledger on disk: `<data_dir>/registry/holdout_ledger.jsonl`, one line per record, appended and synced.

What a record means and who may open what belongs to `promotion/holdout_ledger.py`. A changed, missing or moved line
breaks the chain. Lines cut off at the end, or the whole file, are missed because the store's `holdout_ledger` document
says how many there were; who also takes that document and its history back to an older state leaves no trace here, only
in evidence and backups made since.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import filelock

from copytrade_core.edges.atomic_files import CANCELLED, append_line, make_folder, read_if_present, store_faults
from copytrade_core.edges.lake import Lake
from copytrade_core.model.errors import StoreFault, Where
from copytrade_core.promotion.holdout_ledger import (
    BEFORE_FIRST,
    RESTORE,
    Entry,
    Finished,
    Opened,
    entry_of,
    line_of,
    next_entry,
    verify_chain,
)

ASSET, PARTITION = "holdout_ledger", "all"
SCHEMA_VERSION = 1
LOCK_TIMEOUT_S = 60.0
"""A writer holds the lock for one small write; a minute means that something is stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEnd:
    """How many entries there are and the digest of the last: the store's document about the ledger."""

    entries_count: int
    digest: str


@dataclass(frozen=True, slots=True)
class HoldoutFile:
    """The ledger of a store; nothing is created before the first record."""

    lake: Lake
    code_version: str

    @property
    def path(self) -> Path:
        """Where the lines are."""
        return self.lake.root / "registry" / "holdout_ledger.jsonl"

    def entries(self) -> tuple[Entry, ...]:
        """The whole verified ledger, oldest first.

        Raises:
            StoreFault: it cannot be read, a line was changed, moved, added or taken out, or its end is missing; names
                file and line.
        """
        end = self._end()  # before the file: a writer appends first and says so then
        found = self._read()
        if len(found) < end.entries_count:
            what = f"it ends after entry {len(found)}, and the store knows of {end.entries_count}"
            raise self._broken(what, len(found) + 1)
        if end.entries_count and found[end.entries_count - 1].digest != end.digest:
            raise self._broken("an entry is not the one that the store knows of", end.entries_count)
        return found

    def append(self, decide: Callable[[Sequence[Entry]], Opened | Finished | Entry]) -> Entry:
        """Asks `decide` what to record after the entries that are there, and records it; durable on return.

        Nobody else writes in between, so what `decide` allows is still true when it is recorded. An entry instead of a
        record says that it stands already: nothing is written.

        Raises:
            StoreFault: see `entries`; or the ledger cannot be written.
        """
        make_folder(self.path.parent)
        lock = filelock.FileLock(self.path.parent / ".holdout_ledger.lock", timeout=LOCK_TIMEOUT_S)
        try:
            with store_faults(self.path, "lock"):
                _ = lock.acquire()
        except filelock.Timeout as error:
            where = Where(file=str(self.path))
            raise StoreFault("the holdout ledger is being written by another process", where=where) from error
        try:
            entries = self.entries()
            decided = decide(entries)
            entry = decided if isinstance(decided, Entry) else self._append(entries, decided)
            self._say_end(entry if len(entries) < entry.sequence else entries[-1])
            return entry
        finally:
            lock.release()

    def _append(self, entries: Sequence[Entry], record: Opened | Finished) -> Entry:
        entry = next_entry(entries, record)
        append_line(self.path, line_of(entry))
        return entry

    def _read(self) -> tuple[Entry, ...]:
        content = read_if_present(self.path)
        # A line without its newline, and one that was marked for that, was never acknowledged.
        lines = list(enumerate((content or b"").split(b"\n")[:-1], start=1))
        whole = [(number, line) for number, line in lines if not line.endswith(CANCELLED)]
        number_of = {row: number for row, (number, _) in enumerate(whole, start=1)}
        try:
            entries = tuple(entry_of(line, row=row) for row, (_, line) in enumerate(whole, start=1))
            verify_chain(entries)
        except StoreFault as error:
            number = number_of.get(error.where.row or 0)
            where = Where(file=str(self.path), row=number, field=error.where.field)
            raise StoreFault(error.what, where=where, next_step=error.next_step) from error
        return entries

    def _end(self) -> LedgerEnd:
        if self.lake.head(ASSET, PARTITION) is None:
            return LedgerEnd(entries_count=0, digest=BEFORE_FIRST)
        return self.lake.document_as(ASSET, PARTITION, LedgerEnd)

    def _say_end(self, entry: Entry) -> None:
        _ = self.lake.put_document(
            ASSET,
            PARTITION,
            LedgerEnd(entries_count=entry.sequence, digest=entry.digest),
            schema_version=SCHEMA_VERSION,
            code_version=self.code_version,
            parents={},
        )

    def _broken(self, what: str, row: int) -> StoreFault:
        where = Where(file=str(self.path), row=row)
        return StoreFault(f"the holdout ledger is broken: {what}", where=where, next_step=RESTORE)
