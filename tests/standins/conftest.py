"""A running stand-in over the sample lead, shared by the tests of one module."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from copytrade_core.edges.standins.binance import USUAL_PLAN, BinanceStandin, StandinConfig, running_standin
from copytrade_core.edges.standins.lead_records import records_from_directory

LEAD = "4751838302089254401"
SAMPLE = Path("data/sample/leads") / LEAD
FRIENDLY = "/bapi/futures/v1/friendly/future/copy-trade"

Post = Callable[..., httpx.Response]


@pytest.fixture(scope="session")
def sample_config(project_root: Path) -> StandinConfig:
    """The sample lead, five-minute simulated bars, history pages of ten rows so that a walk takes five."""
    return StandinConfig(
        records=records_from_directory(project_root / SAMPLE),
        plan=replace(USUAL_PLAN, interval_ms=300_000),
        port=0,
        page_rows_max=10,
    )


@pytest.fixture(scope="module")
def shared_standin(sample_config: StandinConfig) -> Generator[BinanceStandin]:
    with running_standin(sample_config) as standin:
        yield standin


@pytest.fixture
def standin(shared_standin: BinanceStandin) -> BinanceStandin:
    """The shared stand-in, without faults, just after the last close."""
    shared_standin.control.set_faults([])
    shared_standin.control.set_time(1_779_131_767_622)
    return shared_standin


@pytest.fixture
def client(standin: BinanceStandin) -> Generator[httpx.Client]:
    with httpx.Client(base_url=standin.base_url, trust_env=False, timeout=10) as client:
        yield client


@pytest.fixture
def history(client: httpx.Client) -> Callable[..., Any]:
    """Asks for one history page; gives the envelope's data."""

    def ask(page: int, rows: int = 100, *, prefix: str = FRIENDLY, **more: Any) -> Any:
        body = {"portfolioId": LEAD, "pageNumber": page, "pageSize": rows, **more}
        answer = client.post(f"{prefix}/lead-portfolio/position-history", json=body)
        assert answer.status_code == 200
        return answer.json()["data"]

    return ask
