"""What a killed writer leaves behind: unfinished temporary files and objects that no head ever named.

Superseded content is not garbage: the history of heads names it, so it is kept.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from copytrade_core.edges.atomic_files import read_lines, store_faults

DIGEST_IN_HEAD = re.compile(rb'"digest":"([0-9a-f]{64})"')


def garbage(root: Path, *, older_than_s: float) -> list[Path]:
    """Files that can go, sorted.

    Args:
        root: the data folder.
        older_than_s: only files last touched before this epoch time, so that a living writer loses nothing.

    Raises:
        StoreFault: the store cannot be read.
    """
    # Ages are read before heads: a writer that commits in between has touched its object and made it young.
    old_parts = [*_older(root / "tmp", older_than_s), *_older(root / "raw" / ".tmp", older_than_s)]
    old_objects = _older(root / "objects", older_than_s)
    named = _named(root)
    return sorted([*old_parts, *(path for path in old_objects if path.name.partition(".")[0] not in named)])


def collect_garbage(root: Path, *, older_than_s: float) -> list[Path]:
    """Removes `garbage` and returns what was removed; what was touched meanwhile stays."""
    removed: list[Path] = []
    for path in garbage(root, older_than_s=older_than_s):
        with store_faults(path, "remove"), suppress(FileNotFoundError):
            if path.stat().st_mtime < older_than_s:
                path.unlink()
                removed.append(path)
    return removed


def _older(folder: Path, older_than_s: float) -> list[Path]:
    with store_faults(folder, "list"):
        if not folder.exists():
            return []
        return [path for path in folder.iterdir() if path.is_file() and path.stat().st_mtime < older_than_s]


def _named(root: Path) -> set[str]:
    names: set[str] = set()
    for area in ("heads", "history"):
        for path in (root / area).rglob("*.json*"):
            for line in read_lines(path):
                names.update(digest.decode() for digest in DIGEST_IN_HEAD.findall(line))
    return names
