"""What the rules say in doubtful cases; that each fault is told once and anew is test_monitor_acceptance's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from copytrade_core.edges.monitoring.alerts import AlertChannel
from copytrade_core.edges.monitoring.failed_runs import note_failed_run
from copytrade_core.edges.monitoring.monitor_pass import Monitor
from copytrade_core.model.alert import AlertKind
from copytrade_core.model.order_row import OrderState
from copytrade_core.monitor.facts import FailedRunFact
from copytrade_core.monitor.finding import Rule
from copytrade_core.monitor.incidents import Delivery, IncidentState
from tests.alert_services import AlertServices, alert_services
from tests.journal_steps import EPISODE
from tests.monitor_floor import Runtime, dead_pid, iso, settings
from tests.trading_floor import BTC

DAY_MS = 86_400_000
GENTLE = settings(alerts__message_interval_s=0, alerts__retry_wait_s=0, alerts__backoff_initial_s=0)


@pytest.fixture(scope="module")
def running() -> Iterator[AlertServices]:
    with alert_services() as services:
        yield services


@pytest.fixture
def services(running: AlertServices) -> AlertServices:
    for each in (running.taken, running.refused, running.failures):
        each.clear()
    return running


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    made = Runtime(tmp_path / "runtime")
    yield made
    made.close()


def watching(runtime: Runtime, services: AlertServices) -> Monitor:
    channel = AlertChannel(SecretStr(services.hook), GENTLE.alerts, variable="TEST")
    return Monitor(runtime.folder, GENTLE, alerts=channel)


Change = Callable[[Runtime], object]


def status(**changes: object) -> Change:
    def write(runtime: Runtime) -> None:
        runtime.status |= changes

    return write


def process_gone(runtime: Runtime) -> None:
    runtime.write_lock(pid=dead_pid(), boot=runtime.status["boot_id"])


def unknown_for_long(runtime: Runtime) -> None:
    row = runtime.order(OrderState.JOURNALLED, OrderState.UNKNOWN)
    runtime.keep(replace(row, sent_at_ms=runtime.now_ms - 61_000))


def five_rejects(runtime: Runtime) -> None:
    for number in range(5):
        runtime.order(OrderState.JOURNALLED, OrderState.REJECTED, leg=f"leg{number}")


def two_opens(runtime: Runtime) -> None:
    runtime.fill()
    runtime.fill()


def slipped(runtime: Runtime) -> None:
    runtime.slipped(signed_bps=25.0)


def slipped_alert(runtime: Runtime) -> None:
    runtime.alert(AlertKind.SLIPPAGE)


def loss(value: float) -> Change:
    return status(limits=[{"name": "daily_loss", "value": value, "limit": 5.0, "unit": "usdt"}])


def test_a_well_session_is_silent_for_a_day(runtime, services) -> None:
    monitor = watching(runtime, services)
    for _ in range(24):
        runtime.later(3_600)
        found = runtime.look(monitor)
        assert (found.active, found.blind) == ((), ())
    assert services.taken == []


def test_what_happened_while_nobody_looked_is_told_however_old_it_is(runtime, services) -> None:
    runtime.look(watching(runtime, services))
    five_rejects(runtime)
    runtime.fill()
    runtime.later(10 * 86_400)
    assert {each.rule for each in runtime.look(watching(runtime, services)).opened} == {
        Rule.REJECTED_CLUSTER,
        Rule.ORDER_FILLED,
    }


def test_a_session_that_failed_while_nobody_looked_is_told_however_old_it_is_and_once(runtime, services) -> None:
    runtime.look(watching(runtime, services))
    runtime.later(60)
    runtime.status |= {"ended": "error", "last_error": "out of luck"}
    runtime.write_status(written_at=iso(runtime.now_ms), wall_at=iso(runtime.now_ms))
    runtime.writes_status = False
    killed = FailedRunFact(run_id="run 0", why="it was killed", at_ms=runtime.now_ms)
    note_failed_run(runtime.folder, killed)
    runtime.later(10 * DAY_MS / 1000)
    monitor = watching(runtime, services)
    assert {(each.rule, each.subject) for each in runtime.look(monitor).opened} == {
        (Rule.SESSION_FAILED, "run 1"),
        (Rule.SESSION_FAILED, "run 0"),
    }
    looks = []
    for _ in range(3):
        runtime.later(130)
        looks.append(runtime.look(monitor))
    assert [each.opened for each in looks] == [()] * 3
    assert looks[-1].active == ()


def test_a_session_that_has_ended_well_needs_no_process_and_no_new_status(runtime, services) -> None:
    runtime.status["ended"] = "deadline"
    runtime.write_status(written_at=iso(runtime.now_ms))
    runtime.writes_status = False
    process_gone(runtime)
    runtime.later(86_400)
    assert runtime.look(watching(runtime, services)).active == ()


@pytest.mark.parametrize(("mode", "expected"), [("live", [Rule.DEADLINE_NEAR]), ("paper", [])])
def test_a_session_that_ended_at_its_deadline_with_positions_at_a_venue_is_told_of(
    mode, expected, runtime, services
) -> None:
    runtime.status |= {"ended": "deadline", "positions": [runtime.position()], "deadline_at": iso(runtime.now_ms - 1)}
    runtime.status["mode"] = mode
    assert [each.rule for each in runtime.look(watching(runtime, services)).active] == expected


def test_long_after_the_end_only_what_was_left_wrong_still_matters(runtime, services) -> None:
    monitor = watching(runtime, services)
    (runtime.folder / "KILL").touch()
    loss(5.0)(runtime)
    unknown_for_long(runtime)
    runtime.status |= {"ended": "kill", "positions": [runtime.position(source_state="closed")]}
    expected = {Rule.CONTROL_ACTIVE, Rule.LOSS_LIMIT_HIT, Rule.UNKNOWN_ORDER, Rule.MISSED_CLOSE}
    assert {each.rule for each in runtime.look(monitor).active} == expected
    runtime.write_status(written_at=iso(runtime.now_ms))
    runtime.writes_status = False
    for _ in range(2):
        runtime.later(3_700)
        runtime.look(monitor)
    assert [each.rule for each in runtime.look(monitor).active] == [Rule.UNKNOWN_ORDER]


def test_a_session_on_a_virtual_clock_is_as_old_as_the_wall_says(runtime, services) -> None:
    runtime.writes_status = False
    monitor = watching(runtime, services)
    virtual = runtime.now_ms - 300 * DAY_MS
    runtime.write_status(written_at=iso(virtual), wall_at=iso(runtime.now_ms), started_at=iso(virtual - 1))
    assert runtime.look(monitor).active == ()
    runtime.later(200)
    assert [each.rule for each in runtime.look(monitor).active] == [Rule.STATUS_STALE]


def test_a_loss_that_is_hit_is_no_longer_near(runtime, services) -> None:
    monitor = watching(runtime, services)
    loss(4.2)(runtime)
    runtime.look(monitor)
    loss(5.5)(runtime)
    runtime.look(monitor)
    runtime.later(130)
    assert [each.rule for each in runtime.look(monitor).active] == [Rule.LOSS_LIMIT_HIT]


def test_an_unknown_loss_ends_no_incident(runtime, services) -> None:
    monitor = watching(runtime, services)
    loss(5.0)(runtime)
    runtime.look(monitor)
    runtime.status["limits"] = [{"name": "daily_loss", "value": None, "limit": 5.0, "unit": "usdt"}]
    for _ in range(2):
        runtime.later(500)
        runtime.look(monitor)
    found = runtime.look(monitor)
    assert [each.rule for each in found.active] == [Rule.LOSS_LIMIT_HIT]
    assert Rule.LOSS_LIMIT_HIT in found.blind


def test_a_close_is_missed_only_after_its_time(runtime, services) -> None:
    monitor = watching(runtime, services)
    runtime.status["positions"] = [runtime.position(source_state="closed")]
    runtime.source_closed(entry_deviation_ratio=0.0)
    runtime.later(170)
    assert runtime.look(monitor).active == ()
    runtime.later(20)
    assert [each.rule for each in runtime.look(monitor).active] == [Rule.MISSED_CLOSE]


def test_an_alert_of_a_newer_version_is_told_as_it_is(runtime, services) -> None:
    runtime.insert("alerts", {"at_ms": runtime.now_ms, "kind": "moon_phase", "subject": "x", "what": "full"})
    (found,) = runtime.look(watching(runtime, services)).active
    assert (found.rule, found.subject) == (Rule.SESSION_ALERT, "moon_phase x")


@pytest.mark.parametrize("kind", AlertKind)
def test_every_alert_of_a_session_reaches_a_person_or_its_own_rule(kind, runtime, services) -> None:
    unknown = kind in (AlertKind.UNRESOLVED_ORDER, AlertKind.UNKNOWN_AGE)
    if unknown:
        unknown_for_long(runtime)
        runtime.alert(kind, runtime.journal.load().rows[0].order.client_order_id)
    else:
        runtime.alert(kind)
    found = runtime.look(watching(runtime, services))
    assert len(found.active) == 1
    assert found.active[0].delivery is Delivery.SENT


@pytest.mark.parametrize(("shown", "differs"), [("30.25", False), ("29.75", False), ("30.26", True), ("29.74", True)])
def test_cash_that_the_ledger_does_not_have_is_a_mismatch(runtime, shown, differs) -> None:
    """A fee, a payment or a whole round trip that only one of the two knows leaves nothing held to differ in."""
    runtime.hold(quantity=0)
    runtime.later(1)
    runtime.status["cash_usdt"] = shown
    found = runtime.look(Monitor(runtime.folder, settings(), alerts=None))
    wrong = [each.subject for each in found.active if each.rule is Rule.NOTIONAL_MISMATCH]
    assert wrong == (["cash"] if differs else [])


def test_a_slippage_alert_and_its_observation_are_one_incident(runtime, services) -> None:
    slipped(runtime)
    slipped_alert(runtime)
    found = runtime.look(watching(runtime, services))
    assert [each.subject for each in found.active if each.rule is Rule.SLIPPAGE_BREACH] == [BTC]


def test_a_rule_that_is_silent_is_kept_and_one_that_is_off_is_not_asked(runtime, services) -> None:
    chosen = settings(monitor_levels__order_filled="silent", monitor_levels__control_active="off")
    channel = AlertChannel(SecretStr(services.hook), chosen.alerts, variable="TEST")
    runtime.fill()
    (runtime.folder / "KILL").touch()
    found = runtime.look(Monitor(runtime.folder, chosen, alerts=channel))
    assert [(each.rule, each.delivery) for each in found.active] == [(Rule.ORDER_FILLED, Delivery.NONE)]
    assert services.taken == []


def test_an_incident_of_a_rule_that_is_switched_off_is_over(runtime, services) -> None:
    (runtime.folder / "KILL").touch()
    runtime.look(watching(runtime, services))
    off = Monitor(runtime.folder, settings(monitor_levels__control_active="off", monitor__clear_s=0), alerts=None)
    assert [each.state for each in runtime.look(off).resolved] == [IncidentState.RESOLVED]


def test_episode_of_a_duplicate_is_named(runtime, services) -> None:
    two_opens(runtime)
    found = runtime.look(watching(runtime, services))
    assert [each.subject for each in found.active if each.rule is Rule.DUPLICATE_ENTRY] == [EPISODE]
