"""Files that grow by whole rows: JSON lines, and CSV with a header. One process writes, anybody reads.

A row is there whole or not at all: what a full disk or a crash cut short is cut off again. What a row says is not known
here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from copytrade_core.edges.atomic_files import make_folder, store_faults, sync_folder

TAIL_BYTES = 65_536
"""How much is looked at in one piece when the last newline is searched."""


class RowFile:
    """One growing file.

    Args:
        path: where; its folder is made with the first row.
        header: the first line of a new file, empty for none.
    """

    def __init__(self, path: Path, *, header: bytes = b"") -> None:
        assert b"\n" not in header, "a header is one line"
        self.path = path
        self._header = header
        self._is_checked = False

    def append(self, rows: Sequence[bytes]) -> None:
        """Adds rows with one write, durable on return: all of them or none.

        Raises:
            StoreFault: not writable or disk full; the file is as it was.
        """
        if not rows:
            return
        assert not any(b"\n" in row for row in rows), "a row is one line"
        if not self._is_checked:
            make_folder(self.path.parent)
        with store_faults(self.path, "append to"):
            is_new = not self._is_checked and not self.path.exists()
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                end = self._end(handle)
                head = self._header + b"\n" if self._header and not end else b""
                _write_or_undo(handle, end, head + b"\n".join(rows) + b"\n")
            finally:
                os.close(handle)
            if is_new:
                sync_folder(self.path.parent)
            self._is_checked = True

    def rows(self) -> list[bytes]:
        """Every whole row, without the header; none when there is no file.

        Raises:
            StoreFault: it exists and cannot be read.
        """
        return [row for _, row in numbered_rows(self.path, has_header=bool(self._header))]

    def _end(self, handle: int) -> int:
        """Where the next row begins; a row that a crash cut short is taken off first."""
        end = os.lseek(handle, 0, os.SEEK_END)
        whole = _after_last_newline(handle, end)
        if whole != end:
            os.ftruncate(handle, whole)
        return whole


def numbered_rows(path: Path, *, has_header: bool) -> list[tuple[int, bytes]]:
    """Every whole row with its line number from 1; a last line without its newline is left out.

    Raises:
        StoreFault: it exists and cannot be read.
    """
    with store_faults(path, "read"):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return []
    *lines, _torn = content.split(b"\n")
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line]
    return numbered[1:] if has_header else numbered


def _after_last_newline(handle: int, end: int) -> int:
    at = end
    while at > 0:
        start = max(0, at - TAIL_BYTES)
        found = os.pread(handle, at - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        at = start
    return 0


def _write_or_undo(handle: int, end: int, content: bytes) -> None:
    try:
        if os.pwrite(handle, content, end) != len(content):
            raise OSError(0, "only a part of the rows could be written")
        os.fsync(handle)
    except BaseException:
        with suppress(OSError):
            os.ftruncate(handle, end)
        raise
