"""A sensor goes through the leads in turn: never for too long, and whatever is wrong with one of them."""

import itertools
from typing import Any

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.errors import StoreFault
from copytrade_dagster.ticks import TICK_S_MAX, ask_each, in_turn


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        made.add_dynamic_partitions("lead", ["1", "2", "3"])
        yield made


def tick(instance, ask, *, cursor=None, seconds=(0.0,)) -> tuple[list[Any], str | None]:
    """What one tick yields and the cursor that it leaves, on a clock that shows these seconds and then stands still."""
    shown = itertools.chain(seconds, itertools.repeat(seconds[-1]))
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        found = list(ask_each(context, ask, nothing="nobody", clock=lambda: next(shown)))
        return found, context.cursor


def wanted(lead_id):
    return [dg.RunRequest(run_key=lead_id)]


def keys(found):
    return [one.run_key for one in found]


def test_a_tick_whose_time_is_up_keeps_what_it_asked_for_and_the_next_one_goes_on_behind_it(instance):
    found, cursor = tick(instance, wanted, seconds=(0.0, 1.0, TICK_S_MAX + 1))
    assert (keys(found), cursor) == (["1", "2"], "2")
    found, cursor = tick(instance, wanted, cursor=cursor)
    assert (keys(found), cursor) == (["3", "1", "2"], "2")


def test_a_tick_that_asks_for_nothing_says_why_for_every_lead_and_that_its_time_was_up(instance):
    ((skipped,), _) = tick(instance, lambda lead_id: "waits" if lead_id < "3" else "is over")
    assert skipped.skip_message == "1, 2: waits; 3: is over"
    ((skipped,), _) = tick(instance, lambda _: "waits", seconds=(0.0, TICK_S_MAX + 1))
    assert skipped.skip_message == "1: waits; 1: time is up, the next tick goes on behind it"


@pytest.mark.parametrize("error", [StoreFault("its disk is full"), ValueError("nobody foresaw it")])
def test_what_is_wrong_with_one_lead_keeps_no_other_waiting(instance, error):
    def ask(lead_id):
        if lead_id == "2":
            raise error
        return wanted(lead_id)

    found, cursor = tick(instance, ask)
    assert (keys(found), cursor) == (["1", "3"], "3")


@pytest.mark.parametrize(
    ("error", "said"), [(StoreFault("its disk is full"), "disk is full"), (ValueError("x"), "ValueError; see the log")]
)
def test_a_lead_that_cannot_be_judged_is_never_told_as_a_quiet_one(instance, error, said):
    def ask(lead_id):
        if lead_id == "2":
            raise error
        return "nothing new"

    ((skipped,), _) = tick(instance, ask)
    assert "1, 3: nothing new" in skipped.skip_message
    assert said in skipped.skip_message


def test_without_a_lead_a_tick_says_so():
    with dg.DagsterInstance.ephemeral() as instance:
        ((skipped,), _) = tick(instance, wanted)
    assert skipped.skip_message == "nobody"


@given(st.lists(st.text("123456789", min_size=1), unique=True).map(sorted), st.none() | st.text("123456789"))
def test_every_lead_has_its_turn_once_and_a_lead_that_is_gone_stops_nobody(leads, after):
    turn = in_turn(leads, after)
    assert sorted(turn) == leads
    behind = [lead for lead in leads if after and lead > after]
    assert turn[: len(behind)] == behind
