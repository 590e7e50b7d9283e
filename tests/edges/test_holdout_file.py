"""The holdout ledger on disk: every edit, deletion and cut is seen, a crash loses nothing that was promised."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from copytrade_core.edges.atomic_files import CANCELLED
from copytrade_core.edges.holdout_file import ASSET, PARTITION, HoldoutFile
from copytrade_core.edges.lake import Lake
from copytrade_core.model.errors import PromotionRefused, StoreFault
from copytrade_core.promotion.holdout_ledger import Holdout, Opened, line_of, may_open, next_entry

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def ledger(root: Path) -> HoldoutFile:
    return HoldoutFile(Lake(root, now=lambda: NOW), "0.1.0+abc")


def opened(first: int, candidate: str = "a", lead: str = "1") -> Opened:
    return Opened(
        at=NOW,
        by="ann",
        holdout=Holdout(
            lead_id=lead,
            split_digest="s" * 64,
            data_digest="d" * 64,
            episode_ids=tuple(f"{lead}:{first + number}" for number in range(3)),
            first_signal_at_ms=first,
            last_signal_at_ms=first + 2,
        ),
        candidate=candidate * 64,
        policy="follow_lead",
        assumptions_digest="c" * 64,
        contract_digest="e" * 64,
        code_version="0.1.0+abc",
        evidence=(),
    )


@pytest.fixture
def filled(tmp_path: Path) -> HoldoutFile:
    file = ledger(tmp_path)
    for number in range(4):
        record = opened(10 * number)
        _ = file.append(lambda _entries, record=record: record)
    return file


def lines(file: HoldoutFile) -> list[bytes]:
    return file.path.read_bytes().splitlines(keepends=True)


def fault(file: HoldoutFile) -> StoreFault:
    with pytest.raises(StoreFault) as found:
        _ = file.entries()
    assert found.value.where.file == str(file.path)
    assert found.value.next_step
    before = file.path.read_bytes() if file.path.exists() else None
    with pytest.raises(StoreFault):
        _ = file.append(lambda _entries: opened(99))
    assert (file.path.read_bytes() if file.path.exists() else None) == before, "nothing is added to a broken ledger"
    return found.value


def test_a_ledger_that_does_not_exist_is_empty_and_is_not_created_by_asking(tmp_path):
    assert ledger(tmp_path / "data").entries() == ()
    assert not (tmp_path / "data").exists()


def test_what_was_recorded_is_there_in_order(filled):
    entries = filled.entries()
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4]
    assert [entry.record for entry in entries] == [opened(10 * number) for number in range(4)]


def test_an_entry_that_stands_already_is_not_written_again(filled):
    first = filled.entries()[0]
    before = filled.path.read_bytes()
    assert filled.append(lambda entries: entries[0]) == first
    assert filled.path.read_bytes() == before


@pytest.mark.parametrize("line", range(4))
def test_any_changed_byte_is_seen_with_its_line(filled, line):
    whole = lines(filled)
    for place in range(0, len(whole[line]) - 1, 17):
        bent = whole[line][:place] + bytes([whole[line][place] ^ 1]) + whole[line][place + 1 :]
        filled.path.write_bytes(b"".join([*whole[:line], bent, *whole[line + 1 :]]))
        with pytest.raises(StoreFault) as found:
            _ = filled.entries()
        assert found.value.where.row in {line + 1, line + 2}


@pytest.mark.parametrize("line", range(4))
def test_a_deleted_line_is_seen_the_last_one_too(filled, line):
    whole = lines(filled)
    filled.path.write_bytes(b"".join([*whole[:line], *whole[line + 1 :]]))
    assert fault(filled).where.row in {line + 1, line + 2}


@pytest.mark.parametrize("line", range(4))
def test_a_line_that_is_crossed_out_like_a_torn_one_is_seen(filled, line):
    whole = lines(filled)
    whole[line] = whole[line].rstrip(b"\n") + CANCELLED + b"\n"
    filled.path.write_bytes(b"".join(whole))
    _ = fault(filled)


def test_swapped_and_doubled_lines_are_seen(filled):
    one, two, three, four = lines(filled)
    for order in ((two, one, three, four), (one, one, two, three), (one, two, three, four, four)):
        filled.path.write_bytes(b"".join(order))
        _ = fault(filled)


def test_a_cut_tail_and_a_deleted_file_are_seen_by_what_the_store_knows(filled):
    whole = filled.path.read_bytes()
    filled.path.write_bytes(whole[:-40])
    assert "ends after entry 3, and the store knows of 4" in fault(filled).what
    filled.path.unlink()
    assert "ends after entry 0, and the store knows of 4" in fault(filled).what


def test_a_ledger_rewritten_from_some_entry_on_is_seen(filled):
    entries = filled.entries()
    chain = list(entries[:2])
    for number in (2, 3):
        chain.append(next_entry(chain, opened(10 * number, "b")))
    filled.path.write_bytes(b"".join(line_of(entry) + b"\n" for entry in chain))
    assert "is not the one that the store knows of" in fault(filled).what


def test_a_torn_last_line_was_never_promised_and_is_passed_over(filled):
    whole = filled.path.read_bytes()
    filled.path.write_bytes(whole + line_of(next_entry(filled.entries(), opened(80)))[:50])
    assert len(filled.entries()) == 4
    entry = filled.append(lambda _entries: opened(90))
    assert entry.sequence == 5
    assert [one.record for one in filled.entries()][-1] == opened(90)


def test_an_entry_that_was_written_and_not_told_to_the_store_stands(filled, tmp_path):
    """What a kill between the two writes leaves."""
    copy = tmp_path / "copy"
    shutil.copytree(filled.lake.root / "registry", copy / "registry")
    assert len(ledger(copy).entries()) == 4
    _ = ledger(copy).append(lambda entries: entries[-1])
    assert ledger(copy).lake.document(ASSET, PARTITION) == {"digest": filled.entries()[-1].digest, "entries_count": 4}


def test_a_refusal_records_nothing(filled):
    before = filled.path.read_bytes()
    with pytest.raises(PromotionRefused):
        _ = filled.append(lambda entries: opened(1, "b") if may_open(entries, opened(1, "b")) is None else entries[0])
    assert filled.path.read_bytes() == before


OPENER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_holdout_file import ledger, opened
from copytrade_core.model.errors import PromotionRefused
from copytrade_core.promotion.holdout_ledger import may_open

candidate = sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
won = 0
for first in range(0, 100, 10):
    def decide(entries, wanted=opened(first, candidate)):
        claim = may_open(entries, wanted)
        return wanted if claim is None else claim.opening
    try:
        ledger(Path(sys.argv[1])).append(decide)
        won += 1
    except PromotionRefused:
        pass
print(won, flush=True)
"""


def test_of_two_processes_that_open_the_same_holdouts_one_wins_each(tmp_path):
    here = str(Path(__file__).parent)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, str(tmp_path), name, here],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    won = [int(racer.communicate("go\n", timeout=60)[0]) for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0]
    entries = ledger(tmp_path).entries()
    records = [entry.record for entry in entries]
    firsts = {record.holdout.first_signal_at_ms for record in records if isinstance(record, Opened)}
    assert sum(won) == len(entries) == len(firsts) <= 10
