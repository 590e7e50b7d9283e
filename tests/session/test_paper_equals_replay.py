"""A paper session on archived bars trades what replay trades, fill by fill and to the last unit of money."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from decimal import Decimal

import pytest

from copytrade_core.model.fill import FillModel
from copytrade_core.replay.reference import replay
from copytrade_core.session.status import Ended
from copytrade_core.strategies.policy_parse import policy_from_mapping
from tests.paper_floor import Paper, by_episode, replayed_events
from tests.replay.random_cases import case


def compared(episodes, policy, spec, data):
    result = replay(episodes, policy, spec, data)
    paper = Paper(replayed_events(episodes, policy, spec, data), policy, spec, data)
    last = paper.session().run()
    fills = [fill for trip in result.round_trips for fill in trip.fills]
    assert by_episode(paper.kept.fills) == by_episode(fills)
    return result, paper, last


@pytest.mark.parametrize("seed", range(60))
def test_random_histories_trade_alike(seed):
    made = case(seed)
    spec = replace(made.spec, market_fill=FillModel.NEXT_BAR_OPEN)
    try:
        events = replayed_events(made.episodes, made.policy, spec, made.data)
        result = replay(made.episodes, made.policy, spec, made.data)
    except Exception as error:  # noqa: BLE001 (a case that no engine replays)
        pytest.skip(str(error))
    if not events:
        pytest.skip("nothing to trade")
    _, paper, last = compared(made.episodes, made.policy, spec, made.data)
    assert last.ended is Ended.FEED_ENDED
    assert paper.book().cash == spec.initial_equity + sum(trip.pnl for trip in result.round_trips)
    assert not paper.book().holdings
