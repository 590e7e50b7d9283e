"""Gates about canaries: only what was watched while it happened, of exactly this policy and code, says anything."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from copytrade_core.promotion.gate_result import Gate, GateVerdict
from copytrade_core.promotion.gates import evaluate

PASS, FAIL, INCONCLUSIVE = GateVerdict.PASS, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE
CANARY, PARITY, SHADOW, MONITOR = (
    Gate.PAPER_CANARY_CLEAN,
    Gate.BACKTEST_PAPER_PARITY,
    Gate.SHADOW_CLEAN,
    Gate.MONITOR_CLEAN,
)
PAGE_AT = datetime(2026, 5, 19, tzinfo=UTC)
PAPER_RUN = "copytrade canary paper --lead 4751838302089254401 --live"
SHADOW_RUN = "copytrade canary shadow --lead 4751838302089254401 --live"


def result(candidates, gate, *, now=None, **changes):
    facts = candidates.facts(canary=candidates.canary(**changes))
    return evaluate(facts, candidates.contract(), now=now or candidates.now)[gate]


def sessions(candidates, **changes):
    return tuple(candidates.session(number, **changes) for number in range(7))


@pytest.mark.parametrize("gate", [CANARY, PARITY, SHADOW, MONITOR])
def test_a_week_of_clean_sessions_passes(candidates, gate):
    found = result(candidates, gate)
    assert found.verdict is PASS, found.reasons


@pytest.mark.parametrize(
    ("gate", "command"),
    [(CANARY, PAPER_RUN), (PARITY, PAPER_RUN), (SHADOW, SHADOW_RUN), (MONITOR, "--select monitor_incidents")],
)
def test_without_any_evidence_the_gate_names_the_command_that_makes_it(candidates, gate, command):
    found = result(candidates, gate, sessions=(), parities=(), shadows=(), incidents=None)
    assert found.verdict is INCONCLUSIVE
    own = [one for one in found.criteria if one.name != "incidents_critical_count_max"]
    assert all(command in criterion.command for criterion in own)


@pytest.mark.parametrize(
    "change", [{"is_observed": False}, {"policy_digest": "0" * 64}, {"code_version": "0.0.9+0"}], ids=str
)
@pytest.mark.parametrize("broken", [False, True])
def test_archived_reconstructed_and_foreign_sessions_never_count_whatever_they_show(candidates, change, broken):
    worse = {"broken": ("caps_held: too much",), "alerts": ("x",), "unknown": ("y",)} if broken else {}
    found = result(candidates, CANARY, sessions=sessions(candidates, **change, **worse))
    assert found.verdict is INCONCLUSIVE
    assert "none of 7 is a paper session that counts" in found.deciding.reason
    assert found.deciding.command == PAPER_RUN
    parity = candidates.parity(**change, **({"residual_bps_max": 90.0, "missed": ("z",)} if broken else {}))
    assert result(candidates, PARITY, parities=(parity,)).verdict is INCONCLUSIVE
    shadow = candidates.shadow(**change, **({"invalid": ("q",)} if broken else {}))
    assert result(candidates, SHADOW, shadows=(shadow,)).verdict is INCONCLUSIVE


@pytest.mark.parametrize("name", ["source", "market", "venue"])
def test_what_was_rehearsed_at_a_stand_in_counts_while_the_settings_name_it_and_no_longer(candidates, name):
    standin = replace(candidates.read_at, **{name: "http://127.0.0.1:8080"})
    rehearsed = {
        "sessions": sessions(candidates, read_at=replace(standin, venue=None)),
        "parities": (candidates.parity(read_at=replace(standin, venue=None)),),
        "shadows": (candidates.shadow(read_at=standin),),
    }
    reads_it = (SHADOW,) if name == "venue" else (CANARY, PARITY, SHADOW)
    for gate in reads_it:
        assert result(candidates, gate, read_at=standin, **rehearsed).verdict is PASS
        today = result(candidates, gate, **rehearsed)
        assert today.verdict is INCONCLUSIVE
        said = f"(read: {name} http://127.0.0.1:8080, not {getattr(candidates.read_at, name)})"
        assert said in today.deciding.reason


def test_evidence_of_which_nobody_knows_where_it_was_read_does_not_count(candidates):
    found = result(candidates, CANARY, sessions=sessions(candidates, read_at=None))
    assert found.verdict is INCONCLUSIVE
    assert "(read: at no address that it tells)" in found.deciding.reason
    assert result(candidates, PARITY, parities=(candidates.parity(read_at=None),)).verdict is INCONCLUSIVE
    assert result(candidates, SHADOW, shadows=(candidates.shadow(read_at=None),)).verdict is INCONCLUSIVE


@pytest.mark.parametrize("invalid", [(), ("ct-1: below minimum",)])
def test_what_was_shown_at_another_venue_says_nothing_of_the_one_of_today(candidates, invalid):
    found = result(candidates, SHADOW, shadows=(candidates.shadow(invalid=invalid),), venue="gate")
    assert found.verdict is INCONCLUSIVE
    assert "shadow session at gate" in found.deciding.reason


@pytest.mark.parametrize("gate", [CANARY, PARITY, SHADOW, MONITOR])
def test_old_evidence_has_expired_and_has_not_failed(candidates, gate):
    found = result(candidates, gate, now=candidates.now + timedelta(days=60))
    assert found.verdict is INCONCLUSIVE
    assert found.deciding.command


def test_too_little_is_not_a_failure(candidates):
    found = result(candidates, CANARY, sessions=sessions(candidates)[:3])
    assert found.verdict is INCONCLUSIVE
    unmet = {criterion.name for criterion in found.criteria if criterion.verdict is not PASS}
    assert unmet == {"sessions_count_min", "observed_hours_min"}


@pytest.mark.parametrize(
    ("change", "criterion"),
    [
        ({"broken": ("caps_held: 31 held",)}, "checks_broken_count_max"),
        ({"alerts": ("ledger_mismatch BTC",)}, "alerts_count_max"),
        ({"unknown": ("ct-1",)}, "unknown_orders_count_max"),
        ({"ended": "error"}, "sessions_unfinished_count_max"),
        ({"ended": None}, "sessions_unfinished_count_max"),
        ({"failed_polls_count": 1440}, "polls_failed_ratio_max"),
        ({"close_delay_s": 181.0}, "close_delay_s_max"),
    ],
)
def test_one_session_that_went_wrong_fails_the_canary_and_is_named(candidates, change, criterion):
    bad = (candidates.session(0, **change), *sessions(candidates)[1:])
    found = result(candidates, CANARY, sessions=bad)
    assert found.verdict is FAIL
    assert found.deciding.name == criterion
    if criterion not in {"polls_failed_ratio_max", "close_delay_s_max"}:
        assert "2026-05-10|" in found.deciding.reason


@pytest.mark.parametrize(
    ("change", "lacking"),
    [
        ({"started_at": PAGE_AT, "ended_at": PAGE_AT}, "observed_hours_min"),
        ({"entries_count": 0}, "entries_count_min"),
        ({"exits_count": 0}, "exits_count_min"),
    ],
)
def test_each_kind_of_too_little_is_named(candidates, change, lacking):
    found = result(candidates, CANARY, sessions=sessions(candidates, **change))
    assert (found.verdict, found.deciding.name) == (INCONCLUSIVE, lacking)
    few = result(candidates, PARITY, parities=(candidates.parity(compared_count=9),))
    assert (few.verdict, few.deciding.name) == (INCONCLUSIVE, "intents_compared_count_min")


def test_a_critical_incident_fails_the_canary_and_a_monitor_that_never_looked_leaves_it_open(candidates):
    bad = result(candidates, CANARY, incidents=candidates.incidents(critical=("unknown_order-3",)))
    assert (bad.verdict, bad.deciding.name) == (FAIL, "incidents_critical_count_max")
    assert "unknown_order-3" in bad.deciding.reason
    unseen = result(candidates, CANARY, incidents=None)
    assert (unseen.verdict, unseen.deciding.name) == (INCONCLUSIVE, "incidents_critical_count_max")
    assert "--select monitor_incidents" in unseen.deciding.command


@pytest.mark.parametrize(
    ("change", "criterion"),
    [
        ({"residual_bps_max": 1.01}, "residual_bps_max"),
        ({"residual_bps_max": -1.01}, "residual_bps_max"),
        ({"difference_bps_mean": 10.5}, "difference_bps_mean_max"),
        ({"missed": ("open e1 only in paper",)}, "intents_missed_count_max"),
    ],
)
def test_a_difference_that_nothing_explains_fails_parity(candidates, change, criterion):
    found = result(candidates, PARITY, parities=(candidates.parity(**change),))
    assert found.verdict is FAIL
    assert found.deciding.name == criterion


def test_parity_weighs_sessions_by_their_intents_and_leaves_empty_ones_out(candidates):
    many = candidates.parity(compared_count=30, difference_bps_mean=2.0)
    few = candidates.parity(compared_count=10, difference_bps_mean=6.0)
    empty = candidates.parity(compared_count=0, residual_bps_max=None, difference_bps_mean=None)
    found = result(candidates, PARITY, parities=(many, few, empty))
    assert {one.name: one.number for one in found.criteria}["difference_bps_mean_max"] == 3.0
    assert result(candidates, PARITY, parities=(empty,)).verdict is INCONCLUSIVE


@pytest.mark.parametrize(
    ("gate", "change", "criterion"),
    [
        (SHADOW, {"invalid": ("ct-1: below minimum",)}, "orders_invalid_count_max"),
        (SHADOW, {"probe_faults": ("may withdraw",)}, "probe_faults_count_max"),
        (MONITOR, {"critical": ("unknown_order-3",)}, "critical_count_max"),
        (MONITOR, {"active": ("source_stale-4",)}, "active_count_max"),
        (MONITOR, {"unheard": ("order_filled-5",)}, "unheard_count_max"),
    ],
)
def test_what_shadow_or_monitor_found_fails_their_gate(candidates, gate, change, criterion):
    evidence = (
        {"shadows": (candidates.shadow(**change),)} if gate is SHADOW else {"incidents": candidates.incidents(**change)}
    )
    found = result(candidates, gate, **evidence)
    assert found.verdict is FAIL
    assert found.deciding.name == criterion
