"""`copytrade certify` and `preflight`: what they print, exit codes, and the command that shows a failure again."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from copytrade_core.cli.app import main
from copytrade_core.cli.exit_codes import ExitCode

LEAD = "4751838302089254401"


def test_a_certificate_lists_what_the_client_sends_and_is_stored_once(copytrade, environment):
    first = copytrade("certify", "--venue", "bingx", "--json")
    assert (first.code, first.err) == (ExitCode.OK, "")
    assert {"venue", "ccxt_version", "requests", "codes", "facts", "digest"} <= set(first.json)
    calls = {request["call"] for request in first.json["requests"]}
    assert {"hedge submit market", "one_way submit reduce-only market", "hedge cancel", "hedge fills"} <= calls
    assert {fact["basis"] for fact in first.json["facts"]} <= {"documented", "client", "assumed"}
    heads = Path(environment["COPYTRADE_DATA_DIR"]) / "heads/venue_certificate"
    (head,) = heads.glob("*.json")
    assert json.loads(head.read_text())["digest"] == first.json["digest"]
    drawn = copytrade("certify")
    assert "bingx is certified for ccxt" in drawn.out
    assert "what the order path relies on" in drawn.out


PREFLIGHT = ("preflight", "--lead", LEAD, "--venue", "bingx")
ANSWER = {
    *("verdict", "lead", "venue", "policy", "policy_digest", "code_version", "seeds", "runs", "runs_http", "injected"),
    *("scenarios", "grid", "empty_required", "crash_points", "assumed_rules", "held", "broken", "failures"),
}


@pytest.fixture(scope="module")
def certified(tmp_path_factory) -> Path:
    """A data folder in which the venue is certified."""
    folder = tmp_path_factory.mktemp("certified") / "data"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COPYTRADE_DATA_DIR", str(folder))
        assert main(["certify", "--venue", "bingx", "--json"]) == 0
    return folder


@pytest.fixture
def at_venue(copytrade, environment, certified):
    environment["COPYTRADE_DATA_DIR"] = str(certified)
    return copytrade


def test_one_scenario_and_one_seed_run_again_and_nothing_is_stored(at_venue, certified):
    said = at_venue(*PREFLIGHT, "--scenario", "timeout_after_accept", "--json")
    assert (said.code, said.err) == (ExitCode.OK, "")
    assert set(said.json) >= ANSWER
    assert said.json["verdict"] == "pass"
    assert [(row["name"], row["face"]) for row in said.json["scenarios"]] == [
        ("timeout_after_accept", "in_process"),
        ("timeout_after_accept", "http"),
    ]
    seed = at_venue(*PREFLIGHT, "--seed", "7", "--json")
    assert (seed.code, seed.json["seeds"], seed.json["scenarios"]) == (ExitCode.OK, [7, 1], [])
    assert seed.json["runs_http"] > 0
    assert at_venue(*PREFLIGHT, "--seed", "7", "--json").json == seed.json
    drawn = at_venue(*PREFLIGHT, "--seed", "7").out
    assert "faults that struck, by state of the session" in drawn
    assert "!" not in drawn
    assert not (certified / "heads/preflight_result").exists()


def test_an_injected_fault_fails_with_the_command_that_shows_it_again(at_venue):
    once = (*PREFLIGHT, "--scenario", "timeout_after_accept", "--inject", "reject_next_n_orders=1")
    said = at_venue(*once, "--json")
    assert said.code == ExitCode.REFUSED
    assert said.json["verdict"] == "fail"
    replays = {failure["replay"] for failure in said.json["failures"]}
    assert replays == {shlex.join(("copytrade", *once))}
    (replay,) = replays
    again = at_venue(*shlex.split(replay)[1:], "--json")
    assert (again.code, again.json["failures"]) == (said.code, said.json["failures"])
    assert replay in at_venue(*once).out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--scenario", "nonsense"), "timeout_after_accept"),
        (("--inject", "nonsense=1"), "reject_next_n_orders"),
        (("--inject", "reject_next_n_orders=many"), "NUMBER"),
        (("--inject", "reject_next_n_orders=-1"), "reject_next_n_orders"),
        (("--seeds", "0"), "--seeds"),
        (("--seed", "-1"), "--seed"),
        (("--lead", "../etc"), "number"),
    ],
)
def test_a_wrong_question_is_answered_before_anything_is_drilled(at_venue, arguments, words):
    said = at_venue(*PREFLIGHT, *arguments, "--json")
    assert said.code == ExitCode.BAD_INPUT
    assert words in json.dumps(said.json["error"])


@pytest.mark.parametrize("verb", [("certify",), ("preflight", "--lead", LEAD)])
def test_a_venue_that_does_not_exist_is_answered_with_those_that_do(copytrade, verb):
    said = copytrade(*verb, "--venue", "nowhere", "--json")
    assert said.code == ExitCode.BAD_INPUT
    assert "bingx, gate, binance" in said.json["error"]["next_step"]


def test_the_gates_ask_for_a_certificate_and_a_preflight(copytrade, judged):
    gates = {row["gate"]: row for row in copytrade("gates", "--lead", LEAD, "--json").json["gates"]}
    for name in ("preflight_clean", "restart_clean"):
        assert gates[name]["result"] == "inconclusive"
        assert gates[name]["command"] == "copytrade certify --venue bingx"


def test_verbs_that_send_no_order_never_load_a_venues_client(judged):
    code = (
        "import sys, io, contextlib\n"
        "from copytrade_core.cli.app import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        f"    assert main(['gates', '--lead', '{LEAD}', '--json']) == 1\n"
        f"    assert main(['replay', '--lead', '{LEAD}', '--strategy', 'follow_lead', '--json']) == 0\n"
        "print([name for name in sys.modules if name == 'ccxt' or name.startswith('copytrade_core.edges.venues')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=judged_environment(judged)
    )
    assert done.stdout.strip() == "[]"


def judged_environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "COPYTRADE_DATA_DIR": str(folder)}
