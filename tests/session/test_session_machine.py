"""The session as Hypothesis drives it: any order of news, prices, faults, crashes and stops, judged at the venue."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from copytrade_core.edges.preflight.drawn_faults import refusal
from copytrade_core.edges.preflight.drill_markets import MARKETS, START_MS
from copytrade_core.edges.preflight.drill_policies import DRILL_POLICIES
from copytrade_core.edges.preflight.judge import judge
from copytrade_core.edges.preflight.observers import CrashPoint
from copytrade_core.edges.preflight.run import RULES
from copytrade_core.edges.preflight.schedule import Schedule
from copytrade_core.edges.preflight.simulation import drilled, in_process
from copytrade_core.edges.preflight.story import (
    Control,
    ControlChange,
    Feed,
    ForeignAct,
    ForeignKind,
    Point,
    Silence,
    Story,
    Visit,
    told_of,
)
from copytrade_core.model.outcome import RejectReason
from copytrade_core.model.side import Side
from copytrade_core.model.units import RATE_SCALE, Ppm, Ticks
from copytrade_core.model.venue import Venue
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall

VENUES = st.sampled_from(Venue)
PAUSES_S = st.integers(1, 200)
ON_SUBMIT = st.sampled_from(
    (
        VenueFaultKind.LOST,
        VenueFaultKind.ACCEPT_THEN_HANG,
        VenueFaultKind.ACCEPT_THEN_RESET,
        VenueFaultKind.ACCEPT_THEN_GARBAGE,
        VenueFaultKind.DUPLICATE_ID,
        VenueFaultKind.REDIRECT,
        VenueFaultKind.GARBAGE,
    )
)
ON_READ = st.sampled_from((VenueFaultKind.GARBAGE, VenueFaultKind.HANG, VenueFaultKind.RESET, VenueFaultKind.REDIRECT))
READS = st.sampled_from(
    (
        VenueCall.ORDER,
        VenueCall.FILLS,
        VenueCall.OPEN_ORDERS,
        VenueCall.POSITIONS,
        VenueCall.POSITION,
        VenueCall.ORDERS,
        VenueCall.PROBE,
        VenueCall.CANCEL,
    )
)
REASONS = st.sampled_from((RejectReason.INSUFFICIENT_FUNDS, RejectReason.REDUCE_ONLY, RejectReason.NO_POSITION))
MARKET_NAMES = st.sampled_from(tuple(MARKETS))


class SessionMachine(RuleBasedStateMachine):
    """Rules write what happens next into one schedule; at the end it is run and judged as any drill is."""

    @initialize(venue=VENUES, policy=st.sampled_from(DRILL_POLICIES), cap=st.sampled_from((1_020_000, 2_000_000)))
    def begins(self, venue, policy, cap):
        self.venue, self.policy, self.cap = venue, policy, cap
        self.now_ms = START_MS
        self.prices = {market: int(drill.first_price) for market, drill in MARKETS.items()}
        self.points, self.visits, self.open = [], [], {}
        self.controls, self.foreign, self.silences = [], [], []
        self.faults, self.crashes, self.downtime_ms = [], [], 0

    def later(self, pause_s):
        self.now_ms += pause_s * 1_000
        return self.now_ms

    @rule(pause_s=PAUSES_S, market=MARKET_NAMES, ppm=st.integers(-25_000, 25_000))
    def the_price_moves(self, pause_s, market, ppm):
        self.prices[market] = max(1, self.prices[market] * (RATE_SCALE + ppm) // RATE_SCALE)
        self.points.append(Point(at_ms=self.later(pause_s), market=market, price=Ticks(self.prices[market])))

    @rule(pause_s=PAUSES_S, market=MARKET_NAMES, side=st.sampled_from(Side))
    def the_lead_opens(self, pause_s, market, side):
        if market not in self.open:
            self.open[market] = (side, self.later(pause_s))

    @rule(pause_s=PAUSES_S, market=MARKET_NAMES)
    def the_lead_closes(self, pause_s, market):
        if market in self.open:
            side, opened_ms = self.open.pop(market)
            self.visits.append(Visit(market=market, side=side, opens_ms=opened_ms, closes_ms=self.later(pause_s)))

    @rule(kind=ON_SUBMIT, nth=st.integers(1, 12), count=st.integers(1, 3))
    def a_submit_goes_wrong(self, kind, nth, count):
        self.faults.append(VenueFault(kind=kind, call=VenueCall.SUBMIT, nth=nth, count=count))

    @rule(nth=st.integers(1, 12), delay_ms=st.integers(1, 9_000))
    def a_submit_is_late(self, nth, delay_ms):
        self.faults.append(
            VenueFault(kind=VenueFaultKind.DELAYED_APPLY, call=VenueCall.SUBMIT, nth=nth, delay_ms=delay_ms)
        )

    @rule(nth=st.integers(1, 12), ratio=st.integers(1, 999_999), rest_ms=st.none() | st.integers(1, 60_000))
    def a_submit_fills_in_part(self, nth, ratio, rest_ms):
        self.faults.append(
            VenueFault(
                kind=VenueFaultKind.PARTIAL_FILL, call=VenueCall.SUBMIT, nth=nth, ratio=Ppm(ratio), delay_ms=rest_ms
            )
        )

    @rule(
        nth=st.integers(1, 12), count=st.integers(1, 4), reason=st.sampled_from(("insufficient_funds", "reduce_only"))
    )
    def a_submit_is_refused(self, nth, count, reason):
        self.faults.append(refusal(self.venue, RejectReason(reason), nth=nth, count=count))

    @rule(kind=ON_READ, call=READS, nth=st.integers(1, 25), count=st.integers(1, 12))
    def a_read_goes_wrong(self, kind, call, nth, count):
        self.faults.append(VenueFault(kind=kind, call=call, nth=nth, count=count))

    @rule(nth=st.integers(1, 150), after=st.booleans(), away_s=st.sampled_from((0, 0, 5, 90)))
    def the_process_dies(self, nth, after, away_s):
        self.crashes.append(CrashPoint(what=None, nth=nth, after=after))
        self.downtime_ms = away_s * 1_000

    @rule(pause_s=PAUSES_S, control=st.sampled_from((Control.STOP, Control.KILL)), now=st.booleans())
    def a_person_stops_it(self, pause_s, control, now):
        if not self.controls:
            change = (
                ControlChange(control=control, at_ms=self.later(pause_s), after_submit=None)
                if now
                else ControlChange(control=control, at_ms=None, after_submit=1 + pause_s % 7)
            )
            self.controls.append(change)

    @rule(pause_s=PAUSES_S, kind=st.sampled_from((ForeignKind.ORDER, ForeignKind.POSITION)), side=st.sampled_from(Side))
    def a_stranger_acts(self, pause_s, kind, side):
        # In one net position a stranger's share cannot be told from ours: only resting orders there.
        hedged = RULES[self.venue].position_mode == "hedge"
        kind = kind if hedged else ForeignKind.ORDER
        self.foreign.append(ForeignAct(kind=kind, at_ms=self.later(pause_s), market=next(iter(MARKETS)), side=side))

    @rule(pause_s=PAUSES_S, feed=st.sampled_from(Feed), lasts_s=st.integers(1, 300))
    def a_feed_falls_silent(self, pause_s, feed, lasts_s):
        begins_ms = self.later(pause_s)
        self.silences.append(Silence(feed=feed, from_ms=begins_ms, to_ms=begins_ms + lasts_s * 1_000))

    def schedule(self):
        points = tuple(self.points)
        visits = [
            *self.visits,
            *(
                Visit(market=market, side=side, opens_ms=opened_ms, closes_ms=None)
                for market, (side, opened_ms) in self.open.items()
            ),
        ]
        told = sorted((each for visit in visits for each in told_of(visit, points)), key=lambda each: each.at_ms)
        story = Story(
            policy=self.policy,
            cap_ratio_ppm=self.cap,
            orders_per_hour_max=20,
            points=points,
            told=tuple(told),
            controls=tuple(self.controls),
            foreign=tuple(self.foreign),
            silences=tuple(self.silences),
            spaced=False,
        )
        return Schedule(
            name="machine",
            seed=None,
            story=story,
            faults=tuple(self.faults),
            crashes=tuple(self.crashes),
            downtime_ms=self.downtime_ms,
        )

    def teardown(self):
        if hasattr(self, "venue"):
            record = drilled(self.schedule(), in_process(RULES[self.venue], DRILL_POLICIES))
            assert judge(record) == ()


TestSession = SessionMachine.TestCase
TestSession.settings = settings(
    settings(), stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
