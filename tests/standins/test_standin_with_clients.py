"""The project's own HTTP clients read the stand-in as they read Binance, faults included."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from copytrade_core.edges.http_retry import HostLimiter, HttpLimits, TransportFault
from copytrade_core.edges.market.http_market import FuturesMarket
from copytrade_core.edges.pages.http_pages import LeadPages
from copytrade_core.edges.pages.page_archive import PageArchive
from copytrade_core.edges.standins.binance import BinanceStandin, StandinConfig, running_standin
from copytrade_core.edges.standins.faults import Fault, FaultKind
from copytrade_core.edges.standins.lead_records import records_from_pages
from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.source import Endpoint, LeadId
from copytrade_core.sources.history_walk import WalkLimits

LEAD = LeadId("4751838302089254401")
LIMITS = HttpLimits(
    connect_timeout_s=2.0,
    read_timeout_s=2.0,
    deadline_s=20.0,
    body_bytes_max=10_000_000,
    attempts_max=3,
    backoff_initial_s=0.01,
    backoff_max_s=0.02,
    backoff_jitter_s=0.01,
    request_interval_s=0.0,
)
WALK = WalkLimits(page_rows=10, pages_max=70, restarts_max=3, short_page_asks_max=3)


@pytest.fixture
def archive(tmp_path: Path) -> PageArchive:
    return PageArchive(tmp_path / "raw")


@pytest.fixture
def pages(standin: BinanceStandin, archive: PageArchive) -> Generator[LeadPages]:
    client = LeadPages(base_url=standin.base_url, limits=LIMITS, archive=archive, limiter=HostLimiter())
    yield client
    client.close()


@pytest.fixture
def market(standin: BinanceStandin) -> Generator[FuturesMarket]:
    client = FuturesMarket(base_url=standin.base_url, limits=LIMITS, limiter=HostLimiter())
    yield client
    client.close()


@pytest.mark.parametrize(
    "fault",
    [
        None,
        Fault(kind=FaultKind.SHIFTING_PAGES, path="position-history", first_call=3, count=1),
        Fault(kind=FaultKind.SHORT_PAGE, path="position-history", first_call=2, last_call=2, count=3),
        Fault(kind=FaultKind.BUSY_FIRST, path="position-history", count=2),
        Fault(kind=FaultKind.THROTTLED, path="position-history", first_call=2, last_call=3, retry_after_s=0),
        Fault(kind=FaultKind.SERVER_ERROR, path="position-history", first_call=1, last_call=2),
        Fault(kind=FaultKind.CONNECTION_RESET, path="position-history", first_call=2, last_call=2),
        Fault(kind=FaultKind.TRUNCATED_BODY, path="position-history", first_call=2, last_call=2),
    ],
    ids=lambda fault: "none" if fault is None else fault.kind.value,
)
def test_a_walk_gets_the_whole_history_through_what_passes(standin, pages, fault):
    standin.control.set_faults([] if fault is None else [fault])
    walk = pages.history(LEAD, walk=WALK, time_range=None)
    assert (walk.total_count, walk.distinct_count) == (47, 47)
    assert (walk.restarts_count > 0) == (fault is not None and fault.kind is FaultKind.SHIFTING_PAGES)


def test_a_total_that_lies_leaves_the_walk_short_by_the_lie(standin, pages):
    standin.control.set_faults([Fault(kind=FaultKind.LYING_TOTAL, path="position-history", count=2)])
    walk = pages.history(LEAD, walk=WALK, time_range=None)
    assert (walk.total_count, walk.distinct_count) == (49, 47)


def test_what_was_archived_can_be_served_again(
    sample_config: StandinConfig, pages: LeadPages, archive: PageArchive, tmp_path: Path
):
    _ = pages.history(LEAD, walk=WALK, time_range=None)
    _ = pages.detail(LEAD)
    records = records_from_pages(archive.pages(LEAD))
    assert records[0].history == sample_config.records[0].history
    with running_standin(replace(sample_config, records=records)) as again:
        client = LeadPages(
            base_url=again.base_url, limits=LIMITS, archive=PageArchive(tmp_path / "again"), limiter=HostLimiter()
        )
        assert client.history(LEAD, walk=WALK, time_range=None).distinct_count == 47
        assert client.detail(LEAD).endpoint is Endpoint.LEAD_DETAIL
        client.close()


def test_the_market_client_reads_gapless_simulated_bars_and_says_so(market: FuturesMarket):
    start_ms, end_ms = 1_770_000_000_000, 1_770_000_000_000 + 2_000 * 300_000
    fetched = market.bars(
        "BTC/USDT:USDT", interval_ms=300_000, start_ms=start_ms, end_ms=end_ms, tick_size=Decimal("0.1")
    )
    assert fetched.series.first_gap(start_ms, end_ms) is None
    assert fetched.series.origin is PriceOrigin.SIMULATED


def test_the_market_client_never_keeps_the_running_bar(standin: BinanceStandin, market: FuturesMarket):
    standin.control.set_time(1_770_000_000_000 + 90_000)
    fetched = market.bars(
        "BTC/USDT:USDT",
        interval_ms=300_000,
        start_ms=1_769_999_400_000,
        end_ms=1_770_000_300_000,
        tick_size=Decimal("0.1"),
    )
    assert fetched.series.end_ms == 1_770_000_000_000


def test_the_market_client_gives_up_on_a_connection_that_is_always_reset(
    standin: BinanceStandin, market: FuturesMarket
):
    standin.control.set_faults([Fault(kind=FaultKind.CONNECTION_RESET)])
    with pytest.raises(TransportFault):
        _ = market.server_time()
    assert standin.control.state()["calls"]["/fapi/v1/time"] >= LIMITS.attempts_max
