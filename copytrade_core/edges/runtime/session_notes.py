"""What a session observes beside its journal, as rows: source events, holdings, equity, slippage, comparisons.

Slippage and comparisons follow from what is journalled, so a restart makes up for those that were not written. Nothing
here is needed to go on after a crash. Executes nothing but reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import assert_never

from copytrade_core.edges.runtime.seen_fills import Ask, SeenFill
from copytrade_core.edges.runtime.seen_quotes import SeenQuotes
from copytrade_core.edges.runtime.session_rows import Values
from copytrade_core.evidence.parity_records import mid_of
from copytrade_core.model.fill import FillModel
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.source_event import SourceChanged, SourceClosed, SourceEvent, SourceMissing, SourceOpened
from copytrade_core.model.units import Ticks
from copytrade_core.session.feed import QuoteSeen
from copytrade_core.session.status import PositionState, SessionStatus
from copytrade_core.strategies.state import SOURCE_CLOSE

Statement = tuple[str, Values]


def _insert(table: str, columns: str, *, or_ignore: bool = False) -> str:
    marks = ", ".join("?" for _ in columns.split(","))
    return f"INSERT {'OR IGNORE ' if or_ignore else ''}INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608


_SOURCE_EVENT = _insert(
    "source_events",
    "run, at_ms, kind, episode_id, lead, market, side, change, happened_at_ms, known_at_ms, price, quantity, "
    "entry_deviation_ratio, missing_polls_count",
    or_ignore=True,
)
_POSITION = _insert(
    "positions",
    "run, at_ms, episode_id, market, side, quantity, entry_price, mark, notional, unrealised, opened_at_ms, "
    "source_state",
)
_EQUITY = _insert("equity", "run, at_ms, cash, equity, day_result, positions_count, gross_notional")
_SLIPPAGE = _insert(
    "slippage_observations",
    "run, at_ms, fill, client_order_id, market, side, buys, mark_before, quote_before, bid_before, ask_before, "
    "expected, filled, quantity, signed_bps, delay_bps, spread_bps",
)
_COMPARISON = _insert(
    "comparisons",
    "run, at_ms, fill, client_order_id, episode_id, market, kind, leg, source_event, source_at_ms, source_price, "
    "seen_at_ms, decided_at_ms, decided_price, sent_at_ms, filled_at_ms, fill_price, source_lag_ms, decision_lag_ms, "
    "sending_lag_ms, fill_lag_ms, total_lag_ms, decided_to_fill_bps, source_to_fill_bps",
)
_SOURCE = """SELECT number, happened_at_ms, price, known_at_ms FROM source_events
    WHERE episode_id = ? AND kind IN ('closed', ?) AND known_at_ms <= ? ORDER BY number DESC LIMIT 1"""


def source_event_row(event: SourceEvent, *, at_ms: int) -> Statement:
    """A lead was seen to do something. Written again after a crash, it is there once."""
    episode = event.episode
    change, price, quantity, deviation, missing = _told(event)
    return _SOURCE_EVENT, (
        at_ms,
        kind_of(event),
        episode.episode_id,
        str(episode.lead_id),
        episode.market,
        episode.side.value,
        change,
        _ms(event.happened_at.timestamp()),
        _ms(event.known_at.timestamp()),
        None if price is None else f"{price:f}",
        None if quantity is None else f"{quantity:f}",
        deviation,
        missing,
    )


def kind_of(event: SourceEvent) -> str:
    """What a lead did, in a word."""
    match event:
        case SourceOpened():
            return "opened"
        case SourceChanged():
            return "changed"
        case SourceMissing():
            return "missing"
        case SourceClosed():
            return "closed"
        case _:
            assert_never(event)


def _told(event: SourceEvent) -> tuple[str, Decimal | None, Decimal | None, float | None, int | None]:
    match event:
        case SourceOpened(entry_price=price, quantity=quantity):
            return "", price, quantity, None, None
        case SourceChanged(change=change, entry_price=price, quantity=quantity):
            return change.value, price, quantity, None, None
        case SourceMissing(missing_polls_count=count, why_not_closed=why):
            return ",".join(dict.fromkeys(why)), None, None, None, count
        case SourceClosed(exit_price=price, match=match):
            return "", price, None, float(match.entry_deviation_ratio), None
        case _:
            assert_never(event)


def equity_row(status: SessionStatus) -> Statement:
    """Cash, equity and exposure at a look."""
    gross = sum(each.notional for each in status.positions)
    values = (status.at_ms, status.cash, status.equity, status.day_result, len(status.positions), gross)
    return _EQUITY, values


def position_row(position: PositionState, *, at_ms: int) -> Statement:
    """One holding at a look."""
    return _POSITION, (
        at_ms,
        position.episode_id,
        position.market,
        position.side.value,
        position.quantity,
        position.entry_price,
        position.mark,
        position.notional,
        position.unrealised,
        position.opened_at_ms,
        position.source_state.value,
    )


def observations(
    fills: list[SeenFill], ask: Ask, instruments: Mapping[str, Instrument], quotes: SeenQuotes
) -> Iterator[Statement]:
    """Slippage and comparison of each fill."""
    for fill in fills:
        yield _slippage(fill, quotes.before(fill.market, fill.time_ms))
        yield _comparison(fill, ask, instruments.get(fill.market))


def _slippage(fill: SeenFill, quote: QuoteSeen | None) -> Statement:
    """The fill against the price at its own moment; how the market had moved by then is the delay's, not slippage.

    What is simulated says what it filled at. Of a venue only the quote that we saw tells it; where we saw none, the
    fill is held against what was wished, which is the worse of the two to be wrong about.
    """
    model = FillModel(fill.model)
    sides = None if quote is None else (quote.bid, quote.ask)
    decided = None if fill.wish is None else fill.wish.reference_price
    touched = None if model is FillModel.VENUE else Ticks(fill.raw_price)
    if touched is None and sides is not None:
        touched = sides[fill.buys]
    expected = touched or fill.wished or fill.raw_price
    mid = None if touched is None else mid_of(model, touched, sides)
    delay = spread = None
    if touched is not None and mid is not None and fill.wished is not None:
        delay = fill.lost_bps(fill.wished, float(mid), of=expected)
        spread = fill.lost_bps(float(mid), touched, of=expected)
    return _SLIPPAGE, (
        fill.at_ms,
        fill.number,
        fill.client_order_id,
        fill.market,
        fill.side,
        fill.buys,
        decided if quote is None else quote.mark,
        touched,
        None if quote is None else quote.bid,
        None if quote is None else quote.ask,
        expected,
        fill.price,
        fill.quantity,
        fill.worse_bps(expected),
        delay,
        spread,
    )


def _comparison(fill: SeenFill, ask: Ask, instrument: Instrument | None) -> Statement:
    wish = fill.wish
    decided_ms = None if wish is None else wish.decided_at_ms
    number, source_ms, source_price, seen_ms = _source_of(fill, ask, decided_ms)
    to_source: float | None = None
    if source_price is not None and instrument is not None:
        to_source = fill.worse_bps(float(Decimal(source_price) / instrument.tick_size))
    return _COMPARISON, (
        fill.at_ms,
        fill.number,
        fill.client_order_id,
        fill.episode_id,
        fill.market,
        fill.kind,
        fill.leg,
        number,
        source_ms,
        source_price,
        seen_ms,
        decided_ms,
        None if wish is None else wish.reference_price,
        fill.sent_at_ms,
        fill.time_ms,
        fill.price,
        _lag(source_ms, seen_ms),
        _lag(seen_ms, decided_ms),
        _lag(decided_ms, fill.sent_at_ms),
        _lag(fill.sent_at_ms, fill.time_ms),
        _lag(source_ms, fill.time_ms),
        None if wish is None else fill.worse_bps(wish.reference_price),
        to_source,
    )


def _source_of(
    fill: SeenFill, ask: Ask, decided_ms: int | None
) -> tuple[int | None, int | None, str | None, int | None]:
    """The newest event before an entry or an exit that follows the source; other orders answer none."""
    opens, follows = fill.kind == IntentKind.OPEN.value, fill.leg.partition(".")[0] == SOURCE_CLOSE
    if decided_ms is None or not (opens or follows):
        return None, None, None, None
    # An entry may answer a close too: strategies that trade against the lead open then.
    asked = (fill.episode_id, "opened" if opens else "closed", decided_ms)
    for number, happened_ms, price, known_ms in ask(_SOURCE, asked):
        return number, happened_ms, price, known_ms
    return None, None, None, None


def _lag(before_ms: int | None, after_ms: int | None) -> int | None:
    return None if before_ms is None or after_ms is None else after_ms - before_ms


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
