"""Each fault, planted in a real runtime directory, is told once, ends, and is told again when it comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from copytrade_core.edges.alerts import AlertChannel
from copytrade_core.edges.monitor_pass import Monitor
from copytrade_core.model.alert import AlertKind
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.order_row import OrderState
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


def nothing(_: Runtime) -> None:
    """What happened is over by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """How a fault comes into a directory and how it goes; `also` are rules that rightly speak of it too."""

    plant: Change
    mend: Change = nothing
    also: frozenset[Rule] = field(default_factory=frozenset)


def status(**changes: object) -> Change:
    def write(runtime: Runtime) -> None:
        runtime.status |= changes

    return write


def no_status(runtime: Runtime) -> None:
    runtime.writes_status = False
    runtime.status_file.unlink(missing_ok=True)


def stale_status(runtime: Runtime) -> None:
    runtime.writes_status = False
    runtime.write_status(written_at=iso(runtime.now_ms - 181_000))


def status_again(runtime: Runtime) -> None:
    runtime.writes_status = True


def process_gone(runtime: Runtime) -> None:
    runtime.write_lock(pid=dead_pid(), boot=runtime.status["boot_id"])


def process_back(runtime: Runtime) -> None:
    runtime.write_lock(pid=runtime.status["pid"], boot=runtime.status["boot_id"])


def unknown_for_long(runtime: Runtime) -> None:
    row = runtime.order(OrderState.JOURNALLED, OrderState.UNKNOWN)
    runtime.keep(replace(row, sent_at_ms=runtime.now_ms - 61_000))


def all_found(runtime: Runtime) -> None:
    for row in runtime.journal.load().rows:
        if not row.state.is_final:
            runtime.keep(replace(row, state=OrderState.CANCELLED))


def five_rejects(runtime: Runtime) -> None:
    for number in range(5):
        runtime.order(OrderState.JOURNALLED, OrderState.REJECTED, leg=f"leg{number}")


def four_attempts(runtime: Runtime) -> None:
    for _ in range(3):
        runtime.order(OrderState.JOURNALLED, OrderState.REJECTED, kind=IntentKind.CLOSE, leg="all")
    runtime.order(OrderState.JOURNALLED, OrderState.FILLED, kind=IntentKind.CLOSE, leg="all")


def lead_closed(runtime: Runtime) -> None:
    runtime.status["positions"] = [runtime.position(source_state="closed")]


def two_opens(runtime: Runtime) -> None:
    runtime.fill()
    runtime.fill()


def bad_match(runtime: Runtime) -> None:
    runtime.source_closed(entry_deviation_ratio=0.5)


def slipped(runtime: Runtime) -> None:
    runtime.slipped(signed_bps=25.0)


def slipped_alert(runtime: Runtime) -> None:
    runtime.alert(AlertKind.SLIPPAGE)


def loss(value: float) -> Change:
    return status(limits=[{"name": "daily_loss", "value": value, "limit": 5.0, "unit": "usdt"}])


def deadline_soon(runtime: Runtime) -> None:
    runtime.status |= {"deadline_at": iso(runtime.now_ms + 600_000), "positions": [runtime.position()]}


def deadline_moved(runtime: Runtime) -> None:
    runtime.status |= {"deadline_at": iso(runtime.now_ms + 30 * DAY_MS), "positions": []}


def journal_torn(runtime: Runtime) -> None:
    runtime.journal.close()
    path = runtime.folder / "session.sqlite"
    path.rename(runtime.folder / "kept")
    path.write_bytes(b"SQLite format 3\0" + b"torn" * 1000)
    for name in ("session.sqlite-wal", "session.sqlite-shm"):
        (runtime.folder / name).unlink(missing_ok=True)


def journal_back(runtime: Runtime) -> None:
    (runtime.folder / "kept").rename(runtime.folder / "session.sqlite")


FILLED = frozenset({Rule.ORDER_FILLED})
FAULTS: dict[Rule, Fault] = {
    Rule.STATUS_MISSING: Fault(plant=no_status, mend=status_again),
    Rule.STATUS_STALE: Fault(plant=stale_status, mend=status_again),
    Rule.PROCESS_MISSING: Fault(plant=process_gone, mend=process_back),
    Rule.CONTROL_ACTIVE: Fault(
        plant=lambda runtime: (runtime.folder / "KILL").touch(), mend=lambda runtime: (runtime.folder / "KILL").unlink()
    ),
    Rule.EXCHANGE_MISMATCH: Fault(plant=status(account="another"), mend=status(account="canary")),
    Rule.POSITION_MISMATCH: Fault(plant=lambda runtime: runtime.alert(AlertKind.LEDGER_MISMATCH)),
    Rule.NOTIONAL_MISMATCH: Fault(
        plant=lambda runtime: runtime.hold(quantity=10), mend=lambda runtime: runtime.hold(quantity=0)
    ),
    Rule.UNKNOWN_ORDER: Fault(plant=unknown_for_long, mend=all_found),
    Rule.REJECTED_CLUSTER: Fault(plant=five_rejects),
    Rule.REPEATED_ATTEMPTS: Fault(plant=four_attempts),
    Rule.MISSED_CLOSE: Fault(plant=lead_closed, mend=status(positions=[])),
    Rule.DUPLICATE_ENTRY: Fault(plant=two_opens, also=FILLED),
    Rule.SOURCE_STALE: Fault(
        plant=status(input_ages_s={"source": 301.0, "mark": 1.0}),
        mend=status(input_ages_s={"source": 1.0, "mark": 1.0}),
    ),
    Rule.SOURCE_HISTORY_MISMATCH: Fault(plant=bad_match),
    Rule.BACKOFF_ACTIVE: Fault(
        plant=lambda runtime: runtime.status.update(backoff={"failures": 3, "until": iso(runtime.now_ms + DAY_MS)}),
        mend=status(backoff={"failures": 0, "until": None}),
    ),
    Rule.SLIPPAGE_BREACH: Fault(plant=slipped, also=FILLED),
    Rule.LOSS_LIMIT_NEAR: Fault(plant=loss(4.2), mend=loss(1.0)),
    Rule.LOSS_LIMIT_HIT: Fault(plant=loss(5.0), mend=loss(1.0)),
    Rule.DEADLINE_NEAR: Fault(plant=deadline_soon, mend=deadline_moved),
    Rule.ORDER_FILLED: Fault(plant=lambda runtime: runtime.fill(kind=IntentKind.ADD)),
    Rule.JOURNAL_UNREADABLE: Fault(plant=journal_torn, mend=journal_back),
    Rule.SESSION_ALERT: Fault(plant=lambda runtime: runtime.alert(AlertKind.AUTHENTICATION, "account")),
    Rule.SESSION_FAILED: Fault(plant=status(ended="error", last_error="out of luck"), mend=status(ended=None)),
}
AGAIN_IS_ANOTHER = {Rule.ORDER_FILLED, Rule.UNKNOWN_ORDER}
"""Their subject is one order, which happens once: the next one is an incident of its own."""


def told(services: AlertServices) -> list[str]:
    """The rules of every message that arrived, in order."""
    lines = [line for each in services.taken for line in each["message"].splitlines()]
    return [line.split()[1].rpartition("-")[0] for line in lines if line.startswith(("CRITICAL", "WARNING", "INFO"))]


def test_every_rule_has_a_fault() -> None:
    assert set(FAULTS) == set(Rule)


@pytest.mark.parametrize("rule", Rule)
def test_a_planted_fault_is_told_once_ends_and_is_told_again(rule, runtime, services) -> None:
    fault, monitor = FAULTS[rule], watching(runtime, services)
    assert runtime.look(monitor).active == ()

    fault.plant(runtime)
    opened = {each.rule for each in runtime.look(monitor).opened}
    assert rule in opened
    assert opened <= {rule, *fault.also}
    first = told(services)
    assert first.count(rule.value) == len(first) - sum(first.count(each.value) for each in fault.also) == 1

    for _ in range(3):
        runtime.later(10)
        assert runtime.look(monitor).opened == ()
    assert told(services) == first

    fault.mend(runtime)
    runtime.later(3_700)
    runtime.look(monitor)
    runtime.later(130)
    over = runtime.look(monitor)
    assert over.active == ()
    assert told(services) == first

    if rule is Rule.JOURNAL_UNREADABLE:
        journal_torn(runtime)
    else:
        fault.plant(runtime)
    again = runtime.look(monitor)
    assert rule in {each.rule for each in again.opened}
    assert told(services).count(rule.value) == 2 * first.count(rule.value)
    if rule not in AGAIN_IS_ANOTHER:
        assert {each.subject for each in again.opened if each.rule is rule} == {
            each.subject for each in over.resolved if each.rule is rule
        }


@pytest.mark.parametrize("rule", Rule)
def test_history_that_was_declared_as_seen_is_never_told_and_new_of_its_kind_is(rule, runtime, services) -> None:
    fault, monitor = FAULTS[rule], watching(runtime, services)
    fault.plant(runtime)
    runtime.look(monitor, as_baseline=True)
    for _ in range(2):
        runtime.later(30)
        assert runtime.look(monitor).opened == ()
    fault.mend(runtime)
    runtime.later(3_700)
    runtime.look(monitor)
    runtime.later(130)
    assert runtime.look(monitor).active == ()
    assert services.taken == []

    fault.plant(runtime)
    assert rule in {each.rule for each in runtime.look(monitor).opened}
    assert told(services).count(rule.value) >= 1


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
