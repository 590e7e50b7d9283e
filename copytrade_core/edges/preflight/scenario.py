"""What a named scenario is: a schedule and what must come of it, beyond the invariants that every drill keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from copytrade_core.edges.preflight.drill_markets import FIRST_MARKET, MARKETS, SECOND_MARKET, START_MS
from copytrade_core.edges.preflight.drill_policies import FOLLOW_LADDER
from copytrade_core.edges.preflight.observers import CrashPoint
from copytrade_core.edges.preflight.record import DrillRecord
from copytrade_core.edges.preflight.schedule import Schedule
from copytrade_core.edges.preflight.story import (
    ControlChange,
    ForeignAct,
    Point,
    Silence,
    Story,
    Visit,
    told_of,
)
from copytrade_core.model.alert import AlertKind
from copytrade_core.model.intent import Hold
from copytrade_core.model.order_row import OrderState
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.side import Side
from copytrade_core.model.units import RATE_SCALE, Ticks
from copytrade_core.model.venue import Venue
from copytrade_core.model.verdict import Refused
from copytrade_core.virtual_exchange.faults import VenueFault

OPENS_S, DIPS_S, RISES_S, CLOSES_S = 10, 100, 200, 300
"""Of the usual story: the lead opens, the price dips through the first rung and comes back, the lead closes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What must come of a scenario.

    `legs` are the final states of every attempt of each leg, in the order of planning (a leg's number is left out:
    `source_close`, not `source_close.3`); `sent` how many submits of it left. `reasons` must be among the refusals and
    holds; `alerts` are exactly the kinds that a person heard of.
    """

    legs: Mapping[str, tuple[OrderState, ...]]
    sent: Mapping[str, int]
    held: bool
    stopped: bool
    alerts: frozenset[AlertKind]
    reasons: frozenset[str]


def at_ms(seconds: float) -> int:
    """So many seconds after the first moment."""
    return START_MS + round(seconds * 1_000)


def usual_story(policy: PolicySpec) -> Story:
    """One long trade of the lead, with a dip through the first rung."""
    first = MARKETS[FIRST_MARKET].first_price
    points = tuple(
        Point(at_ms=at_ms(seconds), market=FIRST_MARKET, price=Ticks(first * (RATE_SCALE + ppm) // RATE_SCALE))
        for seconds, ppm in ((DIPS_S, -5_000), (RISES_S, -2_000))
    )
    visit = Visit(market=FIRST_MARKET, side=Side.LONG, opens_ms=at_ms(OPENS_S), closes_ms=at_ms(CLOSES_S))
    return Story(
        policy=policy,
        cap_ratio_ppm=1_500_000,
        orders_per_hour_max=20,
        points=points,
        told=told_of(visit, points),
        controls=(),
        foreign=(),
        silences=(),
        spaced=False,
    )


def tight_story(policy: PolicySpec) -> Story:
    """The usual trade, and another in the second market right after it; the gross cap has room for one of them."""
    usual = usual_story(policy)
    visit = Visit(market=SECOND_MARKET, side=Side.LONG, opens_ms=at_ms(CLOSES_S + 10), closes_ms=at_ms(CLOSES_S + 200))
    return replace(usual, cap_ratio_ppm=1_020_000, told=(*usual.told, *told_of(visit, usual.points)))


def no_faults(_venue: Venue) -> tuple[VenueFault, ...]:
    """Nothing goes wrong at the venue."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One named scenario; `why` is what it shows.

    `under_a_new_id` is what is expected where an id is not sent again after its absence was proved; None: the same.
    """

    name: str
    why: str
    expected: Expectation
    under_a_new_id: Expectation | None = None
    faults: Callable[[Venue], tuple[VenueFault, ...]] = no_faults
    policy: PolicySpec = FOLLOW_LADDER
    crashes: tuple[CrashPoint, ...] = ()
    downtime_ms: int = 0
    controls: tuple[ControlChange, ...] = ()
    foreign: tuple[ForeignAct, ...] = ()
    silences: tuple[Silence, ...] = ()
    story: Callable[[PolicySpec], Story] = usual_story

    def schedule(self, venue: Venue) -> Schedule:
        """The scenario as a schedule in a venue's own words."""
        story = self.story(self.policy)
        story = replace(story, controls=self.controls, foreign=self.foreign, silences=self.silences)
        return Schedule(
            name=self.name,
            seed=None,
            story=story,
            faults=self.faults(venue),
            crashes=self.crashes,
            downtime_ms=self.downtime_ms,
        )


def unmet(scenario: Scenario, record: DrillRecord) -> tuple[str, ...]:
    """What did not come out as expected, in words."""
    elsewhere = None if record.same_id_again else scenario.under_a_new_id
    return tuple(_differences(elsewhere or scenario.expected, record))


def _differences(expected: Expectation, record: DrillRecord) -> Iterator[str]:
    legs: dict[str, tuple[OrderState, ...]] = {}
    for row in record.rows.values():
        leg = row.order.leg.partition(".")[0]
        legs[leg] = (*legs.get(leg, ()), row.state)
    if legs != dict(expected.legs):
        yield f"orders ended as {_spelled(legs)}, expected {_spelled(expected.legs)}"
    sent = dict(Counter(each.order.leg.partition(".")[0] for each in record.sent))
    if sent != dict(expected.sent):
        yield f"sent {sent}, expected {dict(expected.sent)}"
    if bool(record.book.holdings) != expected.held:
        yield f"{'something' if record.book.holdings else 'nothing'} is held at the end"
    if record.controls.stop_new_orders != expected.stopped:
        yield f"STOP_NEW_ORDERS is {'set' if record.controls.stop_new_orders else 'not set'}"
    alerts = frozenset(alert.kind for alert in record.alerts)
    if alerts != expected.alerts:
        yield f"alerts {sorted(alerts)}, expected {sorted(expected.alerts)}"
    reasons = {str(each.reason) for each in record.records if isinstance(each, Refused | Hold)}
    if not expected.reasons <= reasons:
        yield f"reasons {sorted(reasons)} lack {sorted(expected.reasons - reasons)}"


def _spelled(legs: Mapping[str, tuple[OrderState, ...]]) -> str:
    return "; ".join(f"{leg} {' '.join(states)}" for leg, states in sorted(legs.items()))
