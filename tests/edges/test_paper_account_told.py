"""A paper session's folder read as evidence: its account is told from its own log, and no fault of the ledger hides."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from copytrade_core.edges.monitoring.monitor_pass import Monitor
from copytrade_core.edges.runtime.paper_account_file import PAPER_ACCOUNT_FILE, PaperAccountFile
from copytrade_core.edges.runtime.paper_account_told import told_account
from copytrade_core.edges.runtime.session_evidence import read_session
from copytrade_core.edges.stages.instruments import trading_rules
from copytrade_core.edges.stages.paper import run_paper_session
from copytrade_core.edges.stages.paper_archive import Span
from copytrade_core.edges.stages.paper_plan import replay_plan
from copytrade_core.edges.stages.policies import load_policies
from copytrade_core.evidence.session_checks import cash_balances
from copytrade_core.model.errors import BadInput
from copytrade_core.model.fill import MARKET_FILL_MODELS, RUNG_FILL_MODELS
from copytrade_core.model.round_trip import CostModel
from copytrade_core.model.units import Money, Ppm
from copytrade_core.monitor.finding import Rule
from copytrade_core.session.paper_log import Charged, encode_record
from copytrade_core.session.paper_matching import PaperTerms
from copytrade_core.strategies.leads import plain_lead
from tests.monitor_floor import settings
from tests.small_lead import LEAD, place_of, small_project
from tests.trading_floor import BTC

POSITIONS = 24


@pytest.fixture(scope="module")
def place(made_once, project_root):
    root = made_once("paper_lead", lambda root: small_project(root, project_root, positions=POSITIONS))
    return place_of(root / "settings/copytrade.toml")


@pytest.fixture(scope="module")
def traded(place, tmp_path_factory) -> Path:
    """A session of everything that is stored, to its end."""
    name, policy = next(iter(load_policies(place.settings).items()))
    plan = replay_plan(place.settings, name, policy, plain_lead(LEAD))
    folder = tmp_path_factory.mktemp("traded") / "runtime"
    _ = run_paper_session(place, plan, Span(from_at=None, until_at=None), folder=folder, run_id="r1")
    return folder


@pytest.fixture
def folder(traded, tmp_path) -> Path:
    return shutil.copytree(traded, tmp_path / "runtime")


def answer(place, folder: Path):
    day = json.loads((folder / "RUN_STATUS.json").read_text())["started_at"][:10]
    record = read_session(folder, lambda market: trading_rules(place, market)[0], day=day, run_id="r1")
    return record, cash_balances(record)


def test_the_account_tells_every_trade_fee_and_unit_that_the_ledger_has(place, traded):
    record, found = answer(place, traded)
    told = record.account_told
    assert told is not None
    assert len(told.trade_ids) == len(record.fills) > 20
    assert told.fees == sum(fill.fee for fill in record.fills) > 0
    assert told.equity == record.equity
    assert found.holds, found.says
    assert found.numbers["account_cash_usdt"] == told.cash / 1e8


def in_journal(change: Callable[[sqlite3.Connection, dict], None], folder: Path) -> None:
    """Change rows and, so that the ledger still agrees with them, its state."""
    with closing(sqlite3.connect(folder / "session.sqlite", isolation_level=None)) as journal:
        state = json.loads(journal.execute("SELECT body FROM state").fetchone()[0])
        change(journal, state)
        _ = journal.execute("UPDATE state SET body = ?", (json.dumps(state),))


def lose_a_fee(folder: Path, _unit: int) -> None:
    def change(journal: sqlite3.Connection, state: dict) -> None:
        (fee,) = journal.execute("SELECT fee FROM fills WHERE number = 3").fetchone()
        _ = journal.execute("UPDATE fills SET fee = 0 WHERE number = 3")
        state["book"]["cash"] += fee

    in_journal(change, folder)


def post_a_fill_twice(folder: Path, unit: int) -> None:
    columns = (
        "run, at_ms, client_order_id, kind, episode_id, market, side, leg, buys, time_ms, raw_price, price, quantity, "
        "fee, slippage, model, reason"
    )

    def change(journal: sqlite3.Connection, state: dict) -> None:
        both = "FROM fills WHERE number <= 2"  # A whole round trip, so that nothing is held that was not held before.
        rows = journal.execute(f"SELECT kind, buys, price, quantity, fee {both}").fetchall()
        assert [row[0] for row in rows] == ["open", "close"]
        _ = journal.execute(f"INSERT INTO fills ({columns}) SELECT {columns} {both}")
        for _, buys, price, steps, fee in rows:
            state["book"]["cash"] += (-1 if buys else 1) * price * steps * unit - fee

    in_journal(change, folder)


def miss_a_payment(folder: Path, _unit: int) -> None:
    charged = Charged(charge_id="e|1", cost=Money(7))
    PaperAccountFile(folder / PAPER_ACCOUNT_FILE).append((encode_record(charged),))


def lose_the_last_trade_of_the_account(folder: Path, _unit: int) -> None:
    lines = (folder / PAPER_ACCOUNT_FILE).read_bytes().splitlines(keepends=True)
    (folder / PAPER_ACCOUNT_FILE).write_bytes(b"".join(lines[:-1]))


def lose_the_log(folder: Path, _unit: int) -> None:
    (folder / PAPER_ACCOUNT_FILE).unlink()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lose_a_fee, "fees: the ledger has"),
        (post_a_fill_twice, "settled money"),
        (miss_a_payment, "funding: the ledger has 0.00000000, the account 0.00000007"),
        (lose_the_last_trade_of_the_account, "the account never made trade"),
        (lose_the_log, "its log is gone"),
    ],
)
def test_a_ledger_that_is_wrong_in_itself_is_found_by_the_account(place, folder, spoil, says):
    (market,) = {fill.market for fill in answer(place, folder)[0].fills}
    spoil(folder, trading_rules(place, market)[0].money_per_tick_step)
    _, found = answer(place, folder)
    assert any(says in each for each in found.breaches), found.breaches
    if spoil in (lose_a_fee, post_a_fill_twice):
        assert found.numbers["difference_e8"] == 0, "fills and ledger agree with each other"


def test_reading_an_account_writes_nothing_and_no_log_is_no_account(place, folder, tmp_path):
    before = (folder / PAPER_ACCOUNT_FILE).read_bytes()
    _ = answer(place, folder)
    assert (folder / PAPER_ACCOUNT_FILE).read_bytes() == before
    assert told_account(tmp_path / "none.jsonl", lambda market: trading_rules(place, market)[0], ()) is None
    assert not (tmp_path / "none.jsonl").exists()


@pytest.mark.parametrize("market_fill", MARKET_FILL_MODELS)
@pytest.mark.parametrize("rung_fill", RUNG_FILL_MODELS)
def test_the_terms_of_an_account_come_back_from_their_line(market_fill, rung_fill):
    costs = CostModel(taker_fee=Ppm(500), maker_fee=Ppm(200), slippage=Ppm(425), source="its log")
    terms = PaperTerms(market_fill=market_fill, rung_fill=rung_fill, costs=costs, delay_ms=250, cash=Money(3))
    assert PaperTerms.of_text(terms.text, cash=Money(3)) == terms


@pytest.mark.parametrize("text", ["", "x", "next_bar_open_v1 touch_v1 taker 1 maker 1 slippage 1 ppm delay 1 s"])
def test_a_line_that_is_no_terms_is_refused(text):
    with pytest.raises(BadInput, match="no terms"):
        _ = PaperTerms.of_text(text, cash=Money(0))


def rows(folder: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(folder / "session.sqlite")) as journal:
        return journal.execute(query).fetchall()


def test_slippage_of_an_archived_session_is_what_its_account_assumes_however_the_market_moved(place, folder):
    """A fill at a bar's open is held against that open: what the bar before it had closed at is the delay's."""
    assumed = place.settings.costs.slippage_bps
    found = rows(
        folder,
        """SELECT s.signed_bps, s.delay_bps, s.spread_bps, c.decided_to_fill_bps, c.decided_price, s.expected, s.filled
        FROM slippage_observations s JOIN comparisons c USING (fill)""",
    )
    assert len(found) > 20
    for slipped, delay, spread, whole, decided, expected, filled in found:
        assert spread == 0, "bars have no spread"
        one_tick = 10_000 / expected
        assert float(assumed) <= slipped <= float(assumed) + one_tick, "rounded against us, to a tick at most"
        assert delay + slipped == pytest.approx(whole * decided / expected), (filled, decided)
    assert max(delay for _, delay, *_ in found) > 1, "the market moved against some"
    worst_fill, worst_whole = max(row[0] for row in found), max(row[3] for row in found)
    assert worst_whole > worst_fill + 1
    limit = (worst_fill + worst_whole) / 2
    assert breaches(folder, limit) == set()
    assert breaches(folder, float(assumed) / 2) == {BTC}


def breaches(folder: Path, limit_bps: float) -> set[str]:
    """Markets in which a monitor with this gate finds slippage, looking for the first time."""
    monitor = Monitor(folder, settings(monitor__slippage_bps_max=limit_bps), alerts=None)
    now_ms = json.loads((folder / "RUN_STATUS.json").read_text())["wall_at"]
    found = monitor.look(now_ms=round(datetime.fromisoformat(now_ms).timestamp() * 1000))
    for path in folder.glob("monitor*"):
        path.unlink()
    return {each.subject for each in found.active if each.rule is Rule.SLIPPAGE_BREACH}
