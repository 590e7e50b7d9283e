"""A small real project: twelve positions of one lead, recorded bars, funding, and a contract that it can pass.

Everything goes through the archive, the store and the stages; only the numbers are made up.
"""

import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest

from copytrade_core.edges.market.market_store import store_funding
from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.sources import import_pages
from copytrade_core.edges.stages.workplace import Workplace, open_workplace
from copytrade_core.model.bar import FundingSeries, PriceOrigin
from copytrade_core.model.instrument import Market
from tests.made_lead import (
    HOUR_MS,
    INTERVAL_MS,
    MADE,
    MARKET,
    POLICY,
    closed_row,
    loosened,
    offline_settings,
    store_closes,
    write_pages,
)

LEAD = "4751838302089254999"
START_MS = int(datetime(2026, 1, 2, tzinfo=UTC).timestamp() * 1000)
BARS_COUNT = 12 * 288
REACHABLE = ["source_quality", "executable_fills_only", "sample_size", "drawdown", "capital_grounding"]
EASY = {
    "rejected_ratio_max": 1,
    "closed_losers_ratio_min": 0,
    "observed_ratio_min": 0,
    "trades_count_min": 1,
    "trades_per_part_count_min": 1,
    "side_trades_count_min": 1,
    "period_days_min": 0,
    "drawdown_realised_ratio_max": 1,
    "drawdown_marked_ratio_max": 1,
    "drawdown_intrabar_ratio_max": 1,
    "trade_loss_ratio_max": 1,
    "day_loss_ratio_max": 1,
}


def price_ticks(time_ms: int) -> int:
    """A quiet wave around 90,000 USDT, in ticks of 0.1."""
    return 900_000 + round(2_000 * np.sin(time_ms / (6 * HOUR_MS)))


def history_row(number: int) -> dict[str, object]:
    opened = START_MS + (6 + 20 * number) * HOUR_MS + 17_000
    closed = opened + 7 * HOUR_MS + 13_000
    cost, leave = price_ticks(opened) / 10, price_ticks(closed) / 10
    is_long = number % 2 == 0
    pnl = (Decimal(str(leave)) - Decimal(str(cost))) * Decimal("0.01") * (1 if is_long else -1)
    return closed_row(opened=opened, closed=closed, cost=cost, leave=leave, is_long=is_long, pnl=float(pnl))


def write_settings(folder: Path, project_root: Path) -> Path:
    """Settings of the project with a short policy and a contract that is easy and needs only what exists today."""
    settings = folder / "settings"
    settings.mkdir(parents=True)
    for name in ("copytrade.toml", "promotion.toml", "instruments.toml"):
        shutil.copy(project_root / "settings" / name, settings / name)
    (settings / "short.toml").write_text(POLICY)
    main = settings / "copytrade.toml"
    main.write_text(offline_settings(main.read_text(), "short"))
    contract = settings / "promotion.toml"
    contract.write_text(easier(contract.read_text()))
    return main


def easier(text: str) -> str:
    table = loosened(text, EASY)
    head, steps = table.split("[steps]", 1)
    _, gates = steps.split("[gates.source_quality]", 1)
    names = ("researched", "replayed", "preflighted", "paper", "shadow", "approved", "live_small", "scaled")
    needed = "\n".join(f"{name} = {json.dumps(REACHABLE if name == names[0] else [])}" for name in names)
    return f"{head}[steps]\n{needed}\n\n[gates.source_quality]{gates}"


def fill_market(place: Workplace, *, leave_out: int | None = None) -> None:
    times = np.arange(BARS_COUNT, dtype=np.int64) * INTERVAL_MS + START_MS
    if leave_out is not None:
        times = np.delete(times, leave_out)
    closes = np.array([price_ticks(int(time)) for time in times], dtype=np.int32)
    store_closes(place, times, closes, closes, reach=20)
    due = np.arange(START_MS, START_MS + 12 * 24 * HOUR_MS, 8 * HOUR_MS, dtype=np.int64)
    paid = FundingSeries(market=Market(MARKET), time_ms=due, rate=np.full(len(due), 1_000, dtype=np.int64))
    _ = store_funding(place.lake, paid, origin=PriceOrigin.RECORDED, provenance=MADE)


@dataclass(frozen=True)
class Project:
    root: Path
    lead: str = LEAD
    market: str = MARKET

    @property
    def config(self) -> Path:
        return self.root / "settings" / "copytrade.toml"

    @property
    def environment(self) -> dict[str, str]:
        """What a subprocess of this project needs."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("COPYTRADE_")}
        home = self.root / "home"
        return {**kept, "COPYTRADE_CONFIG": str(self.config), "DAGSTER_HOME": str(home)}

    def place(self) -> Workplace:
        return open_workplace(load_settings(file=self.config))

    def make_home(self, project_root: Path) -> Path:
        """The instance folder, initialised once: two processes on a fresh one race on its schema."""
        home = self.root / "home"
        home.mkdir()
        shutil.copy(project_root / "dagster.yaml", home / "dagster.yaml")
        with dg.DagsterInstance.from_config(str(home)) as instance:
            instance.add_dynamic_partitions("lead", [self.lead])
            instance.add_dynamic_partitions("market", [self.market])
        return home


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, project_root: Path) -> Path:
    root = tmp_path_factory.mktemp("template") / "project"
    _ = write_settings(root, project_root)
    write_pages(root / "pages" / LEAD, [history_row(number) for number in range(12)])
    place = open_workplace(load_settings(file=root / "settings" / "copytrade.toml"))
    _ = import_pages(place, root / "pages", lead_id=None)
    fill_market(place)
    return root


def run_from_pages_to_gates(instance: dg.DagsterInstance, **changes: Any) -> dg.ExecuteInProcessResult:
    """Runs the job from pages to gates, without asking the source."""
    from copytrade_dagster.automation import WITHOUT_POLL
    from copytrade_dagster.definitions import defs

    job = defs.resolve_job_def("derive_lead")
    asked: dict[str, Any] = {"partition_key": LEAD, "run_config": WITHOUT_POLL, "raise_on_error": False}
    return job.execute_in_process(instance=instance, **{**asked, **changes})


def add_partitions(instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions("lead", [LEAD])
    instance.add_dynamic_partitions("market", [MARKET])


@pytest.fixture(scope="session")
def derived_template(template: Path, made_once) -> Path:
    """The project and its Dagster instance after one run from pages to gates: most tests need no run of their own."""

    def make(root: Path) -> None:
        shutil.copytree(template, root / "project")
        (root / "instance").mkdir()
        with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.local_temp(str(root / "instance")) as instance:
            patch.setenv("COPYTRADE_CONFIG", str(root / "project/settings/copytrade.toml"))
            add_partitions(instance)
            _ = run_from_pages_to_gates(instance)

    return made_once("derived", make)


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of the project, derived for a test that asks for `derived`; its settings are the ones in force."""
    source = request.getfixturevalue("derived_template") / "project" if "derived" in request.fixturenames else None
    root = tmp_path / "project"
    shutil.copytree(source or request.getfixturevalue("template"), root)
    monkeypatch.setenv("COPYTRADE_CONFIG", str(root / "settings" / "copytrade.toml"))
    return Project(root=root)


@pytest.fixture
def instance(request: pytest.FixtureRequest, project: Project, tmp_path: Path):
    """An instance of this test alone; for a test that asks for `derived`, one that remembers that run."""
    if "derived" in request.fixturenames:
        shutil.copytree(request.getfixturevalue("derived_template") / "instance", tmp_path / "instance")
        with dg.DagsterInstance.local_temp(str(tmp_path / "instance")) as made:
            yield made
        return
    with dg.DagsterInstance.ephemeral() as made:
        add_partitions(made)
        yield made


@pytest.fixture
def derived(project: Project, instance: dg.DagsterInstance) -> dict[str, dg.AssetMaterialization]:
    """Everything from pages to gates has been made by one run, in copies of the store and the instance.

    Gives the materialisation of each asset.
    """
    events = {key: instance.get_latest_materialization_event(key) for key in instance.all_asset_keys()}
    found = {key.to_user_string(): event.asset_materialization for key, event in events.items() if event is not None}
    return {name: materialisation for name, materialisation in found.items() if materialisation is not None}


@pytest.fixture
def derive(instance: dg.DagsterInstance):
    """Runs the job from pages to gates, without asking the source."""

    def run(**changes):
        return run_from_pages_to_gates(instance, **changes)

    return run


@pytest.fixture
def store_market():
    return fill_market


@pytest.fixture
def more_pages(tmp_path: Path) -> Path:
    """A folder with one more position than the project has."""
    folder = tmp_path / "more"
    write_pages(folder / LEAD, [history_row(number) for number in range(13)])
    return folder
