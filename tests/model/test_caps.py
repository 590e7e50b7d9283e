"""Caps are absolute, positive and, for a session, all there."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from copytrade_core.model.caps import UNCAPPED, UNCAPPED_REPLAY, Caps, ReplayCaps
from copytrade_core.model.errors import BadConfig, BadInput
from tests.desk_floor import CALM_CAPS
from tests.trading_floor import usdt

NAMES = [field.name for field in fields(Caps)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, -1])
def test_a_cap_is_positive_or_not_set(name, value):
    with pytest.raises(BadInput, match=name) as caught:
        replace(CALM_CAPS, **{name: value})
    assert caught.value.where.field == name
    assert getattr(replace(CALM_CAPS, **{name: 1}), name) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_session_names_the_cap_that_it_lacks(name):
    lacking = replace(CALM_CAPS, **{name: None})
    assert not lacking.is_complete
    with pytest.raises(BadConfig, match=f"{name} is not set") as caught:
        lacking.require_all()
    assert caught.value.where.field == name


def test_a_session_with_every_cap_may_start():
    assert CALM_CAPS.is_complete
    CALM_CAPS.require_all()


def test_all_missing_caps_are_named_at_once():
    with pytest.raises(BadConfig) as caught:
        UNCAPPED.require_all()
    assert all(name in str(caught.value) for name in NAMES)


@pytest.mark.parametrize("name", ["notional_one_side_max", "notional_correlated_max"])
def test_a_cap_that_another_makes_void_is_a_contradiction(name):
    caps = replace(
        CALM_CAPS, notional_gross_max=usdt(30), notional_one_side_max=usdt(30), notional_correlated_max=usdt(30)
    )
    caps.require_all()
    with pytest.raises(BadConfig, match=name) as caught:
        replace(caps, **{name: usdt(30) + 1}).require_all()
    assert caught.value.where.field == name


def test_a_replay_keeps_its_two_caps_and_no_other():
    caps = ReplayCaps(notional_gross_max=usdt(30), daily_loss_max=usdt(5))
    assert caps.as_caps() == replace(UNCAPPED, notional_gross_max=usdt(30), daily_loss_max=usdt(5))
    assert UNCAPPED_REPLAY.as_caps() == UNCAPPED
    with pytest.raises(BadInput, match="daily_loss_max"):
        replace(caps, daily_loss_max=0)
