"""Named replays, each built around one rule that a fast engine could get wrong. The rules are told in the names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from copytrade_core.model.bar import FundingSeries
from copytrade_core.model.caps import ReplayCaps
from copytrade_core.model.fill import FillModel
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.policy import Anchor, ExitFamily, PolicySpec, SizingRule
from copytrade_core.model.round_trip import ReplaySpec
from copytrade_core.model.side import Side
from copytrade_core.model.units import Ppm
from tests.replay.random_cases import Case
from tests.trading_floor import (
    BTC,
    CONTRARIAN,
    COSTS,
    ETH,
    FOLLOW,
    SPEC,
    Ohlc,
    at_ms,
    data,
    episode,
    instrument,
    ladder,
    leave,
    series,
    usdt,
)

FLAT: Ohlc = (100_000, 100_000, 100_000, 100_000)
TAIL = [FLAT] * 30
TWO = ladder("0.4", ("0.01", "0.3"), ("0.01", "0.3"))
LONG = [episode(0, 60)]
SHORT = [episode(0, 60, side=Side.SHORT)]
THEN = ExitFamily.SOURCE_CLOSE_THEN_AUTONOMOUS
PAID = replace(SPEC, costs=COSTS)


def _bars(*rows: Ohlc, start: float = -10, market=BTC):
    return series([FLAT, FLAT, *rows, *TAIL], start_ms=at_ms(start), market=market)


def _mirrored(*rows: Ohlc):
    return _bars(*((200_000 - o, 200_000 - low, 200_000 - high, 200_000 - c) for o, high, low, c in rows))


def _case(lives: Sequence, policy: PolicySpec, spec: ReplaySpec, markets: MarketData) -> Case:
    return Case(seed=0, episodes=tuple(lives), policy=policy, spec=spec, data=markets)


def _both_sides(
    name: str, rows: Sequence[Ohlc], policy: PolicySpec, spec: ReplaySpec = PAID, *, minutes: float = 60
) -> dict[str, Case]:
    long, short = episode(0, minutes), episode(0, minutes, side=Side.SHORT)
    return {
        f"{name}, long": _case([long], policy, spec, data(_bars(*rows))),
        f"{name}, short": _case([short], policy, spec, data(_mirrored(*rows))),
    }


BEYOND = replace(PAID, rung_fill=FillModel.CLOSE_BEYOND)
AT_CLOSE = replace(PAID, market_fill=FillModel.FIRST_BAR_CLOSE)
FALL: tuple[Ohlc, ...] = (FLAT, (100_000, 100_000, 97_000, 98_500))
LADDERED = replace(FOLLOW, ladder=TWO)
STOPPED = replace(FOLLOW, ladder=TWO, exit=leave(THEN, stop=10_000))
TRAILED = replace(FOLLOW, ladder=TWO, exit=leave(THEN, profit=10_000, trailing=5_000))
PROFIT = replace(FOLLOW, ladder=TWO, exit=leave(THEN, profit=10_000))
EQUAL_RUNGS = ladder("0.4", ("0.01", "0.2"), ("0.000001", "0.2"), ("0.000001", "0.2"))


def _levels() -> dict[str, Case]:
    opens_beyond: tuple[Ohlc, ...] = (FLAT, (96_000, 97_000, 95_500, 96_500))
    close_at: tuple[Ohlc, ...] = (FLAT, (100_000, 100_000, 98_900, 99_030), (99_030, 99_100, 98_000, 99_029))
    rise: tuple[Ohlc, ...] = (FLAT, (100_000, 101_020, 98_900, 100_900), (102_000, 103_000, 101_000, 101_000))
    wave: tuple[Ohlc, ...] = (FLAT, (100_000, 102_000, 99_900, 101_900), (101_900, 102_500, 98_000, 98_500))
    fallen: tuple[Ohlc, ...] = (FLAT, (100_000, 100_000, 97_900, 98_000), (98_000, 100_000, 98_000, 100_000))
    # Long after a fall that closes saw, one deeper that they did not: in another block of bars, at the same portfolio.
    spike = (*fallen, *([FLAT] * 40), (100_000, 100_000, 91_000, 100_000))
    return {
        **_both_sides("a bar that reaches far and comes back", spike, FOLLOW, minutes=300),
        **_both_sides("rungs at their prices", FALL, LADDERED),
        **_both_sides("an open beyond stop and rungs", opens_beyond, STOPPED),
        **_both_sides("a stop between the rungs", FALL, replace(STOPPED, exit=leave(THEN, stop=15_000))),
        **_both_sides("rungs at one price", FALL, replace(FOLLOW, ladder=EQUAL_RUNGS)),
        **_both_sides("a close at the rung is not beyond it", close_at, LADDERED, BEYOND),
        **_both_sides("one rung per bar by its close", FALL, LADDERED, BEYOND),
        **_both_sides("a rung keeps the profit away in its bar", rise, PROFIT),
        **_both_sides("a profit at an open beyond it", rise, replace(PROFIT, ladder=FOLLOW.ladder)),
        **_both_sides("a stop that trails", wave, TRAILED),
        **_both_sides("a stop that trails and rungs by their close", wave, TRAILED, BEYOND),
        **_both_sides("entered at a close", wave, replace(STOPPED, exit=leave(THEN, stop=4_000)), AT_CLOSE),
        **_both_sides(
            "from the source's price", FALL, replace(FOLLOW, ladder=replace(TWO, anchor=Anchor.SOURCE_ENTRY))
        ),
    }


def _times() -> dict[str, Case]:
    autonomous = {
        f"a life of {ttl_s} s": replace(STOPPED, exit=leave(ExitFamily.AUTONOMOUS, stop=30_000, ttl_s=ttl_s))
        for ttl_s in (1, 299, 300, 301, 600)
    }
    paid = FundingSeries(
        market=BTC,
        time_ms=np.array([at_ms(0), at_ms(10) - 1, at_ms(10), at_ms(10) + 1, at_ms(14), at_ms(60)]),
        rate=np.array([10_000, 777, -33_333, 1, 1_000_000, 5]),
    )
    lives = {"a long": LONG, "a short": SHORT}
    return {
        **{name: _case(LONG, policy, PAID, data(_bars(*FALL))) for name, policy in autonomous.items()},
        **{f"funding of {n}": _case(e, STOPPED, PAID, data(_bars(*FALL), funding=[paid])) for n, e in lives.items()},
        "the source closes before our entry fills": _case([episode(0.5, 1)], FOLLOW, PAID, data(_bars(*FALL))),
        "the source closes in the bar of a rung": _case([episode(0, 6)], LADDERED, BEYOND, data(_bars(*FALL))),
        "the source closes at the end of a rung's bar": _case([episode(0, 10)], LADDERED, BEYOND, data(_bars(*FALL))),
        "a contrarian": _case(
            [episode(-50, 0), episode(-40, 0, side=Side.SHORT)], CONTRARIAN, PAID, data(_bars(*FALL))
        ),
    }


def _capital() -> dict[str, Case]:
    big = replace(FOLLOW.sizing, target_notional=usdt(6_000), headroom_ppm=Ppm(5_000))
    wide = replace(STOPPED, sizing=big, backoff=replace(FOLLOW.backoff, failures_max=1, cooldown_s=400))
    two = [episode(0, 60), episode(5, 30, market=ETH, side=Side.SHORT), episode(6, 50, market=ETH)]
    markets = data(_bars(*FALL), _bars(*FALL, market=ETH))
    compound = replace(wide, sizing=replace(big, rule=SizingRule.COMPOUND))
    margin = replace(CONTRARIAN, sizing=replace(big, rule=SizingRule.LEAD_MARGIN_FRACTION))
    capped = replace(PAID, caps=ReplayCaps(notional_gross_max=usdt(7_000), daily_loss_max=usdt(20)))
    coarse: dict[str, Instrument] = {BTC: instrument(min_notional=290, step="0.0001")}
    late = [FLAT] * 165
    night = series([*late, *FALL, *([FALL[1]] * 6), *late], start_ms=at_ms(-10))
    owls = [episode(each, each + 20) for each in (800, 818, 826, 836, 845, 860)]
    return {
        "two markets want one capital": _case(two, wide, PAID, markets),
        "a refused rung is tried again": _case(two, replace(wide, ladder=EQUAL_RUNGS), PAID, markets),
        "a rung refused at a close is refused twice": _case(
            [episode(0, 60), episode(6, 60, market=ETH)],
            replace(wide, backoff=replace(wide.backoff, failures_max=2)),
            replace(AT_CLOSE, initial_equity=usdt(4_000)),
            markets,
        ),
        "what was won is put to work": _case(two, compound, PAID, markets),
        "as much as the lead's margin": _case(
            [episode(-50, 0, quantity="0.3"), episode(-40, 5, side=Side.SHORT)],
            margin,
            replace(PAID, lead_margin_balance=usdt(20_000)),
            data(_bars(*FALL)),
        ),
        "caps of gross and of a day": _case(two, wide, capped, markets),
        "a day's loss ends at midnight": _case(owls, wide, capped, data(night)),
        "a rung under the minimum": _case(
            LONG,
            replace(FOLLOW, ladder=replace(TWO, base_share=Fraction(2, 3))),
            PAID,
            data(_bars(*FALL), instruments=coarse),
        ),
    }


GOLDEN: dict[str, Case] = {**_levels(), **_times(), **_capital()}
