"""Every named scenario of the preflight, as data. What a scenario is, and how it is judged, is in `scenario`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from copytrade_core.edges.preflight.drawn_faults import refusal
from copytrade_core.edges.preflight.drill_markets import FIRST_MARKET
from copytrade_core.edges.preflight.drill_policies import FOLLOW_BRAKED
from copytrade_core.edges.preflight.observers import CrashPoint
from copytrade_core.edges.preflight.scenario import Expectation, Scenario, at_ms, tight_story
from copytrade_core.edges.preflight.story import Control, ControlChange, Feed, ForeignAct, ForeignKind, Silence
from copytrade_core.edges.preflight.world import FOREIGN_STEPS
from copytrade_core.model.alert import AlertKind
from copytrade_core.model.order_row import OrderState
from copytrade_core.model.outcome import RejectReason
from copytrade_core.model.side import Side
from copytrade_core.model.units import Ppm
from copytrade_core.model.venue import Venue
from copytrade_core.virtual_exchange.faults import FOR_EVER, VenueFault, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall

F, C, N, R = OrderState.FILLED, OrderState.CANCELLED, OrderState.NOT_PLACED, OrderState.REJECTED
Legs = Mapping[str, tuple[OrderState, ...]]
WHOLE: Legs = {"base": (F,), "rung1": (F,), "rung2": (C,), "source_close": (F,)}
ONCE: Mapping[str, int] = {"base": 1, "rung1": 1, "rung2": 1, "source_close": 1}
"""The usual trade: base and first rung fill, the second rung is taken back, the lead's close is followed."""


def _expect(
    legs: Legs = WHOLE,
    sent: Mapping[str, int] = ONCE,
    *,
    held: bool = False,
    stopped: bool = False,
    alerts: tuple[AlertKind, ...] = (),
    reasons: tuple[str, ...] = (),
) -> Expectation:
    return Expectation(
        legs=legs,
        sent=sent,
        held=held,
        stopped=stopped,
        alerts=frozenset(alerts),
        reasons=frozenset(reasons),
    )


def _always(*faults: VenueFault) -> Callable[[Venue], tuple[VenueFault, ...]]:
    return lambda _venue: faults


def _refused(reason: RejectReason, *, nth: int, count: int = 1) -> Callable[[Venue], tuple[VenueFault, ...]]:
    return lambda venue: (refusal(venue, reason, nth=nth, count=count),)


def _on_submit(kind: VenueFaultKind, nth: int = 1, *, delay_ms: int | None = None) -> VenueFault:
    return VenueFault(kind=kind, call=VenueCall.SUBMIT, nth=nth, delay_ms=delay_ms)


CLOSE_IS_SUBMIT = 4
"""The usual trade submits base, two rungs and the close."""

SCENARIOS: tuple[Scenario, ...] = (
    Scenario(name="plain_trade", why="with nothing wrong the trade goes as planned", expected=_expect()),
    Scenario(
        name="reject",
        why="a proved reject ends the entry: it is not tried again",
        faults=_refused(RejectReason.INSUFFICIENT_FUNDS, nth=1),
        expected=_expect({"base": (R,)}, {"base": 1}),
    ),
    Scenario(
        name="reject_storm",
        why="the strategy's own brake goes on after three failures and holds back entries, never the close",
        policy=FOLLOW_BRAKED,
        faults=_refused(RejectReason.INSUFFICIENT_FUNDS, nth=2),
        expected=_expect({**WHOLE, "rung1": (R,), "rung2": (N,)}, {"base": 1, "rung1": 1, "source_close": 1}),
    ),
    Scenario(
        name="timeout_before_accept",
        why="what never arrived is proved absent, and an entry is not chased",
        faults=_always(_on_submit(VenueFaultKind.LOST)),
        expected=_expect({"base": (N,)}, {"base": 1}),
    ),
    Scenario(
        name="timeout_after_accept",
        why="what arrived unanswered is found and counts once",
        faults=_always(_on_submit(VenueFaultKind.ACCEPT_THEN_HANG)),
        expected=_expect(),
    ),
    Scenario(
        name="timeout_of_a_close",
        why="a close that never arrived leaves again, once its absence is proved",
        faults=_always(_on_submit(VenueFaultKind.LOST, CLOSE_IS_SUBMIT)),
        expected=_expect(sent={**ONCE, "source_close": 2}),
        under_a_new_id=_expect({**WHOLE, "source_close": (N, F)}, {**ONCE, "source_close": 2}),
    ),
    Scenario(
        name="delayed_apply",
        why="an order that the venue books at the last moment of its window is found and counts once",
        faults=_always(_on_submit(VenueFaultKind.DELAYED_APPLY, delay_ms=4_900)),
        expected=_expect(),
    ),
    Scenario(
        name="crash_before_submit",
        why="a process that died before a byte left restarts to no order",
        crashes=(CrashPoint(what=VenueCall.SUBMIT, nth=1, after=False),),
        expected=_expect({"base": (N,)}, {}),
    ),
    Scenario(
        name="crash_after_submit",
        why="a process that died after the bytes left restarts to exactly one order",
        crashes=(CrashPoint(what=VenueCall.SUBMIT, nth=1, after=True),),
        expected=_expect(),
    ),
    Scenario(
        name="crash_between_fill_and_ledger",
        why="a fill that was read and not journalled is posted after the restart, once",
        crashes=(CrashPoint(what=VenueCall.FILLS, nth=1, after=True),),
        expected=_expect(),
    ),
    Scenario(
        name="restart_with_pending_order",
        why="a rung that fills while the process is away is in the book when it is back",
        crashes=(CrashPoint(what=VenueCall.OPEN_ORDERS, nth=4, after=True),),
        downtime_ms=120_000,
        expected=_expect(),
    ),
    Scenario(
        name="restart_with_open_position",
        why="a close that the lead made while the process was away is followed when it is back",
        crashes=(CrashPoint(what=VenueCall.POSITIONS, nth=4, after=True),),
        downtime_ms=200_000,
        expected=_expect(),
    ),
    Scenario(
        name="no_position_close",
        why="a position that somebody else closed is booked from the venue's fills, and nothing is sent to close it",
        foreign=(ForeignAct(kind=ForeignKind.CLOSES_OURS, at_ms=at_ms(150), market=FIRST_MARKET, side=Side.LONG),),
        expected=_expect(
            {"base": (F,), "rung1": (F,), "rung2": (C,)},
            {"base": 1, "rung1": 1, "rung2": 1},
            alerts=(AlertKind.FOREIGN_ORDER,),
        ),
    ),
    Scenario(
        name="partly_closed_by_another",
        why="what somebody else closed is booked from the venue's fills; the close asks for the rest alone",
        foreign=(ForeignAct(kind=ForeignKind.CLOSES_PART, at_ms=at_ms(150), market=FIRST_MARKET, side=Side.LONG),),
        expected=_expect(alerts=(AlertKind.FOREIGN_ORDER,)),
    ),
    Scenario(
        name="reduce_only_refused",
        why="a close that the venue refuses is told to a person and tried again",
        faults=_refused(RejectReason.REDUCE_ONLY, nth=CLOSE_IS_SUBMIT),
        expected=_expect(
            {**WHOLE, "source_close": (R, F)}, {**ONCE, "source_close": 2}, alerts=(AlertKind.CLOSE_NOT_PLACED,)
        ),
    ),
    Scenario(
        name="duplicate_id",
        why="an id that the venue knows is our order: it is adopted, not sent under another name",
        faults=_always(_on_submit(VenueFaultKind.DUPLICATE_ID)),
        expected=_expect(),
    ),
    Scenario(
        name="partial_fill_then_reject",
        why="what filled before the venue ended the order is held, and leaves with the lead",
        faults=_always(VenueFault(kind=VenueFaultKind.PARTIAL_FILL, call=VenueCall.SUBMIT, nth=1, ratio=Ppm(500_000))),
        expected=_expect({**WHOLE, "base": (C,)}),
    ),
    Scenario(
        name="mode_mismatch",
        why="an account in another position mode takes no entry, and a person is told",
        faults=_always(VenueFault(kind=VenueFaultKind.MODE_FLIPPED, call=VenueCall.PROBE, nth=1)),
        expected=_expect({}, {}, alerts=(AlertKind.POSITION_MODE,)),
    ),
    Scenario(
        name="external_position",
        why="a stranger's position blocks entries and is never touched",
        faults=_always(
            VenueFault(
                kind=VenueFaultKind.EXTERNAL_POSITION,
                call=VenueCall.PROBE,
                market=FIRST_MARKET,
                side=Side.SHORT,
                quantity=FOREIGN_STEPS,
            )
        ),
        expected=_expect({}, {}, alerts=(AlertKind.FOREIGN_POSITION,)),
    ),
    Scenario(
        name="stale_source",
        why="while the lead's page is old nothing is added; what is held leaves when the lead is seen to have closed",
        faults=_refused(RejectReason.INSUFFICIENT_FUNDS, nth=2, count=3),
        silences=(Silence(feed=Feed.SOURCE, from_ms=at_ms(11), to_ms=at_ms(280)),),
        expected=_expect(
            {**WHOLE, "rung1": (R, R, R, C), "rung2": (N, N, N, C)},
            {"base": 1, "rung1": 3, "source_close": 1},
            reasons=("source_stale",),
        ),
    ),
    Scenario(
        name="stop",
        why="STOP_NEW_ORDERS set in the midst of a pass holds back the very next entry; the close still leaves",
        controls=(ControlChange(control=Control.STOP, at_ms=None, after_submit=1),),
        expected=_expect({"base": (F,), "source_close": (F,)}, {"base": 1, "source_close": 1}, stopped=True),
    ),
    Scenario(
        name="kill",
        why="KILL takes back what works and leaves the position alone",
        controls=(ControlChange(control=Control.KILL, at_ms=at_ms(150), after_submit=None),),
        expected=_expect({"base": (F,), "rung1": (F,), "rung2": (C,)}, {"base": 1, "rung1": 1, "rung2": 1}, held=True),
    ),
    Scenario(
        name="hot_stop_and_resume",
        why="a session that was stopped and resumed goes on as if nothing had been",
        controls=(
            ControlChange(control=Control.HOT_STOP, at_ms=at_ms(90), after_submit=None),
            ControlChange(control=Control.RESUME, at_ms=at_ms(190), after_submit=None),
        ),
        expected=_expect(),
    ),
    Scenario(
        name="clock_skew",
        why="with a clock that is not ours nothing opens, and a person is told",
        faults=_always(VenueFault(kind=VenueFaultKind.CLOCK_SKEW, count=FOR_EVER, skew_ms=3_000)),
        expected=_expect({}, {}, alerts=(AlertKind.CLOCK_SKEW,)),
    ),
    Scenario(
        name="burst_of_429",
        why="a throttled venue proves nothing; the close leaves as soon as its absence is proved",
        faults=_always(
            VenueFault(kind=VenueFaultKind.HTTP_STATUS, call=VenueCall.SUBMIT, nth=CLOSE_IS_SUBMIT, status=429),
            VenueFault(kind=VenueFaultKind.HTTP_STATUS, call=VenueCall.ORDER, nth=3, count=3, status=429),
        ),
        expected=_expect(sent={**ONCE, "source_close": 2}),
        under_a_new_id=_expect({**WHOLE, "source_close": (N, F)}, {**ONCE, "source_close": 2}),
    ),
    Scenario(
        name="failed_reads_are_not_flat",
        why="a position that cannot be read for minutes is neither flat nor gone, and a person is told",
        faults=_always(
            VenueFault(kind=VenueFaultKind.GARBAGE, call=VenueCall.POSITIONS, nth=3, count=4),
            VenueFault(kind=VenueFaultKind.GARBAGE, call=VenueCall.POSITION, nth=3, count=8),
        ),
        expected=_expect(alerts=(AlertKind.VENUE_UNAVAILABLE,)),
    ),
    Scenario(
        name="unanswered_cancel",
        why="a rung that was taken back and may still fill uses up the caps until its end is known",
        story=tight_story,
        faults=_always(VenueFault(kind=VenueFaultKind.LOST, call=VenueCall.CANCEL, nth=1, count=8)),
        expected=_expect(
            {"base": (F, F), "rung1": (F, C), "rung2": (C, C), "source_close": (F, F)},
            dict.fromkeys(ONCE, 2),
            reasons=("notional_gross",),
        ),
    ),
    Scenario(
        name="revoked_key",
        why="a key that is refused stops new orders and calls a person",
        faults=_refused(RejectReason.AUTHENTICATION, nth=1, count=FOR_EVER),
        expected=_expect({"base": (R,)}, {"base": 1}, stopped=True, alerts=(AlertKind.AUTHENTICATION,)),
    ),
)
BY_NAME: Mapping[str, Scenario] = {scenario.name: scenario for scenario in SCENARIOS}
