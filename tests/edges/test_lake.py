"""The store: equal input gives equal bytes, faults are named, and what is read is what was written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.edges.lake import Head, Kind, Lake
from copytrade_core.edges.tables import canonical_json, parquet_bytes
from copytrade_core.model.errors import BadInput, NotStored, StoreFault

NOON = datetime(2026, 5, 18, 12, tzinfo=UTC)
MARKET_MONTH = "BTC/USDT:USDT|5m|2026-01"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "data", now=lambda: NOON)


def frame(*values: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "value": values,
            "name": [None if value % 2 else f"n{value}" for value in values],
            "at": [NOON + timedelta(seconds=value) for value in values],
            "price": [Decimal(value) / 100 for value in values],
        },
        schema_overrides={"price": pl.Decimal(20, 2)},
    )


def put(lake: Lake, partition: str = MARKET_MONTH, *values: int, asset: str = "bars") -> Head:
    return lake.put_table(
        asset, partition, frame(*(values or (1, 2, 3))), schema_version=1, code_version="t", parents={}
    )


def put_document(lake: Lake, document: object, partition: str = "one") -> Head:
    return lake.put_document("notes", partition, document, schema_version=1, code_version="t", parents={})


def test_a_table_comes_back_as_it_was_stored(lake: Lake) -> None:
    head = put(lake)
    assert lake.table("bars", MARKET_MONTH).equals(frame(1, 2, 3), null_equal=True)
    assert lake.table("bars", MARKET_MONTH).schema == frame(1, 2).schema
    assert (head.rows, head.kind, head.created_at) == (3, Kind.PARQUET, NOON)
    assert lake.require("bars", MARKET_MONTH) == head
    assert lake.verified_bytes("bars", MARKET_MONTH, head.digest) == parquet_bytes(frame(1, 2, 3))


def test_a_document_comes_back_with_sorted_keys_and_typed(lake: Lake) -> None:
    head = put_document(lake, {"b": 1, "a": {"y": None, "x": "é"}})
    assert lake.verified_bytes("notes", "one", head.digest) == '{"a":{"x":"é","y":null},"b":1}\n'.encode()
    assert lake.document("notes", "one") == {"a": {"x": "é", "y": None}, "b": 1}
    with pytest.raises(StoreFault, match="another shape"):
        lake.document_as("notes", "one", dict[str, int])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1: {2, object()}}])
def test_a_document_without_a_json_form_is_refused(lake: Lake, value: object) -> None:
    with pytest.raises(BadInput, match="no JSON form"):
        put_document(lake, {"value": value})
    assert lake.assets() == []


def test_names_of_markets_are_escaped_and_listed_as_given(lake: Lake) -> None:
    put(lake, "ETH/USDT:USDT|5m|2026-01")
    put(lake)
    put(lake, "..")
    assert lake.partitions("bars") == ["..", MARKET_MONTH, "ETH/USDT:USDT|5m|2026-01"]
    assert min(path.name for path in (lake.root / "heads" / "bars").iterdir()) == "...json"
    assert lake.assets() == ["bars"]


@pytest.mark.parametrize(
    ("asset", "partition"), [("../bars", "x"), ("Bars", "x"), ("", "x"), ("bars", ""), ("bars", "x" * 300)]
)
def test_names_that_cannot_be_files_are_refused(lake: Lake, asset: str, partition: str) -> None:
    with pytest.raises(BadInput):
        put(lake, partition, asset=asset)
    assert not lake.root.exists()


def test_what_is_not_stored_says_what_to_do(lake: Lake) -> None:
    assert lake.head("bars", "x") is None
    assert lake.partitions("bars") == []
    with pytest.raises(NotStored, match="Make bars for this partition first"):
        lake.table("bars", "x")


def test_storing_the_same_again_changes_nothing(lake: Lake) -> None:
    first = put(lake)
    later = Lake(lake.root, now=lambda: NOON + timedelta(days=1))
    assert put(later) == first
    assert later.history("bars", MARKET_MONTH) == [first]


def test_history_keeps_every_head_and_its_bytes(lake: Lake) -> None:
    heads = [put(lake, MARKET_MONTH, *values) for values in ((1,), (1, 2), (1,))]
    assert lake.history("bars", MARKET_MONTH) == heads
    assert lake.collect_garbage(older_than=timedelta(days=-3650)) == []
    assert lake.verified_bytes("bars", MARKET_MONTH, heads[1].digest)


def test_a_line_of_the_log_that_a_crash_cut_short_is_left_out(lake: Lake) -> None:
    first = put(lake, MARKET_MONTH, 1)
    log = next((lake.root / "history" / "bars").iterdir())
    with log.open("ab") as file:
        file.write(b'{"asset":"ba')
    assert lake.history("bars", MARKET_MONTH) == [first]
    second = put(lake, MARKET_MONTH, 1, 2)
    assert lake.history("bars", MARKET_MONTH) == [first, second]
    assert b'{"asset":"ba' in log.read_bytes(), "the cut line stays as evidence of the crash"


def test_tampered_bytes_are_never_returned(lake: Lake) -> None:
    head = put(lake)
    path = lake.object_path(head.digest, head.kind)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreFault, match="were changed") as fault:
        lake.table("bars", MARKET_MONTH)
    assert fault.value.where.file == str(path)
    assert put(lake) == head
    assert lake.table("bars", MARKET_MONTH).height == 3, "writing the same again heals the object"


@pytest.mark.parametrize("digest", ["../../etc/passwd", "A" * 64, "", "0" * 63])
def test_a_digest_is_never_used_as_a_path(lake: Lake, digest: str) -> None:
    with pytest.raises(StoreFault, match="not a sha256"):
        lake.verified_bytes("bars", "x", digest)


def test_a_missing_object_and_a_foreign_head_are_faults(lake: Lake) -> None:
    head = put(lake)
    pointer = next((lake.root / "heads" / "bars").iterdir())
    lake.object_path(head.digest, head.kind).unlink()
    with pytest.raises(StoreFault, match="is missing"):
        lake.table("bars", MARKET_MONTH)
    pointer.rename(pointer.with_name("other.json"))
    with pytest.raises(StoreFault, match="not of bars other"):
        lake.head("bars", "other")
    (lake.root / "heads" / "bars" / "torn.json").write_bytes(b'{"asset":')
    with pytest.raises(StoreFault, match="cannot be read"):
        lake.head("bars", "torn")


def test_only_what_no_head_ever_named_is_garbage(lake: Lake) -> None:
    kept = put(lake)
    leftover = lake.root / "tmp" / "x.part"
    leftover.write_bytes(b"half")
    orphan = lake.object_path("0" * 64, Kind.JSON)
    orphan.write_bytes(b"{}")
    now = datetime.now(UTC)
    lake = Lake(lake.root, now=lambda: now)
    assert lake.garbage(older_than=timedelta(hours=1)) == [], "young files may belong to a living writer"
    lake = Lake(lake.root, now=lambda: now + timedelta(hours=2))
    assert lake.collect_garbage(older_than=timedelta(hours=1)) == sorted([leftover, orphan])
    assert lake.garbage(older_than=timedelta(hours=1)) == []
    assert lake.require("bars", MARKET_MONTH) == kept


@pytest.mark.parametrize("area", ["objects", "heads", "history", "tmp"])
def test_a_file_in_the_way_of_a_folder_is_a_store_fault_that_names_it(lake: Lake, area: str) -> None:
    lake.root.mkdir()
    (lake.root / area).write_bytes(b"")
    with pytest.raises(StoreFault, match=area) as fault:
        put(lake)
    assert fault.value.next_step
    assert "COPYTRADE_DATA_DIR" in fault.value.next_step


UNWRITABLE = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
import polars as pl
from copytrade_core.edges.lake import Lake
from copytrade_core.model.errors import StoreFault

root = Path(sys.argv[1])
root.mkdir(mode=0o700)
root.chmod(0o500)
if os.geteuid() == 0:
    os.seteuid(65534)  # root may write anywhere; nobody may not
try:
    Lake(root / "data", now=lambda: datetime(2026, 5, 18, tzinfo=UTC)).put_document(
        "notes", "x", {}, schema_version=1, code_version="t", parents={})
except StoreFault as fault:
    print("FAULT", fault.what)
"""


def test_an_unwritable_folder_is_a_store_fault(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", UNWRITABLE, str(tmp_path / "locked")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout.startswith("FAULT Cannot "), ran.stdout + ran.stderr
    assert "Permission denied" in ran.stdout


FULL_DISK = """
import resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
import polars as pl
from copytrade_core.edges.lake import Lake
from copytrade_core.model.errors import StoreFault

lake = Lake(Path(sys.argv[1]), now=lambda: datetime(2026, 5, 18, tzinfo=UTC))
def put(n):
    return lake.put_table("bars", "p", pl.DataFrame({"v": [hash((i, 7)) for i in range(n)]}),
                          schema_version=1, code_version="t", parents={})
put(10)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    put(100_000)
except StoreFault as fault:
    print("FAULT", fault.where.file)
"""


def test_a_full_disk_is_a_store_fault_and_leaves_the_old_content(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.startswith(f"FAULT {tmp_path / 'objects'}"), ran.stdout + ran.stderr
    lake = Lake(tmp_path, now=lambda: NOON)
    assert lake.table("bars", "p").height == 10
    assert list((tmp_path / "tmp").iterdir()) == []
    assert len(list((tmp_path / "objects").iterdir())) == 1


@given(st.lists(st.integers(min_value=-(2**63), max_value=2**63 - 1)), st.lists(st.text(max_size=5), max_size=20))
def test_equal_frames_give_equal_bytes_however_they_are_chunked(numbers: list[int], texts: list[str]) -> None:
    n = min(len(numbers), len(texts))
    made = pl.DataFrame({"n": numbers[:n], "t": texts[:n]}, schema={"n": pl.Int64, "t": pl.String})
    pieces = pl.concat([made.slice(0, n // 2), made.slice(n // 2)], rechunk=False)
    assert parquet_bytes(made) == parquet_bytes(pieces) == parquet_bytes(made.clone())


DIGEST_OF_A_FRAME = """
import hashlib, polars as pl
from copytrade_core.edges.tables import parquet_bytes
frame = pl.DataFrame({"i": range(200_000), "f": [i / 7 for i in range(200_000)],
                      "s": [f"s{i % 1000}" for i in range(200_000)]})
print(hashlib.sha256(parquet_bytes(frame)).hexdigest())
"""


def test_another_process_with_other_threads_and_hash_seed_gives_the_same_digest() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST_OF_A_FRAME],
            env={**os.environ, "POLARS_MAX_THREADS": threads, "PYTHONHASHSEED": threads},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout.strip()
        for threads in ("1", "2")
    }
    assert len(digests) == 1


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical_json({"a": 1, "b": [2]}) == canonical_json(json.loads('{"b": [2], "a": 1}'))
