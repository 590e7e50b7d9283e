"""The head of a partition: a small pointer that says which object is current and what it was made from.

Where heads are kept does not belong here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import msgspec

from copytrade_core.edges.tables import canonical_json
from copytrade_core.model.errors import StoreFault, Where

DIGEST = re.compile(r"[0-9a-f]{64}")


class Kind(StrEnum):
    """How an object is written."""

    PARQUET = "parquet"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What one partition of one asset is now.

    `digest` is the sha256 of the object's bytes; `parents` maps `asset/partition` (or any input's name) to the digest
    that was read; `rows` counts table rows or list entries, 1 for any other document.
    """

    asset: str
    partition: str
    digest: str
    kind: Kind
    schema_version: int
    rows: int
    code_version: str
    parents: dict[str, str]
    created_at: datetime
    metadata: dict[str, object] = field(default_factory=dict[str, object])

    def says_the_same_as(self, other: Head) -> bool:
        """Equal in everything but the time it was made."""
        return _without_time(self) == _without_time(other)


def _without_time(head: Head) -> tuple[object, ...]:
    return (
        head.asset,
        head.partition,
        head.digest,
        head.kind,
        head.schema_version,
        head.rows,
        head.code_version,
        head.parents,
        canonical_json(head.metadata),
    )


def head_from(content: bytes, path: Path, asset: str, partition: str) -> Head:
    """The head in a pointer file or a line of the log.

    Raises:
        StoreFault: not a head, or the head of another partition; names `path`.
    """
    try:
        head = msgspec.json.decode(content, type=Head)
    except msgspec.MsgspecError as error:
        raise StoreFault(f"The head cannot be read: {error}", where=Where(file=str(path))) from error
    if (head.asset, head.partition) != (asset, partition) or not DIGEST.fullmatch(head.digest):
        raise StoreFault(f"The head is not of {asset} {partition}", where=Where(file=str(path)))
    return head
