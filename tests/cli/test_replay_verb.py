"""`copytrade replay`, `evidence`, `gates`: the JSON that others rely on, on recorded bars and on a simulated market."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from copytrade_core.cli.exit_codes import ExitCode

LEAD = "4751838302089254401"
ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data/sample/leads" / LEAD
LEGACY = ("--strategy", "contrarian_on_close", "--fill-model", "legacy_contrarian_v1")
SUMMARY = {
    "count",
    "skipped",
    "net_pnl_usdt",
    "win_ratio",
    "profit_factor",
    "max_drawdown_ratio",
    "dca_fills_mean",
}
TRIP = {"source_id", "market", "side", "pnl_usdt", "dca_fills"}


@pytest.fixture(scope="module")
def mine(tmp_path_factory, recorded) -> Path:
    """The recorded store as this file uses it: tries by hand are counted in it."""
    folder = tmp_path_factory.mktemp("replay_verb") / "data"
    shutil.copytree(recorded, folder)
    return folder


@pytest.fixture
def on_recorded_bars(copytrade, environment, mine):
    environment["COPYTRADE_DATA_DIR"] = str(mine)
    return copytrade


@pytest.mark.parametrize("rungs", range(4))
def test_the_original_study_runs_on_43_positions_and_skips_4_with_reasons(on_recorded_bars, rungs):
    found = on_recorded_bars("replay", "--lead", LEAD, *LEGACY, "--rungs", str(rungs), "--json").json
    assert set(found) == {"summary", "round_trips", "skipped", "digests"}
    assert set(found["summary"]) >= SUMMARY
    assert found["summary"]["count"] == len(found["round_trips"]) == 43
    assert found["summary"]["skipped"] == len(found["skipped"]) == 4
    assert all(set(trip) >= TRIP for trip in found["round_trips"])
    assert {skip["source_id"] for skip in found["skipped"]} == {
        "1777638565700",
        "1778769851996",
        "1778776547294",
        "1779098899731",
    }
    assert all(skip["reason"] for skip in found["skipped"])
    total = sum(trip["pnl_usdt"] for trip in found["round_trips"])
    assert total == pytest.approx(found["summary"]["net_pnl_usdt"], abs=1e-9)
    assert max(trip["dca_fills"] for trip in found["round_trips"]) <= rungs


def test_the_same_command_gives_the_same_digest(on_recorded_bars):
    digests = {
        on_recorded_bars("replay", "--lead", LEAD, *LEGACY, "--json").json["digests"]["result"] for _ in range(2)
    }
    assert len(digests) == 1


def test_executable_fills_give_the_same_shape_and_keep_the_holdout_closed(on_recorded_bars):
    found = on_recorded_bars("replay", "--lead", LEAD, "--strategy", "follow_lead", "--json").json
    assert set(found) == {"summary", "round_trips", "skipped", "digests"}
    assert set(found["summary"]) >= SUMMARY
    assert found["summary"]["fill_model"] == "next_bar_open_v1"
    assert len(found["round_trips"]) + len(found["skipped"]) == 47
    reasons = [skip["reason"] for skip in found["skipped"]]
    assert reasons.count("holdout") >= 10
    traded = {trip["source_id"] for trip in found["round_trips"]}
    assert traded.isdisjoint({skip["source_id"] for skip in found["skipped"]})
    total = sum(trip["pnl_usdt"] for trip in found["round_trips"])
    assert total == pytest.approx(found["summary"]["net_pnl_usdt"], abs=1e-6)


def test_assumptions_on_the_command_line_are_used_and_change_the_digest(on_recorded_bars):
    base = ("replay", "--lead", LEAD, "--strategy", "follow_lead", "--json")
    usual = on_recorded_bars(*base).json
    worse = on_recorded_bars(*base, "--delay", "300", "--slippage-bps", "20").json
    assert (worse["summary"]["delay_s"], worse["summary"]["slippage_bps"]) == (300, 20)
    assert worse["digests"]["assumptions"] != usual["digests"]["assumptions"]
    policy = Path(__file__).resolve().parents[2] / "settings/policies/follow_lead.toml"
    same = on_recorded_bars("replay", "--lead", LEAD, "--policy", str(policy), "--json").json
    assert same["round_trips"] == usual["round_trips"]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--strategy", "nonsense"), "strategy"),
        (("--strategy", "follow_lead", "--rungs", "2"), "rungs"),
        (("--strategy", "follow_lead", "--fill-model", "legacy_contrarian_v1"), "strategy"),
        ((*LEGACY, "--delay", "60"), "fill-model"),
        (("--fill-model", "touch_v1"), "--fill-model"),
        (("--fill-model", "nonsense"), "--fill-model"),
        (("--rung-fill", "next_bar_open_v1"), "--rung-fill"),
        (("--delay", "-5"), "replay.delay_s"),
        (("--policy", "absent.toml"), "absent.toml"),
    ],
)
def test_what_cannot_be_replayed_is_named(on_recorded_bars, arguments, field):
    said = on_recorded_bars("replay", "--lead", LEAD, *arguments, "--json")
    assert said.code == ExitCode.BAD_INPUT
    assert field in said.json["error"]["where"]


def test_rungs_are_0_to_3(on_recorded_bars):
    assert on_recorded_bars("replay", "--lead", LEAD, *LEGACY, "--rungs", "4", "--json").code == ExitCode.BAD_INPUT


def test_a_lead_that_is_not_archived_and_prices_that_are_not_stored_are_told(copytrade):
    said = copytrade("replay", "--lead", LEAD, "--json")
    assert said.code == ExitCode.NOT_STORED
    assert "copytrade poll" in said.json["error"]["next_step"]
    assert copytrade("import", "--from-dir", str(SAMPLE), "--json").code == 0
    said = copytrade("replay", "--lead", LEAD, *LEGACY, "--json")
    assert said.code == ExitCode.NOT_STORED
    assert "copytrade bars" in said.json["error"]["next_step"]
    assert copytrade("gates", "--lead", LEAD, "--json").code == ExitCode.NOT_STORED
    assert copytrade("report", "path", "--lead", LEAD, "--json").code == ExitCode.NOT_STORED
    refused = copytrade("live", "start", "--lead", LEAD, "--json")
    assert refused.code == ExitCode.REFUSED
    assert refused.json["allowed"] is False
    assert refused.json["missing"]


def test_bars_that_are_not_bars_are_named_and_not_stored(copytrade, tmp_path):
    file = tmp_path / "BTCUSDT_5m.csv"
    file.write_text("open_time,open,high,low,close,volume\n1767225600000,1,2,3,1,1\n")
    said = copytrade("bars", "import", str(file), "--market", "BTC/USDT:USDT", "--interval", "5m", "--json")
    assert said.code == ExitCode.BAD_INPUT
    assert "row 2" in said.json["error"]["where"]
    assert copytrade("bars", "status", "--json").json["bars"] == []


def test_a_lead_becomes_a_partition_of_the_graph_once(copytrade, environment):
    first = copytrade("track", LEAD, "--json").json
    assert first["added"] is True
    assert first["dagster_home"] == environment["DAGSTER_HOME"]
    assert copytrade("track", LEAD, "--json").json["added"] is False
    assert copytrade("track", "../etc", "--json").code == ExitCode.BAD_INPUT


def test_verbs_that_need_no_dagster_do_not_load_it(mine):
    code = (
        "import sys, io, contextlib\n"
        "from copytrade_core.cli.app import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        f"    assert main(['replay', '--lead', '{LEAD}', '--strategy', 'follow_lead', '--json']) == 0\n"
        "print([name for name in ('dagster', 'plotly', 'starlette') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "COPYTRADE_DATA_DIR": str(mine)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_numbers_made_under_other_settings_are_called_so(copytrade, judged, environment):
    usual = copytrade("gates", "--lead", LEAD, "--json")
    assert (usual.code, usual.json["stale_settings"]) == (ExitCode.REFUSED, [])
    assert "other settings" not in copytrade("gates", "--lead", LEAD).out
    environment |= {"COPYTRADE_REPLAY__DELAY_S": "900", "COPYTRADE_COSTS__SLIPPAGE_BPS": "9"}
    environment["COPYTRADE_POLICIES__FOLLOW_LEAD"] = str(ROOT / "settings/policies/candidate_189.toml")
    other = copytrade("gates", "--lead", LEAD, "--json")
    assert other.code == ExitCode.REFUSED
    assert other.json["stale_settings"] == ["replay.delay_s", "costs.slippage_bps", "policies.follow_lead"]
    drawn = " ".join(copytrade("gates", "--lead", LEAD).out.split())
    assert f"these numbers were made under other settings: run copytrade evidence --lead {LEAD}" in drawn
    assert "changed: replay.delay_s" in drawn
    sample = next(row for row in usual.json["gates"] if row["gate"] == "sample_size")
    unmet = [item["criterion"] for item in sample["criteria"] if item["result"] != "pass"]
    assert sample["unmet_count"] == len(unmet) > 1
    assert f"{len(unmet)} of {len(sample['criteria'])}" in drawn
    assert all(name in drawn for name in unmet)
    assert f"run: copytrade poll --lead {LEAD} --once" in drawn


def test_a_misspelt_fill_model_is_answered_with_those_of_its_option(copytrade):
    said = copytrade("replay", "--lead", LEAD, "--fill-model", "nope", "--json").json["error"]
    assert "next_bar_open_v1" in said["next_step"]
    assert "touch_v1" not in said["next_step"]
    said = copytrade("replay", "--lead", LEAD, "--rung-fill", "close_beyond", "--json").json["error"]
    assert said["next_step"] == "Did you mean close_beyond_v1?"


def test_what_live_lacks_is_told_once_by_gate(copytrade, judged):
    refused = copytrade("live", "start", "--lead", LEAD, "--json")
    assert refused.code == ExitCode.REFUSED
    gates = [item["gate"] for item in refused.json["missing"] if item["gate"] != "chain"]
    assert len(gates) == len(set(gates))
    assert {"sample_size", "drawdown", "overfitting", "preflight_clean", "human_approval"} <= set(gates)
    drawn = " ".join(copytrade("live", "start", "--lead", LEAD).out.split())
    assert drawn.count("Nothing can produce it today") == 1
    assert all(gate in drawn for gate in gates)
