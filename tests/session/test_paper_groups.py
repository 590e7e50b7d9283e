"""Several leads in one paper session, whatever they do: caps over all, capital of each, lists, episodes kept apart."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copytrade_core.model.session_end import Ended
from copytrade_core.model.side import Side
from copytrade_core.model.units import Ppm
from copytrade_core.model.verdict import RefusalReason
from copytrade_core.session.ports import Journal, Journalled, JournalStep
from copytrade_core.strategies.leads import MARKET_NOT_FOLLOWED, LeadPlan, lead_of
from tests.paper_floor import WIDE, Paper, by_episode
from tests.trading_floor import BTC, COSTS, ETH, FOLLOW, LEAD, SPEC, closed, data, episode, opened, series, usdt

SECOND, THIRD = "4751838302089250000", "4751838302089260000"
LEADS, MARKETS = (LEAD, SECOND, THIRD), (BTC, ETH)
FLAT = [(100_000, 100_100, 99_900, 100_000)] * 60
LAST = 270
FREE = replace(SPEC, costs=replace(COSTS, taker_fee=Ppm(0), maker_fee=Ppm(0), slippage=Ppm(0)))
"""Without slippage what is held is worth what was approved, so that caps can be compared to the last unit."""
GROSS, ONE_SIDE = usdt(1_200), usdt(1_000)


def of_lead(life, lead_id: str):
    return replace(life, episode_id=life.episode_id.replace(LEAD, lead_id), lead_id=lead_id)


def plan(lead_id: str, **changes) -> LeadPlan:
    free = LeadPlan(lead_id=lead_id, target=None, notional_max=None, allowed=None, blocked=frozenset())
    return replace(free, **changes)


def followed(lives, leads, **session) -> Paper:
    told = [event for life in lives for event in (opened(life), closed(life))]
    events = sorted(told, key=lambda each: (each.known_at, each.episode.episode_id))
    market = data(series(FLAT), series(FLAT, market=ETH))
    return Paper(events, FOLLOW, FREE, market, leads=tuple(leads), **session)


def capped(paper: Paper, gross: int, one_side: int) -> Paper:
    caps = replace(
        paper.trading.caps,
        notional_gross_max=gross,
        notional_one_side_max=one_side,
        notional_correlated_max=gross,
    )
    paper.trading = replace(paper.trading, caps=caps)
    return paper


@st.composite
def lives(draw):
    """Up to a dozen lives of three leads in two markets on both sides, each with an opening of its own."""
    found = {}
    for _ in range(draw(st.integers(1, 12))):
        opens = draw(st.integers(6, 200))
        lead_id, market, side = (
            draw(st.sampled_from(LEADS)),
            draw(st.sampled_from(MARKETS)),
            draw(st.sampled_from(Side)),
        )
        life = episode(opens, draw(st.integers(opens + 6, LAST)), side=side, market=market)
        found[(lead_id, market, side, opens)] = of_lead(life, lead_id)
    return list(found.values())


@st.composite
def groups(draw):
    """Three leads, each with its own target and capital and perhaps a list."""
    made = []
    for lead_id in LEADS:
        capital = draw(st.integers(300, 2_500))
        lists = draw(st.sampled_from([{}, {"blocked": frozenset({ETH})}, {"allowed": frozenset({ETH})}]))
        target = usdt(draw(st.integers(100, min(capital, 1_500))))
        made.append(plan(lead_id, target=target, notional_max=usdt(capital), **lists))
    return made


@settings(max_examples=40, deadline=None)
@given(lives=lives(), leads=groups())
def test_whatever_the_leads_do_no_cap_and_no_capital_is_exceeded_and_no_list_broken(lives, leads):
    paper = capped(followed(lives, leads), GROSS, ONE_SIDE)
    assert paper.session().run().ended is Ended.FEED_ENDED
    plans, held = {lead.lead_id: lead for lead in leads}, defaultdict(int)
    sides = {life.episode_id: life.side for life in lives}
    for fill in paper.kept.fills:
        notional = paper.data.instruments[fill.market].notional(fill.price, fill.quantity)
        held[fill.episode_id] += notional if fill.kind.is_entry else -notional
        lead = plans[lead_of(fill.episode_id)]
        assert lead.follows(fill.market)
        assert sum(held.values()) <= GROSS
        for side in Side:
            assert sum(worth for each, worth in held.items() if sides[each] is side) <= ONE_SIDE
        assert sum(worth for each, worth in held.items() if lead_of(each) == lead.lead_id) <= lead.notional_max
    assert not any(held.values()), "every close went through, whatever was full"
    assert paper.book().holdings == {}
    entered = {fill.episode_id for fill in paper.kept.fills if fill.kind.is_entry}
    refused = {each.intent.episode_id for each in paper.kept.refused}
    kept_out = {each.episode_id for each in paper.kept.holds if each.reason == MARKET_NOT_FOLLOWED}
    for life in lives:
        if not plans[life.lead_id].follows(life.market):
            assert life.episode_id in kept_out - entered - refused
        elif life.episode_id not in entered:
            assert life.episode_id in refused, "what was not opened was refused by name"


def fills_of(paper: Paper):
    return {
        episode_id: [(f.kind, f.quantity) for f in fills] for episode_id, fills in by_episode(paper.kept.fills).items()
    }


def test_the_same_market_on_the_same_side_is_one_position_of_two_episodes_and_each_closes_its_own_part():
    one, other = episode(7, 60), of_lead(episode(12, 120), SECOND)
    paper = followed([one, other], [plan(LEAD, target=usdt(700)), plan(SECOND, target=usdt(300))])
    session = paper.session()
    assert session.run().ended is Ended.FEED_ENDED
    assert fills_of(paper) == {
        one.episode_id: [("open", 700), ("close", 700)],
        other.episode_id: [("open", 300), ("close", 300)],
    }
    assert paper.broker().positions() == ()


def test_the_same_market_in_opposite_directions_is_held_on_both_sides_and_counts_twice():
    one, other = episode(7, 60), of_lead(episode(12, 120, side=Side.SHORT), SECOND)
    both = [plan(LEAD, target=usdt(700)), plan(SECOND, target=usdt(300))]
    paper = followed([one, other], both)
    assert paper.session().run().ended is Ended.FEED_ENDED
    assert fills_of(paper) == {
        one.episode_id: [("open", 700), ("close", 700)],
        other.episode_id: [("open", 300), ("close", 300)],
    }
    narrow = capped(followed([one, other], both), usdt(999), usdt(999))
    _ = narrow.session().run()
    assert list(fills_of(narrow)) == [one.episode_id], "they do not cancel out against the gross cap"
    assert {refused.reason for refused in narrow.kept.refused} == {RefusalReason.NOTIONAL_GROSS}


class Killed(Exception):
    """The process is gone at this write."""


class DiesAt(Journal):
    """A journal whose process ends before, or right after, its so many-th commit."""

    def __init__(self, journal, commits: int, *, after: bool) -> None:
        self._journal, self._left, self._after = journal, commits, after

    def load(self) -> Journalled:
        return self._journal.load()

    def commit(self, step: JournalStep) -> None:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Killed
        self._journal.commit(step)
        if self._left == 0:
            raise Killed


@pytest.mark.parametrize("after", [False, True])
def test_a_group_that_is_killed_at_any_write_ends_with_the_ledger_of_one_that_never_was(after):
    told = [episode(7, 60), of_lead(episode(12, 90, side=Side.SHORT), SECOND), of_lead(episode(33, 70), THIRD)]
    leads = [plan(each, notional_max=WIDE) for each in LEADS]
    calm = followed(told, leads)
    _ = calm.session().run()
    deaths = 0
    while True:
        paper = followed(told, leads)
        try:
            _ = paper.session(journal=DiesAt(paper.kept, deaths + 1, after=after)).run()
        except Killed:
            deaths += 1
            assert paper.session().run().ended is Ended.FEED_ENDED
            assert paper.book() == calm.book()
            assert by_episode(paper.kept.fills) == by_episode(calm.kept.fills)
        else:
            break
    assert deaths > 6
