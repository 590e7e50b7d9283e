from __future__ import annotations

import csv
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from copytrade_core.edges.pages.page_archive import PageArchive
from copytrade_core.edges.pages.page_import import import_directory
from copytrade_core.model.errors import BadInput
from copytrade_core.model.source import Endpoint, LeadId, RejectReason
from copytrade_core.sources.normalise_history import normalise_history

LEAD = LeadId("4751838302089254401")
NOW = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)
RAW = "position_history_pages_raw.json"


@pytest.fixture
def archive(tmp_path: Path) -> PageArchive:
    return PageArchive(tmp_path / "raw")


@pytest.fixture
def sample(project_root: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "saved" / LEAD
    _ = shutil.copytree(project_root / "data/sample/leads" / LEAD, folder)
    return folder


def recorded(folder: Path) -> Any:
    return json.loads((folder / RAW).read_text())


def counts(result: Any) -> tuple[int, int, dict[RejectReason, int], int]:
    return result.rows, result.normalised, dict(result.rejected), result.duplicates


def test_the_original_folder_gives_47_rows_once(real_data: Path, archive: PageArchive) -> None:
    """It holds the raw page, the same rows as CSV, and the study's own results."""
    result = import_directory(real_data / "leads" / LEAD, archive, now=NOW)
    assert (result.pages, counts(result), result.leads) == (1, (47, 47, {}, 0), (LEAD,))


def test_the_sample_is_the_recorded_page(real_data: Path, sample: Path) -> None:
    assert recorded(sample) == recorded(real_data / "leads" / LEAD)


def test_importing_twice_adds_an_observation_only(sample: Path, archive: PageArchive) -> None:
    first = import_directory(sample, archive, now=NOW)
    digest = archive.digest(LEAD)
    second = import_directory(sample, archive, now=NOW)
    assert (first.new_pages, second.new_pages) == (1, 0)
    assert counts(first) == counts(second)
    assert len(list(archive.pages(LEAD))) == 1
    assert len(list(archive.observations(LEAD))) == 2
    assert archive.digest(LEAD) == digest
    walk = archive.newest_complete_walk(LEAD)
    assert walk is not None
    assert (walk.total_count, walk.distinct_count) == (47, 47)


def test_the_stored_bytes_are_the_saved_bytes(sample: Path, archive: PageArchive) -> None:
    _ = import_directory(sample, archive, now=NOW)
    (page,) = archive.pages(LEAD)
    assert page.body in (sample / RAW).read_bytes()
    assert json.loads(page.request)["timeRange"] == "365D"
    assert normalise_history([page]).positions.height == 47


def write_csv(folder: Path, rows: list[dict[str, Any]]) -> None:
    with (folder / "positions.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_csv_alone_gives_the_same_positions(sample: Path, tmp_path: Path, archive: PageArchive) -> None:
    rows = recorded(sample)[0]["response"]["data"]["list"]
    write_csv(sample, rows)
    _ = import_directory(sample, archive, now=NOW)
    (sample / RAW).unlink()
    other = PageArchive(tmp_path / "csv")
    assert counts(import_directory(sample, other, now=NOW)) == (47, 47, {}, 0)
    frames = [normalise_history(one.pages(LEAD)).positions.drop("page_sha256") for one in (archive, other)]
    assert frames[0].equals(frames[1])


def test_csv_rows_that_the_raw_pages_lack_are_read_too(sample: Path, archive: PageArchive) -> None:
    pages = recorded(sample)
    rows = pages[0]["response"]["data"]["list"]
    write_csv(sample, rows)
    pages[0]["response"]["data"] = {"total": 40, "list": rows[:40]}
    _ = (sample / RAW).write_text(json.dumps(pages))
    result = import_directory(sample, archive, now=NOW)
    assert (result.pages, counts(result)) == (2, (47, 47, {}, 0))


def test_bare_answers_are_recognised_by_their_shape(real_data: Path, tmp_path: Path, archive: PageArchive) -> None:
    folder = tmp_path / "answers"
    folder.mkdir()
    _ = shutil.copy(real_data / "leads/positions_sample_3699951837954445568_first3rows.json", folder)
    detail = {"code": "000000", "data": {"leadPortfolioId": "77", "positionShow": True, "status": "ACTIVE"}}
    _ = (folder / "detail.json").write_text(json.dumps(detail))
    result = import_directory(folder, archive, now=NOW)
    assert (result.pages, result.rows, result.empty_slots) == (2, 0, 3)
    assert result.leads == ("3699951837954445568", "77")
    (page,) = archive.pages(LeadId("77"))
    assert page.endpoint is Endpoint.LEAD_DETAIL


def test_rejects_and_duplicates_add_up(sample: Path, archive: PageArchive) -> None:
    pages = recorded(sample)
    rows = pages[0]["response"]["data"]["list"]
    rows.extend([rows[0], {**rows[1], "avgCost": 1}, {**rows[2], "symbol": None}, {**rows[3], "opened": 17791}])
    _ = (sample / RAW).write_text(json.dumps(pages))
    result = import_directory(sample, archive, now=NOW)
    assert counts(result) == (
        51,
        47,
        {RejectReason.DUPLICATE_CONFLICT: 1, RejectReason.MISSING_SYMBOL: 1, RejectReason.IMPOSSIBLE_TIME: 1},
        1,
    )
    assert archive.newest_complete_walk(LEAD) is None, "49 distinct rows are not the 47 that were claimed"


GOOD_HEADER = "id,symbol,opened,closed,avgCost,avgClosePrice,closingPnl,closedVolume,side\n"


@pytest.mark.parametrize(
    ("name", "text", "row", "field"),
    [
        ("page.json", '{"code":"000000","data":{"total":47,"li', None, None),
        ("page.json", "<html>denied</html>", None, None),
        ("page.json", '{"code":"000000","data":null}', None, "data"),
        ("page.json", '{"hello":1}', None, "code"),
        ("page.json", '{"code":"11012028","data":{"total":0,"list":[]}}', 1, None),
        (RAW, '[{"pageNumber":1,"request":{},"response":{"code":"000000","data":null}}]', 1, "data"),
        (RAW, '[{"pageNumber":1,"request":7,"response":{}}]', 1, "request"),
        (RAW, '[{"pageNumber":1}]', None, None),
        ("positions.csv", "id,symbol\n1,BTCUSDT\n", 1, "opened"),
        ("positions.csv", GOOD_HEADER + "1,BTCUSDT,1,2\n", 2, None),
        ("positions.csv", "", 1, "symbol"),
    ],
)
def test_a_bad_file_is_named_and_nothing_is_stored(
    sample: Path, archive: PageArchive, name: str, text: str, row: int | None, field: str | None
) -> None:
    other = sample.parent / "1234567890123456789"
    other.mkdir()
    _ = (other / name).write_text(text)
    with pytest.raises(BadInput) as caught:
        _ = import_directory(sample.parent, archive, now=NOW)
    assert caught.value.where.file == str(other / name)
    assert (caught.value.where.row, caught.value.where.field) == (row, field)
    assert not archive.root.exists()


def test_a_folder_without_pages_or_lead_is_refused(tmp_path: Path, sample: Path, archive: PageArchive) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder in (empty, tmp_path / "absent"):
        with pytest.raises(BadInput):
            _ = import_directory(folder, archive, now=NOW)
    _ = (empty / "page.json").write_text('{"code":"000000","data":{"total":0,"list":[]}}')
    with pytest.raises(BadInput, match="which lead"):
        _ = import_directory(empty, archive, now=NOW)
    assert import_directory(empty, archive, lead_id=LeadId("5"), now=NOW).leads == ("5",)
    with pytest.raises(BadInput, match="not 5"):
        _ = import_directory(sample, archive, lead_id=LeadId("5"), now=NOW)
