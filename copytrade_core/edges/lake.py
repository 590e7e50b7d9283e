"""The store: immutable objects named by their digest, and one small pointer (head) per partition.

Truth is in the objects; a head only names one. Readers never see half a write: an object is complete before its head
names it. What the tables mean does not belong here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, unquote

import filelock
import msgspec
import polars as pl

from copytrade_core.edges import lake_garbage
from copytrade_core.edges.atomic_files import (
    append_line,
    make_folder,
    read_if_present,
    read_lines,
    store_faults,
    write_whole,
)
from copytrade_core.edges.lake_head import DIGEST, Head, Kind, head_from
from copytrade_core.edges.tables import canonical_json, frame_from_parquet, parquet_bytes
from copytrade_core.model.errors import BadInput, NotStored, StoreFault, Where

__all__ = ["Head", "Kind", "Lake"]

T = TypeVar("T")

ASSET_NAME = re.compile(r"[a-z][a-z0-9_]{0,79}")
FILE_NAME_MAX = 200
LOCK_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Lake:
    """The store under one folder.

    Args:
        root: the data folder; created at the first write.
        now: the clock, for `Head.created_at` only.
    """

    root: Path
    now: Callable[[], datetime] = field(kw_only=True)

    # --- writing

    def put_table(
        self,
        asset: str,
        partition: str,
        frame: pl.DataFrame,
        *,
        schema_version: int,
        code_version: str,
        parents: Mapping[str, str],
        metadata: Mapping[str, object] | None = None,
    ) -> Head:
        """Stores a frame as the partition's current content and returns its head.

        Storing the same again changes nothing and returns the head that is there.

        Raises:
            BadInput: an asset or partition name that cannot be a file name, metadata without a JSON form.
            StoreFault: the store cannot be written; the old content stays.
        """
        content = parquet_bytes(frame)
        return self._put(
            Head(
                asset=asset,
                partition=partition,
                digest=hashlib.sha256(content).hexdigest(),
                kind=Kind.PARQUET,
                schema_version=schema_version,
                rows=frame.height,
                code_version=code_version,
                parents=dict(parents),
                created_at=self.now(),
                metadata=dict(metadata or {}),
            ),
            content,
        )

    def put_document(
        self,
        asset: str,
        partition: str,
        document: object,
        *,
        schema_version: int,
        code_version: str,
        parents: Mapping[str, str],
        metadata: Mapping[str, object] | None = None,
    ) -> Head:
        """Stores a document as canonical JSON; otherwise as `put_table`."""
        content = canonical_json(document)
        return self._put(
            Head(
                asset=asset,
                partition=partition,
                digest=hashlib.sha256(content).hexdigest(),
                kind=Kind.JSON,
                schema_version=schema_version,
                rows=len(document) if isinstance(document, (list, tuple)) else 1,  # pyright: ignore[reportUnknownArgumentType]
                code_version=code_version,
                parents=dict(parents),
                created_at=self.now(),
                metadata=dict(metadata or {}),
            ),
            content,
        )

    def _put(self, head: Head, content: bytes) -> Head:
        path = self._pointer_path("heads", head.asset, head.partition, ".json")
        encoded = canonical_json(head)
        self._put_object(head.digest, head.kind, content)
        current = self.head(head.asset, head.partition)
        if current is not None and current.says_the_same_as(head):
            return current
        # The log first: whatever was ever a head is in the log, also after a crash between the two writes.
        append_line(self._pointer_path("history", head.asset, head.partition, ".jsonl"), encoded.rstrip(b"\n"))
        write_whole(path, encoded, tmp=self.root / "tmp")
        return head

    def _put_object(self, digest: str, kind: Kind, content: bytes) -> None:
        path = self.object_path(digest, kind)
        if read_if_present(path) == content:
            with store_faults(path, "touch"):
                path.touch()  # garbage collection goes by age, so an object in use again is young again
            return
        write_whole(path, content, tmp=self.root / "tmp")

    @contextmanager
    def locked(self, asset: str, partition: str) -> Generator[None, None, None]:
        """Holds the partition for a read-then-write, against other processes too. Plain reads need no lock.

        Raises:
            StoreFault: another process held it for LOCK_TIMEOUT_S, or the lock file cannot be made.
        """
        path = self._pointer_path("locks", asset, partition, ".lock")
        make_folder(path.parent)
        lock = filelock.FileLock(path, timeout=LOCK_TIMEOUT_S)
        try:
            with store_faults(path, "lock"):
                _ = lock.acquire()
        except filelock.Timeout as error:
            raise StoreFault(f"{asset} {partition} is being written by another process", where=_at(path)) from error
        try:
            yield
        finally:
            lock.release()

    # --- reading

    def head(self, asset: str, partition: str) -> Head | None:
        """The partition's head, or None when nothing is stored.

        Raises:
            StoreFault: the head is there and cannot be read.
        """
        path = self._pointer_path("heads", asset, partition, ".json")
        content = read_if_present(path)
        return None if content is None else head_from(content, path, asset, partition)

    def require(self, asset: str, partition: str) -> Head:
        """The partition's head.

        Raises:
            NotStored: nothing is stored there.
            StoreFault: the head cannot be read.
        """
        found = self.head(asset, partition)
        if found is None:
            raise NotStored(
                f"{asset} {partition} is not stored in {self.root}",
                next_step=f"Make {asset} for this partition first, or check COPYTRADE_DATA_DIR",
            )
        return found

    def table(self, asset: str, partition: str) -> pl.DataFrame:
        """The stored frame, its bytes verified against the head's digest.

        Raises:
            NotStored: nothing is stored there.
            StoreFault: bytes and digest differ, or it is a document.
        """
        head = self.require(asset, partition)
        path = self.object_path(head.digest, Kind.PARQUET)
        return frame_from_parquet(self.verified_bytes(asset, partition, head.digest), path=path)

    def document(self, asset: str, partition: str) -> object:
        """The stored document as plain JSON values; errors as `table`."""
        return self.document_as(asset, partition, object)

    def document_as(self, asset: str, partition: str, shape: type[T]) -> T:
        """The stored document as a typed value (a dataclass, `dict[str, int]` ...); errors as `table`.

        Raises:
            StoreFault: also when the stored document does not have this shape.
        """
        head = self.require(asset, partition)
        content = self.verified_bytes(asset, partition, head.digest)
        try:
            return msgspec.json.decode(content, type=shape)
        except msgspec.MsgspecError as error:
            path = self.object_path(head.digest, head.kind)
            raise StoreFault(f"{asset} {partition} has another shape: {error}", where=_at(path)) from error

    def verified_bytes(self, asset: str, partition: str, digest: str) -> bytes:
        """The object's bytes, re-hashed. The path comes from root and digest only.

        Args:
            asset: for the error text.
            partition: for the error text.
            digest: sha256 in lower-case hex, of the current or any earlier content.

        Raises:
            StoreFault: no such object, or the bytes have another digest.
        """
        if not DIGEST.fullmatch(digest):
            raise StoreFault(f"{asset} {partition}: {digest[:80]!r} is not a sha256 digest")
        for kind in Kind:
            path = self.object_path(digest, kind)
            content = read_if_present(path)
            if content is None:
                continue
            if hashlib.sha256(content).hexdigest() != digest:
                raise StoreFault(f"{asset} {partition}: the stored bytes were changed", where=_at(path))
            return content
        raise StoreFault(
            f"{asset} {partition}: object {digest} is missing", where=Where(file=str(self.root / "objects"))
        )

    def history(self, asset: str, partition: str) -> list[Head]:
        """Every head the partition was given, oldest first; the last may have lost against a crash or another writer.

        Raises:
            StoreFault: the log cannot be read.
        """
        path = self._pointer_path("history", asset, partition, ".jsonl")
        return [head_from(line, path, asset, partition) for line in read_lines(path)]

    def assets(self) -> list[str]:
        """Names of assets that have a partition, sorted."""
        folder = self.root / "heads"
        with store_faults(folder, "list"):
            found = [path.name for path in folder.iterdir() if path.is_dir()] if folder.exists() else []
        return sorted(name for name in found if self.partitions(name))

    def partitions(self, asset: str) -> list[str]:
        """Stored partitions of an asset, sorted; none when it has none."""
        folder = self.root / "heads" / _asset_name(asset)
        with store_faults(folder, "list"):
            found = list(folder.glob("*.json")) if folder.exists() else []
        return sorted(unquote(path.name.removesuffix(".json")) for path in found)

    def object_path(self, digest: str, kind: Kind) -> Path:
        """Where the object of a digest is."""
        return self.root / "objects" / f"{digest}.{kind.value}"

    # --- upkeep

    def garbage(self, *, older_than: timedelta) -> list[Path]:
        """Files a killed writer left, older than an age (an hour is safe); see `lake_garbage`."""
        return lake_garbage.garbage(self.root, older_than_s=(self.now() - older_than).timestamp())

    def collect_garbage(self, *, older_than: timedelta) -> list[Path]:
        """Removes `garbage` and returns what was removed."""
        return lake_garbage.collect_garbage(self.root, older_than_s=(self.now() - older_than).timestamp())

    def _pointer_path(self, area: str, asset: str, partition: str, suffix: str) -> Path:
        name = quote(partition, safe="")
        if not name or len(name) > FILE_NAME_MAX:
            raise BadInput(f"{partition!r} cannot be a partition name", where=Where(field="partition"))
        return self.root / area / _asset_name(asset) / f"{name}{suffix}"


def _asset_name(asset: str) -> str:
    if not ASSET_NAME.fullmatch(asset):
        raise BadInput(f"{asset!r} cannot be an asset name", where=Where(field="asset"))
    return asset


def _at(path: Path) -> Where:
    return Where(file=str(path))
