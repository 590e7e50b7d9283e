"""Prices of a live session: one damaged market, exits without a mark, funding once for each instant."""

from __future__ import annotations

import json
import random
import shutil
from decimal import Decimal

import pytest

from copytrade_core.edges.feeds.live_funding import FundingLook
from copytrade_core.edges.feeds.live_polling import SeenPrices
from copytrade_core.edges.feeds.live_quotes import LiveQuotes
from copytrade_core.edges.feeds.live_watch import LiveWatch
from copytrade_core.edges.feeds.poll_pace import PollPace
from copytrade_core.edges.http_retry import HostLimiter, HttpLimits
from copytrade_core.edges.market.http_market import FuturesMarket
from copytrade_core.edges.market.intervals import instant
from copytrade_core.edges.market.market_snapshot import best_quotes_of, mark_prices_of
from copytrade_core.edges.standins.binance import USUAL_PLAN, StandinConfig, running_standin
from copytrade_core.edges.standins.faults import Fault, FaultKind
from copytrade_core.edges.standins.lead_records import records_from_directory
from copytrade_core.model.errors import Where
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.units import Money, Steps
from copytrade_core.session.feed import FundingDue, QuoteSeen
from tests.made_lead import closed_row, write_pages

BTC, ETH = Market("BTC/USDT:USDT"), Market("ETH/USDT:USDT")
HOUR = 3_600_000
DUE = 1_777_593_600_000  # 2026-05-01 00:00 UTC, a funding instant
HERE = Where(request="test")
LIMITS = HttpLimits(
    connect_timeout_s=2, read_timeout_s=2, deadline_s=4, body_bytes_max=10**7, attempts_max=1, backoff_initial_s=0,
    backoff_max_s=0, backoff_jitter_s=0, request_interval_s=0,
)  # fmt: skip


def rules(market: Market) -> Instrument:
    return Instrument(
        market=market, tick_size=Decimal("0.1"), step_size=Decimal("0.001"), min_quantity=Steps(1),
        min_notional=Money(0), as_of=instant(DUE), source="test",
    )  # fmt: skip


def book(symbol: str = "BTCUSDT", bid: object = "100.0", ask: object = "100.1", at: object = DUE) -> dict[str, object]:
    return {"symbol": symbol, "bidPrice": bid, "bidQty": "1", "askPrice": ask, "askQty": "1", "time": at}


def premium(
    symbol: str = "BTCUSDT", mark: object = "100.0", next_ms: object = DUE, at: object = DUE
) -> dict[str, object]:
    return {"symbol": symbol, "markPrice": mark, "indexPrice": mark, "lastFundingRate": "0.0001",
            "nextFundingTime": next_ms, "time": at}  # fmt: skip


BAD_BOOKS = [
    {}, book(bid="101", ask="100"), book(bid="0", ask="0"), book(bid=None), book(at="soon"), book(at=10**30),
    book(at=10**17), book(bid="NaN"), "text", None,
]  # fmt: skip
BAD_PREMIUMS = [
    {},
    premium(mark="0"),
    premium(mark="-1"),
    premium(next_ms=10**17),
    premium(at=None),
    premium(mark="x"),
    7,
]


@pytest.mark.parametrize("bad", BAD_BOOKS)
def test_a_damaged_quote_hides_its_own_market_only(bad):
    found = best_quotes_of(json.dumps([bad, book("ETHUSDT")]).encode(), HERE)
    assert set(found) == {ETH}


@pytest.mark.parametrize("bad", BAD_PREMIUMS)
def test_a_damaged_mark_hides_its_own_market_only(bad):
    found = mark_prices_of(json.dumps([bad, premium("ETHUSDT")]).encode(), HERE)
    assert set(found) == {ETH}


def seen(now_ms: int, *, books: list[object], premiums: list[object]) -> SeenPrices:
    return SeenPrices(
        quotes=best_quotes_of(json.dumps(books).encode(), HERE),
        marks=mark_prices_of(json.dumps(premiums).encode(), HERE),
        funding={}, fault=None, asked_at=instant(now_ms), took_ms=1,
    )  # fmt: skip


def test_only_the_market_without_prices_grows_stale_and_its_exit_may_still_fill():
    watch = LiveWatch({})
    quotes = LiveQuotes({BTC: rules(BTC), ETH: rules(ETH)}, watch)
    both = frozenset((BTC, ETH))
    _ = list(
        quotes.steps(seen(DUE, books=[book(), book("ETHUSDT")], premiums=[premium(), premium("ETHUSDT")]), DUE, both)
    )
    later = DUE + 60_000
    steps = list(
        quotes.steps(
            seen(later, books=[book(), book("ETHUSDT")], premiums=[premium("ETHUSDT", at=later), premium(mark="1e-9")]),
            later,
            both,
        )
    )
    assert (watch.mark_age_ms(BTC, later), watch.mark_age_ms(ETH, later)) == (60_000, 0)
    told = {step.item.market: step.item for step in steps if isinstance(step.item, QuoteSeen)}
    assert set(told) == both, "a quote without a mark still lets what is held leave"
    assert told[BTC].age_ms == 60_000


def test_a_mark_of_a_server_whose_time_stands_still_grows_old_and_never_younger_than_now():
    watch = LiveWatch({})
    quotes = LiveQuotes({BTC: rules(BTC)}, watch)
    for now_ms in (DUE, DUE + 700_000):
        _ = list(quotes.steps(seen(now_ms, books=[book()], premiums=[premium(at=DUE)]), now_ms, frozenset()))
    assert watch.mark_age_ms(BTC, DUE + 700_000) == 700_000
    _ = list(quotes.steps(seen(DUE, books=[], premiums=[premium(at=DUE + 10**7)]), DUE + 700_000, frozenset()))
    assert watch.mark_age_ms(BTC, DUE + 700_000) == 0


def test_a_quote_counts_from_when_it_was_asked_for():
    quotes = LiveQuotes({BTC: rules(BTC)}, LiveWatch({}))
    (step,) = quotes.steps(seen(DUE - 400, books=[book()], premiums=[premium()]), DUE, frozenset((BTC,)))
    assert isinstance(step.item, QuoteSeen)
    assert step.item.time_ms == DUE - 400


@pytest.fixture
def exchange(tmp_path):
    rows = [closed_row(opened=DUE - HOUR, closed=DUE + 30 * HOUR, cost=90_000.0, leave=90_100.0, is_long=True, pnl=1.0)]
    write_pages(tmp_path / "pages" / "1", rows)
    records = records_from_directory(tmp_path / "pages")
    with running_standin(StandinConfig(records=records, plan=USUAL_PLAN, port=0, as_of_ms=DUE - 60_000)) as standin:
        market = FuturesMarket(base_url=standin.base_url, limits=LIMITS, limiter=HostLimiter())
        yield Funding(standin, market)
        market.close()
    shutil.rmtree(tmp_path / "pages")


class Funding:
    """A session's funding, without the session."""

    def __init__(self, standin, market):
        self.control, self.market = standin.control, market
        self.restart()

    def restart(self) -> None:
        self.quotes, self.look = LiveQuotes({BTC: rules(BTC)}, LiveWatch({})), FundingLook(self.market)
        self.quotes.hold({BTC: DUE - 100_000}, DUE - 100_000)

    def at(self, now_ms: int) -> list[FundingDue]:
        self.control.set_time(now_ms)
        marks = self.market.mark_prices()
        funding = self.look.payments(self.quotes.unfunded_since_ms, marks, instant(now_ms))
        prices = SeenPrices(
            quotes=self.market.best_quotes(),
            marks=marks,
            funding=funding,
            fault=None,
            asked_at=instant(now_ms),
            took_ms=1,
        )
        steps = self.quotes.steps(prices, now_ms, frozenset((BTC,)))
        return [step.item for step in steps if isinstance(step.item, FundingDue)]


def test_funding_is_told_once_for_each_instant_at_its_published_rate(exchange):
    assert exchange.at(DUE - 60_000) == []
    (due,) = exchange.at(DUE + 500)
    (published,) = exchange.market.settled_funding(BTC, start_ms=DUE, end_ms=DUE + 1)
    assert (due.time_ms, due.rate) == (DUE, published.rate)
    assert exchange.at(DUE + 1_000) == []
    assert exchange.at(DUE + HOUR) == []


def test_funding_that_fell_due_while_the_session_was_dead_is_told_at_its_start(exchange):
    (first,) = exchange.at(DUE + 500)
    exchange.restart()
    told = exchange.at(DUE + 16 * HOUR + 5_000)
    assert [each.time_ms for each in told] == [DUE, DUE + 8 * HOUR, DUE + 16 * HOUR]
    assert told[0].rate == first.rate, "told again with the same instant: the book knows it"


def test_funding_that_is_not_published_is_told_at_the_last_rate_seen_and_only_once(exchange):
    assert exchange.at(DUE - 1_000) == []
    (before,) = [mark.funding_rate for market, mark in exchange.market.mark_prices().items() if market == BTC]
    exchange.control.set_faults([Fault(kind=FaultKind.SERVER_ERROR, path="/fundingRate")])
    (due,) = exchange.at(DUE + 500)
    assert (due.time_ms, due.rate) == (DUE, before)
    exchange.control.set_faults([])
    exchange.look._again_s.clear()
    assert exchange.at(DUE + 6_000) == []
    assert exchange.quotes.unfunded_since_ms[BTC] > DUE


def test_funding_of_a_market_that_was_left_is_asked_until_it_is_known(exchange):
    exchange.control.set_faults([Fault(kind=FaultKind.SERVER_ERROR, path="/fundingRate")])
    assert exchange.at(DUE + 1_000) == [], "a restart after the instant, and nothing can be asked"
    exchange.quotes.hold({}, DUE + 2_000)
    exchange.control.set_faults([])
    exchange.look._again_s.clear()
    assert [due.time_ms for due in exchange.at(DUE + 3_000)] == [DUE]
    assert exchange.quotes.unfunded_since_ms == {}, "then nothing more is owed there"


def test_a_rate_taken_from_the_mark_does_not_hide_an_older_payment_that_was_not_heard_yet(exchange):
    exchange.control.set_faults([Fault(kind=FaultKind.SERVER_ERROR, path="/fundingRate")])
    assert exchange.at(DUE + 8 * HOUR - 1_000) == []
    assert [due.time_ms for due in exchange.at(DUE + 8 * HOUR + 500)] == [DUE + 8 * HOUR]
    exchange.control.set_faults([])
    exchange.look._again_s.clear()
    assert [due.time_ms for due in exchange.at(DUE + 8 * HOUR + 1_500)] == [DUE]


def test_a_failing_lead_is_asked_ever_more_rarely_up_to_a_cap_and_at_once_after_an_answer():
    pace = PollPace(every_s=60, chance=random.Random(1).random)
    waits = [pace.failed() for _ in range(12)]
    assert all(90 <= wait <= 300 for wait in waits)
    assert waits[0] <= 120
    assert 180 <= waits[1] <= 240 < max(waits)
    assert len(set(waits)) == len(waits), "by chance, so that sessions do not ask in step"
    assert pace.answered() == 60
    assert pace.failures_count == 0
