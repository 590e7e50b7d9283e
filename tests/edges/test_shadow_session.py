"""A whole shadow session over an archive: the orders of a paper session, each as a venue would get it, none sent."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from copytrade_core.edges.runtime.parity_session import session_trades
from copytrade_core.edges.runtime.runtime_files import SESSION_FILE, SHADOW_FILE
from copytrade_core.edges.runtime.session_controls import owner_of
from copytrade_core.edges.stages.instruments import trading_rules
from copytrade_core.edges.stages.paper import run_paper_session
from copytrade_core.edges.stages.paper_archive import Span
from copytrade_core.edges.stages.paper_plan import PaperPlan, replay_plan
from copytrade_core.edges.stages.policies import load_policies
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.edges.standins.venue_server import VenueServerConfig, running_venue
from copytrade_core.edges.standins.venue_setup import KeySetup, MarketSetup, VenueSetup, fake_key
from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.certify import certificate_of
from copytrade_core.edges.venues.credentials import Credentials
from copytrade_core.edges.venues.shadow_venue import ShadowVenue, shadow_venue
from copytrade_core.edges.venues.transport import Loopback
from copytrade_core.evidence.parity import TradePath
from copytrade_core.evidence.parity_paths import MarketRecord, compare_paths
from copytrade_core.model.errors import BadConfig
from copytrade_core.model.venue import PositionMode, Venue
from copytrade_core.session.shadow import ShadowAt
from copytrade_core.strategies.leads import plain_lead
from tests.small_lead import LEAD, place_of, small_project
from tests.trading_floor import BTC

POSITIONS = 24
ALL = Span(from_at=None, until_at=None)


@pytest.fixture(scope="module")
def place(made_once, project_root) -> Workplace:
    made = made_once("paper_lead", lambda root: small_project(root, project_root, positions=POSITIONS))
    return place_of(made / "settings/copytrade.toml")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def setup(place: Workplace, *, key: KeySetup) -> VenueSetup:
    rules = trading_rules(place, BTC)[0]
    return VenueSetup(
        now_ms=now_ms(),
        cash="10000",
        position_mode=PositionMode.HEDGE,
        key=key,
        markets=[
            MarketSetup(
                market=BTC,
                tick_size=f"{rules.tick_size:f}",
                step_size=f"{rules.step_size:f}",
                min_quantity=f"{rules.quantity(rules.min_quantity):f}",
                min_notional="2",
                contract_size=None,
            )
        ],
        prices={BTC: [(now_ms() - 3_600_000, "60000")]},
    )


def look_at(base_url: str, key: KeySetup) -> ShadowVenue:
    fake = fake_key(Venue.BINGX, key)
    return shadow_venue(
        profile_of(Venue.BINGX),
        credentials=Credentials(api_key=SecretStr(fake.api_key), secret=SecretStr(fake.secret)),
        address=Loopback(base_url=base_url),
        certificate=certificate_of(profile_of(Venue.BINGX), requests=(), made_at_ms=0),
        now_ms=now_ms,
        timeout_s=2.0,
        position_mode=PositionMode.HEDGE,
    )


def plan_of(place: Workplace) -> PaperPlan:
    name, policy = next(iter(load_policies(place.settings).items()))
    return replay_plan(place.settings, name, policy, plain_lead(LEAD))


def test_a_shadow_session_does_what_paper_does_and_the_venue_hears_of_nothing(place: Workplace, tmp_path: Path) -> None:
    plan, key = plan_of(place), KeySetup()
    paper = run_paper_session(place, plan, ALL, folder=tmp_path / "paper", run_id="p")
    first = setup(place, key=key)
    with running_venue(VenueServerConfig(venue=Venue.BINGX, setup=first, port=0)) as venue:
        shadow = ShadowAt(venue="bingx", look=look_at(venue.base_url, key), position_mode=PositionMode.HEDGE)
        done = run_paper_session(place, plan, ALL, folder=tmp_path / "shadow", run_id="s", shadow=shadow)
        ledger = venue.control.ledger()
    assert (list(ledger.orders), list(ledger.positions)) == ([], [])
    assert done.status.counters == paper.status.counters
    assert done.status.cash == paper.status.cash
    assert done.status.counters.orders > 20
    rows = [json.loads(line) for line in (tmp_path / "shadow" / SHADOW_FILE).read_text().splitlines()]
    assert len(rows) == done.status.counters.orders
    assert {(row["venue"], row["mode"], row["submitted"], row["fault"]) for row in rows} == {
        ("bingx", "shadow", False, None)
    }
    assert all(row["client_order_id"] in row["request"].values() for row in rows)
    assert {row["request"]["positionSide"] for row in rows} <= {"LONG", "SHORT"}
    assert not (tmp_path / "paper" / SHADOW_FILE).exists()
    _same_trades(place, tmp_path)


def _same_trades(place: Workplace, root: Path) -> None:
    """Both journals, compared intent by intent; an account's alias is in the ids, a venue's name is not."""
    rules = {str(BTC): trading_rules(place, BTC)[0]}
    paths = {}
    for path in (TradePath.PAPER, TradePath.SHADOW):
        journal = root / path.value / SESSION_FILE
        owner = owner_of(journal)
        assert owner is not None
        paths[path] = session_trades(journal, path, who=owner, record=MarketRecord(instruments=rules, bars={}))
    table = compare_paths(paths[TradePath.PAPER], paths[TradePath.SHADOW], rules)
    assert (table.total, table.residual, table.missed) == (0, 0, ())


def test_a_key_that_is_bound_to_no_address_starts_no_shadow(place: Workplace, tmp_path: Path) -> None:
    key, plan = KeySetup(ip_restricted=False), plan_of(place)
    with running_venue(VenueServerConfig(venue=Venue.BINGX, setup=setup(place, key=key), port=0)) as venue:
        shadow = ShadowAt(venue="bingx", look=look_at(venue.base_url, key), position_mode=PositionMode.HEDGE)
        with pytest.raises(BadConfig) as refused:
            run_paper_session(place, plan, ALL, folder=tmp_path, run_id="s", shadow=shadow)
    assert refused.value.where.field == "ip_allow_list"
