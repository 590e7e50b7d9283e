"""An incident is heard once, armed again when it is over, and lost by nothing: neither clock nor network."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant
from hypothesis.stateful import rule as step

from copytrade_core.edges.settings_monitor import monitor_policy
from copytrade_core.monitor.delivery import (
    HOUR_MS,
    WEEK_MS,
    Batch,
    DeliverySettings,
    QuietHours,
    Wait,
    delivered,
    due,
    failed,
    heartbeat_due,
)
from copytrade_core.monitor.finding import Blind, Finding, Judged, Rule, Severity
from copytrade_core.monitor.incidents import Delivery, Incident, IncidentState, Stop, acknowledged, advance
from copytrade_core.monitor.message import BODY_MAX, body, is_end, title
from copytrade_core.monitor.rules import RULES
from copytrade_core.monitor.thresholds import Level
from tests.monitor_floor import settings

CHOSEN = settings()
POLICY = replace(monitor_policy(CHOSEN.monitor, CHOSEN.monitor_levels, CHOSEN.alerts), clear_s=0.0)
NOW = 1_780_000_000_000
GENTLE = DeliverySettings(
    message_interval_s=60,
    messages_per_hour_max=3,
    messages_per_week_max=5,
    backoff_initial_s=10,
    backoff_max_s=100,
    quiet=QuietHours(from_minute=22 * 60, to_minute=7 * 60),
    heartbeat_interval_s=3600,
)
NOON = 12 * 60


def found(rule: Rule = Rule.CONTROL_ACTIVE, subject: str = "KILL") -> Finding:
    return Finding(rule=rule, subject=subject, what="a test", numbers=())


def judged(*findings: Finding, blind: frozenset[Rule] = frozenset()) -> dict[Rule, Judged]:
    said: dict[Rule, Judged] = {rule: tuple(each for each in findings if each.rule is rule) for rule in Rule}
    return said | dict.fromkeys(blind, Blind())


def opened(rule: Rule = Rule.CONTROL_ACTIVE, *, now_ms: int = NOW, number: int = 1) -> Incident:
    (one,) = advance((), judged(found(rule)), policy=POLICY, now_ms=now_ms, next_number=number, as_baseline=False)
    return one


class Life(RuleBasedStateMachine):
    """Findings come and go, clocks jump, the baseline is declared, people acknowledge, messages fail."""

    @initialize()
    def begin(self) -> None:
        self.now_ms = NOW
        self.kept: dict[int, Incident] = {}
        self.messages: list[tuple[tuple[int, bool], ...]] = []
        self.findings: set[Finding] = set()

    @property
    def active(self) -> list[Incident]:
        return [each for each in self.kept.values() if each.is_active]

    @step(
        keys=st.sets(st.tuples(st.sampled_from([Rule.CONTROL_ACTIVE, Rule.UNKNOWN_ORDER]), st.sampled_from("ab"))),
        blind=st.frozensets(st.sampled_from([Rule.CONTROL_ACTIVE, Rule.UNKNOWN_ORDER]), max_size=1),
        passed_ms=st.integers(-10_000_000, 10_000_000),
        as_baseline=st.sampled_from([False, False, False, True]),
    )
    def look(self, keys, blind, passed_ms, as_baseline) -> None:
        self.now_ms += passed_ms
        findings = [found(rule, subject) for rule, subject in keys]
        before = {each.key: each for each in self.active}
        number = max(self.kept, default=0) + 1
        changed = advance(
            list(before.values()),
            judged(*findings, blind=blind),
            policy=POLICY,
            now_ms=self.now_ms,
            next_number=number,
            as_baseline=as_baseline,
        )
        for each in changed:
            assert each.number not in self.kept or self.kept[each.number].is_active, "what is over never changes"
            self.kept[each.number] = each
        after = {each.key: each for each in self.active}
        seen = {(each.rule, each.subject) for each in findings if each.rule not in blind}
        for key in seen:
            # The same while it lasts, a new one after it was over: armed again.
            assert after[key].number == (before[key].number if key in before else after[key].number)
            assert key in before or after[key].number >= number
            if as_baseline:
                assert after[key].delivery is not Delivery.PENDING
        for key, was in before.items():
            if key[0] in blind:
                assert after[key] == was, "a blind rule ends nothing"
            elif key not in seen:
                assert key not in after, "what is no longer found is over"

    @step(data=st.data())
    def acknowledge(self, data) -> None:
        if self.active:
            one = data.draw(st.sampled_from(self.active))
            self.kept[one.number] = acknowledged(one, by="me", now_ms=self.now_ms)

    @step(arrives=st.booleans())
    def tell(self, arrives) -> None:
        chosen = replace(GENTLE, message_interval_s=0, messages_per_hour_max=10**6, messages_per_week_max=10**6)
        pending = [each for each in self.kept.values() if each.waits]
        batch = due(pending, sent_ms=(), now_ms=self.now_ms, local_minute=NOON, settings=chosen)
        if not isinstance(batch, Batch):
            assert batch is (Wait.RETRY if pending else Wait.NOTHING)
            return
        if arrives:
            self.messages.append(tuple((each.number, is_end(each)) for each in batch.incidents))
            after = delivered(batch, now_ms=self.now_ms)
        else:
            after = failed(batch, "no network", now_ms=self.now_ms, settings=chosen)
            assert all(each.waits for each in after)
        self.kept |= {each.number: each for each in after}

    @invariant()
    def each_incident_is_heard_at_most_once(self) -> None:
        heard = [told for message in self.messages for told in message]
        assert len(heard) == len(set(heard))
        begun = {number for number, ends in heard if not ends}
        assert begun == {each.number for each in self.kept.values() if each.delivery is Delivery.SENT}
        assert {number for number, ends in heard if ends} == {
            each.number for each in self.kept.values() if each.over is Delivery.SENT
        }
        for each in self.kept.values():
            assert each.over is Delivery.NONE or (each.number in begun and not each.is_active)

    @invariant()
    def nothing_is_lost(self) -> None:
        for each in self.kept.values():
            quiet = each.is_baseline or each.state is IncidentState.ACKNOWLEDGED or each.acknowledged_at_ms is not None
            assert each.delivery is not Delivery.NONE or quiet

    @invariant()
    def one_is_active_per_subject_and_no_time_runs_backwards(self) -> None:
        assert len({each.key for each in self.active}) == len(self.active)
        for each in self.kept.values():
            assert each.first_at_ms <= each.last_at_ms
            assert each.resolved_at_ms is None or each.resolved_at_ms >= each.last_at_ms
            assert each.acknowledged_at_ms is None or each.acknowledged_at_ms >= each.first_at_ms


TestLife = Life.TestCase


def test_a_fault_that_flickers_is_one_incident_until_it_was_away_long_enough() -> None:
    patient = replace(POLICY, clear_s=100.0)
    one = opened()
    for seconds, present in ((50, False), (60, True), (110, False), (200, False)):
        findings = judged(*([found()] if present else []))
        (one,) = advance([one], findings, policy=patient, now_ms=NOW + seconds * 1000, next_number=2, as_baseline=False)
        assert one.is_active
    (one,) = advance([one], judged(), policy=patient, now_ms=NOW + 210_000, next_number=2, as_baseline=False)
    assert (one.state, one.number, one.count) == (IncidentState.RESOLVED, 1, 2)


def test_a_clock_that_went_backwards_ends_nothing_early() -> None:
    patient = replace(POLICY, clear_s=100.0)
    (one,) = advance([opened()], judged(), policy=patient, now_ms=NOW, next_number=2, as_baseline=False)
    (one,) = advance([one], judged(), policy=patient, now_ms=NOW - 10**9, next_number=2, as_baseline=False)
    (one,) = advance([one], judged(), policy=patient, now_ms=NOW - 10**9 + 99_000, next_number=2, as_baseline=False)
    assert one.is_active
    (one,) = advance([one], judged(), policy=patient, now_ms=NOW - 10**9 + 100_000, next_number=2, as_baseline=False)
    assert not one.is_active


def test_only_a_new_breach_that_is_heard_stops_new_orders() -> None:
    stopping = replace(POLICY, stops_on_breach=True)
    for rule, info in RULES.items():
        for level in (Level.ON, Level.SILENT):
            policy = replace(stopping, levels={**POLICY.levels, rule: level})
            (one,) = advance((), judged(found(rule)), policy=policy, now_ms=NOW, next_number=1, as_baseline=False)
            assert (one.stop is Stop.WANTED) == (info.is_breach and level is Level.ON)
        (seen,) = advance((), judged(found(rule)), policy=stopping, now_ms=NOW, next_number=1, as_baseline=True)
        assert seen.stop is Stop.NONE


def test_every_rule_has_its_entry_and_says_what_to_do() -> None:
    assert set(RULES) == set(Rule)
    assert all(info.do for info in RULES.values())
    assert [rule for rule, info in RULES.items() if info.severity is Severity.INFO] == [Rule.ORDER_FILLED]


def sent(incidents, *, sent_ms=(), now_ms: int = NOW, minute: int = NOON, chosen: DeliverySettings = GENTLE):
    return due(incidents, sent_ms=sent_ms, now_ms=now_ms, local_minute=minute, settings=chosen)


def test_everything_that_waits_goes_in_one_message_the_most_urgent_first() -> None:
    waiting = [opened(Rule.ORDER_FILLED, number=1), opened(Rule.CONTROL_ACTIVE, number=2)]
    waiting += [opened(Rule.UNKNOWN_ORDER, number=3)]
    batch = sent(waiting)
    assert isinstance(batch, Batch)
    assert [each.number for each in batch.incidents] == [3, 2, 1]


@pytest.mark.parametrize(
    ("minute", "sent_ms", "why"),
    [
        (23 * 60, (), Wait.QUIET),
        (6 * 60 + 59, (), Wait.QUIET),
        (NOON, (NOW - 59_000,), Wait.INTERVAL),
        (NOON, (NOW - 61_000, NOW - 62_000, NOW - 63_000), Wait.HOURLY),
        (NOON, tuple(NOW - HOUR_MS * hours for hours in range(2, 7)), Wait.WEEKLY),
    ],
)
def test_what_is_not_critical_waits_and_what_is_critical_waits_only_a_moment(minute, sent_ms, why) -> None:
    assert sent([opened()], sent_ms=sent_ms, minute=minute) is why
    urgent = sent([opened(), opened(Rule.UNKNOWN_ORDER, number=2)], sent_ms=sent_ms, minute=minute)
    assert urgent is Wait.INTERVAL if why is Wait.INTERVAL else isinstance(urgent, Batch)


def test_the_message_that_spends_the_weekly_budget_says_so_and_the_budget_frees() -> None:
    before = tuple(NOW - HOUR_MS * hours for hours in range(2, 6))
    batch = sent([opened()], sent_ms=before)
    assert isinstance(batch, Batch)
    assert batch.is_last_of_week
    assert "weekly budget" in body(batch)
    spent = (*before, NOW - HOUR_MS * 6)
    assert sent([opened()], sent_ms=spent) is Wait.WEEKLY
    assert isinstance(sent([opened()], sent_ms=spent, now_ms=NOW + WEEK_MS), Batch)


def test_a_clock_that_jumped_far_back_keeps_nobody_waiting() -> None:
    assert isinstance(sent([opened(now_ms=NOW - WEEK_MS)], sent_ms=(NOW,) * 9, now_ms=NOW - WEEK_MS), Batch)
    waiting = replace(opened(), next_attempt_ms=NOW + 101_000)
    assert isinstance(sent([waiting]), Batch), "an attempt further away than the longest wait was set by another clock"
    assert sent([replace(waiting, next_attempt_ms=NOW + 99_000)]) is Wait.RETRY


@given(st.integers(0, 40))
def test_a_message_that_fails_is_tried_again_later_and_never_never(attempts) -> None:
    one = replace(opened(), attempts_count=attempts)
    (after,) = failed(Batch(incidents=(one,), is_last_of_week=False), "no", now_ms=NOW, settings=GENTLE)
    assert after.next_attempt_ms - NOW == min(100, 10 * 2**attempts) * 1000
    assert (after.delivery, after.failure) == (Delivery.PENDING, "no")
    assert isinstance(sent([after], now_ms=after.next_attempt_ms), Batch)


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 1439))
def test_quiet_hours_and_their_complement_cover_the_day(begin, end, minute) -> None:
    quiet = QuietHours(from_minute=begin, to_minute=end).covers(minute)
    loud = QuietHours(from_minute=end, to_minute=begin).covers(minute)
    assert quiet is not loud if begin != end else not quiet


def test_the_sign_of_life_is_due_by_its_interval_and_after_a_clock_that_jumped_back() -> None:
    assert heartbeat_due(None, now_ms=NOW, settings=GENTLE)
    assert not heartbeat_due(NOW - 3_599_000, now_ms=NOW, settings=GENTLE)
    assert heartbeat_due(NOW - 3_600_000, now_ms=NOW, settings=GENTLE)
    assert heartbeat_due(NOW + 1, now_ms=NOW, settings=GENTLE)
    assert not heartbeat_due(None, now_ms=NOW, settings=replace(GENTLE, heartbeat_interval_s=0))


def test_a_long_message_lists_some_and_counts_the_rest() -> None:
    many = [replace(opened(Rule.UNKNOWN_ORDER, number=n), subject=f"order {n} " + "x" * 999) for n in range(1, 40)]
    batch = sent(many)
    assert isinstance(batch, Batch)
    text = body(batch)
    listed = text.count("CRITICAL")
    assert 1 < listed < 39
    assert f"and {39 - listed} more" in text
    assert len(text) <= BODY_MAX + 100
    assert title(batch, "lead 1") == "copytrade: 39 critical (lead 1)"


def told_and_over(rule: Rule = Rule.UNKNOWN_ORDER, *, number: int = 1, policy=POLICY) -> Incident:
    one = opened(rule, number=number, now_ms=NOW - 60_000)
    (heard,) = delivered(Batch(incidents=(one,), is_last_of_week=False), now_ms=NOW - 60_000)
    (over,) = advance([heard], judged(), policy=policy, now_ms=NOW, next_number=number + 1, as_baseline=False)
    assert not over.is_active
    return over


def test_who_was_told_of_an_incident_is_told_once_that_it_is_over() -> None:
    batch = sent([told_and_over(), opened(Rule.CONTROL_ACTIVE, number=2)])
    assert isinstance(batch, Batch)
    assert [each.number for each in batch.incidents] == [2, 1], "what begins comes first"
    assert title(batch, "lead 1") == "copytrade: 1 warning, 1 over (lead 1)"
    assert "OVER unknown_order-1 KILL: 2026-05-28 20:25:40 UTC to 2026-05-28 20:26:40 UTC" in body(batch)
    after = delivered(batch, now_ms=NOW)
    assert [each.over for each in after] == [Delivery.NONE, Delivery.SENT]
    assert sent(after) is Wait.NOTHING


def test_an_end_is_never_urgent_and_waits_for_the_morning_and_the_budget() -> None:
    assert sent([told_and_over()], minute=23 * 60) is Wait.QUIET
    week = tuple(NOW - HOUR_MS * hours for hours in range(2, 7))
    assert sent([told_and_over()], sent_ms=week) is Wait.WEEKLY


def test_nobody_hears_the_end_of_what_nobody_heard_or_of_information_or_when_ends_are_switched_off() -> None:
    assert told_and_over(Rule.ORDER_FILLED).over is Delivery.NONE
    assert told_and_over(policy=replace(POLICY, tells_resolved=False)).over is Delivery.NONE
    silent = replace(POLICY, levels={**POLICY.levels, Rule.UNKNOWN_ORDER: Level.SILENT})
    assert told_and_over(policy=silent).over is Delivery.NONE
    seen = acknowledged(opened(), by="me", now_ms=NOW)
    (over,) = advance([seen], judged(), policy=POLICY, now_ms=NOW, next_number=2, as_baseline=False)
    assert (over.delivery, over.over) == (Delivery.NONE, Delivery.NONE)


def test_a_message_about_what_is_over_says_so() -> None:
    (over,) = advance([opened()], judged(), policy=POLICY, now_ms=NOW, next_number=2, as_baseline=False)
    batch = sent([over])
    assert isinstance(batch, Batch)
    assert "(over by now)" in body(batch)
