"""The random cases reach every corner of the rules: a fast engine that is equal on them is equal there too."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from copytrade_core.model.fill import RUNG_FILL_MODELS, Fill, FillModel
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.policy import AddMode, Anchor, SizingRule
from copytrade_core.model.round_trip import ReplayResult, RoundTrip
from copytrade_core.model.side import Side
from copytrade_core.model.sweep import SweepStatus
from copytrade_core.replay.coverage import epoch_ms
from copytrade_core.replay.equivalence import outcome_of
from copytrade_core.replay.fill_hash import EXIT_CODES
from copytrade_core.replay.timeline import closed_event
from copytrade_core.strategies import exits
from tests.replay.random_cases import Case, case

SEEDS = 1_000
DAY_MS = 86_400_000


def corners(given: Case, result: ReplayResult) -> set[str]:
    """Names of the corners that a replay came through."""
    found = {f"skip {record.reason}" for record in result.skipped}
    found |= {f"blocked {'base' if r.leg == 'base' else 'rung'} {r.reason}" for r in result.blocked}
    found |= {f"{given.spec.interval_ms // 1000} s bars"} if result.round_trips else set()
    for trip in result.round_trips:
        found |= {f"{trip.side} {trip.exit_reason}", f"{given.spec.market_fill} {trip.side}", *_of_trip(given, trip)}
    found |= _of_many(given, result)
    return found


def _of_trip(given: Case, trip: RoundTrip) -> set[str]:
    rungs = [fill for fill in trip.fills if fill.kind is IntentKind.ADD]
    last, bars = trip.fills[-1], given.data.bars[trip.market]
    bar = bars.bar(bars.index_at_or_after(last.bar_open_ms))
    sides = {fill.bar_open_ms for fill in rungs}
    last_rung_bar = max(sides, default=-1)
    policy = given.policy
    truths = {
        f"rung by {given.spec.rung_fill}": bool(rungs),
        "entered and left in one bar": trip.fills[0].bar_open_ms == last.bar_open_ms,
        "stop at an open beyond it": trip.exit_reason == "stop_loss" and last.raw_price == bar.open,
        "profit at an open beyond it": trip.exit_reason == "take_profit" and last.raw_price == bar.open,
        "rung and stop in one bar": trip.exit_reason == "stop_loss" and last_rung_bar == last.bar_open_ms,
        "rung at an open beyond it": any(_at_open(given, fill) for fill in rungs),
        "two rungs in one bar": len(sides) < len(rungs),
        "two rungs at one price": any(a.raw_price == b.raw_price for a, b in pairwise(rungs)),
        "three rungs": len(rungs) >= 3,
        "rungs skipped": trip.rungs_skipped > 0,
        "all rungs skipped": 0 < trip.rungs_planned == trip.rungs_skipped,
        "funding paid": trip.funding > 0,
        "funding received": trip.funding < 0,
        "several payments in one bar": _payments_in_one_bar(given, trip) > 1,
        "across midnight": trip.entered_at_ms // DAY_MS < trip.exited_at_ms // DAY_MS,
        "mid-bar signal": trip.signal_at_ms % given.spec.interval_ms != 0,
        "signal on the grid": trip.signal_at_ms % given.spec.interval_ms == 0,
        "ladder from the source's price": bool(rungs) and policy.ladder.anchor is Anchor.SOURCE_ENTRY,
        f"rungs of {policy.ladder.add_mode}": bool(rungs),
        f"sized by {policy.sizing.rule}": True,
        "shrunk by the lead's margin": policy.sizing.rule is SizingRule.LEAD_MARGIN_FRACTION
        and trip.entered < policy.sizing.target_notional // 3,
        "headroom": policy.sizing.headroom_ppm > 0,
        "without slippage": trip.slippage == 0,
        "profit with a fee above it": trip.exit_reason == "take_profit" and trip.pnl < 0,
        "life shorter than a bar": policy.exit.ttl_s is not None
        and policy.exit.ttl_s * 1000 < given.spec.interval_ms
        and trip.exit_reason == "ttl",
        "life ends on the grid": trip.exit_reason == "ttl"
        and (trip.entered_at_ms + (policy.exit.ttl_s or 0) * 1000) % given.spec.interval_ms == 0,
        "held for twenty bars": trip.bars_held >= 20,
        "held for hundreds of bars": trip.bars_held >= 300,
        "never marked": trip.bars_held == 0,
        "trailing after a rung": trip.exit_reason == "trailing_stop" and bool(rungs),
        "profit after a rung": trip.exit_reason == "take_profit" and bool(rungs),
        "an exit level of one tick": _is_tight(given, trip),
    }
    return {name for name, is_true in truths.items() if is_true} | _of_source(given, trip)


def _of_source(given: Case, trip: RoundTrip) -> set[str]:
    life = next(each for each in given.episodes if each.episode_id == trip.episode_id)
    closed = closed_event(life, given.spec.delay_s)
    found = {f"traded {life.provenance}"} | ({"traded while open"} if closed is None else set())
    if closed is None or trip.exit_reason != "source_close":
        return found
    known_ms = epoch_ms(closed.known_at)
    return found | ({"source closed before our entry filled"} if known_ms <= trip.entered_at_ms else set())


def _of_many(given: Case, result: ReplayResult) -> set[str]:
    trips = result.round_trips
    known = [trip.signal_at_ms for trip in trips]
    overlapping = [
        (one, other)
        for one in trips
        for other in trips
        if one is not other and one.entered_at_ms < other.exited_at_ms and other.entered_at_ms < one.exited_at_ms
    ]
    refused = {(record.episode_id, record.leg) for record in result.blocked}
    retried = [fill for trip in trips for fill in trip.fills if (trip.episode_id, fill.leg) in refused]
    base_refused_days = {r.at_ms // DAY_MS for r in result.blocked if r.reason == "daily_loss"}
    truths = {
        "two signals at one instant": len(set(known)) < len(known),
        "two trades at once in one market": any(a.market == b.market for a, b in overlapping),
        "two trades at once in two markets": any(a.market != b.market for a, b in overlapping),
        "long and short at once in one market": any(a.market == b.market and a.side != b.side for a, b in overlapping),
        "exits at one time": len({trip.exited_at_ms for trip in trips}) < len(trips),
        "a refused rung that filled later": bool(retried),
        "a trade on the day after a refusal for its loss": any(
            fill.kind.is_entry and fill.time_ms // DAY_MS - 1 in base_refused_days for t in trips for fill in t.fills
        ),
        "equity used up": len(result.equity.equity) > 0 and bool((result.equity.equity <= 0).any()),
        "four trades": len(trips) >= 4,
        "three markets traded": len({trip.market for trip in trips}) == 3,
        "a flat stretch between trades": len(result.equity.time_ms) > 0
        and bool((result.equity.time_ms[1:] - result.equity.time_ms[:-1] > given.spec.interval_ms).any()),
    }
    return {name for name, is_true in truths.items() if is_true}


def _at_open(given: Case, fill: Fill) -> bool:
    bars = given.data.bars[fill.market]
    bar = bars.bar(bars.index_at_or_after(fill.bar_open_ms))
    return given.spec.rung_fill is FillModel.TOUCH and fill.raw_price == bar.open != bar.low


def _payments_in_one_bar(given: Case, trip: RoundTrip) -> int:
    funding = given.data.funding.get(trip.market)
    if funding is None or trip.funding == 0:
        return 0
    paid = [t for t in funding.time_ms.tolist() if trip.entered_at_ms < t < trip.exited_at_ms]
    return max(Counter(time // given.spec.interval_ms for time in paid).values(), default=0)


def _is_tight(given: Case, trip: RoundTrip) -> bool:
    stop = exits.stop_price(given.policy.exit, trip.side, trip.fills[0].price)
    return stop is not None and abs(stop - trip.fills[0].price) == 1


TRADED = {
    *(f"{side} {reason}" for side in Side for reason in EXIT_CODES),
    *(f"{model} {side}" for side in Side for model in (FillModel.NEXT_BAR_OPEN, FillModel.FIRST_BAR_CLOSE)),
    *(f"rung by {model}" for model in RUNG_FILL_MODELS),
    *(f"rungs of {mode}" for mode in AddMode),
    *(f"sized by {rule}" for rule in SizingRule),
    *(f"{seconds} s bars" for seconds in (60, 300, 420)),
    *("traded observed", "traded reconstructed", "traded while open"),
}
REFUSED = {
    f"blocked {leg} {reason}"
    for leg in ("base", "rung")
    for reason in ("notional_gt_equity", "notional_gross", "daily_loss")
}
SKIPPED = {
    f"skip {reason}"
    for reason in (
        *("no_bars", "still_open", "before_bars", "after_bars", "bars_end_early", "bar_gap", "closed_before_known"),
        *("seeded_first_poll", "side_filtered", "signal_too_old", "entry_drift", "backoff", "below_minimum"),
        *("equity_spent", "lead_margin_unknown", "lead_leverage_unknown"),
    )
}
SPECIAL = {
    "a flat stretch between trades",
    "a refused rung that filled later",
    "a trade on the day after a refusal for its loss",
    "across midnight",
    "all rungs skipped",
    "an exit level of one tick",
    "entered and left in one bar",
    "equity used up",
    "exits at one time",
    "four trades",
    "funding paid",
    "funding received",
    "headroom",
    "held for hundreds of bars",
    "held for twenty bars",
    "ladder from the source's price",
    "life ends on the grid",
    "life shorter than a bar",
    "long and short at once in one market",
    "mid-bar signal",
    "never marked",
    "profit after a rung",
    "profit at an open beyond it",
    "profit with a fee above it",
    "rung and stop in one bar",
    "rung at an open beyond it",
    "rungs skipped",
    "several payments in one bar",
    "shrunk by the lead's margin",
    "signal on the grid",
    "source closed before our entry filled",
    "status 1",
    "stop at an open beyond it",
    "three markets traded",
    "three rungs",
    "trailing after a rung",
    "two rungs at one price",
    "two rungs in one bar",
    "two signals at one instant",
    "two trades at once in one market",
    "two trades at once in two markets",
    "without slippage",
}


@pytest.fixture(scope="module")
def reached() -> Counter[str]:
    """How many of the first seeds came through each corner."""
    counts: Counter[str] = Counter()
    for seed in range(SEEDS):
        given = case(seed)
        outcome = outcome_of(given.episodes, given.policy, given.spec, given.data)
        counts.update({f"status {outcome}"} if isinstance(outcome, SweepStatus) else corners(given, outcome))
    return counts


@pytest.mark.parametrize("corner", sorted(TRADED | REFUSED | SKIPPED | SPECIAL))
def test_every_corner_is_reached(reached, corner):
    assert reached[corner] > 0


def test_a_case_is_the_same_whenever_it_is_made():
    one, other = case(12), case(12)
    assert (one.episodes, one.policy, one.spec) == (other.episodes, other.policy, other.spec)
    assert one.episodes != case(13).episodes
    for market, bars in one.data.bars.items():
        assert bars.close.tolist() == other.data.bars[market].close.tolist()
