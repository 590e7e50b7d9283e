"""Reports as files: made from a real study of simulated bars, read back, and opened in a browser."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import subprocess
import tomllib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from copytrade_core.edges.reports.report_files import write_report
from copytrade_core.edges.reports.report_html import render_html
from copytrade_core.edges.reports.report_markdown import render_markdown
from copytrade_core.edges.reports.report_plots import plots
from copytrade_core.evidence.counts import SourceCounts
from copytrade_core.evidence.report import ReportInputs, build_report, report_document
from copytrade_core.evidence.splits import SplitRatios, signals_of, split_signals
from copytrade_core.model.bar import BarSeries, PriceOrigin
from copytrade_core.model.caps import UNCAPPED_REPLAY
from copytrade_core.model.episode import Episode, EpisodeState, Provenance, episode_id
from copytrade_core.model.errors import StoreFault
from copytrade_core.model.fill import FillModel
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.measure import BootstrapSettings
from copytrade_core.model.round_trip import CostModel, ReplaySpec
from copytrade_core.model.side import Side
from copytrade_core.model.source import LeadId
from copytrade_core.model.units import Money, Ppm, Steps
from copytrade_core.replay.study import run_study
from copytrade_core.strategies.policy_parse import policy_from_mapping

START = datetime(2026, 1, 5, tzinfo=UTC)
INTERVAL_MS = 3_600_000
BARS_COUNT = 24 * 40
MARKET = Market("SOL/USDT:USDT")
HOSTILE_NAME = '</script><script>alert("x")</script>'
PAGE_TRAFFIC = 101845102
"""How Chromium's net log marks what a page asks for (`blink_resource_loader`); the browser's own errands differ."""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def bars() -> BarSeries:
    """A wave with a drift, in ticks of a cent."""
    close = np.array([10_000 + i + 400 * math.sin(i / 9) for i in range(BARS_COUNT)]).astype(np.int32)
    opens = np.concatenate([close[:1], close[:-1]])
    start_ms = int(START.timestamp() * 1000)
    return BarSeries(
        market=MARKET,
        interval_ms=INTERVAL_MS,
        origin=PriceOrigin.SIMULATED,
        open_time_ms=start_ms + np.arange(BARS_COUNT, dtype=np.int64) * INTERVAL_MS,
        open=opens,
        high=np.maximum(opens, close) + 5,
        low=np.minimum(opens, close) - 5,
        close=close,
        volume=np.ones(BARS_COUNT),
    )


def episodes(series: BarSeries) -> list[Episode]:
    made: list[Episode] = []
    for index in range(20):
        opened, side = 5 + index * 40, Side.LONG if index % 3 else Side.SHORT
        opened_at = START + timedelta(hours=opened)
        closed_at = opened_at + timedelta(hours=20)
        made.append(
            Episode(
                episode_id=episode_id("1", MARKET, side, opened_at),
                lead_id=LeadId("1"),
                market=MARKET,
                side=side,
                state=EpisodeState.CLOSED,
                provenance=Provenance.RECONSTRUCTED,
                opened_at=opened_at,
                open_known_at=opened_at,
                closed_at=closed_at,
                close_known_at=closed_at,
                entry_price=Decimal(int(series.open[opened])) / 100,
                exit_price=Decimal(int(series.open[opened + 20])) / 100,
                quantity_max=Decimal(1),
                closed_volume=Decimal(1),
                source_id=str(index),
                leverage=None,
            )
        )
    return made


@pytest.fixture(scope="module")
def document(project_root: Path) -> dict[str, Any]:
    series = bars()
    seen = episodes(series)
    instrument = Instrument(
        market=MARKET,
        tick_size=Decimal("0.01"),
        step_size=Decimal("0.001"),
        min_quantity=Steps(1),
        min_notional=Money(10**8),
        as_of=START,
        source="a test",
    )
    data = MarketData(bars={MARKET: series}, funding={}, quotes={}, instruments={MARKET: instrument})
    names = ("contrarian_on_close", "follow_lead")
    files = [project_root / "settings" / "policies" / f"{name}.toml" for name in names]
    policies = [policy_from_mapping(tomllib.loads(file.read_text()), file=file.name) for file in files]
    spec = ReplaySpec(
        market_fill=FillModel.NEXT_BAR_OPEN,
        rung_fill=FillModel.CLOSE_BEYOND,
        costs=CostModel(taker_fee=Ppm(500), maker_fee=Ppm(200), slippage=Ppm(500), source="a | test"),
        delay_s=0,
        initial_equity=Money(1000 * 10**8),
        lead_margin_balance=None,
        interval_ms=INTERVAL_MS,
        caps=UNCAPPED_REPLAY,
    )
    study = run_study(seen, policies, spec, data)
    ratios = SplitRatios(train=Fraction("0.55"), validation=Fraction("0.225"), holdout=Fraction("0.225"))
    inputs = ReportInputs(
        lead_id="1",
        nickname=HOSTILE_NAME,
        source=SourceCounts(rows_count=20, normalised_count=20, duplicates_count=0, rejected={}),
        episodes=seen,
        study=study,
        policies={policy.name: policy for policy in policies},
        data=data,
        split=split_signals(signals_of(seen, policies[0].signal), ratios=ratios, longest_holding_ms=72 * INTERVAL_MS),
        bootstrap=BootstrapSettings(seed=1, resamples_count=100, block_mean_count=2, confidence_ratio=0.9),
        profit_share=None,
        smallest_target=Money(12 * 10**8),
        legacy_runs=(),
        original_pnl={},
        digests={"bars": "cd" * 32},
    )
    made: dict[str, Any] = report_document(build_report(inputs))
    assert len(made["round_trips"]) >= 5, "the study behind these tests must trade"
    return made


def test_all_four_files_are_written_and_the_json_gives_the_same_page_again(document, tmp_path):
    paths = write_report(document, tmp_path / "reports" / "lead", tmp=tmp_path / "tmp")
    again = json.loads(paths.json.read_text(encoding="utf-8"))
    assert render_html(again) == paths.html.read_text(encoding="utf-8")
    assert render_markdown(again) == paths.markdown.read_text(encoding="utf-8")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_csv_has_one_row_per_round_trip_and_adds_up(document, tmp_path):
    paths = write_report(document, tmp_path, tmp=tmp_path / "tmp")
    with paths.round_trips.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(document["round_trips"])
    net = document["strategies"][0]["measures"]["net_pnl_usdt"]
    assert sum(float(row["pnl_usdt"]) for row in rows) == pytest.approx(net)


def test_a_folder_that_cannot_be_made_is_a_typed_fault(document, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreFault, match="file"):
        write_report(document, tmp_path / "file" / "report", tmp=tmp_path / "tmp")


def test_the_conclusion_comes_before_anything_else(document):
    text = render_markdown(document)
    assert (
        text.index("Not enough evidence") < text.index("simulated") < text.index("## The result beside its baselines")
    )
    page = render_html(document)
    assert page.index('class="answer"') < page.index("<table>")


def test_a_simulated_market_is_named_on_top_of_both(document):
    assert "> The market in this report is **simulated**" in render_markdown(document)
    assert '<p class="simulated">' in render_html(document)


def test_the_artefact_column_is_labelled_wherever_it_stands(document):
    assert "| Artefact: lead prices |" in render_markdown(document)
    assert '<th scope="col" class="artefact">Artefact: lead prices</th>' in render_html(document)


def test_table_cells_of_markdown_cannot_break_the_table(document):
    lines = [line for line in render_markdown(document).splitlines() if "a \\| test" in line]
    assert lines
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 4 for line in lines)


def test_a_hostile_nickname_stays_text(document):
    assert HOSTILE_NAME not in render_html(document)


def test_the_page_carries_plotly_once_and_links_nowhere(document):
    page = render_html(document)
    assert page.count("Content-Security-Policy") == 1
    assert "default-src 'none'" in page
    assert not re.search(r"<(?:script|img|iframe)[^>]+src=|<link ", page)
    assert 4_000_000 < len(page) < 6_500_000


def test_every_plot_of_the_specification_is_there(document):
    names = [plot.name.partition(" ")[0] for plot in plots(document)]
    assert names == ["waterfall", "equity", "positions", "monthly", "excursions", "surface", "holding"]


def test_a_report_without_a_trade_has_tables_and_no_plots(document):
    empty = {**document, "round_trips": [], "monthly": [], "prices": []}
    page = render_html(empty)
    assert "Plotly" not in page
    assert "From rows to trades" in page


def opened(page: Path, folder: Path, scheme: str) -> tuple[str, str, list[str]]:
    """The drawn page, what the console said, and which URLs the page itself asked the network for."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed: the report was not opened in a browser")
    log = folder / "net.json"
    options = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--no-proxy-server",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        # The browser's own errands must not leave this machine either.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={folder / 'profile'}",
        f"--blink-settings=preferredColorScheme={scheme}",
        "--virtual-time-budget=10000",
        "--enable-logging=stderr",
        f"--log-net-log={log}",
        "--dump-dom",
    )
    done = subprocess.run([CHROMIUM, *options, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    said = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    asked = re.findall(
        rf'"traffic_annotation":{PAGE_TRAFFIC},"url":"((?:http|ws)[^"]*)"', log.read_text(errors="replace")
    )
    return done.stdout, said, asked


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["0", "1"], ids=["dark", "light"])
def test_a_browser_draws_every_plot_without_an_error_or_a_request(document, tmp_path, scheme):
    paths = write_report(document, tmp_path / "report", tmp=tmp_path / "tmp")
    drawn, said, asked = opened(paths.html, tmp_path, scheme)
    assert said == ""
    assert asked == []
    assert f'data-plots-drawn="{len(plots(document))}"' in drawn
    assert drawn.partition('id="figures"')[0].count('class="main-svg"') >= len(plots(document))


@pytest.mark.browser
def test_the_browser_test_would_see_a_request(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<img src="http://127.0.0.1:9/x.png"><script>missing()</script>')
    _, said, asked = opened(page, tmp_path, "1")
    assert "missing is not defined" in said
    assert asked
    assert set(asked) == {"http://127.0.0.1:9/x.png"}
