"""The paper account's file: what was acknowledged is read back, whatever a crash left behind it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.edges.runtime.paper_account_file import PAPER_ACCOUNT_FILE, PaperAccountFile
from copytrade_core.model.errors import StoreFault

COMMITS = st.lists(st.lists(st.integers().map(msgspec.json.encode), min_size=1, max_size=3), min_size=1, max_size=5)


def kept(path: Path, commits: list[list[bytes]]) -> PaperAccountFile:
    account = PaperAccountFile(path)
    for records in commits:
        account.append(tuple(records))
    return account


@given(commits=COMMITS, data=st.data())
def test_a_line_cut_short_anywhere_was_never_acknowledged_and_the_account_goes_on(commits, data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / PAPER_ACCOUNT_FILE
        account = kept(path, commits)
        *before, last = path.read_bytes().splitlines(keepends=True)
        cut = data.draw(st.integers(min_value=0, max_value=len(last) - 1), label="bytes of the last line that are left")
        _ = path.write_bytes(b"".join(before) + last[:cut])
        acknowledged = [record for records in commits[:-1] for record in records]
        assert list(account.load()) == acknowledged
        account.append((b"7",))
        assert list(account.load()) == [*acknowledged, b"7"]


def test_a_line_that_is_whole_and_no_record_stops_everything_by_file_and_row(tmp_path):
    path = tmp_path / PAPER_ACCOUNT_FILE
    account = kept(path, [[b"1"], [b"2"], [b"3"]])
    first, _, third = path.read_bytes().splitlines(keepends=True)
    _ = path.write_bytes(first + b"[2,\n" + third)
    with pytest.raises(StoreFault, match="cannot be read") as refused:
        account.load()
    assert (refused.value.where.file, refused.value.where.row) == (str(path), 2)
    assert path.read_bytes() == first + b"[2,\n" + third, "what is there is left as it is"
