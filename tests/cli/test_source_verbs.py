"""Import and poll: every row accounted for, every answer kept, nothing half-written."""

import json
import shutil
import signal
import time
import urllib.request
from pathlib import Path

import pytest

from copytrade_core.cli.exit_codes import ExitCode

LEAD = "4751838302089254401"
SAMPLE = Path(__file__).resolve().parents[2] / "data/sample/leads" / LEAD
COUNTS = {"pages", "rows", "normalised", "rejected", "duplicates"}


@pytest.fixture
def polling(environment, standin_url):
    """The environment of a client that asks the stand-in and does not wait between requests."""
    environment["COPYTRADE_SOURCE__BASE_URL"] = standin_url
    environment["COPYTRADE_SOURCE__REQUEST_INTERVAL_S"] = "0"
    return environment


def test_the_sample_lead_gives_47_rows_of_which_all_are_usable(copytrade):
    found = copytrade("import", "--from-dir", str(SAMPLE), "--json").json
    assert set(found) >= COUNTS
    assert found["rows"] == found["normalised"] == 47
    assert found["rejected"] == {}
    assert found["duplicates"] == 0


def test_the_shared_lead_folder_gives_47_rows(copytrade, real_data):
    found = copytrade("import", "--from-dir", str(real_data / "leads" / LEAD), "--json").json
    assert (found["rows"], found["normalised"], found["rejected"], found["duplicates"]) == (47, 47, {}, 0)


def test_rows_are_normalised_rejected_or_duplicates_and_add_up(copytrade, tmp_path):
    folder = tmp_path / LEAD
    folder.mkdir()
    pages = json.loads((SAMPLE / "position_history_pages_raw.json").read_text())
    rows = pages[0]["response"]["data"]["list"]
    rows[0]["avgCost"] = -1
    rows[1]["closed"] = rows[1]["opened"] - 1
    rows.append(dict(rows[5]))
    pages[0]["response"]["data"]["total"] = len(rows)
    (folder / "position_history_pages_raw.json").write_text(json.dumps(pages))
    found = copytrade("import", "--from-dir", str(folder), "--json").json
    assert found["rows"] == 48
    assert found["rejected"] == {"impossible_time": 1, "non_positive_price": 1}
    assert found["duplicates"] == 1
    assert found["rows"] == found["normalised"] + sum(found["rejected"].values()) + found["duplicates"]


@pytest.mark.parametrize("content", ["", "<html>", '{"code": "000000", "data": ', "[1, 2]"])
def test_a_bad_file_stores_nothing_and_is_named(copytrade, tmp_path, environment, content):
    folder = tmp_path / LEAD
    shutil.copytree(SAMPLE, folder)
    (folder / "page_2.json").write_text(content)
    said = copytrade("import", "--from-dir", str(folder), "--json")
    assert said.code == ExitCode.BAD_INPUT
    assert "page_2.json" in said.json["error"]["where"]
    assert copytrade("status", "--json").json["leads"] == []


def test_a_folder_that_is_not_there_is_told(copytrade, tmp_path):
    said = copytrade("import", "--from-dir", str(tmp_path / "absent"), "--json")
    assert said.code == ExitCode.BAD_INPUT
    assert "absent" in said.json["error"]["where"] + said.json["error"]["what"]


def test_one_poll_reads_the_whole_history_over_http(copytrade, polling):
    found = copytrade("poll", "--lead", LEAD, "--once", "--json").json
    assert (found["total_count"], found["distinct_count"], found["short_by"]) == (47, 47, 0)
    assert found["page_set_changed"] is True


def test_the_seeds_command_saves_raw_pages_and_normalised_rows(copytrade_process, polling, tmp_path):
    folder = tmp_path / "reports" / f"binance_copy_{LEAD}_2026-05-19"
    said = copytrade_process("poll", "--portfolio-id", LEAD, "--report-dir", str(folder), "--once", "--json")
    assert said.code == 0, said.err
    found = said.json
    assert found["normalised"] == 47
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == found["files"]
    lines = (folder / "poll/normalised/closed_positions.csv").read_text().splitlines()
    assert len(lines) == 48
    assert lines[0].startswith("lead_id,source_id,symbol,market,side,opened_at,closed_at")
    again = copytrade_process("import", "--from-dir", str(folder), "--json")
    assert again.code == 0, again.out
    assert again.json["normalised"] == 47


def test_a_host_that_does_not_answer_is_an_upstream_error(copytrade_process, environment):
    environment["COPYTRADE_SOURCE__BASE_URL"] = "http://127.0.0.1:9"
    environment["COPYTRADE_SOURCE__ATTEMPTS_MAX"] = "1"
    said = copytrade_process("poll", "--lead", LEAD, "--once", "--json")
    assert said.code == ExitCode.UPSTREAM
    assert "request" in said.json["error"]["where"]


@pytest.mark.parametrize("arguments", [[], ["--once", "--every", "60"], ["--every", "60", "--json"], ["--every", "1"]])
def test_a_poll_says_how_often(copytrade, arguments):
    assert copytrade("poll", "--lead", LEAD, *arguments).code == ExitCode.BAD_INPUT


def test_a_stand_in_says_where_it_listens_and_ends_with_ctrl_c(start, tmp_path):
    ready = tmp_path / "ready.json"
    process = start("simulate", "binance", "--from-dir", str(SAMPLE.parent), "--ready-file", str(ready))
    for _ in range(200):
        if ready.exists():
            break
        time.sleep(0.05)
    url = json.loads(ready.read_text())["base_url"]
    with urllib.request.urlopen(f"{url}/fapi/v1/ping", timeout=5) as answer:
        assert answer.status == 200
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize(("arguments", "origin"), [([], "recorded"), (["--simulated"], "simulated")])
def test_a_stand_in_serves_imported_bars_where_there_are_some(copytrade, start, tmp_path, arguments, origin):
    rows = [f"2026-02-01 {hour:02}:00:00,78000.0,78100.0,77900.0,78050.5,12.5" for hour in range(12)]
    bars = tmp_path / "BTCUSDT_1h.csv"
    bars.write_text("\n".join(["ts,open,high,low,close,vol", *rows]) + "\n")
    stored = copytrade("bars", "import", str(bars), "--market", "BTC/USDT:USDT", "--interval", "1h", "--json")
    assert stored.code == 0
    ready = tmp_path / "ready.json"
    process = start("simulate", "binance", "--from-dir", str(SAMPLE.parent), "--ready-file", str(ready), *arguments)
    for _ in range(200):
        if ready.exists():
            break
        time.sleep(0.05)
    url = json.loads(ready.read_text())["base_url"]
    said = {}
    for symbol in ("BTCUSDT", "ETHUSDT"):
        asked = f"{url}/fapi/v1/klines?symbol={symbol}&interval=1h&startTime=1769911200000&limit=1"
        with urllib.request.urlopen(asked, timeout=5) as answer:
            said[symbol] = (answer.headers["x-copytrade-market"], json.loads(answer.read())[0][4])
    process.send_signal(signal.SIGINT)
    _ = process.communicate(timeout=20)
    assert said["BTCUSDT"][0] == origin
    assert (float(said["BTCUSDT"][1]) == 78050.5) is (origin == "recorded")
    assert said["ETHUSDT"][0] == "simulated"


def test_a_stand_in_of_an_empty_folder_is_refused(copytrade, tmp_path):
    said = copytrade("simulate", "binance", "--from-dir", str(tmp_path), "--json")
    assert said.code == ExitCode.BAD_INPUT
    assert said.json["error"]["what"]
