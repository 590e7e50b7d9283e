"""The records of a paper account as an append-only file: one line for each commit, synced before it counts.

What the records mean is `session.paper_broker`'s.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from typing_extensions import override

from copytrade_core.edges.atomic_files import append_line, read_lines
from copytrade_core.model.errors import StoreFault, Where
from copytrade_core.session.paper_log import PaperLog

PAPER_ACCOUNT_FILE = "paper_account.jsonl"


class PaperAccountFile(PaperLog):
    """One account's file. A line that a crash cut short was never acknowledged and is left out.

    Args:
        path: `paper_account.jsonl` of the runtime directory; its folder is created.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @override
    def load(self) -> tuple[bytes, ...]:
        records: list[bytes] = []
        for number, line in enumerate(read_lines(self.path), start=1):
            try:
                records.extend(bytes(raw) for raw in msgspec.json.decode(line, type=list[msgspec.Raw]))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise StoreFault(
                    f"a line of the paper account cannot be read: {error}",
                    where=Where(file=str(self.path), row=number),
                    next_step="Start in an empty runtime directory; the account cannot be trusted",
                ) from error
        return tuple(records)

    @override
    def append(self, records: tuple[bytes, ...]) -> None:
        append_line(self.path, b"[" + b",".join(records) + b"]")
