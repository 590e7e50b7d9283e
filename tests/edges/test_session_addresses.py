"""A live session goes on only where it read before and says where that was; one archive is of one source."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from copytrade_core.edges.pages.page_archive import PageArchive
from copytrade_core.edges.pages.page_import import import_directory
from copytrade_core.edges.pages.page_origin import refuse_mixed
from copytrade_core.edges.runtime.session_addresses import THE_VENUE, addresses_in, addresses_of, refuse_elsewhere
from copytrade_core.edges.runtime.session_evidence import read_session
from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.settings_url import origin_of
from copytrade_core.edges.stages.canary_start import NotNow, next_session
from copytrade_core.edges.stages.canary_store import session_facts
from copytrade_core.edges.stages.instruments import trading_rules
from copytrade_core.edges.stages.paper_live import run_live_paper_session
from copytrade_core.edges.stages.sources import poll_lead
from copytrade_core.edges.stages.workplace import SCHEMA_VERSION, Workplace, open_workplace
from copytrade_core.model.errors import BadInput
from copytrade_core.model.session_record import SessionRecord
from copytrade_core.model.source import Endpoint, LeadId, SourcePage
from tests.live_floor import LEAD, Live, live, row

OLD = row(-3000, -2000)
REAL = "https://www.binance.com"


@pytest.fixture
def followed(tmp_path, project_root):
    """A lead that a session followed at a stand-in for a moment."""
    with live(tmp_path, project_root, [OLD]) as lead:
        lead.start()
        lead.until(lambda: lead.lead().get("ok"), "a first poll")
        _ = lead.stop()
        yield lead


def pointed(lead: Live, **base_urls: str) -> Workplace:
    """The same folders with settings that name other addresses."""
    overrides: dict[str, Any] = json.loads((lead.folder.parent / "overrides.json").read_text())
    overrides |= {f"{part}.base_url": url for part, url in base_urls.items()}
    return open_workplace(load_settings(file=lead.folder.parent / "settings" / "copytrade.toml", overrides=overrides))


def record_of(lead: Live) -> SessionRecord:
    day = lead.place.now().strftime("%Y-%m-%d")
    return read_session(lead.folder, lambda market: trading_rules(lead.place, market)[0], day=day, run_id="r1")


def in_force(lead: Live, change: str) -> None:
    with closing(sqlite3.connect(lead.folder / "session.sqlite", isolation_level=None)) as journal:
        _ = journal.execute(change)


def test_a_session_says_where_it_read_and_goes_on_only_there(followed):
    url = followed.standin.base_url
    ours = addresses_of(followed.place.settings, with_venue=False)
    assert (ours.source, ours.market, ours.venue) == (url, url, None)
    assert addresses_in(followed.folder) == {ours}
    record = record_of(followed)
    assert record.read_at == session_facts(record).read_at == ours
    refuse_elsewhere(followed.folder, ours)
    elsewhere = pointed(followed, market="https://fapi.binance.com")
    before = followed.ask("SELECT run_id FROM runs")
    with pytest.raises(BadInput, match=f"market {url}, not https://fapi.binance.com") as caught:
        _ = run_live_paper_session(elsewhere, followed.plan(), folder=followed.folder, run_id="r2", deadline_s=5)
    assert "move the folder away" in str(caught.value.next_step)
    assert followed.ask("SELECT run_id FROM runs") == before, "nothing was begun"


def test_a_folder_that_tells_no_address_or_several_is_no_evidence_and_not_gone_on_with(followed):
    ours = addresses_of(followed.place.settings, with_venue=False)
    copied = "INSERT INTO config_snapshots (run, at_ms, digest, body) SELECT run, at_ms, 'x', replace(body, 'http:',"
    in_force(followed, f"{copied} 'https:') FROM config_snapshots")
    assert record_of(followed).read_at is None, "it went on from what was read elsewhere"
    in_force(followed, "DELETE FROM config_snapshots WHERE digest = 'x'")
    assert record_of(followed).read_at == ours
    in_force(followed, "UPDATE config_snapshots SET body = json_remove(body, '$.read_at')")
    assert record_of(followed).read_at is None
    with pytest.raises(BadInput, match="an address that it does not tell"):
        refuse_elsewhere(followed.folder, ours)


def test_the_sensor_is_told_what_to_do_when_the_settings_point_elsewhere(followed):
    def coming(place: Workplace) -> object:
        return next_session(place, LEAD)

    place = followed.place
    _ = place.lake.put_document(
        "episodes", LEAD, {}, schema_version=SCHEMA_VERSION, code_version="x", parents={}, metadata={}
    )
    folder = place.settings.data_dir / "runtime" / LEAD / "paper"
    folder.parent.mkdir(parents=True)
    _ = followed.folder.rename(folder)
    (folder / "RUN_STATUS.json").unlink()
    assert not isinstance(coming(place), NotNow)
    there = coming(pointed(followed, source=REAL))
    assert isinstance(there, NotNow)
    assert f"source {followed.standin.base_url}, not {REAL}" in there.why
    assert "move the folder away" in there.why
    _ = folder.rename(followed.folder)
    begun = coming(pointed(followed, source=REAL))
    assert not isinstance(begun, NotNow)
    assert begun != coming(place), "a canary of another source is another canary"


def test_answers_of_two_hosts_never_share_a_leads_archive(followed):
    archive = followed.place.archive
    assert archive.origins(LeadId(LEAD)) == {followed.standin.base_url}
    real = pointed(followed, source=REAL)
    for ask in (
        lambda: poll_lead(real, LEAD),
        lambda: run_live_paper_session(
            real, followed.plan(), folder=followed.folder.parent / "new", run_id="r2", deadline_s=5
        ),
    ):
        with pytest.raises(BadInput, match=followed.standin.base_url) as caught:
            _ = ask()
        assert "data_dir" in str(caught.value.next_step)
    refuse_mixed(archive, LeadId(LEAD), "http://127.0.0.1:1")
    refuse_mixed(archive, LeadId("4751838302089254000"), REAL)


def test_imported_pages_may_stand_beside_any_source(followed):
    archive, folder = followed.place.archive, followed.folder.parent / "pages" / LEAD
    _ = import_directory(folder, archive, lead_id=LeadId(LEAD), now=followed.place.now())
    assert archive.origins(LeadId(LEAD)) == {followed.standin.base_url}
    _ = poll_lead(followed.place, LEAD)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://WWW.Example.com/", "https://www.example.com"),
        ("https://www.example.com:443", "https://www.example.com"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://127.0.0.1:443", "http://127.0.0.1:443"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://who:secret@www.example.com/path?key=secret", "https://www.example.com"),
    ],
)
def test_an_origin_is_spelled_one_way_and_holds_no_secret(url, origin):
    assert origin_of(url) == origin


def test_a_shadow_session_reads_the_venue_too(tmp_path, project_root):
    settings = load_settings(file=project_root / "settings" / "copytrade.toml", overrides={"data_dir": str(tmp_path)})
    assert addresses_of(settings, with_venue=True).venue == THE_VENUE
    shadow = settings.shadow.model_copy(update={"base_url": "http://127.0.0.1:9"})
    rehearsed = settings.model_copy(update={"shadow": shadow})
    assert addresses_of(rehearsed, with_venue=True).venue == "http://127.0.0.1:9"


def test_an_answer_logged_before_origins_were_kept_is_read(tmp_path):
    archive = PageArchive(tmp_path)
    answer = SourcePage(
        lead_id=LeadId(LEAD),
        endpoint=Endpoint.OPEN_POSITIONS,
        page=None,
        url_path="/x",
        request="{}",
        status=200,
        headers=(),
        body=b"{}",
        sha256=hashlib.sha256(b"{}").hexdigest(),
        received_at=datetime(2026, 5, 19, tzinfo=UTC),
        origin=REAL,
    )
    assert archive.append(answer)
    assert list(archive.pages(LeadId(LEAD))) == [answer]
    (log,) = tmp_path.rglob("observations.jsonl")
    line = json.loads(log.read_bytes())
    assert line.pop("origin") == REAL
    _ = log.write_text(json.dumps(line) + "\n")
    assert archive.origins(LeadId(LEAD)) == frozenset()
    assert [seen.origin for seen in archive.pages(LeadId(LEAD))] == [None]
