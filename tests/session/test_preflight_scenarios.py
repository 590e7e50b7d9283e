"""Every named scenario of the preflight comes out as the spec says: in process, and over HTTP with the stock client."""

from __future__ import annotations

import pytest

from copytrade_core.edges.preflight.drill_policies import DRILL_POLICIES
from copytrade_core.edges.preflight.driver import Drill
from copytrade_core.edges.preflight.http_world import HttpWorld, venue_stage
from copytrade_core.edges.preflight.judge import judge
from copytrade_core.edges.preflight.run import RULES
from copytrade_core.edges.preflight.scenario import unmet
from copytrade_core.edges.preflight.scenarios import BY_NAME, SCENARIOS
from copytrade_core.edges.preflight.simulation import in_process, judged
from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.certify import certificate_of
from copytrade_core.model.venue import Venue

NAMED_IN_THE_SPEC = {
    "reject",
    "reject_storm",
    "timeout_before_accept",
    "timeout_after_accept",
    "delayed_apply",
    "crash_before_submit",
    "crash_after_submit",
    "crash_between_fill_and_ledger",
    "restart_with_pending_order",
    "restart_with_open_position",
    "no_position_close",
    "reduce_only_refused",
    "duplicate_id",
    "partial_fill_then_reject",
    "mode_mismatch",
    "external_position",
    "stale_source",
    "stop",
    "kill",
    "hot_stop_and_resume",
    "clock_skew",
    "burst_of_429",
    "revoked_key",
}


def test_every_scenario_of_the_spec_is_there():
    assert set(BY_NAME) >= NAMED_IN_THE_SPEC
    assert len(BY_NAME) == len(SCENARIOS)


@pytest.fixture(scope="module")
def stage():
    certificate = certificate_of(profile_of(Venue.BINGX), requests=(), made_at_ms=0)
    with venue_stage(Venue.BINGX, mode=RULES[Venue.BINGX].position_mode, certificate=certificate) as running:
        yield running


def at_the_venue(record):
    orders = sorted((str(each.client_order_id), each.quantity, each.filled) for each in record.ledger.orders)
    return orders, record.ledger.positions, record.book.cash


def came_out_as_expected(scenario, record):
    assert judge(record) == ()
    assert unmet(scenario, record) == ()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("venue", Venue)
def test_a_scenario_in_process(venue, scenario):
    done = judged(scenario.schedule(venue), in_process(RULES[venue], DRILL_POLICIES))
    assert done.violations == ()
    came_out_as_expected(scenario, done.record)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_scenario_over_http(stage, scenario):
    schedule = scenario.schedule(Venue.BINGX)
    record = Drill(schedule, HttpWorld(schedule, stage), wrap=None, traced=False).run()
    came_out_as_expected(scenario, record)
    in_this_process = judged(schedule, in_process(RULES[Venue.BINGX], DRILL_POLICIES)).record
    assert in_this_process is not None
    assert at_the_venue(record) == at_the_venue(in_this_process), "two faces of one venue"
