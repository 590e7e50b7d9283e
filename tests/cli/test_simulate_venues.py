"""`copytrade simulate` of a venue: one ready line, a clean end, and a sentence for what cannot be served."""

from __future__ import annotations

import json
import signal
import time
import urllib.request

import pytest

from copytrade_core.cli.exit_codes import ExitCode


def ready_url(path) -> str:
    for _ in range(400):
        if path.exists():
            return str(json.loads(path.read_text())["base_url"])
        time.sleep(0.05)
    pytest.fail("the stand-in did not say where it listens")


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("bingx", "/openApi/swap/v2/server/time"),
        ("gate", "/api/v4/spot/time"),
        ("binance-usdm", "/fapi/v1/time"),
    ],
)
def test_a_venue_says_where_it_listens_and_ends_with_ctrl_c(start, tmp_path, verb, path):
    ready = tmp_path / "ready.json"
    process = start("simulate", verb, "--cash", "500", "--ready-file", str(ready))
    with urllib.request.urlopen(ready_url(ready) + path, timeout=5) as answer:
        assert answer.status == 200
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")


def test_a_script_that_ends_early_and_an_unknown_fault_are_refused_before_it_listens(copytrade, tmp_path):
    market = {"market": "BTC/USDT:USDT", "tick_size": "0.1", "step_size": "0.001"}
    run = {
        "now_ms": 1000,
        "cash": "100",
        "until_ms": 9000,
        "markets": [market | {"min_quantity": "0.001", "min_notional": "5"}],
        "prices": {"BTC/USDT:USDT": [[1000, "60000.0"]]},
    }
    script, faults = tmp_path / "run.json", tmp_path / "faults.json"
    _ = script.write_text(json.dumps(run))
    said = copytrade("simulate", "bingx", "--script", str(script), "--json")
    assert said.code == ExitCode.BAD_INPUT
    assert "ends at 1000, before 9000" in said.out + said.err
    _ = script.write_text(json.dumps(run | {"until_ms": 1000}))
    _ = faults.write_text('[{"kind": "gremlins"}]')
    said = copytrade("simulate", "bingx", "--script", str(script), "--faults", str(faults), "--json")
    assert said.code == ExitCode.BAD_INPUT
    assert "gremlins" in said.out + said.err
