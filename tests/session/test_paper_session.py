"""What a person, the clock and several leads do to a session: controls, deadline, resume, own caps, funding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from copytrade_core.edges.feeds.wall_clock import WallClock
from copytrade_core.model.bar import FundingSeries
from copytrade_core.model.errors import BadConfig, BadInput
from copytrade_core.model.fill import FillModel
from copytrade_core.model.policy import ExitFamily
from copytrade_core.model.session_end import Ended
from copytrade_core.model.verdict import RefusalReason
from copytrade_core.replay.reference import replay
from copytrade_core.session.archived_feed import place_of
from copytrade_core.session.correlation import correlation_ppm
from copytrade_core.session.paper_log import Charged, MemoryLog, decode_record
from copytrade_core.session.snapshot import check_resume
from copytrade_core.session.virtual_clock import VirtualClock
from copytrade_core.strategies.leads import LeadPlan, plain_lead
from tests.paper_floor import IDENTITY, LOOP, Paper, by_episode, replayed_events
from tests.trading_floor import (
    BAR_MS,
    BTC,
    COSTS,
    ETH,
    FOLLOW,
    LEAD,
    SPEC,
    START_MS,
    at_ms,
    closed,
    data,
    episode,
    leave,
    opened,
    series,
    usdt,
)

FLAT = [(100_000, 100_100, 99_900, 100_000)] * 40
PAID = replace(SPEC, costs=COSTS)


def two_trades(**settings) -> Paper:
    lives = [episode(7, 32), episode(60, 90)]
    events = sorted([e for life in lives for e in (opened(life), closed(life))], key=lambda e: e.known_at)
    return Paper(events, FOLLOW, PAID, data(series(FLAT)), **settings)


class StopsAt(VirtualClock):
    """A person sets controls when it is that late."""

    def __init__(self, now_ms: int, at: int, paper: Paper, **controls: bool) -> None:
        super().__init__(now_ms)
        self._at, self._paper, self._controls = at, paper, controls

    def wait_until_ms(self, until_ms, disturbed):
        if until_ms >= self._at:
            self._paper.stop(**self._controls)
            if disturbed():
                return self.now_ms()
        return super().wait_until_ms(until_ms, disturbed)


def stopped(paper: Paper, minutes: float, **controls: bool):
    return paper.session(clock=StopsAt(paper.start_ms, at_ms(minutes), paper, **controls)).run()


def test_stop_new_orders_lets_exits_go_on_and_nothing_open():
    paper = two_trades()
    last = stopped(paper, 20, stop_new_orders=True)
    assert [fill.kind for fill in paper.kept.fills] == ["open", "close"]
    assert last.ended is Ended.FEED_ENDED
    assert {refused.reason for refused in paper.kept.refused} == {RefusalReason.STOP_NEW_ORDERS}


def test_kill_cancels_what_works_and_leaves_what_is_held():
    paper = Paper(
        [opened(episode(7, None))],
        replace(FOLLOW, exit=leave(ExitFamily.SOURCE_CLOSE_THEN_AUTONOMOUS, stop=50_000, ttl_s=86_400)),
        PAID,
        data(series(FLAT)),
    )
    last = stopped(paper, 30, kill=True)
    assert last.ended is Ended.KILL
    assert len(last.positions) == 1
    assert last.working_orders == 0
    assert paper.broker().open_orders() == ()


def test_a_hot_stop_leaves_a_snapshot_and_the_session_goes_on_as_if_nothing_had_been():
    calm = two_trades()
    _ = calm.session().run()
    paper = two_trades()
    last = stopped(paper, 20, hot_stop=True)
    assert last.ended is Ended.HOT_STOP
    (snapshot,) = paper.shown.snapshots
    check_resume(snapshot, IDENTITY)
    for field in ("lead", "policy_digest", "venue", "account", "strategy"):
        with pytest.raises(BadInput, match=field):
            check_resume(snapshot, replace(IDENTITY, **{field: "another"}))
    paper.stop()
    assert paper.session().run().ended is Ended.FEED_ENDED
    assert by_episode(paper.kept.fills) == by_episode(calm.kept.fills)
    assert paper.book() == calm.book()


def test_after_the_deadline_nothing_opens_and_what_is_held_may_leave():
    deadline_ms = at_ms(20)
    paper = two_trades(deadline_ms=deadline_ms, loop=replace(LOOP, exits_for_ms=10 * BAR_MS))
    paper.stop()
    paper.panel.controls = replace(paper.panel.controls, deadline_ms=deadline_ms)
    last = paper.session().run()
    assert last.ended is Ended.DEADLINE
    assert [fill.kind for fill in paper.kept.fills] == ["open", "close"]
    at_once = two_trades(deadline_ms=deadline_ms)
    assert at_once.session().run().ended is Ended.DEADLINE
    assert len(at_once.book().holdings) == 1


def test_a_clock_before_the_last_order_is_refused():
    paper = two_trades()
    _ = stopped(paper, 20, kill=True)
    paper.stop()
    with pytest.raises(BadInput, match="the clock stands at"):
        _ = paper.session(clock=VirtualClock(START_MS - 1)).run()
    assert paper.shown.statuses[-1].ended is Ended.ERROR


def test_the_machine_s_clock_may_stand_still_but_not_run_back():
    times = iter([10_000, 9_000, 10_500, 5_000])
    clock = WallClock(read_ms=lambda: next(times), sleep=lambda _: None)
    assert [clock.now_ms() for _ in range(3)] == [10_000, 10_000, 10_500]
    with pytest.raises(BadInput, match="went back"):
        clock.now_ms()


def test_a_delay_makes_an_order_wait_for_a_later_bar():
    now, late = two_trades(), two_trades(delay_ms=BAR_MS)
    _, _ = now.session().run(), late.session().run()
    gaps = [after.time_ms - before.time_ms for before, after in zip(now.kept.fills, late.kept.fills, strict=True)]
    assert gaps == [BAR_MS] * 4


def test_funding_is_paid_as_in_a_replay_and_once_through_a_restart():
    times = START_MS + np.array([0, 6, 8, 12], dtype=np.int64) * BAR_MS
    funding = FundingSeries(market=BTC, time_ms=times, rate=np.array([10_000, 20_000, -7_000, 30_000], dtype=np.int64))
    market = data(series(FLAT), funding=[funding])
    lives = [episode(22, 70)]
    result = replay(lives, FOLLOW, PAID, market)
    paper = Paper(replayed_events(lives, FOLLOW, PAID, market), FOLLOW, PAID, market)
    _ = stopped(paper, 42, hot_stop=True)
    paper.stop()
    _ = paper.session().run()
    (trip,) = result.round_trips
    assert trip.funding != 0
    assert paper.book().cash == PAID.initial_equity + trip.pnl
    assert paper.broker().balance().equity == paper.book().cash


class DiesOnceCharged(MemoryLog):
    """The process dies when the account has booked its first payment and the ledger has not."""

    is_armed = True

    def append(self, records):
        super().append(records)
        if self.is_armed and any(b'"Charged"' in record for record in records):
            self.is_armed = False
            raise KeyboardInterrupt


def test_killed_between_account_and_ledger_both_have_paid_what_the_account_paid_first():
    """Live, the rate known before an instant stands for the one published after it: they may differ over a restart."""

    def funded(rate: int):
        series_of = FundingSeries(market=BTC, time_ms=np.array([at_ms(40)]), rate=np.array([rate], dtype=np.int64))
        return data(series(FLAT), funding=[series_of])

    paper = Paper([opened(life := episode(22, 70)), closed(life)], FOLLOW, PAID, funded(10_000))
    paper.log = DiesOnceCharged()
    with pytest.raises(KeyboardInterrupt):
        _ = paper.session().run()
    paper.data = funded(30_000)
    _ = paper.session().run()
    (paid,) = [decode_record(text, 1) for text in paper.log.load() if b'"Charged"' in text]
    assert isinstance(paid, Charged)
    assert paid.cost > 0
    assert not paper.book().holdings
    assert paper.broker().balance().equity == paper.book().cash


def test_the_account_belongs_to_one_alias_and_one_set_of_terms():
    paper = two_trades()
    _ = paper.session().run()
    paper.terms = replace(paper.terms, delay_ms=1)
    with pytest.raises(BadInput, match="was opened as"):
        paper.broker()
    paper.terms = replace(paper.terms, delay_ms=0)
    stepped = [record for record in paper.log.load() if b'"Stepped"' in record]
    paper.log.append((stepped[-1],))
    with pytest.raises(BadInput, match="does not follow from its records"):
        paper.broker()


def test_a_market_fill_from_the_past_is_no_paper_fill():
    paper = two_trades()
    paper.terms = replace(paper.terms, market_fill=FillModel.FIRST_BAR_CLOSE)
    with pytest.raises(BadConfig, match="next executable price"):
        paper.session()


OTHER = "4751838302089250000"


def of_lead(life, lead_id: str):
    renamed = life.episode_id.replace(LEAD, lead_id)
    return replace(life, episode_id=renamed, lead_id=lead_id)


def two_leads(*leads: LeadPlan) -> Paper:
    lives = [episode(7, 60), of_lead(episode(12, 60), OTHER), of_lead(episode(17, 60, market=ETH), OTHER)]
    events = sorted([e for life in lives for e in (opened(life), closed(life))], key=lambda e: e.known_at)
    market = data(series(FLAT), series(FLAT, market=ETH))
    return Paper(events, FOLLOW, PAID, market, leads=leads)


def entered(paper: Paper) -> dict[str, int]:
    return {
        f"{fill.episode_id.split('|')[0]} {fill.market}": fill.quantity
        for fill in paper.kept.fills
        if fill.kind.is_entry
    }


def test_each_lead_trades_its_own_target():
    paper = two_leads(plain_lead(LEAD), replace(plain_lead(OTHER), target=usdt(250)))
    _ = paper.session().run()
    assert entered(paper) == {f"{LEAD} {BTC}": 1000, f"{OTHER} {BTC}": 250, f"{OTHER} {ETH}": 250}


def test_a_market_that_is_blocked_or_not_allowed_is_held_back_by_name():
    for limits in ({"blocked": frozenset({ETH})}, {"allowed": frozenset({BTC})}):
        paper = two_leads(plain_lead(LEAD), replace(plain_lead(OTHER), **limits))
        _ = paper.session().run()
        assert set(entered(paper)) == {f"{LEAD} {BTC}", f"{OTHER} {BTC}"}
        assert ("market_not_followed", ETH) in {
            (hold.reason, dict(hold.numbers).get("market")) for hold in paper.kept.holds
        }


def test_a_lead_s_own_cap_refuses_with_its_reason_and_the_others_trade_on():
    paper = two_leads(plain_lead(LEAD), replace(plain_lead(OTHER), notional_max=usdt(1_200)))
    _ = paper.session().run()
    assert set(entered(paper)) == {f"{LEAD} {BTC}", f"{OTHER} {BTC}"}
    (refused,) = paper.kept.refused
    assert refused.reason is RefusalReason.NOTIONAL_LEAD
    assert dict(refused.numbers)["notional_lead_max"] == usdt(1_200)


def test_a_lead_whose_lists_contradict_each_other_is_refused():
    with pytest.raises(BadConfig, match="both allowed and blocked"):
        LeadPlan(lead_id="1", target=None, notional_max=None, allowed=frozenset({BTC}), blocked=frozenset({BTC}))


def test_markets_that_move_together_are_known_to_and_unknown_ones_are_not():
    moves = np.cumsum(np.random.default_rng(1).integers(-50, 51, size=200)) + 100_000
    closes = [int(each) for each in moves]
    bars = [(c, c, c, c) for c in closes]
    mirrored = [(c, c, c, c) for c in (200_000 - each for each in closes)]
    one, other = series(bars), series(mirrored, market=ETH)
    assert correlation_ppm(one, series(bars, market=ETH), one.end_ms) == 1_000_000
    against = correlation_ppm(one, other, one.end_ms)
    assert against is not None
    assert against < -990_000
    assert correlation_ppm(one, other, START_MS + 20 * BAR_MS) is None, "too few bars had ended"


def test_a_place_of_the_feed_reads_back_and_anything_else_is_refused():
    for text in ("5;2;-;", "5;2;300000+;BTC/USDT:USDT,ETH/USDT:USDT", "5;0;300000;BTC/USDT:USDT"):
        assert place_of(text).cursor == text
    with pytest.raises(BadInput):
        place_of("nowhere")
