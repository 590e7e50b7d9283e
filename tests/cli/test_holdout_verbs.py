"""`copytrade holdout`: opened once, on record, for one candidate; and tries by hand are counted."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from copytrade_core.cli.exit_codes import ExitCode
from copytrade_core.edges.trial_registry import TrialRegistry
from copytrade_core.model.digest import digest_of
from copytrade_core.model.trial import TrialOrigin

LEAD = "4751838302089254401"
ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "settings" / "policies"
MAIN = ("--policy", str(POLICIES / "contrarian_on_close.toml"))
OTHER = ("--policy", str(POLICIES / "follow_lead.toml"))
ME = ("--by", "ann", "--yes", "--json")


@pytest.fixture
def folder(environment, recorded, tmp_path) -> Path:
    """A copy of the recorded store for this test alone; it is the data folder in force."""
    mine = tmp_path / "mine"
    shutil.copytree(recorded, mine)
    environment["COPYTRADE_DATA_DIR"] = str(mine)
    return mine


def ledger(folder: Path) -> list[dict]:
    path = folder / "registry" / "holdout_ledger.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def gate(said, name: str) -> dict:
    return next(row for row in said.json["gates"] if row["gate"] == name)


def test_it_is_opened_once_and_the_second_time_the_first_record_is_told(copytrade, folder):
    before = copytrade("holdout", "show", "--lead", LEAD, "--json").json
    assert (before["state"], before["records"]) == ("closed", [])
    first = copytrade("holdout", "open", "--lead", LEAD, *OTHER, *ME)
    assert first.code == ExitCode.OK
    assert first.json["verdict"] in {"pass", "fail", "inconclusive"}
    assert first.json["opening"]["by"] == "ann"
    assert first.json["measures"]["trades_count"] == 7
    assert first.json["covered_count"] == 7
    assert [line["kind"] for line in ledger(folder)] == ["opened", "finished"]
    for candidate in (OTHER, MAIN):
        second = copytrade("holdout", "open", "--lead", LEAD, *candidate, *ME)
        assert second.code == ExitCode.REFUSED
        said = second.json["error"]
        assert "is spent: opened on 20" in said["what"]
        assert "by ann for follow_open/both/single/source_close_follows" in said["what"]
        assert f"result {first.json['verdict']}: 7 round trips" in said["what"]
        assert "new signals only" in said["next_step"]
    assert len(ledger(folder)) == 2, "a refusal is no record"
    shown = copytrade("holdout", "show", "--lead", LEAD)
    assert "is spent" in shown.out
    assert "opened on 20" in " ".join(shown.out.split())
    assert copytrade("holdout", "verify", "--json").json["entries_count"] == 2


def test_nobody_to_ask_and_no_yes_opens_nothing(copytrade_process, folder):
    for flags in ((), ("--json",)):
        said = copytrade_process("holdout", "open", "--lead", LEAD, *OTHER, *flags)
        assert said.code == ExitCode.BAD_INPUT
        assert "--yes" in said.out + said.err
    assert ledger(folder) == []


@pytest.mark.parametrize(("typed", "code", "entries"), [("n\n", 1, 0), ("y\n", 0, 2)])
def test_in_a_terminal_it_asks_first(environment, folder, tmp_path, typed, code, entries):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "copytrade_core.cli", "holdout", "open", "--lead", LEAD, *OTHER, "--by", "ann"]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, env={**os.environ, **environment}, cwd=tmp_path, text=True
    )
    os.close(theirs)
    _ = os.write(ours, typed.encode())
    out, _ = process.communicate(timeout=120)
    os.close(ours)
    assert process.returncode == code
    assert "ann is about to open the holdout" in out
    assert "11 signals, 7 of them with bars" in out
    assert len(ledger(folder)) == entries


def test_without_a_champion_a_policy_must_be_named(copytrade, folder):
    said = copytrade("holdout", "open", "--lead", LEAD, *ME)
    assert said.code == ExitCode.NOT_STORED
    assert "--policy FILE" in said.json["error"]["next_step"]
    assert ledger(folder) == []


@pytest.mark.parametrize("by", [" ", "x" * 81, "two\nlines"])
def test_an_opening_has_a_name(copytrade, folder, by):
    said = copytrade("holdout", "open", "--lead", LEAD, *OTHER, "--by", by, "--yes", "--json")
    assert said.code == ExitCode.BAD_INPUT
    assert ledger(folder) == []


def test_fills_that_nobody_could_have_had_open_nothing(copytrade, folder, environment):
    environment["COPYTRADE_REPLAY__RUNG_FILL"] = "touch_v1"
    said = copytrade("holdout", "open", "--lead", LEAD, *OTHER, *ME)
    assert said.code == ExitCode.REFUSED
    assert "not executable evidence" in said.json["error"]["what"]
    assert ledger(folder) == []


def test_killed_after_the_record_it_stays_opened_and_is_finished_by_its_candidate_alone(start, copytrade, folder):
    process = start("holdout", "open", "--lead", LEAD, *OTHER, *ME)
    path = folder / "registry" / "holdout_ledger.jsonl"
    until = time.monotonic() + 120
    while not (path.exists() and path.read_bytes().endswith(b"\n")) and time.monotonic() < until:
        time.sleep(0.002)
    process.kill()
    _ = process.communicate(timeout=30)
    kinds = [line["kind"] for line in ledger(folder)]
    assert kinds[:1] == ["opened"]
    assert copytrade("holdout", "open", "--lead", LEAD, *MAIN, *ME).code == ExitCode.REFUSED
    again = copytrade("holdout", "open", "--lead", LEAD, *OTHER, *ME)
    assert again.code == (ExitCode.OK if kinds == ["opened"] else ExitCode.REFUSED)
    assert [line["kind"] for line in ledger(folder)] == ["opened", "finished"]
    assert copytrade("holdout", "open", "--lead", LEAD, *OTHER, *ME).code == ExitCode.REFUSED


def test_an_opening_is_finished_under_its_own_assumptions(copytrade, copytrade_process, folder, environment):
    assert copytrade("holdout", "open", "--lead", LEAD, *OTHER, *ME).code == ExitCode.OK
    path = folder / "registry" / "holdout_ledger.jsonl"
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    for area in ("heads", "history"):
        shutil.rmtree(folder / area / "holdout_ledger")
    environment["COPYTRADE_COSTS__SLIPPAGE_BPS"] = "1"
    said = copytrade_process("holdout", "open", "--lead", LEAD, *OTHER, *ME)
    assert said.code == ExitCode.REFUSED
    assert "under other assumptions" in said.json["error"]["what"]
    del environment["COPYTRADE_COSTS__SLIPPAGE_BPS"]
    assert copytrade("holdout", "open", "--lead", LEAD, *OTHER, *ME).code == ExitCode.OK


def test_gates_see_the_holdout_of_exactly_the_judged_candidate(copytrade, judged):
    closed = copytrade("gates", "--lead", LEAD, "--json")
    assert gate(closed, "holdout_unspent")["result"] == "pass"
    unmet = {item["criterion"]: item for item in gate(closed, "profitability")["criteria"]}
    assert unmet["holdout"]["reason"] == "holdout not opened"
    assert unmet["holdout"]["command"].startswith("copytrade holdout open")
    opened = copytrade("holdout", "open", "--lead", LEAD, *MAIN, *ME)
    found_now = copytrade("gates", "--lead", LEAD, "--json")
    found = {item["criterion"]: item for item in gate(found_now, "profitability")["criteria"]}
    assert "holdout" not in found
    assert found["net_ratio_above (holdout)"]["number"] == opened.json["measures"]["net_ratio"]
    assert gate(found_now, "holdout_unspent")["result"] == opened.json["verdict"]
    ledger_file = judged / "registry" / "holdout_ledger.jsonl"
    ledger_file.write_bytes(ledger_file.read_bytes().replace(b'"by":"ann"', b'"by":"bob"'))
    broken = gate(copytrade("gates", "--lead", LEAD, "--json"), "holdout_unspent")
    assert (broken["result"], broken["criterion"]) == ("fail", "ledger_verifies")
    said = copytrade("holdout", "verify", "--json")
    assert said.code == ExitCode.STORE
    assert f"file {ledger_file}, row 1" in said.json["error"]["where"]


def test_a_holdout_that_another_candidate_opened_fails_the_judged_one(copytrade, judged):
    assert copytrade("holdout", "open", "--lead", LEAD, *OTHER, *ME).code == ExitCode.OK
    found = gate(copytrade("gates", "--lead", LEAD, "--json"), "holdout_unspent")
    assert (found["result"], found["criterion"]) == ("fail", "opened_for_no_other_candidate")
    assert "by ann for follow_open" in found["reason"]


def test_every_policy_that_was_tried_by_hand_is_counted_once(copytrade, judged):
    registry = TrialRegistry(judged)

    def tried() -> int:
        trials = registry.trials()
        assert {trial.origin for trial in trials} == {TrialOrigin.MANUAL}
        assert len({trial.trial_id for trial in trials}) == len(trials)
        assert len({trial.data_digest for trial in trials}) == 1
        return registry.trials_count(trials[0].data_digest)

    of_study = tried()
    assert of_study == len({trial.policy_digest for trial in registry.trials()}) > 1
    for arguments, more in (
        (("--strategy", "follow_lead"), 0),
        (("--strategy", "follow_lead", "--delay", "300"), 1),
        (("--strategy", "follow_lead", "--delay", "300"), 1),
        (("--strategy", "contrarian_on_close", "--delay", "300"), 2),
    ):
        assert copytrade("replay", "--lead", LEAD, *arguments, "--json").code == ExitCode.OK
        assert tried() == of_study + more
    overfitting = gate(copytrade("gates", "--lead", LEAD, "--json"), "overfitting")
    few = next(item for item in overfitting["criteria"] if item["criterion"] == "trials_count_min")
    assert (few["result"], few["reason"]) == ("inconclusive", "no search has been made on this data")


def store(folder: Path, asset: str, document: dict) -> None:
    from copytrade_core.edges.lake import Lake

    lake = Lake(folder, now=lambda: datetime.now(UTC))
    _ = lake.put_document(asset, LEAD, document, schema_version=1, code_version="t", parents={})


def test_the_champion_of_a_search_is_the_candidate_when_no_policy_is_named(copytrade, folder):
    from copytrade_core.edges.stages.policies import load_policy

    file = POLICIES / "follow_lead.toml"
    digest = digest_of(load_policy(file))
    for document, code in (
        ({"policy_digest": None, "toml": None, "reasons": ["no plateau"]}, ExitCode.NOT_STORED),
        ({"policy_digest": "0" * 64, "toml": file.read_text(), "reasons": []}, ExitCode.STORE),
    ):
        store(folder, "champion_policy", document)
        assert copytrade("holdout", "open", "--lead", LEAD, *ME).code == code
        assert ledger(folder) == []
    store(folder, "champion_policy", {"policy_digest": digest, "toml": file.read_text(), "reasons": []})
    opened = copytrade("holdout", "open", "--lead", LEAD, *ME)
    assert opened.code == ExitCode.OK
    assert opened.json["opening"]["candidate"] == digest
    assert "champion_policy" in dict(opened.json["opening"]["evidence"])


def test_a_search_report_counts_for_the_policy_and_data_it_was_about(copytrade, judged):
    from copytrade_core.edges.settings import load_settings
    from copytrade_core.edges.stages.candidate import candidate_facts
    from copytrade_core.edges.stages.workplace import open_workplace

    assert copytrade("gates", "--lead", LEAD, "--json").code == ExitCode.REFUSED
    now = candidate_facts(open_workplace(load_settings()), LEAD).judged
    engine = {"verdict": "EQUAL", "compared_count": 12, "policy_digests": [now.policy_digest], "difference": None}
    report = {
        "search_id": "5" * 64,
        "policy_digest": now.policy_digest,
        "data_digest": now.data_digest,
        "code_version": now.code_version,
        "neighbours_count": 12,
        "neighbours_profitable_ratio": 0.75,
        "overfitting": None,
        "engine": engine,
    }
    plateau = "neighbours_profitable_ratio_min"

    def found() -> tuple[str, float | None]:
        said = copytrade("gates", "--lead", LEAD, "--json")
        criteria = {item["criterion"]: item for item in gate(said, "robustness")["criteria"]}
        return gate(said, "engine_equivalence")["result"], criteria[plateau]["number"]

    assert found() == ("inconclusive", None)
    store(judged, "search_report", {"gate_facts": report})
    assert found() == ("pass", 0.75)
    store(judged, "search_report", {"gate_facts": {**report, "data_digest": "0" * 64}})
    assert found() == ("inconclusive", None)
    differing = {**engine, "verdict": "REJECTED_FOR_SEARCH", "difference": "fill 3"}
    store(judged, "search_report", {"gate_facts": {**report, "engine": differing}})
    assert found() == ("fail", 0.75)
    store(judged, "search_report", {"page": "without facts"})
    said = copytrade("gates", "--lead", LEAD, "--json")
    assert said.code == ExitCode.STORE
    assert "has no facts for gates" in said.json["error"]["what"]
