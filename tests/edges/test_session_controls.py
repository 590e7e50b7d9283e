"""A person's hand on a session: who, why and when are kept; a resume takes nothing back that does not fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from copytrade_core.edges.runtime.control_files import Control, note_of, set_control
from copytrade_core.edges.runtime.runtime_files import SESSION_FILE, SNAPSHOT_FILE
from copytrade_core.edges.runtime.session_controls import HISTORY_FILE, Asked, ask_for, owner_of, resume
from copytrade_core.model.errors import BadInput, NotStored, StoreFault
from copytrade_core.session.snapshot import HOT_RESTART_SCHEMA_VERSION, HotRestart
from tests.runtime_floor import Kept
from tests.session_floor import IDENTITY
from tests.trading_floor import START_MS

ANNA = Asked(who="anna@desk", why="it behaves oddly", at_ms=START_MS)
BEN = Asked(who="ben@desk", why="checked", at_ms=START_MS + 1_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A session that has shown itself and whose process is gone."""
    kept = Kept(tmp_path)
    kept.open()
    kept.show()
    kept.files.leave(
        HotRestart(
            schema_version=HOT_RESTART_SCHEMA_VERSION,
            policy_digest=IDENTITY.policy_digest,
            strategy=IDENTITY.strategy,
            venue=IDENTITY.venue,
            account=IDENTITY.account,
            lead=IDENTITY.lead,
            taken_at_ms=START_MS,
            state=kept.session.runner.state,
        )
    )
    kept.journal.close()
    (tmp_path / f"{SESSION_FILE}.lock").write_text('{"pid":1,"boot_id":"another boot"}')
    return tmp_path


def history(folder: Path) -> list[tuple[str, str, str]]:
    rows = [json.loads(line) for line in (folder / HISTORY_FILE).read_text().splitlines()]
    return [(row["control"], row["action"], row["who"]) for row in rows]


@pytest.mark.parametrize("control", Control)
def test_a_control_is_set_once_and_tells_who_was_first(folder: Path, control: Control) -> None:
    assert ask_for(folder, control, ANNA) is None
    before = ask_for(folder, control, BEN)
    assert before is not None
    assert before.note is not None
    assert (before.note.who, before.note.why, before.note.at_ms) == (ANNA.who, ANNA.why, ANNA.at_ms)
    assert history(folder) == [(control.value, "set", "anna@desk")]


def test_a_control_that_was_set_by_hand_has_no_note(folder: Path) -> None:
    (folder / "KILL").touch()
    before = ask_for(folder, Control.KILL, ANNA)
    assert before is not None
    assert before.note is None


def test_a_control_needs_a_reason_and_a_session(folder: Path, tmp_path_factory) -> None:
    with pytest.raises(BadInput, match="reason"):
        ask_for(folder, Control.KILL, replace(ANNA, why="  "))
    assert note_of(folder, Control.KILL) is None
    with pytest.raises(NotStored):
        ask_for(tmp_path_factory.mktemp("empty"), Control.KILL, ANNA)
    with pytest.raises(NotStored):
        resume(tmp_path_factory.mktemp("empty"), ANNA, after_kill=False)


def test_a_resume_takes_back_what_was_set_and_keeps_the_history(folder: Path) -> None:
    ask_for(folder, Control.STOP_NEW_ORDERS, ANNA)
    ask_for(folder, Control.HOT_STOP, ANNA)
    done = resume(folder, BEN, after_kill=False)
    assert [each.control for each in done.cleared] == [Control.STOP_NEW_ORDERS, Control.HOT_STOP]
    assert done.from_snapshot
    assert not (folder / "HOT_STOP").exists()
    assert not (folder / "STOP_NEW_ORDERS").exists()
    assert history(folder)[2:] == [
        ("STOP_NEW_ORDERS", "taken back", "ben@desk"),
        ("HOT_STOP", "taken back", "ben@desk"),
    ]
    assert resume(folder, BEN, after_kill=False).cleared == ()


def test_a_kill_is_taken_back_only_by_name(folder: Path) -> None:
    ask_for(folder, Control.KILL, ANNA)
    with pytest.raises(BadInput, match="not taken back by the way"):
        resume(folder, BEN, after_kill=False)
    assert (folder / "KILL").exists()
    assert [each.control for each in resume(folder, BEN, after_kill=True).cleared] == [Control.KILL]


@pytest.mark.parametrize(
    ("field", "value"), [("policy_digest", "another"), ("venue", "gate"), ("schema_version", 99), ("account", "other")]
)
def test_a_snapshot_of_another_schema_policy_or_venue_is_refused_and_everything_stays_set(
    folder: Path, field: str, value: object
) -> None:
    ask_for(folder, Control.HOT_STOP, ANNA)
    path = folder / SNAPSHOT_FILE
    document = json.loads(path.read_bytes())
    document["snapshot"][field] = value
    path.write_text(json.dumps(document))
    with pytest.raises(BadInput) as refused:
        resume(folder, BEN, after_kill=False)
    assert refused.value.where.field == field
    assert (folder / "HOT_STOP").exists()


def test_a_session_that_lives_cannot_be_resumed_past_its_hot_stop_but_may_open_again(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.show()
    ask_for(tmp_path, Control.STOP_NEW_ORDERS, ANNA)
    assert len(resume(tmp_path, BEN, after_kill=False).cleared) == 1, "a running session goes on"
    set_control(tmp_path, Control.HOT_STOP, who="anna", why="x", at_ms=1)
    with pytest.raises(BadInput, match="not ended yet"):
        resume(tmp_path, BEN, after_kill=False)
    assert (tmp_path / "HOT_STOP").exists()
    kept.journal.close()


def test_whose_a_journal_is(folder: Path, tmp_path_factory) -> None:
    assert owner_of(folder / SESSION_FILE) == IDENTITY
    assert owner_of(folder / "none") is None
    damaged = tmp_path_factory.mktemp("damaged") / SESSION_FILE
    damaged.write_text("no database at all")
    with pytest.raises(StoreFault):
        owner_of(damaged)
