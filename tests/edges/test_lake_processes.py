"""The store under several processes and under kill -9."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from copytrade_core.edges.lake import Lake

WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
import polars as pl
from copytrade_core.edges.lake import Lake

root, first, count, same = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "same"
lake = Lake(root, now=lambda: datetime.now(UTC))
print("ready", flush=True)
for n in range(first, first + count):
    partition = "shared" if same else f"p{n % 1000}"
    frame = pl.DataFrame({"n": [n] * 5000, "i": range(5000)})
    lake.put_table("bars", partition, frame, schema_version=1, code_version="t", parents={"n": str(n)})
"""


def start(root: Path, first: int, count: int, mode: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root), str(first), str(count), mode], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def reader(root: Path) -> Lake:
    return Lake(root, now=lambda: datetime.now(UTC) + timedelta(days=1))


def whole_value(lake: Lake, partition: str) -> int:
    """The `n` of a partition, after proving that its rows belong to one write."""
    table = lake.table("bars", partition)
    assert table.height == 5000
    assert table["n"].n_unique() == 1
    return int(table["n"][0])


def test_eight_kills_in_a_write_loop_leave_no_torn_read_and_a_rerun_is_equal(tmp_path: Path) -> None:
    moments = random.Random(7)
    for _attempt in range(8):
        process = start(tmp_path, 0, 10**9, "disjoint")
        time.sleep(moments.uniform(0.005, 0.15))
        process.kill()
        assert process.wait(timeout=30) == -9
        assert process.stdout is not None
        process.stdout.close()
        lake = reader(tmp_path)
        for partition in lake.partitions("bars"):
            assert whole_value(lake, partition) % 1000 == int(partition[1:])
            assert lake.history("bars", partition)
    lake = reader(tmp_path)
    stored = {name: lake.require("bars", name).digest for name in lake.partitions("bars")}
    assert stored
    lake.collect_garbage(older_than=timedelta(hours=1))
    assert list((tmp_path / "tmp").iterdir()) == []
    rerun = tmp_path / "rerun"
    process = start(rerun, 0, len(stored), "disjoint")
    assert process.wait(timeout=60) == 0
    assert process.stdout is not None
    process.stdout.close()
    again = reader(rerun)
    assert {name: again.require("bars", name).digest for name in again.partitions("bars")} == {
        name: digest for name, digest in stored.items() if name in again.partitions("bars")
    }
    assert len(again.partitions("bars")) == len(stored)


def run_all(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        assert process.wait(timeout=60) == 0
        assert process.stdout is not None
        process.stdout.close()


def test_four_processes_with_twenty_disjoint_writes_each_all_land(tmp_path: Path) -> None:
    run_all([start(tmp_path, 20 * k, 20, "disjoint") for k in range(4)])
    lake = reader(tmp_path)
    assert {whole_value(lake, name) for name in lake.partitions("bars")} == set(range(80))


def test_of_two_writers_of_one_partition_one_wins_and_nothing_is_corrupt(tmp_path: Path) -> None:
    writers = [start(tmp_path, first, 40, "same") for first in (100, 200)]
    lake = reader(tmp_path)
    seen: set[int] = set()
    while any(writer.poll() is None for writer in writers):
        if lake.head("bars", "shared") is not None:
            seen.add(whole_value(lake, "shared"))
    run_all(writers)
    assert whole_value(lake, "shared") in {139, 239}
    history = [int(head.parents["n"]) for head in lake.history("bars", "shared")]
    assert sorted(history) == [*range(100, 140), *range(200, 240)], "no entry of the log was lost"
    assert seen
    assert seen <= set(history)
