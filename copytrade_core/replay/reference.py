"""The exact engine: history driven through `flow`, one event after the other. It is the truth; its clarity matters.

It decides nothing: strategies wish, risk answers, the virtual exchange fills, the ledger books. A faster engine counts
only while it gives the same integers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import takewhile

import numpy as np

from copytrade_core.flow import UNDISTURBED, Desk, Record, advance, fresh_state
from copytrade_core.ledger.post import opened_book, post_funding
from copytrade_core.model.bar import Bar
from copytrade_core.model.episode import Episode
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.event import BarClosed, Event, OrderFilled
from copytrade_core.model.fill import Fill
from copytrade_core.model.intent import Hold
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.policy import PolicySpec, SignalMode, SizingRule
from copytrade_core.model.round_trip import ReplayResult, ReplaySpec, Skipped
from copytrade_core.model.source_event import SourceClosed, SourceOpened
from copytrade_core.model.units import Ticks, funding_cost
from copytrade_core.model.verdict import Refused
from copytrade_core.replay.coverage import epoch_ms, is_funding_known, utc, why_skipped
from copytrade_core.replay.fill_hash import run_hash
from copytrade_core.replay.recorder import Recorder
from copytrade_core.replay.timeline import timeline
from copytrade_core.strategies.machine import strategy_of
from copytrade_core.strategies.state import FRESH
from copytrade_core.virtual_exchange.exchange import VirtualExchange

ACCOUNT = "replay"


def replay(
    episodes: Sequence[Episode],
    policy: PolicySpec,
    spec: ReplaySpec,
    data: MarketData,
    *,
    heard: Callable[[Record], None] | None = None,
) -> ReplayResult:
    """Replay one policy over the episodes of one or many leads.

    Args:
        episodes: source episodes, any order; closed ones are needed for a contrarian signal.
        policy: the strategy's policy.
        spec: fill models, costs, delay, capital.
        data: bars (gapless within each trade, or the trade is skipped), funding, quotes, trading rules.
        heard: is told every record as it happens, as a session's journal is.

    Returns:
        Round trips in order of exit, skipped signals with reasons, blocked intents, the equity curve, a hash over all
        fills.

    Raises:
        BadInput: bars of another interval than the spec says, duplicate episodes, or a sizing rule that would look
            ahead; nothing is computed then. While it runs: bars that end before an order filled.
    """
    validate_policy(policy)
    validate(episodes, spec, data)
    episodes = sorted(episodes, key=lambda episode: (episode.opened_at, episode.episode_id))
    skipped = [found for e in episodes if (found := why_skipped(e, policy, spec.delay_s, data)) is not None]
    barred = {record.episode_id for record in skipped}
    run = _Run(policy, spec, data, heard)
    run.drive(timeline([episode for episode in episodes if episode.episode_id not in barred], spec.delay_s, data))
    recorder = run.recorder
    return ReplayResult(
        policy=policy.name,
        policy_digest=run.desk.strategy.policy_digest,
        spec=spec,
        origin=data.origin,
        funding_known=all(
            is_funding_known(data.funding.get(trip.market), trip.entered_at_ms, trip.exited_at_ms)
            for trip in recorder.round_trips
        ),
        round_trips=tuple(recorder.round_trips),
        skipped=(*skipped, *run.held_back),
        blocked=recorder.blocked(),
        equity=recorder.curve(),
        fill_hash=run_hash([trip.fills for trip in recorder.round_trips]),
    )


def validate_policy(policy: PolicySpec) -> None:
    """What no engine replays.

    Raises:
        BadInput: a sizing rule that would look ahead.
    """
    if policy.signal is SignalMode.FOLLOW_OPEN and policy.sizing.rule is SizingRule.LEAD_MARGIN_FRACTION:
        raise BadInput(
            "follow_open cannot be replayed with lead_margin_fraction: an episode keeps the lead's largest quantity "
            "and average cost, which were not known when it opened",
            where=Where(field="sizing.rule"),
            next_step="Replay it with the fixed or compound rule",
        )


def validate(episodes: Sequence[Episode], spec: ReplaySpec, data: MarketData) -> None:
    """What every engine refuses before it computes anything; errors as `replay`."""
    for market, series in data.bars.items():
        if series.interval_ms != spec.interval_ms:
            raise BadInput(
                f"bars of {market} are {series.interval_ms} ms long, the replay asks for {spec.interval_ms} ms",
                where=Where(field="interval_ms"),
            )
    if len({episode.episode_id for episode in episodes}) < len(episodes):
        raise BadInput("two episodes share one id", where=Where(field="episode_id"))
    if spec.delay_s < 0:
        raise BadInput("the delay may not be negative", where=Where(field="delay_s"))
    if spec.initial_equity <= 0:
        raise BadInput("the initial equity must be positive", where=Where(field="initial_equity"))


class _KnownCloses:
    """Marks of a replay: the close of the last bar that had ended."""

    def __init__(self, data: MarketData) -> None:
        self._data = data
        self._asked: dict[str, tuple[int, Ticks | None]] = {}

    def mark(self, market: str, at_ms: int) -> Ticks | None:
        # A bar's end asks for the same mark once per holding and rule; only the last answer is worth keeping.
        asked = self._asked.get(market)
        if asked is None or asked[0] != at_ms:
            asked = self._asked[market] = (at_ms, self._data.mark(market, at_ms))
        return asked[1]


class _Run:
    """One pass over history: the clock, and who is told what at which moment."""

    def __init__(
        self, policy: PolicySpec, spec: ReplaySpec, data: MarketData, heard: Callable[[Record], None] | None = None
    ) -> None:
        self._data = data
        self._heard = heard
        self._policy = policy
        self._interval_ms = spec.interval_ms
        self._exchange = VirtualExchange(
            instruments=data.instruments,
            costs=spec.costs,
            market_fill=spec.market_fill,
            rung_fill=spec.rung_fill,
            quotes=data.quotes,
        )
        self.desk = Desk(
            strategy=strategy_of(policy),
            sink=self._exchange,
            prices=_KnownCloses(data),
            instruments=data.instruments,
            account=ACCOUNT,
            lead_margin_balance=spec.lead_margin_balance,
            caps=spec.caps.as_caps(),
            surroundings=UNDISTURBED,
        )
        self._state = fresh_state(FRESH, opened_book(spec.initial_equity))
        self.recorder = Recorder(data.instruments)
        self.held_back: list[Skipped] = []

    def drive(self, events: Sequence[SourceOpened | SourceClosed]) -> None:
        """Tell every event at the moment it is known, and every bar while something rests or is held."""
        waiting = list(reversed(events))
        while waiting:
            now_ms = epoch_ms(waiting[-1].known_at)
            self._tell_source(waiting.pop())
            open_ms = -(-now_ms // self._interval_ms) * self._interval_ms
            while self._is_active():
                self.one_bar(waiting, open_ms)
                open_ms += self._interval_ms

    def one_bar(self, waiting: list[SourceOpened | SourceClosed], open_ms: int) -> None:
        """Everything of one bar, all markets in step; `waiting` holds what is still to be known, latest first.

        What becomes known while the bar lasts is told after its fills: a stop or a touched rung is assumed to have come
        before the source's close, which leaves at the next open. No price of a later bar is ever seen.
        """
        end_ms = open_ms + self._interval_ms
        self._tell_until(waiting, open_ms)
        bars = self._bars_at(open_ms)
        self._during(bars, self._closing(waiting, end_ms))
        self._tell_until(waiting, end_ms - 1)
        self._at_end(bars, end_ms)

    def _closing(self, waiting: Sequence[SourceOpened | SourceClosed], end_ms: int) -> frozenset[str]:
        """Episodes whose close is known by the bar's end. A close is judged then too, so nothing is looked ahead."""
        if not self._policy.exit.follows_source_close:
            return frozenset()
        due = takewhile(lambda event: epoch_ms(event.known_at) <= end_ms, reversed(waiting))
        return frozenset(event.episode.episode_id for event in due if isinstance(event, SourceClosed))

    def _is_active(self) -> bool:
        return bool(self._state.book.holdings) or bool(self._exchange.active_markets())

    def _tell_until(self, waiting: list[SourceOpened | SourceClosed], until_ms: int) -> None:
        while waiting and epoch_ms(waiting[-1].known_at) <= until_ms:
            self._tell_source(waiting.pop())

    def _tell_source(self, event: SourceOpened | SourceClosed) -> None:
        now_ms = epoch_ms(event.known_at)
        is_signal = isinstance(event, SourceOpened) == (self._policy.signal is SignalMode.FOLLOW_OPEN)
        if is_signal:
            self.recorder.signal(event.episode.episode_id, event.episode.source_id, now_ms)
        self._tell(event, now_ms)

    def _bars_at(self, open_ms: int) -> dict[str, Bar]:
        markets = {held.market for held in self._state.book.holdings.values()} | set(self._exchange.active_markets())
        bars: dict[str, Bar] = {}
        for market in sorted(markets):
            series = self._data.bars[market]
            index = series.index_at_or_after(open_ms)
            if index == len(series) or int(series.open_time_ms[index]) != open_ms:
                raise BadInput(
                    f"{market}: no bar at {utc(open_ms)} while something is held or waits for a fill",
                    where=Where(field="open_time_ms"),
                    next_step="With quote_snapshot, record quotes for as long as orders may wait",
                )
            bars[market] = series.bar(index)
        return bars

    def _during(self, bars: dict[str, Bar], closing: frozenset[str]) -> None:
        for bar in bars.values():
            self._pay_funding(bar)
        self._trade(bars, lambda bar: self._exchange.at_open(bar, exits=True))
        self._trade(bars, lambda bar: self._exchange.at_open(bar, exits=False))
        self._trade(bars, lambda bar: self._exchange.inside(bar, closing=closing))
        self._trade(bars, lambda bar: self._exchange.at_close(bar, exits=True))
        self._trade(bars, lambda bar: self._exchange.at_close(bar, exits=False))

    def _trade(self, bars: dict[str, Bar], fills_of: Callable[[Bar], Iterator[Fill]]) -> None:
        for bar in bars.values():
            for fill in fills_of(bar):
                self._book(fill)

    def _at_end(self, bars: dict[str, Bar], end_ms: int) -> None:
        self.recorder.bar_end(self._state.book, bars, end_ms)
        for bar in bars.values():
            self._tell(BarClosed(bar=bar), end_ms)

    def _pay_funding(self, bar: Bar) -> None:
        series = self._data.funding.get(bar.market)
        if series is None:
            return
        first = int(np.searchsorted(series.time_ms, bar.open_time_ms, side="left"))
        last = int(np.searchsorted(series.time_ms, bar.end_ms, side="left"))
        for rate in series.rate[first:last]:
            for held in tuple(self._state.book.holdings.values()):
                if held.market == bar.market:
                    notional = self._data.instruments[bar.market].notional(bar.open, held.quantity)
                    cost = funding_cost(notional, int(rate), sign=held.side.sign)
                    book = post_funding(self._state.book, held.episode_id, cost)
                    self._state = replace(self._state, book=book)

    def _book(self, fill: Fill) -> None:
        before = self._state.book.holdings.get(fill.episode_id)
        self._tell(OrderFilled(fill=fill), fill.time_ms)
        trade = self._state.strategy.trades[fill.episode_id]
        self.recorder.fill(fill, before, self._state.book.holdings.get(fill.episode_id), trade.ladder)

    def _tell(self, event: Event, now_ms: int) -> None:
        step = advance(self._state, event, self.desk, now_ms=now_ms)
        self._state = step.state
        for record in step.records:
            if self._heard is not None:
                self._heard(record)
            match record:
                case Refused():
                    self.recorder.refused(record, now_ms)
                case Hold() if isinstance(event, SourceOpened | SourceClosed):
                    self.held_back.append(_held_back(event.episode, record))
                case _:
                    pass


def _held_back(episode: Episode, hold: Hold) -> Skipped:
    return Skipped(
        episode_id=episode.episode_id,
        source_id=episode.source_id,
        market=episode.market,
        reason=hold.reason,
        detail=", ".join(f"{name} {value}" for name, value in hold.numbers),
    )
