"""The whole line of a canary: gates pass, a session watches, trades and is compared, and its gates pass on that.

The session lives in real time against the stand-in of Binance (some ten seconds), once for all tests of this module.
"""

import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context

from copytrade_core.edges.market.market_store import store_bars
from copytrade_core.edges.runtime.control_files import Control, clear_control, set_control
from copytrade_core.edges.runtime.session_addresses import addresses_of
from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.canary_due import due_comparisons
from copytrade_core.edges.stages.canary_gates import canary_gate
from copytrade_core.edges.stages.canary_monitor import watch_lead
from copytrade_core.edges.stages.canary_place import live_folder
from copytrade_core.edges.stages.canary_start import NotNow, Start, next_session
from copytrade_core.edges.stages.canary_store import load_session, session_key
from copytrade_core.edges.stages.instruments import trading_rules
from copytrade_core.edges.stages.promotion import promotion_evidence, stored_evidence
from copytrade_core.edges.stages.workplace import open_workplace, utc_now
from copytrade_core.edges.standins.app import StandinApp
from copytrade_core.edges.standins.binance import USUAL_PLAN, StandinConfig, standin_app
from copytrade_core.edges.standins.control import StandinControl
from copytrade_core.edges.standins.lead_records import records_from_directory
from copytrade_core.edges.standins.server import loopback_socket, running_in_thread
from copytrade_core.model.bar import BarSeries, PriceOrigin
from copytrade_core.model.instrument import Market
from copytrade_core.model.read_at import ReadAt
from copytrade_core.promotion.gate_result import Gate, GateVerdict
from copytrade_dagster.automation_sessions import paper_canary_sensor, paper_parity_sensor, session_ended
from copytrade_dagster.definitions import defs
from tests.made_lead import HOUR_MS, INTERVAL_MS, MADE, MARKET, POLICY, closed_row, loosened, write_pages
from tests.utc_day import leave_room_before_midnight

pytestmark = pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")
SHORT = POLICY.replace("ttl_s = 3600", "ttl_s = 2").replace("entry_drift_bps_max = 500", "entry_drift_bps_max = 5000")
ENOUGH = {
    "sessions_count_min": 1,
    "observed_hours_min": 0.001,
    "entries_count_min": 1,
    "exits_count_min": 1,
    "intents_compared_count_min": 2,
}
"""What one short session can show; every limit on what may go wrong is the shipped one."""
PRICE = 900_000
"""In ticks of 0.1: what the lead's own prices are, too."""
LEAD = "4751838302089254999"
SESSION_S = 120
PAPER_GATES = (Gate.BACKTEST_PAPER_PARITY, Gate.PAPER_CANARY_CLEAN)


@dataclass(frozen=True)
class Chain:
    """The project after the whole line, and what was seen on the way."""

    root: Path
    day: str
    seen: dict[str, Any]
    read_at: ReadAt


def flat_bars(instrument: Any, now_ms: int) -> BarSeries:
    """A market that stands still from two days ago until some hours from now."""
    times = np.arange(now_ms - 48 * HOUR_MS, now_ms + 6 * HOUR_MS, INTERVAL_MS, dtype=np.int64) // INTERVAL_MS
    times = np.unique(times) * INTERVAL_MS
    flat = np.full(len(times), PRICE, dtype=np.int32)
    return BarSeries(
        market=Market(MARKET),
        interval_ms=INTERVAL_MS,
        origin=PriceOrigin.RECORDED,
        open_time_ms=times,
        open=flat,
        high=flat,
        low=flat,
        close=flat,
        volume=np.full(len(times), 5.0),
    )


def requests_of(sensor: Any, instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    place = open_workplace(load_settings())
    with (
        dg.build_sensor_context(
            instance=instance,
            resources={"place": place},
            repository_def=defs.get_repository_def(),
            sensor_name=sensor.name,
        ) as context,
        partition_loading_context(dynamic_partitions_store=instance),
    ):
        return list(sensor.evaluate_tick(context).run_requests or [])


def after(run: dg.ExecuteInProcessResult, instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    """What follows a run that succeeded."""
    finished = instance.get_run_by_id(run.run_id)
    assert finished is not None
    event = (
        instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_SUCCESS)
        .records[0]
        .event_log_entry.dagster_event
    )
    assert event is not None
    with dg.build_run_status_sensor_context(
        sensor_name=session_ended.name, dagster_instance=instance, dagster_run=finished, dagster_event=event
    ) as context:
        found = session_ended(context)
    assert isinstance(found, dg.RunRequest)
    return [found]


def launch(job: str, request: dg.RunRequest, instance: dg.DagsterInstance, **config: Any) -> dg.ExecuteInProcessResult:
    return defs.resolve_job_def(job).execute_in_process(
        instance=instance,
        partition_key=request.partition_key,
        tags=dict(request.tags),
        run_config=config or None,
        raise_on_error=False,
    )


def verdicts(run: dg.ExecuteInProcessResult, asset: str) -> dict[str, str]:
    return {
        one.check_name: str(one.metadata["verdict"].value)
        for one in run.get_asset_check_evaluations()
        if one.asset_key == dg.AssetKey(asset)
    }


class Lead:
    """What answers at the source's and market's address, in real time: the same lead, who trades when told to."""

    def __init__(self, root: Path) -> None:
        self._root = root
        saved = json.loads((root / "pages" / LEAD / "position_history_pages_raw.json").read_text())
        self._rows: list[dict[str, object]] = saved[0]["response"]["data"]["list"]
        self._rules = trading_rules(open_workplace(load_settings()), MARKET)[0]
        self._opened_ms = 0
        self._answers = self._made(self._rows)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._answers(scope, receive, send)

    def opens(self) -> None:
        self._opened_ms = now_ms()
        self._answers = self._made([*self._rows, self._trade(closed_ms=self._opened_ms + HOUR_MS)])

    def closes(self) -> None:
        self._answers = self._made([*self._rows, self._trade(closed_ms=now_ms())])

    def _trade(self, *, closed_ms: int) -> dict[str, object]:
        return closed_row(
            opened=self._opened_ms, closed=closed_ms, cost=90_000.0, leave=90_000.0, is_long=True, pnl=0.0
        )

    def _made(self, rows: list[dict[str, object]]) -> StandinApp:
        pages = self._root / "live" / str(time.time_ns())
        write_pages(pages / LEAD, rows)
        config = StandinConfig(
            records=records_from_directory(pages),
            plan=USUAL_PLAN,
            port=0,
            as_of_ms=now_ms(),
            speed=1.0,
            bars=(flat_bars(self._rules, now_ms()),),
            instruments=(self._rules,),
        )
        return standin_app(config)


@pytest.fixture(scope="module")
def chain(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """Pages, gates, session, history and bars, comparison, record and evidence; sensors ask for what follows."""
    root = tmp_path_factory.mktemp("chain") / "project"
    shutil.copytree(template, root)
    (root / "settings" / "short.toml").write_text(SHORT)
    contract = root / "settings" / "promotion.toml"
    contract.write_text(loosened(contract.read_text(), ENOUGH))
    (root / "instance").mkdir()
    with (
        pytest.MonkeyPatch.context() as patch,
        dg.DagsterInstance.local_temp(str(root / "instance")) as instance,
    ):
        patch.setenv("COPYTRADE_CONFIG", str(root / "settings/copytrade.toml"))
        instance.add_dynamic_partitions("lead", [LEAD])
        instance.add_dynamic_partitions("market", [MARKET])
        return Chain(root=root, **walked(root, instance, patch))


def walked(root: Path, instance: dg.DagsterInstance, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    derive = dg.RunRequest(partition_key=LEAD)
    _ = launch("derive_lead", derive, instance)
    leave_room_before_midnight()  # The sensor asks for a session of today, and only today can be watched.
    (request,) = requests_of(paper_canary_sensor, instance)
    day = str(request.partition_key).partition("|")[0]
    seen["session"] = watched_session(root, request, instance, patch)
    assert seen["session"].success, [e.event_specific_data for e in seen["session"].all_events if e.is_step_failure]
    place = open_workplace(load_settings())
    seen["due_before_history"] = due_comparisons(place, LEAD)
    _ = launch("monitor_lead", derive, instance)
    seen["gathered_at_once"] = verdicts(gathered(seen["session"], instance), "paper_record")
    _ = launch("derive_lead", derive, instance)
    market = trading_rules(place, MARKET)[0]
    _ = store_bars(place.lake, flat_bars(market, now_ms()), tick_size=market.tick_size, provenance=replace(MADE))
    (again,) = requests_of(paper_parity_sensor, instance)
    seen["parity"] = launch("compare_canary", again, instance)
    seen["due_after"] = requests_of(paper_parity_sensor, instance)
    seen["gathered"] = gathered(seen["parity"], instance)
    return {"day": day, "seen": seen, "read_at": addresses_of(load_settings(), with_venue=False)}


def gathered(run: dg.ExecuteInProcessResult, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    (request,) = after(run, instance)
    return launch("gather_canary", request, instance)


def watched_session(
    root: Path, request: dg.RunRequest, instance: dg.DagsterInstance, patch: pytest.MonkeyPatch
) -> dg.ExecuteInProcessResult:
    """The run that the sensor asked for, while the lead trades on loopback."""
    lead = Lead(root)
    with running_in_thread(lead, loopback_socket("127.0.0.1", 0)) as base_url, patch.context() as near:
        for host in ("SOURCE", "MARKET"):
            # For the rest of the line: what was read at a stand-in counts only while the settings name it.
            patch.setenv(f"COPYTRADE_{host}__BASE_URL", base_url)
            near.setenv(f"COPYTRADE_{host}__REQUEST_INTERVAL_S", "0")
        near.setenv("COPYTRADE_CANARY__POLL_EVERY_S", "0.4")
        near.setenv("COPYTRADE_CANARY__PRICE_EVERY_S", "0.3")
        asked = {"ops": {"paper_session": {"config": {"live": True, "deadline_s": SESSION_S}}}}
        folder = live_folder(load_settings(), LEAD, "paper")
        with trading(lead, StandinControl(base_url), folder):
            return launch("paper_canary", request, instance, **asked)


@contextmanager
def trading(lead: Lead, control: StandinControl, folder: Path) -> Generator[None]:
    """However slow the session is: the lead opens once it was seen without a position and closes once seen with it.

    When the follower has left its own, a person ends the session.
    """

    def polled_twice() -> bool:
        return sum(n for path, n in control.state()["calls"].items() if path.endswith("/lead-data/positions")) >= 2

    def end() -> None:
        set_control(folder, Control.KILL, who="test", why="it has traded once", at_ms=now_ms())

    def live() -> None:
        steps = (
            (polled_twice, lead.opens),
            (polled_twice, lead.closes),
            (lambda: filled(folder) == 2, end),
        )
        for ready, step in steps:
            while not ready():
                if over.wait(0.05):
                    return
            step()

    over = threading.Event()
    driver = threading.Thread(target=live)
    driver.start()
    try:
        yield
    finally:
        over.set()
        driver.join()
        _ = clear_control(folder, Control.KILL)


def filled(folder: Path) -> int:
    if not (folder / "session.sqlite").exists():
        return 0
    with closing(sqlite3.connect(f"file:{folder / 'session.sqlite'}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute("SELECT count(*) FROM fills").fetchone()[0]
        except sqlite3.OperationalError:
            return 0  # not migrated yet, or being written


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def place(chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A copy of the store and settings as the line left them."""
    shutil.copytree(chain.root, tmp_path / "project")
    config = tmp_path / "project" / "settings" / "copytrade.toml"
    monkeypatch.setenv("COPYTRADE_CONFIG", str(config))
    monkeypatch.setenv("COPYTRADE_SOURCE__BASE_URL", chain.read_at.source)
    monkeypatch.setenv("COPYTRADE_MARKET__BASE_URL", chain.read_at.market)
    return open_workplace(load_settings(file=config))


def test_the_session_that_the_sensor_asked_for_watched_and_traded_once(chain: Chain, place):
    assert chain.seen["session"].success
    record = load_session(place, session_key(chain.day, LEAD))
    assert record.is_observed
    assert [fill.is_entry for fill in record.fills] == [True, False]
    assert not record.alerts


def test_its_gates_pass_on_evidence_that_counts(chain: Chain, place):
    assert verdicts(chain.seen["gathered"], "paper_record") == {gate.value: "pass" for gate in PAPER_GATES}
    told = verdicts(chain.seen["gathered"], "promotion_evidence")
    assert {gate.value: told[gate.value] for gate in PAPER_GATES} == {gate.value: "pass" for gate in PAPER_GATES}
    for gate in PAPER_GATES:
        result, digest = canary_gate(place, LEAD, gate)
        assert (result.verdict, result.reasons) == (GateVerdict.PASS, ())
        assert digest


def test_before_the_history_and_bars_came_nothing_was_compared_and_the_gate_said_so(chain: Chain):
    assert chain.seen["due_before_history"] == (), "nothing has changed since it was compared at its end"
    assert chain.seen["gathered_at_once"] == {"backtest_paper_parity": "inconclusive", "paper_canary_clean": "pass"}
    assert chain.seen["parity"].success
    assert chain.seen["due_after"] == [], "compared in full, it is not asked for again"


@pytest.mark.parametrize("gate", PAPER_GATES)
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("policy", "counts: observed, of this policy and code"),
        ("money", "counts: observed, of this policy and code"),
        ("code", "counts: observed, of this policy and code"),
        ("source", "not https://www.binance.com"),
        ("market", "not https://fapi.binance.com"),
        ("age", "not expired"),
    ],
)
def test_the_same_evidence_is_inconclusive_for_anything_else(place, gate, change, why):
    settings = place.settings
    match change:
        case "policy":
            _ = settings.policies[settings.main_policy].write_text(SHORT.replace("ttl_s = 2", "ttl_s = 4"))
        case "money":
            place = replace(place, settings=load_settings(overrides={"canary.daily_loss_usdt_max": "6"}))
        case "source":
            place = replace(place, settings=load_settings(overrides={"source.base_url": "https://www.binance.com"}))
        case "market":
            place = replace(place, settings=load_settings(overrides={"market.base_url": "https://fapi.binance.com"}))
        case "code":
            place = replace(place, code_version="another")
        case _:
            place = replace(place, now=lambda: utc_now() + timedelta(days=31))
    result, _ = canary_gate(place, LEAD, gate)
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert why in result.deciding.reason
    assert result.deciding.command == f"copytrade canary paper --lead {LEAD} --live"


def test_a_folder_of_another_policy_starts_no_session_and_says_what_to_do(place):
    _ = place.settings.policies[place.settings.main_policy].write_text(SHORT.replace("ttl_s = 2", "ttl_s = 4"))
    wanted = next_session(place, LEAD)
    assert isinstance(wanted, NotNow)
    assert "another policy" in wanted.why
    shutil.move(live_folder(place.settings, LEAD, "paper"), place.settings.data_dir / "kept")
    assert isinstance(next_session(place, LEAD), Start)


def test_one_more_look_of_the_monitor_does_not_make_the_evidence_stale(place):
    _ = watch_lead(place, LEAD)
    _ = promotion_evidence(place, LEAD)
    before = stored_evidence(place, LEAD)
    later = replace(place, now=lambda: utc_now() + timedelta(seconds=1))
    _ = watch_lead(later, LEAD)
    assert stored_evidence(later, LEAD).digest == before.digest
