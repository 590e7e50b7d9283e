"""One segment of the trial registry: what its name and its metadata say, and the pointer to the last one.

Reading, writing and chaining them belongs to `trial_registry.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

from copytrade_core.edges.tables import canonical_json, parquet_meta
from copytrade_core.edges.trial_rows import SCHEMA_VERSION
from copytrade_core.model.errors import StoreFault, Where

NAME = re.compile(r"(\d{8})\.([0-9a-f]{16})\.(\d{6})\.([0-9a-f]{64})\.parquet", re.ASCII)
SEARCH_CHARACTERS = 16
"""How much of a search id is in a name; the whole of it is in the metadata."""
OTHER_SCHEMA = "Use the version of copytrade that wrote it, or set COPYTRADE_DATA_DIR to another folder"
RESTORE = "Bring registry/trials back from a backup; never delete a single segment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One batch of one search. `sequence` counts from 1 without a gap; `previous` is the digest of the one before it.

    `digest` is the sha256 of the file's bytes.
    """

    sequence: int
    search_id: str
    batch_index: int
    rows: int
    digest: str
    previous: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a segment's name alone says; `search` is the beginning of the search id."""

    sequence: int
    search: str
    batch_index: int
    digest: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryHead:
    """The last segment: how many there are, and its digest."""

    sequence: int
    digest: str


BEFORE_FIRST = RegistryHead(sequence=0, digest="0" * 64)
"""What the first segment names as the one before it."""


def segment_name(segment: Segment) -> str:
    """The file's name."""
    search = segment.search_id[:SEARCH_CHARACTERS]
    return f"{segment.sequence:08d}.{search}.{segment.batch_index:06d}.{segment.digest}.parquet"


def named(path: Path) -> Named:
    """What the name of a file says.

    Raises:
        StoreFault: it is not the name of a segment.
    """
    found = NAME.fullmatch(path.name)
    if found is None:
        raise StoreFault("a file in the trial registry is no segment of it", where=Where(file=str(path)))
    sequence, search, batch_index, digest = found.groups()
    return Named(sequence=int(sequence), search=search, batch_index=int(batch_index), digest=digest, path=path)


def segment_meta(segment: Segment) -> dict[str, str]:
    """The file's metadata: everything but its own digest."""
    return {
        "schema_version": str(SCHEMA_VERSION),
        "sequence": str(segment.sequence),
        "search_id": segment.search_id,
        "batch_index": str(segment.batch_index),
        "rows": str(segment.rows),
        "previous": segment.previous,
    }


def segment_of(content: bytes, name: Named) -> Segment:
    """The segment that whole bytes are; name and metadata must agree.

    Raises:
        StoreFault: another schema, or metadata that differ from the name; names file and field.
    """
    meta = parquet_meta(content, path=name.path)
    version = meta.get("schema_version")
    if version != str(SCHEMA_VERSION):
        raise StoreFault(
            f"this trial registry has schema {version}, this program reads {SCHEMA_VERSION}; nothing was changed",
            where=Where(file=str(name.path), field="schema_version"),
            next_step=OTHER_SCHEMA,
        )
    try:
        found = Segment(
            sequence=int(meta["sequence"]),
            search_id=meta["search_id"],
            batch_index=int(meta["batch_index"]),
            rows=int(meta["rows"]),
            digest=name.digest,
            previous=meta["previous"],
        )
    except (KeyError, ValueError) as error:
        where = Where(file=str(name.path), field=str(error))
        raise StoreFault("the metadata of a segment cannot be read", where=where, next_step=RESTORE) from error
    if segment_name(found) != name.path.name:
        raise StoreFault("name and metadata of a segment differ", where=Where(file=str(name.path)), next_step=RESTORE)
    return found


def head_bytes(segment: RegistryHead) -> bytes:
    """The pointer file."""
    return canonical_json(segment)


def head_of(content: bytes, path: Path) -> RegistryHead:
    """The pointer in a file's bytes.

    Raises:
        StoreFault: it is no pointer.
    """
    try:
        return msgspec.json.decode(content, type=RegistryHead)
    except msgspec.MsgspecError as error:
        where = Where(file=str(path))
        raise StoreFault(f"the head of the trial registry: {error}", where=where, next_step=RESTORE) from error
