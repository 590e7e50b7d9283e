"""A timetable in plain words, run against flow and the virtual exchange.

exit: autonomous, profit 2%, stop 5%, ttl 60m     the rules, one `name: value` a line
09:55 BTC 100000 100000 100000 100000             a bar: open, high, low, close
10:02 lead opens BTC long at 100000               what the lead does
-> 10:05 buy BTC base 100050                      what must happen: fills, refusals, holds, results; all of it
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
from typing_extensions import override

from copytrade_core.model.bar import BarSeries, FundingSeries
from copytrade_core.model.episode import Episode
from copytrade_core.model.event import Event, OrderFilled
from copytrade_core.model.fill import FillModel
from copytrade_core.model.instrument import Market
from copytrade_core.model.policy import AddMode, ExitFamily, LadderSpec, PolicySpec, SignalMode
from copytrade_core.model.round_trip import CostModel, ReplaySpec
from copytrade_core.model.side import Side, SideFilter
from copytrade_core.model.units import Money, Ppm, money_to_decimal
from copytrade_core.replay.reference import _Run
from copytrade_core.replay.timeline import timeline
from tests.trading_floor import BAR_MS, FOLLOW, SPEC, Ohlc, at_ms, data, episode, ladder, leave, series

TIME = r"(?P<time>\d\d:\d\d)"
LEAD = re.compile(TIME + r" lead (?P<does>opens|closes) (?P<coin>\w+) (?P<side>long|short) at (?P<price>\d+)")
BAR = re.compile(TIME + r" (?P<coin>[A-Z]+) (?P<prices>\d+ \d+ \d+ \d+)")
FUNDING = re.compile(TIME + r" funding (?P<coin>\w+) (?P<rate>-?[\d.]+)%")
RULE = re.compile(r"(?P<name>\w+): (?P<value>.+)")


def minutes(clock: str) -> int:
    hours, past = clock.split(":")
    return (int(hours) - 10) * 60 + int(past)


def clock(time_ms: int) -> str:
    past = (time_ms - at_ms(0)) // 60_000
    return f"{10 + past // 60:02}:{past % 60:02}"


def market(coin: str) -> Market:
    return Market(f"{coin}/USDT:USDT")


def ppm(percent: str) -> int:
    exact = Fraction(percent.strip().removesuffix("%")) * 10_000
    assert exact.denominator == 1
    return int(exact)


@dataclass
class Timetable:
    """A docstring, read."""

    policy: PolicySpec = FOLLOW
    spec: ReplaySpec = SPEC
    bars: dict[str, dict[int, Ohlc]] = field(default_factory=dict)
    funding: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    lives: list[Episode] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def read(self, text: str) -> Timetable:
        for line in (raw.partition("#")[0].strip() for raw in text.splitlines()[1:]):
            if line:
                self._line(line)
        return self

    def _line(self, line: str) -> None:
        if line.startswith("->"):
            self.expected.append(" ".join(line.removeprefix("->").split()))
        elif found := LEAD.fullmatch(line):
            self._lead(**found.groupdict())
        elif found := BAR.fullmatch(line):
            bars = self.bars.setdefault(market(found["coin"]), {})
            open_, high, low, close = (int(price) for price in found["prices"].split())
            bars[at_ms(minutes(found["time"]))] = (open_, high, low, close)
        elif found := FUNDING.fullmatch(line):
            rate = int(Fraction(found["rate"]) * 10**6)
            self.funding.setdefault(market(found["coin"]), []).append((at_ms(minutes(found["time"])), rate))
        elif found := RULE.fullmatch(line):
            getattr(self, f"_{found['name']}")(found["value"])
        else:
            raise ValueError(f"a timetable cannot say {line!r}")

    def _lead(self, time: str, does: str, coin: str, side: str, price: str) -> None:
        if does == "opens":
            life = episode(minutes(time), None, side=Side(side), market=market(coin), entry=price)
            self.lives.append(life)
            return
        index, life = next(
            (index, life)
            for index, life in enumerate(self.lives)
            if (life.market, life.side, life.closed_at) == (market(coin), Side(side), None)
        )
        start = int((life.opened_at.timestamp() * 1000 - at_ms(0)) // 60_000)
        self.lives[index] = episode(
            start, minutes(time), side=life.side, market=life.market, entry=str(life.entry_price), leave=price
        )

    def _signal(self, value: str) -> None:
        self.policy = replace(self.policy, signal=SignalMode(value))

    def _sides(self, value: str) -> None:
        self.policy = replace(self.policy, entry=replace(self.policy.entry, side=SideFilter(value)))

    def _exit(self, value: str) -> None:
        family, *parts = value.split(", ")
        numbers: dict[str, int] = {}
        for part in parts:
            name, number = part.split()
            numbers["ttl_s" if name == "ttl" else name] = (
                int(number.removesuffix("m")) * 60 if name == "ttl" else ppm(number)
            )
        chosen = leave(ExitFamily(family), **numbers)
        self.policy = replace(self.policy, exit=chosen)

    def _ladder(self, value: str) -> None:
        base, *rungs = value.split(", ")
        shape: LadderSpec = ladder(
            str(Fraction(base.removesuffix("%")) / 100),
            *(
                (str(Fraction(step.removesuffix("%")) / 100), str(Fraction(share.removesuffix("%")) / 100))
                for share, step in (rung.split(" after ") for rung in rungs)
            ),
            add_mode=AddMode.FIXED,
        )
        self.policy = replace(self.policy, ladder=shape)

    def _equity(self, value: str) -> None:
        self.spec = replace(self.spec, initial_equity=Money(int(value) * 10**8))

    def _rungs(self, value: str) -> None:
        self.spec = replace(self.spec, rung_fill=FillModel(f"{value}_v1"))

    def _market(self, value: str) -> None:
        self.spec = replace(self.spec, market_fill=FillModel(f"{value}_v1"))

    def _delay(self, value: str) -> None:
        self.spec = replace(self.spec, delay_s=int(value.removesuffix("s")))

    def _costs(self, value: str) -> None:
        fee, slippage = (Ppm(ppm(part.split()[1])) for part in value.split(", "))
        costs = CostModel(taker_fee=fee, maker_fee=fee, slippage=slippage, source="a story")
        self.spec = replace(self.spec, costs=costs)

    def series(self) -> list[BarSeries]:
        made = []
        for name, bars in self.bars.items():
            times = sorted(bars)
            assert times == list(range(times[0], times[-1] + 1, BAR_MS)), f"{name}: the story has a gap"
            made.append(series([bars[time] for time in times], market=Market(name), start_ms=times[0]))
        return made

    def funding_series(self) -> list[FundingSeries]:
        return [
            FundingSeries(
                market=Market(name),
                time_ms=np.array([time for time, _ in rows], dtype=np.int64),
                rate=np.array([rate for _, rate in rows], dtype=np.int64),
            )
            for name, rows in self.funding.items()
        ]


class Told(_Run):
    """A run that keeps what it did as lines."""

    lines: list[str]

    @override
    def _tell(self, event: Event, now_ms: int) -> None:
        if isinstance(event, OrderFilled):
            fill = event.fill
            does = "buy" if fill.buys else "sell"
            leg = fill.leg if fill.kind.is_entry else fill.reason
            self.lines.append(f"{clock(fill.time_ms)} {does} {_coin(fill.market)} {leg} {fill.price}")
        holds, refusals = len(self.held_back), len(self.recorder.blocked())
        super()._tell(event, now_ms)
        for held in self.held_back[holds:]:
            self.lines.append(f"{clock(now_ms)} hold {_coin(held.market)} {held.reason}")
        for refused in self.recorder.blocked()[refusals:]:
            coin = _coin(refused.episode_id.split("|")[1])
            self.lines.append(f"{clock(now_ms)} refused {coin} {refused.leg} {refused.reason}")

    def results(self) -> list[str]:
        return [
            f"{clock(trip.exited_at_ms)} result {_coin(trip.market)} {money_to_decimal(trip.pnl).normalize():f}"
            for trip in self.recorder.round_trips
        ]


def _coin(name: str) -> str:
    return name.partition("/")[0]


def happened(text: str) -> tuple[list[str], list[str]]:
    """What a timetable expects, and what came to pass. Results are compared only where the timetable names them."""
    table = Timetable().read(text)
    market_data = data(*table.series(), funding=table.funding_series())
    run = Told(table.policy, table.spec, market_data)
    run.lines = []
    waiting: Sequence = list(reversed(timeline(table.lives, table.spec.delay_s, market_data)))
    times = sorted({time for bars in table.bars.values() for time in bars})
    for open_ms in times[1:]:
        run.one_bar(waiting, open_ms)
    lines = run.lines
    if any(" result " in line for line in table.expected):
        lines = sorted([*lines, *run.results()], key=lambda line: (line.split()[0], " result " in line))
    return table.expected, lines
