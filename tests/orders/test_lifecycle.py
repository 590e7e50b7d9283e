"""The life of an order: final is final, and a report counts only as far as its fills are posted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.order_row import OrderState
from copytrade_core.model.units import Steps
from copytrade_core.model.venue import VenueOrderStatus
from copytrade_core.orders.lifecycle import NEXT, moved, seen
from tests.order_floor import planned_row, sent_row, venue_order

SUBMITTED = moved(sent_row(), OrderState.SUBMITTED, "accepted")


def test_every_state_says_what_may_follow_it():
    assert set(NEXT) == set(OrderState)
    assert {state for state in OrderState if not NEXT[state]} == {state for state in OrderState if state.is_final}


def test_what_never_left_cannot_be_open_at_the_venue():
    with pytest.raises(AssertionError, match="planned never becomes open"):
        moved(planned_row(), OrderState.OPEN, "")


@pytest.mark.parametrize("final", [state for state in OrderState if state.is_final])
def test_a_final_state_is_never_left(final):
    row = replace(planned_row(), state=final)
    for state in OrderState:
        if state is not final:
            with pytest.raises(AssertionError):
                moved(row, state, "")


def test_a_row_cannot_be_sent_twice():
    with pytest.raises(AssertionError, match="submitted never becomes journalled"):
        moved(SUBMITTED, OrderState.JOURNALLED, "")


@given(status=st.sampled_from(VenueOrderStatus), filled=st.integers(0, 100), posted=st.integers(0, 100))
def test_an_order_ends_only_when_every_fill_it_speaks_of_is_posted(status, filled, posted):
    row = replace(SUBMITTED, filled=Steps(posted))
    after = seen(row, venue_order(row, status, filled))
    if posted < filled:
        assert after.state is OrderState.PARTIALLY_FILLED
    elif status.is_final:
        assert after.state.is_final
    else:
        assert after.state in (OrderState.OPEN, OrderState.PARTIALLY_FILLED)
    assert after.filled == posted, "a report never posts anything itself"


def test_an_unknown_order_that_is_shown_is_known_by_the_venues_id():
    unknown = moved(sent_row(), OrderState.UNKNOWN, "time-out")
    after = seen(unknown, venue_order(unknown))
    assert (after.state, after.venue_order_id) == (OrderState.OPEN, "v1")
