"""What a killed writer leaves behind: unfinished temporary files and objects that no head ever named.

Superseded content is not garbage: the history of heads names it and it is kept.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from copytrade_core.edges.atomic_files import read_lines, store_faults

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from copytrade_core.edges.lake import Lake

DIGEST_IN_LOG = re.compile(rb'"digest":"([0-9a-f]{64})"')


def garbage(lake: Lake, *, older_than: timedelta) -> list[Path]:
    """Files that can go, sorted.

    Args:
        lake: the store.
        older_than: age by modification time; long enough that no living writer still needs the file (an hour).

    Raises:
        StoreFault: the store cannot be read.
    """
    with store_faults(lake.root, "list"):
        # Young files are left out first: a writer that commits meanwhile has touched its object.
        old = _older(lake, "tmp", older_than) + _older(lake, "objects", older_than)
    named = _named(lake)
    return sorted(path for path in old if path.parent.name == "tmp" or path.name.partition(".")[0] not in named)


def collect_garbage(lake: Lake, *, older_than: timedelta) -> list[Path]:
    """Removes `garbage` and returns what was removed."""
    removed = garbage(lake, older_than=older_than)
    for path in removed:
        with store_faults(path, "remove"), suppress(FileNotFoundError):
            path.unlink()
    return removed


def _older(lake: Lake, area: str, older_than: timedelta) -> list[Path]:
    limit_s = (lake.now() - older_than).timestamp()
    folder = lake.root / area
    if not folder.exists():
        return []
    return [path for path in folder.iterdir() if path.is_file() and path.stat().st_mtime < limit_s]


def _named(lake: Lake) -> set[str]:
    names: set[str] = set()
    for area in ("heads", "history"):
        for path in (lake.root / area).rglob("*.json*"):
            for line in read_lines(path):
                # A log line of any age counts, parents included only through their own logs.
                names.update(digest.decode() for digest in DIGEST_IN_LOG.findall(line))
    return names
