"""A paper session on archived bars trades what replay trades, fill by fill and to the last unit of money."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from decimal import Decimal

import pytest

from copytrade_core.model.errors import OutOfBounds
from copytrade_core.model.fill import FillModel
from copytrade_core.model.session_end import Ended
from copytrade_core.model.verdict import RefusalReason
from copytrade_core.replay.reference import replay
from copytrade_core.strategies.policy_parse import policy_from_mapping
from tests.paper_floor import Paper, by_episode, replayed_events
from tests.replay import conftest as recorded
from tests.replay.random_cases import case
from tests.trading_floor import COSTS, SPEC, usdt

real_market, real_positions = recorded.real_market, recorded.real_positions
real_episodes = recorded.real_episodes
AT_THE_LIMIT = {RefusalReason.NOTIONAL_GT_EQUITY, RefusalReason.NOTIONAL_GROSS}
"""A session keeps capacity for the worst that an order at a venue may come to; a replay knows what it will be."""


def compared(episodes, policy, spec, data):
    """Paper and replay of one history; None where money was so short that the two may differ."""
    result = replay(episodes, policy, spec, data)
    paper = Paper(replayed_events(episodes, policy, spec, data), policy, spec, data)
    last = paper.session().run()
    if AT_THE_LIMIT & {refused.reason for refused in paper.kept.refused}:
        return None
    fills = [fill for trip in result.round_trips for fill in trip.fills]
    assert by_episode(paper.kept.fills) == by_episode(fills)
    assert last.ended is Ended.FEED_ENDED
    assert paper.book().cash == spec.initial_equity + sum(trip.pnl for trip in result.round_trips)
    assert not paper.book().holdings
    return result


def test_random_histories_trade_alike():
    trips, short = 0, 0
    for seed in range(60):
        made = case(seed)
        spec = replace(made.spec, market_fill=FillModel.NEXT_BAR_OPEN)
        if not replayed_events(made.episodes, made.policy, spec, made.data):
            continue
        try:
            _ = replay(made.episodes, made.policy, spec, made.data)
        except OutOfBounds:
            continue  # so rich that no engine can hold it
        result = compared(made.episodes, made.policy, spec, made.data)
        short += result is None
        trips += 0 if result is None else len(result.round_trips)
    assert trips > 75
    assert short < 15, "most histories are really compared"


@pytest.mark.parametrize(
    ("name", "rung_fill"),
    [
        ("contrarian_on_close", FillModel.CLOSE_BEYOND),
        ("follow_lead", FillModel.TOUCH),
        ("candidate_189", FillModel.TOUCH),
    ],
)
def test_the_recorded_lead_trades_alike_under_every_shipped_policy(
    real_episodes, real_market, project_root, name, rung_fill
):
    path = project_root / "settings" / "policies" / f"{name}.toml"
    policy = policy_from_mapping(tomllib.loads(path.read_text("utf-8"), parse_float=Decimal), file=path.name)
    spec = replace(SPEC, costs=COSTS, delay_s=60, initial_equity=usdt(1_000_000), rung_fill=rung_fill)
    result = compared(real_episodes, policy, spec, real_market)
    assert result is not None
    assert len(result.round_trips) > 20
