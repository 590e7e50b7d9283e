"""The trial registry: what goes in comes out, and whatever happens to the files is seen."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copytrade_core.edges.tables import parquet_bytes, parquet_meta
from copytrade_core.edges.trial_registry import TrialRegistry
from copytrade_core.edges.trial_rows import SCHEMA
from copytrade_core.edges.trial_segment import segment_name
from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import BadInput, StoreFault
from copytrade_core.model.trial import Trial, TrialMetrics, TrialOrigin, TrialStatus, trial_id_of

DATA, SEARCH, OTHER = digest_of("data"), digest_of("search"), digest_of("other search")


def trial(number: int, *, search_id: str = SEARCH, data: str = DATA, **changes) -> Trial:
    metrics = TrialMetrics(
        trades_count=number,
        net_pnl_usdt=0.1 * number,
        sharpe=None if number % 5 == 0 else 0.01 * number,
        profit_factor=None,
        drawdown_marked_ratio=0.05,
        peak_gross_usdt=100.0,
        objective=1 / 3,
    )
    whole = Trial(
        trial_id=trial_id_of(data_digest=data, assumptions_digest="a", policy_digest=str(number)),
        search_id=search_id,
        number=number,
        origin=TrialOrigin.QMC,
        status=TrialStatus.PRUNED if number % 3 == 0 else TrialStatus.COMPLETE,
        reasons=("drawdown", "too few trades") if number % 3 == 0 else (),
        signals_count=34,
        parameters=(("ladder.step_1", "0.0035"), ("exit.ttl_s", "3600")),
        policy_digest=str(number),
        data_digest=data,
        assumptions_digest="a",
        space_digest="s",
        seed=1,
        code_version="0.1.0+abc",
        fill_hash="-123",
        metrics=metrics if number % 7 else None,
    )
    return replace(whole, **changes)


def filled(root: Path, batches: int = 4, size: int = 5) -> TrialRegistry:
    registry = TrialRegistry(root)
    for index in range(batches):
        _ = registry.append([trial(index * size + n + 1) for n in range(size)], SEARCH, index)
    return registry


def paths(registry: TrialRegistry) -> list[Path]:
    return sorted(registry.folder.glob("*.parquet"))


def content(registry: TrialRegistry) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in registry.folder.iterdir() if path.name != ".lock"}


texts = st.text(st.characters(codec="utf-8"), max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False)
trials = st.builds(
    Trial,
    trial_id=st.integers(0, 20).map(digest_of),
    search_id=st.just(SEARCH),
    number=st.integers(0, 2**62),
    origin=st.sampled_from(TrialOrigin),
    status=st.sampled_from(TrialStatus),
    reasons=st.lists(texts, max_size=3).map(tuple),
    signals_count=st.integers(0, 10**6),
    parameters=st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
    policy_digest=texts,
    data_digest=st.sampled_from([DATA, digest_of("elsewhere")]),
    assumptions_digest=texts,
    space_digest=texts,
    seed=st.integers(-(2**62), 2**62),
    code_version=texts,
    fill_hash=texts,
    metrics=st.none()
    | st.builds(
        TrialMetrics,
        trades_count=st.integers(0, 10**9),
        net_pnl_usdt=numbers,
        sharpe=st.none() | numbers,
        profit_factor=st.none() | numbers,
        drawdown_marked_ratio=numbers,
        peak_gross_usdt=numbers,
        objective=st.none() | numbers,
    ),
)


@settings(max_examples=20, deadline=None)
@given(batches=st.lists(st.lists(trials, min_size=1, max_size=4), max_size=4))
def test_every_trial_comes_back_exactly_and_is_counted_once(tmp_path_factory, batches):
    registry = TrialRegistry(tmp_path_factory.mktemp("registry"))
    for index, batch in enumerate(batches):
        _ = registry.append(batch, SEARCH, index)
    assert registry.batches(SEARCH) == batches
    flat = [one for batch in batches for one in batch]
    assert registry.trials() == flat
    assert registry.trials(data_digest=DATA) == [one for one in flat if one.data_digest == DATA]
    assert registry.trials_count(DATA) == len({one.trial_id for one in flat if one.data_digest == DATA})
    assert len(registry.sharpes(DATA)) == registry.trials_count(DATA)
    assert registry.verify() == registry.head()


def test_a_registry_that_does_not_exist_yet_is_empty_and_is_not_created_by_asking(tmp_path):
    registry = TrialRegistry(tmp_path / "data")
    assert registry.trials() == []
    assert registry.batches(SEARCH) == []
    assert registry.trials_count(DATA) == 0
    assert registry.verify().sequence == 0
    assert registry.settle().sequence == 0
    assert not (tmp_path / "data").exists()


def test_the_same_batches_in_the_same_order_are_the_same_bytes(tmp_path):
    assert content(filled(tmp_path / "one")) == content(filled(tmp_path / "two"))


def test_no_clock_is_in_a_segment(tmp_path):
    registry = filled(tmp_path)
    assert not [name for name in SCHEMA if name.endswith(("_at", "_ms"))]
    meta = parquet_meta(paths(registry)[1].read_bytes(), path=paths(registry)[1])
    assert meta == {
        "schema_version": "1",
        "sequence": "2",
        "search_id": SEARCH,
        "batch_index": "1",
        "rows": "5",
        "previous": hashlib.sha256(paths(registry)[0].read_bytes()).hexdigest(),
    }


def test_a_batch_that_is_stored_already_is_no_second_one(tmp_path):
    registry = filled(tmp_path)
    before = content(registry)
    segment = registry.append([trial(6 + n) for n in range(5)], SEARCH, 1)
    assert segment == registry.segments()[1]
    assert content(registry) == before


def test_a_batch_that_is_stored_with_other_trials_is_refused(tmp_path):
    registry = filled(tmp_path)
    with pytest.raises(BadInput, match="stored with other trials"):
        _ = registry.append([trial(99)], SEARCH, 1)


@pytest.mark.parametrize("index", [5, 6, 100])
def test_batches_are_stored_in_turn(tmp_path, index):
    with pytest.raises(BadInput, match="in turn") as refused:
        _ = filled(tmp_path).append([trial(99)], SEARCH, index)
    assert refused.value.where.field == "batch_index"


def test_two_searches_share_one_chain_and_one_count(tmp_path):
    registry = filled(tmp_path, batches=2)
    for index in range(2):
        batch = [trial(index * 5 + n + 3, search_id=OTHER, origin=TrialOrigin.NEIGHBOUR) for n in range(5)]
        _ = registry.append(batch, OTHER, index)
        _ = registry.append([trial(50 + index)], SEARCH, 2 + index)
    assert [segment.search_id for segment in registry.segments()] == [SEARCH, SEARCH, OTHER, SEARCH, OTHER, SEARCH]
    assert len(registry.batches(OTHER)) == 2
    assert registry.trials_count(DATA) == 12 + 2, "1 to 10, 3 to 12 and two more"
    assert registry.trials_count(digest_of("elsewhere")) == 0
    assert len(registry.trials(search_id=OTHER)) == 10


def test_a_sharpe_ratio_is_that_of_the_longest_span_and_nan_without_one(tmp_path):
    registry = TrialRegistry(tmp_path)
    short = trial(1, signals_count=10, status=TrialStatus.HALVED)
    assert short.metrics is not None
    long = replace(short, signals_count=34, number=2, metrics=replace(short.metrics, sharpe=0.5))
    _ = registry.append([long, replace(short, number=3), trial(7)], SEARCH, 0)
    ids = sorted([long.trial_id, trial(7).trial_id])
    expected = [0.5 if one == long.trial_id else np.nan for one in ids]
    np.testing.assert_array_equal(registry.sharpes(DATA), expected)


def test_tries_by_hand_are_counted_once(tmp_path):
    registry = filled(tmp_path, batches=1)
    by_hand = [trial(n, search_id=OTHER, origin=TrialOrigin.MANUAL) for n in (2, 90, 91, 90)]
    segment = registry.append_new(by_hand, OTHER)
    assert segment is not None
    assert [(one.number, one.policy_digest) for one in registry.trials(search_id=OTHER)] == [(0, "90"), (1, "91")]
    assert registry.append_new(by_hand, OTHER) is None
    assert registry.append_new([trial(92, search_id=OTHER)], OTHER) is not None
    assert [one.number for one in registry.trials(search_id=OTHER)] == [0, 1, 2]
    assert registry.trials_count(DATA) == 8


# --- bad input


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"trial_id": "short"}, "trial_id"),
        ({"data_digest": "x" * 64}, "data_digest"),
        ({"search_id": OTHER}, "search_id"),
        ({"seed": 2**63}, "seed"),
        ({"metrics": float("nan")}, "objective"),
        ({"metrics": float("-inf")}, "objective"),
    ],
)
def test_a_row_that_cannot_be_kept_is_refused_by_row_and_field(tmp_path, changes, field):
    bad = trial(1)
    if "metrics" in changes:
        assert bad.metrics is not None
        changes = {"metrics": replace(bad.metrics, objective=changes["metrics"])}
    registry = TrialRegistry(tmp_path)
    with pytest.raises(BadInput) as refused:
        _ = registry.append([trial(2), replace(bad, **changes)], SEARCH, 0)
    assert (refused.value.where.row, refused.value.where.field) == (1, field)
    assert registry.trials() == []


def test_an_empty_batch_and_a_name_that_is_no_digest_are_refused(tmp_path):
    registry = TrialRegistry(tmp_path)
    with pytest.raises(BadInput, match="at least one trial"):
        _ = registry.append([], SEARCH, 0)
    with pytest.raises(BadInput, match="search id"):
        _ = registry.append([trial(1, search_id="../x")], "../x", 0)


# --- tampering


def fault(registry: TrialRegistry) -> StoreFault:
    with pytest.raises(StoreFault) as found:
        _ = registry.verify()
    for read in (registry.trials, registry.segments, lambda: registry.trials_count(DATA)):
        with pytest.raises(StoreFault):
            _ = read()
    return found.value


def forged(registry: TrialRegistry, index: int, change: pl.Expr, *, schema_version: str | None = None) -> Path:
    """A segment written anew with a changed column, under a name that fits its new bytes."""
    path = paths(registry)[index]
    meta = parquet_meta(path.read_bytes(), path=path)
    if schema_version is not None:
        meta["schema_version"] = schema_version
    frame = pl.read_parquet(path).with_columns(change)
    written = parquet_bytes(frame, meta)
    new = replace(registry.segments()[index], digest=hashlib.sha256(written).hexdigest())
    path.unlink()
    (registry.folder / segment_name(new)).write_bytes(written)
    return registry.folder / segment_name(new)


CHANGES = {
    "number": pl.col("number") + 1,
    "seed": pl.col("seed") + 1,
    "signals_count": pl.col("signals_count") + 1,
    "trades_count": pl.col("trades_count") + 1,
    "origin": pl.lit("manual"),
    "status": pl.lit("aborted"),
    "reasons": pl.lit([], dtype=pl.List(pl.String)).alias("reasons"),
    "parameters": pl.col("parameters").list.head(1),
}


@pytest.mark.parametrize("field", list(SCHEMA))
def test_a_changed_field_is_seen_even_with_a_name_that_fits(tmp_path, field):
    registry = filled(tmp_path)
    longer = pl.concat_str(pl.col(field).cast(pl.String), pl.lit("x"))
    of_type: dict[pl.DataType, pl.Expr] = {pl.String(): longer, pl.Float64(): pl.lit(9.5)}
    change = CHANGES.get(field)
    if change is None:
        change = of_type[SCHEMA[field]]
    _ = forged(registry, 1, change.alias(field))
    said = str(fault(registry))
    assert "does not follow" in said or (field == "search_id" and "row 0, field search_id" in said)


def test_every_field_of_a_trial_is_among_the_columns_that_were_tampered_with():
    names = {field.name for field in fields(Trial)} - {"metrics"} | {field.name for field in fields(TrialMetrics)}
    assert names == set(SCHEMA)


@pytest.mark.parametrize("index", range(4))
def test_any_changed_byte_is_seen_with_its_file(tmp_path, index):
    registry = filled(tmp_path)
    path = paths(registry)[index]
    whole = path.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 25)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(StoreFault, match="was changed") as found:
            _ = registry.verify()
        assert found.value.where.file == str(path)
    path.write_bytes(whole[:-9])
    assert fault(registry).where.file == str(path)


@pytest.mark.parametrize("index", range(4))
def test_a_missing_segment_is_seen_the_last_one_too(tmp_path, index):
    registry = filled(tmp_path)
    paths(registry)[index].unlink()
    said = str(fault(registry))
    assert "missing" in said or "ends at segment 3" in said


def test_reordered_segments_are_seen(tmp_path):
    registry = filled(tmp_path)
    two, three = paths(registry)[1:3]
    two.rename(registry.folder / two.name.replace("00000002.", "00000009."))
    three.rename(registry.folder / three.name.replace("00000003.", "00000002."))
    (registry.folder / two.name.replace("00000002.", "00000009.")).rename(
        registry.folder / two.name.replace("00000002.", "00000003.")
    )
    assert "name and metadata" in str(fault(registry))


def test_a_doubled_segment_is_seen(tmp_path):
    registry = filled(tmp_path)
    first = paths(registry)[0]
    shutil.copy(first, registry.folder / first.name.replace(".000000.", ".000007."))
    assert "there twice" in str(fault(registry))


def test_a_foreign_file_among_the_segments_is_named(tmp_path):
    registry = filled(tmp_path)
    (registry.folder / "mine.parquet").write_bytes(b"")
    assert fault(registry).where.file == str(registry.folder / "mine.parquet")


def test_another_schema_is_refused_and_left_as_it_is(tmp_path):
    registry = filled(tmp_path, batches=1)
    path = forged(registry, 0, pl.lit(1).alias("new_column"), schema_version="2")
    digest = path.name.split(".")[3]
    (registry.folder / "head.json").write_text(json.dumps({"sequence": 1, "digest": digest}))
    before = content(registry)
    found = fault(registry)
    assert "has schema 2, this program reads 1; nothing was changed" in found.what
    assert found.where.field == "schema_version"
    assert found.next_step
    with pytest.raises(StoreFault, match="has schema 2"):
        _ = registry.append([trial(9)], SEARCH, 1)
    assert content(registry) == before


def test_other_columns_under_the_same_schema_are_named(tmp_path):
    registry = filled(tmp_path, batches=1)
    (registry.folder / "head.json").unlink()
    path = forged(registry, 0, pl.lit(1).alias("new_column"))
    assert fault(registry).where == replace(fault(registry).where, file=str(path), field="new_column")


def test_a_row_that_is_no_trial_is_named_by_row_and_field(tmp_path):
    registry = filled(tmp_path, batches=1)
    (registry.folder / "head.json").unlink()
    change = pl.when(pl.col("number") == 3).then(pl.lit("lucky")).otherwise(pl.col("origin")).alias("origin")
    path = forged(registry, 0, change)
    with pytest.raises(StoreFault) as found:
        _ = registry.verify()
    assert (found.value.where.file, found.value.where.row, found.value.where.field) == (str(path), 2, "origin")


@pytest.mark.parametrize("damage", ["gone", "old", "torn"])
def test_a_head_that_is_gone_old_or_torn_is_seen(tmp_path, damage):
    registry = filled(tmp_path, batches=1)
    head = registry.folder / "head.json"
    old = head.read_bytes()
    for index in (1, 2):
        _ = registry.append([trial(20 + index)], SEARCH, index)
    match damage:
        case "gone":
            head.unlink()
        case "old":
            head.write_bytes(old)
        case _:
            head.write_bytes(old[:5])
    assert fault(registry).where.file == str(head)
    with pytest.raises(StoreFault):
        _ = registry.append([trial(30)], SEARCH, 3)


def test_a_segment_that_was_stored_and_not_pointed_at_is_kept(tmp_path):
    """What a kill between the two writes leaves: the registry is ahead of its head by one."""
    registry = filled(tmp_path, batches=3)
    head = registry.folder / "head.json"
    _ = registry.append([trial(40)], SEARCH, 3)
    whole = content(registry)
    shutil.copytree(registry.folder, tmp_path / "copy" / "registry" / "trials")
    again = TrialRegistry(tmp_path / "copy")
    before = json.dumps({"digest": registry.segments()[2].digest, "sequence": 3})
    (again.folder / head.name).write_text(before)
    assert len(again.trials()) == 16
    _ = again.append([trial(40)], SEARCH, 3)
    assert content(again) == whole
    (again.folder / head.name).write_text(before)
    assert again.settle() == registry.head()
    assert content(again) == whole


# --- processes

WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from test_trial_registry import trial
from copytrade_core.edges.trial_registry import TrialRegistry

registry, search, batches = TrialRegistry(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
for index in range(len(registry.batches(search)), batches):
    registry.append([trial(1000 * index + n + 1, search_id=search) for n in range(40)], search, index)
"""


def start(root: Path, search: str, batches: int) -> subprocess.Popen[bytes]:
    here = str(Path(__file__).parent)
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root), search, str(batches), here], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def ended(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    process.stdout.close()
    return process.wait(timeout=60)


def test_killed_at_random_moments_and_resumed_it_is_byte_for_byte_the_same(tmp_path):
    moments, kills = random.Random(11), 0
    for _attempt in range(4):
        process = start(tmp_path / "killed", SEARCH, 30)
        time.sleep(moments.uniform(0.01, 0.2))
        process.kill()
        kills += ended(process) == -9
        registry = TrialRegistry(tmp_path / "killed")
        assert registry.verify().sequence == len(registry.batches(SEARCH))
        assert all(len(batch) == 40 for batch in registry.batches(SEARCH)), "whole batches only"
    assert kills
    assert ended(start(tmp_path / "killed", SEARCH, 30)) == 0
    assert ended(start(tmp_path / "whole", SEARCH, 30)) == 0
    assert content(TrialRegistry(tmp_path / "killed")) == content(TrialRegistry(tmp_path / "whole"))


def test_two_processes_write_one_chain(tmp_path):
    reader = TrialRegistry(tmp_path)
    writers = [start(tmp_path, search, 15) for search in (SEARCH, OTHER)]
    while any(writer.poll() is None for writer in writers):
        _ = reader.verify()
    assert [ended(writer) for writer in writers] == [0, 0]
    assert reader.verify().sequence == 30
    assert len(reader.batches(SEARCH)) == len(reader.batches(OTHER)) == 15


def test_a_thing_in_the_way_is_a_store_fault(tmp_path):
    (tmp_path / "registry").write_text("a file")
    with pytest.raises(StoreFault):
        _ = TrialRegistry(tmp_path).append([trial(1)], SEARCH, 0)
