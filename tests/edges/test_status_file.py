"""`RUN_STATUS.json` is read in one form by all: what is written is what is read, and what cannot be used says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from copytrade_core.edges.runtime.runtime_look import Standing, look
from copytrade_core.edges.runtime.runtime_place import newest_of
from copytrade_core.edges.runtime.session_evidence import read_session
from copytrade_core.edges.runtime.status_facts import status_fact
from copytrade_core.edges.runtime.status_file import STATUS_FILE, NoStatus, RunStatus, StatusFault, read_status
from copytrade_core.edges.stages.canary_place import standing_of
from copytrade_core.edges.stages.workplace import utc_now
from copytrade_core.model.alert import Alert, AlertKind
from copytrade_core.model.errors import StoreFault
from copytrade_core.monitor.facts import Unreadable
from copytrade_core.session.status import LeadPoll, PollNow, UnknownOrder
from tests.runtime_floor import Kept
from tests.status_words import status_words
from tests.trading_floor import BTC, START_MS

POLL = LeadPoll(
    lead_id="lead",
    ok=False,
    at_ms=START_MS,
    reading="blocked",
    informed_at_ms=START_MS,
    latency_ms=20,
    failures=2,
    next_at_ms=START_MS + 1,
)


@pytest.fixture
def kept(tmp_path: Path):
    session = Kept(tmp_path)
    session.open()
    yield session
    session.journal.close()


def names(value: Any) -> Any:
    """The fields of a document, at every depth."""
    if isinstance(value, dict):
        return {name: names(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [names(each) for each in value]
    return None


def test_every_field_that_a_session_writes_is_one_that_is_read_and_none_is_invented(kept: Kept) -> None:
    unknown = UnknownOrder(client_order_id="c", market=BTC, since_ms=START_MS, why="timed out")
    alert = Alert(kind=AlertKind.SLIPPAGE, subject="c", at_ms=START_MS, what="12 bp worse than expected")
    poll = PollNow(ok=False, at_ms=START_MS, reading="blocked", leads=(POLL,), price_latency_ms=3, seen_after_ms=9)
    shown = kept.show(unknown_orders=(unknown,), alerts=(alert,), last_poll=poll)
    assert shown.positions
    read = read_status(kept.folder)
    assert isinstance(read, RunStatus)
    written = json.loads((kept.folder / STATUS_FILE).read_bytes())
    assert names(msgspec.to_builtins(read)) == names(written)


def damaged(field: str, value: object) -> dict[str, Any]:
    return status_words(written_ms=START_MS) | {field: value}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", StatusFault.DAMAGED),
        ("[]", StatusFault.DAMAGED),
        ({}, StatusFault.OTHER_SCHEMA),
        (damaged("schema_version", 2), StatusFault.OTHER_SCHEMA),
        (damaged("ended", "well"), StatusFault.DAMAGED),
        (damaged("written_at", "2026-11-24T00:00:00"), StatusFault.DAMAGED),
        (damaged("equity_usdt", "NaN"), StatusFault.DAMAGED),
    ],
)
def test_what_cannot_be_used_is_told_alike_to_everybody_who_asks(tmp_path: Path, content: object, fault) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / STATUS_FILE).write_text(text)
    found = read_status(tmp_path)
    assert isinstance(found, NoStatus)
    assert found.fault is fault
    assert status_fact(tmp_path) == Unreadable(what=found.what)
    shown = look(tmp_path, now=utc_now())
    assert (shown.standing, shown.fault) == (Standing.CORRUPTED, found.what)
    assert standing_of(tmp_path).run_id is None
    (tmp_path / "session.sqlite").touch()
    with pytest.raises(StoreFault) as refused:
        _ = read_session(tmp_path, lambda _: pytest.fail("no order is read"), day="2026-11-24", run_id="run-1")
    assert refused.value.what == found.what


def test_a_whole_status_is_read_by_everybody(tmp_path: Path) -> None:
    folder = tmp_path / "runtime" / "1234" / "paper"
    folder.mkdir(parents=True)
    (folder / STATUS_FILE).write_text(json.dumps(status_words(written_ms=START_MS, ended="deadline", leads=["77"])))
    assert not isinstance(status_fact(folder), Unreadable)
    assert look(folder, now=utc_now()).standing is Standing.ENDED
    assert (standing_of(folder).run_id, standing_of(folder).ended) == ("run-1", "deadline")
    assert newest_of(tmp_path, "77") == folder
