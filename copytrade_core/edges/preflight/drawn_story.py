"""Stories from a seed: one to three trades of a lead on the drill markets, and now and then a person or a stranger.

What a story is made of is in `story`.
"""

from __future__ import annotations

import numpy as np

from copytrade_core.edges.preflight.drill_markets import FIRST_MARKET, MARKETS, START_MS
from copytrade_core.edges.preflight.story import (
    Control,
    ControlChange,
    Feed,
    ForeignAct,
    ForeignKind,
    Point,
    Silence,
    Story,
    Told,
    Visit,
    told_of,
)
from copytrade_core.model.instrument import Market
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.side import Side
from copytrade_core.model.source_event import SourceChange
from copytrade_core.model.units import RATE_SCALE, Ticks

SPACED_MS = 120_000
"""Longer than any look-up for a lost order takes: between two moments of a spaced story everything is settled."""
MOVES_PPM = (-9_000, -5_000, -3_000, -1_000, 1_000, 3_000, 6_000, 13_000)


def draw_story(seed: int, policies: tuple[PolicySpec, ...], *, hedge: bool) -> Story:
    """The story of a seed.

    Args:
        seed: any non-negative number.
        policies: one of them is drilled.
        hedge: whether both sides of one market may be held at once.
    """
    rng = np.random.default_rng((1, seed))
    spaced = bool(rng.random() < 0.4)
    policy = policies[int(rng.integers(len(policies)))]
    visits = _draw_visits(rng, spaced=spaced, hedge=hedge)
    points = _draw_points(rng, visits, spaced=spaced)
    told = sorted((each for visit in visits for each in told_of(visit, points)), key=lambda each: each.at_ms)
    ends_ms = max(told[-1].at_ms, points[-1].at_ms if points else 0)
    calm = spaced or rng.random() < 0.5
    return Story(
        policy=policy,
        cap_ratio_ppm=int(rng.choice((1_020_000, 1_500_000, 4_000_000))),
        orders_per_hour_max=int(rng.choice((5, 20, 60))),
        points=points,
        told=tuple(told),
        controls=() if calm else _draw_controls(rng, ends_ms),
        foreign=() if calm else _draw_foreign(rng, ends_ms),
        silences=() if calm else _draw_silences(rng, told),
        spaced=spaced,
    )


def _draw_visits(rng: np.random.Generator, *, spaced: bool, hedge: bool) -> list[Visit]:
    visits: list[Visit] = []
    free_at: dict[tuple[Market, Side | None], int] = {}
    gap = SPACED_MS if spaced else 1_000
    for number in range(int(rng.integers(1, 4))):
        market = FIRST_MARKET if number == 0 else tuple(MARKETS)[int(rng.integers(len(MARKETS)))]
        side = (Side.LONG, Side.SHORT)[int(rng.integers(2))]
        place = (market, side if hedge else None)
        # A spaced story puts every opening and close on a second of its own within the grid of moments.
        opens = max(START_MS + int(rng.integers(5, 120)) * 1_000, free_at.get(place, 0) + 5_000)
        lasts = int(rng.integers(60, 400)) * 1_000
        if spaced:
            opens = _on_grid(opens, gap, 3 * number)
            lasts = max(gap, lasts // gap * gap) + gap
        closes = opens + lasts
        seen: tuple[tuple[int, SourceChange | None], ...] = ()
        if not spaced and rng.random() < 0.6:
            kinds = (SourceChange.SCALED_IN, SourceChange.SCALED_OUT, None)
            seen = ((opens + lasts // 2, kinds[int(rng.integers(3))]),)
        stays = bool(rng.random() < 0.1)
        visits.append(
            Visit(market=market, side=side, opens_ms=opens, closes_ms=None if stays else closes, sightings=seen)
        )
        free_at[place] = closes if not stays else closes + 10_000_000
    return visits


def _on_grid(at_ms: int, gap: int, lane: int) -> int:
    """The next moment of a lane: lanes never share a moment, and neighbours are a settled pause apart."""
    lanes = 10
    cell = gap * lanes
    return START_MS + (at_ms - START_MS + cell - 1) // cell * cell + lane * gap


def _draw_points(rng: np.random.Generator, visits: list[Visit], *, spaced: bool) -> tuple[Point, ...]:
    points: list[Point] = []
    ends = max(visit.closes_ms or visit.opens_ms + 400_000 for visit in visits)
    for market, drill in MARKETS.items():
        own = [visit for visit in visits if visit.market == market]
        if not own:
            continue
        price = int(drill.first_price)
        at_ms = START_MS
        while True:
            at_ms += SPACED_MS * int(rng.integers(1, 4)) if spaced else int(rng.integers(8, 50)) * 1_000
            if at_ms >= ends:
                break
            price = max(1, price * (RATE_SCALE + MOVES_PPM[int(rng.integers(len(MOVES_PPM)))]) // RATE_SCALE)
            # Off the second of every told event, so that an event and a move never share a moment.
            points.append(Point(at_ms=at_ms + (SPACED_MS // 2 if spaced else 500), market=market, price=Ticks(price)))
    return tuple(sorted(points, key=lambda point: (point.at_ms, point.market)))


def _draw_controls(rng: np.random.Generator, ends_ms: int) -> tuple[ControlChange, ...]:
    if rng.random() < 0.5:
        return ()
    control = (Control.STOP, Control.STOP, Control.KILL, Control.HOT_STOP)[int(rng.integers(4))]
    at_ms = int(rng.integers(START_MS + 1_000, ends_ms))
    if control is Control.HOT_STOP:
        again = ControlChange(control=Control.RESUME, at_ms=at_ms + int(rng.integers(1, 60)) * 1_000, after_submit=None)
        return (ControlChange(control=control, at_ms=at_ms, after_submit=None), again)
    if rng.random() < 0.5:
        return (ControlChange(control=control, at_ms=None, after_submit=int(rng.integers(1, 6))),)
    return (ControlChange(control=control, at_ms=at_ms, after_submit=None),)


def _draw_foreign(rng: np.random.Generator, ends_ms: int) -> tuple[ForeignAct, ...]:
    if rng.random() < 0.6:
        return ()
    kinds = (ForeignKind.ORDER, ForeignKind.POSITION, ForeignKind.CLOSES_OURS, ForeignKind.CLOSES_PART)
    return (
        ForeignAct(
            kind=kinds[int(rng.integers(len(kinds)))],
            at_ms=int(rng.integers(START_MS + 1_000, ends_ms)),
            market=FIRST_MARKET,
            side=(Side.LONG, Side.SHORT)[int(rng.integers(2))],
        ),
    )


def _draw_silences(rng: np.random.Generator, told: list[Told]) -> tuple[Silence, ...]:
    if rng.random() < 0.6:
        return ()
    around = told[int(rng.integers(len(told)))].at_ms
    feed = (Feed.MARK, Feed.SOURCE)[int(rng.integers(2))]
    begins = max(START_MS, around - int(rng.integers(0, 180)) * 1_000)
    return (Silence(feed=feed, from_ms=begins, to_ms=begins + int(rng.integers(60, 300)) * 1_000),)
