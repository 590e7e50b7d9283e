"""Files that are either whole or absent: temporary name, fsync, rename, fsync of the folder.

What the bytes mean does not belong here.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from copytrade_core.model.errors import StoreFault, Where

CANCELLED = b"\x18"
"""ASCII CANCEL: ends a line that a crash cut short, so that readers leave it out."""
NEXT_STEP = "Check the folder's permissions and free space, or set COPYTRADE_DATA_DIR to another folder"


@contextmanager
def store_faults(path: Path, doing: str) -> Generator[None, None, None]:
    """Turns an operating-system error into a `StoreFault` that names the path.

    Raises:
        StoreFault: for any OSError inside the block.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StoreFault(
            f"Cannot {doing} {path}: {reason}", where=Where(file=str(path)), next_step=NEXT_STEP
        ) from error


def make_folder(path: Path) -> None:
    """Creates a folder and its parents.

    Raises:
        StoreFault: it cannot be created, or a file is in the way.
    """
    with store_faults(path, "create the folder"):
        path.mkdir(parents=True, exist_ok=True)


def write_whole(path: Path, content: bytes, *, tmp: Path) -> None:
    """Writes a file so that a reader or a crash sees the old content or the new, never a part.

    Args:
        path: the final name; it is replaced when it exists.
        content: all bytes.
        tmp: folder for the temporary file, on the same file system as `path`.

    Raises:
        StoreFault: the folder is not writable or the disk is full; the temporary file is removed.
    """
    make_folder(tmp)
    make_folder(path.parent)
    part = tmp / f"{path.name[:80]}.{uuid4().hex}.part"
    try:
        with store_faults(path, "write"):
            _write_synced(part, content)
            part.replace(path)
            sync_folder(path.parent)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        written = file.write(content)
        assert written == len(content), "a buffered write is complete or raises"
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Makes a rename inside the folder durable; a no-op where folders cannot be opened (Windows)."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def append_line(path: Path, line: bytes) -> None:
    """Appends one line with a single write, durable on return.

    A crash can leave a last line without its newline; the next append marks it CANCELLED and `read_lines` skips it.

    Raises:
        StoreFault: not writable or disk full; what was there before is unchanged.
    """
    assert b"\n" not in line, "one line has no newline inside"
    with store_faults(path, "append to"):
        is_new = False
        try:
            handle = os.open(path, os.O_RDWR | os.O_APPEND)
        except FileNotFoundError:
            make_folder(path.parent)
            is_new = True
            handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            _append(handle, line)
        finally:
            os.close(handle)
        if is_new:
            sync_folder(path.parent)


def _append(handle: int, line: bytes) -> None:
    end = os.lseek(handle, 0, os.SEEK_END)
    torn = False
    if end:
        _ = os.lseek(handle, end - 1, os.SEEK_SET)
        torn = os.read(handle, 1) != b"\n"
    content = (CANCELLED + b"\n" if torn else b"") + line + b"\n"
    written = os.write(handle, content)
    os.fsync(handle)
    if written != len(content):
        raise OSError(0, "only a part of the line could be written")


def read_lines(path: Path) -> list[bytes]:
    """All whole lines of an append-only file; none when it does not exist. What a crash cut short is left out.

    Raises:
        StoreFault: it exists and cannot be read.
    """
    content = read_if_present(path)
    if content is None:
        return []
    *lines, _torn = content.split(b"\n")
    return [line for line in lines if line and not line.endswith(CANCELLED)]


def read_if_present(path: Path) -> bytes | None:
    """The bytes of a file, or None when there is none.

    Raises:
        StoreFault: it exists and cannot be read.
    """
    with store_faults(path, "read"):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
